-- A worker whose tasks have run into the memory_limit goes on: what they had
-- is garbage once they are over, whatever it is.

local session = require "spec.support.session"
local tidepool = require "tidepool"

-- luacheck: ignore 241 311 331 431 432 122 111 112 113
local before_each, describe, it = before_each, describe, it
local after_each = after_each
local expect = assert

local limit = session.limit
local LIMIT = 400000

-- Each fills the memory and fails.
local hogs = {
  ["plain tables"] = function ()
    local list = {}
    while true do list[#list + 1] = { {} } end
  end,
  ["tables with finalizers"] = function ()
    local list, meta = {}, { __gc = function () end }
    while true do list[#list + 1] = setmetatable({}, meta) end
  end,
  promises = function ()
    local list, tidepool = {}, require "tidepool"
    while true do list[#list + 1] = { tidepool.promise() } end
  end,
  coroutines = function ()
    local list = {}
    while true do list[#list + 1] = coroutine.create(function () end) end
  end,
  ["a global table"] = function ()
    _G.hoard = {}
    while true do _G.hoard[#_G.hoard + 1] = { {} } end
  end,
}

-- More of the last of these.
local function append()
  while true do _G.hoard[#_G.hoard + 1] = { {} } end
end

local function modest()
  local list = {}
  for i = 1, 100 do list[i] = i end
  return #list
end

local function fails_for_memory(future)
  local err = session.failure(future)
  expect.is_truthy(tostring(err.message):find("memory_limit", 1, true))
end

describe("memory_limit", function ()
  before_each(function () tidepool.on_unhandled(function () end) end)
  after_each(function ()
    tidepool.on_unhandled(nil)
    session.finish()
  end)

  for name, hog in pairs(hogs) do
    it("lets modest tasks run after a task full of " .. name, function ()
      local pool = session.pool { workers = 1, memory_limit = LIMIT }
      for _ = 1, 3 do
        fails_for_memory(pool:call(hog))
        fails_for_memory(pool:call(hog))
        for _ = 1, 20 do
          expect.are.equal(100, pool:call(modest):await(limit))
        end
      end
      expect.are.equal(name == "a global table" and 3 or 0,
        pool:stats().replaced)
    end)
  end

  -- What fills up little by little leaves no room for a task to collect in.
  for name, make in pairs {
    ["tables with finalizers"] = function ()
      return setmetatable({}, { __gc = function () end })
    end,
    promises = function ()
      return { require "tidepool".promise() }
    end,
  } do
    it("lets modest tasks run after more and more " .. name, function ()
      local pool = session.pool { workers = 1, memory_limit = 300000 }
      for n = 100, 6000, 150 do
        pool:call(function (count, one)
          local list = {}
          for i = 1, count do list[i] = one() end
        end, n, make):pawait()
      end
      for _ = 1, 50 do
        expect.are.equal(100, pool:call(modest):await(limit))
      end
    end)
  end

  it("runs init again in a Lua state that takes the place of a full one",
    function ()
      local pool = session.pool {
        workers = 1, memory_limit = LIMIT,
        init = function () made = "made" end,
      }
      expect.are.equal("made", pool:call(function ()
        local was = made
        _G.made = "used"
        return was
      end):await(limit))
      fails_for_memory(pool:call(hogs["a global table"]))
      expect.are.equal("used", pool:call(function ()
        return made
      end):await(limit))
      fails_for_memory(pool:call(append))
      local state, hoard = pool:call(function ()
        return made, _G.hoard
      end):await(limit)
      expect.are.equal("made", state)
      expect.is_nil(hoard)
      expect.are.equal(1, pool:stats().replaced)
    end)

  it("keeps a full Lua state in which a task waits until that is over",
    function ()
      local pool = session.pool { workers = 1, memory_limit = LIMIT }
      local future, promise = tidepool.promise()
      local waits = pool:call(function (box)
        return box[1]:await()
      end, { future })
      session.eventually(function ()
        return waits:state() == "suspended"
      end, "it waits")
      fails_for_memory(pool:call(hogs["a global table"]))
      fails_for_memory(pool:call(append))
      expect.are.equal(0, pool:stats().replaced)
      promise:resolve "done"
      expect.are.equal("done", waits:await(limit))
      expect.are.equal(100, pool:call(modest):await(limit))
      expect.are.equal(1, pool:stats().replaced)
    end)

  it("lets finalizers wait when it collects after such a task", function ()
    local pool = session.pool { workers = 2, memory_limit = LIMIT }
    local future, promise = tidepool.promise()
    fails_for_memory(pool:call(function (promise)
      local tidepool = require "tidepool"
      local call = tidepool.current().call
      local object = setmetatable({}, { __gc = function ()
        promise:resolve(call(tidepool.current(), "test.add", 1, 2):await())
      end })
      local list = { object }
      while true do list[#list + 1] = { {} } end
    end, promise))
    promise = nil
    collectgarbage()
    expect.are.equal(3, future:await(limit))
  end)
end)
