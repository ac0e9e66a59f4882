-- A coroutine is an object. What a program or a task keeps it for, as the key
-- of a context or as a handle, is never another one's.

local session = require "spec.support.session"
local tidepool = require "tidepool"

local expect = assert

local limit = session.limit

-- What the coroutine, or the task, of before has left under this one; it leaves
-- something itself. `own` says who runs.
local function context(own)
  _G.kept = _G.kept or setmetatable({}, { __mode = "k" })
  local me = own()
  local before = _G.kept[me]
  _G.kept[me] = true
  return before
end

local function by_running()
  return (coroutine.running())
end

local function by_hook()
  local me
  debug.sethook(function () me = coroutine.running() end, "", 1)
  for _ = 1, 3 do
  end
  debug.sethook()
  return me
end

local function by_c()
  return require "testmod".thread()
end

local function by_registry()
  for _, value in pairs(debug.getregistry()) do
    if type(value) == "thread" and coroutine.status(value) == "running" then
      return value
    end
  end
  return {}
end

local ways = {
  ["coroutine.running"] = by_running, ["a hook"] = by_hook,
  ["a C module"] = by_c, ["the registry"] = by_registry,
}

local function twice(run)
  for i = 1, 3 do
    expect.is_nil(run(i))
  end
end

describe("a coroutine", function ()
  after_each(session.finish)

  for way, own in pairs(ways) do
    it("that was spawned is none of before, by " .. way, function ()
      twice(function () return tidepool.spawn(context, own):await(limit) end)
    end)

    it("of a task is none of before, by " .. way, function ()
      local pool = session.pool()
      twice(function () return pool:call(context, own):await(limit) end)
    end)

    it("that a task has spawned is none of before, by " .. way, function ()
      local pool = session.pool()
      local function spawn(...)
        return require "tidepool".spawn(...):await()
      end
      twice(function () return pool:call(spawn, context, own):await(limit) end)
    end)
  end

  it("that has ended stays dead, and may be closed", function ()
    local old = tidepool.spawn(by_running):await(limit)
    local again = tidepool.spawn(tidepool.sleep, 0.02)
    tidepool.sleep(0)
    expect.are.equal("dead", coroutine.status(old))
    expect.is_true(coroutine.close(old))
    expect.is_false(coroutine.resume(old))
    again:await(limit)
  end)

  it("of a task stays dead too", function ()
    local pool = session.pool()
    pool:call(function ()
      _G.old = coroutine.running()
    end):await(limit)
    expect.are.equal("dead false", pool:call(function ()
      return coroutine.status(_G.old) .. " "
        .. tostring((coroutine.resume(_G.old)))
    end):await(limit))
  end)
end)
