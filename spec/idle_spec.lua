-- luacheck: ignore 111 113 231 241 431
-- A Lua state that sleeps collects what keeps others waiting: promises that
-- were dropped, scopes that were left behind.

local session = require "spec.support.session"
local process = require "spec.support.process"
local tidepool = require "tidepool"

local limit = session.limit


-- Some library forgets its callback.
local function dropped()
  local future, promise = tidepool.promise()
  local function callback(x) promise:resolve(x) end
  callback = nil -- luacheck: ignore
  return future
end

local function is_broken(future)
  assert.are.equal("broken", session.failure(future).kind)
end

-- In a worker, whose own promise it is.
local function await_dropped()
  return (require "tidepool".promise()):await()
end

local function await_below_c()
  local future = require "tidepool".promise()
  local ok, err
  string.gsub("x", "x", function () ok, err = future:pawait() end)
  return ok, err.kind
end

describe("a promise that was dropped breaks", function ()
  after_each(session.finish)

  it("while the program awaits it", function ()
    is_broken(dropped())
  end)

  it("while a coroutine awaits it", function ()
    is_broken(tidepool.spawn(function () return dropped():await() end))
  end)

  it("while a coroutine that cannot yield awaits it", function ()
    local ok, kind = tidepool.spawn(function ()
      local future = dropped()
      local ok, err
      string.gsub("x", "x", function () ok, err = future:pawait(limit) end)
      return ok, err.kind
    end):await(limit)
    assert.is_false(ok)
    assert.are.equal("broken", kind)
  end)

  it("while a group waits for it", function ()
    local group = tidepool.group()
    group:add(dropped())
    local _, future = group:next(limit)
    is_broken(future)
  end)

  it("while the program sleeps", function ()
    local awaits = tidepool.spawn(function () return dropped():await() end)
    session.eventually(function ()
      tidepool.sleep(0.1)
      return awaits:is_ready()
    end)
    is_broken(awaits)
  end)

  it("while the program polls", function ()
    local awaits = tidepool.spawn(function () return dropped():await() end)
    session.eventually(function ()
      tidepool.poll(limit)
      return awaits:is_ready()
    end)
    is_broken(awaits)
  end)

  for _, name in ipairs { "wait_all", "shutdown" } do
    it("while the program is in " .. name, function ()
      local pool = session.pool()
      local follows = pool:call(function (x) return x end, dropped())
      pool[name](pool)
      assert.are.equal("broken", session.failure(follows).kind)
    end)
  end

  it("while the program leaves the block of a pool", function ()
    local follows
    do
      local pool <close> = tidepool.AsyncManager.new { workers = 1 }
      follows = pool:call(function (x) return x end, dropped())
    end
    assert.are.equal("broken", session.failure(follows).kind)
  end)

  it("while the program waits for a slot", function ()
    local pool = session.pool { workers = 1, queue = 1 }
    local first = pool:call(function (x) return x end, dropped())
    local second = pool:call(function (x) return x end, dropped())
    assert.are.equal(1, pool:call(function () return 1 end):await(limit))
    assert.are.equal("broken", session.failure(first).kind)
    assert.are.equal("broken", session.failure(second).kind)
  end)

  it("while a task awaits it", function ()
    is_broken(session.pool():call(await_dropped))
  end)

  it("while a task that cannot yield awaits it", function ()
    local ok, kind = session.pool():call(await_below_c):await(limit)
    assert.is_false(ok)
    assert.are.equal("broken", kind)
  end)

  it("while a task that cannot yield sleeps", function ()
    local kind = session.pool():call(function ()
      local tidepool = require "tidepool"
      local awaits = tidepool.spawn(function ()
        return select(2, tidepool.promise():pawait()).kind
      end)
      repeat
        string.gsub("x", "x", function () tidepool.sleep(0.1) end)
      until awaits:is_ready()
      return awaits:get()
    end):await(limit)
    assert.are.equal("broken", kind)
  end)

  it("while a task waits for all of another manager", function ()
    session.pool { workers = 1, name = "idle" }
    local kind = session.pool():call(function ()
      local tidepool = require "tidepool"
      local pool = tidepool.attach "idle"
      local future = pool:call(function (x) return x end, (tidepool.promise()))
      pool:wait_all()
      return select(2, future:pawait()).kind
    end):await(limit)
    assert.are.equal("broken", kind)
  end)

  it("in a worker that is idle, for who awaits it elsewhere", function ()
    is_broken(session.pool():call(function ()
      return (require "tidepool".promise())
    end):await(limit))
  end)

  it("in a worker that its pool waits for", function ()
    local pool = session.pool()
    pool:call(function ()
      require "tidepool".promise():and_then(print):catch(function () end)
    end):await(limit)
    assert.is_true(pool:shutdown { timeout = limit })
  end)

  it("when it is a finalizer that lets go of it", function ()
    local kept = {}
    local function request()
      local future
      future, kept[1] = tidepool.promise()
      setmetatable({}, { __gc = function () kept[1] = nil end })
      return future
    end
    is_broken(request())
    is_broken(session.pool():call(function ()
      local future
      future, _G.kept_by_registry = require "tidepool".promise()
      setmetatable({}, { __gc = function () _G.kept_by_registry = nil end })
      return future
    end):await(limit))
  end)
end)

describe("a scope that was left behind", function ()
  after_each(session.finish)

  local function numbers()
    local tidepool = require "tidepool"
    local s <close> = tidepool.scope()
    for i = 1, 5 do
      coroutine.yield(s:spawn(function () return i end):await())
    end
  end

  for name, task in pairs {
    ["by a loop that was left early"] = function ()
      for i in coroutine.wrap(numbers) do
        if i == 3 then break end
      end
    end,
    ["by a coroutine that was dropped"] = function ()
      coroutine.wrap(function ()
        local _ <close> = require "tidepool".scope()
        coroutine.yield()
      end)()
    end,
    ["for ever"] = function ()
      _G.kept_scope = require "tidepool".scope()
      _G.kept_scope:spawn(function () end):await()
    end,
  } do
    it(name .. " keeps no pool from closing", function ()
      local pool = session.pool()
      pool:call(task, numbers):await(limit)
      assert.is_true(pool:shutdown { timeout = limit })
    end)
  end

  it("but not what still runs in it", function ()
    local pool = session.pool()
    local future, promise = tidepool.promise()
    pool:call(function (p)
      local tidepool = require "tidepool"
      _G.kept_scope = tidepool.scope()
      _G.kept_scope:spawn(function ()
        tidepool.sleep(0.1)
        p:resolve "done"
      end)
    end, promise):await(limit)
    assert.is_true(pool:shutdown { timeout = limit })
    assert.are.equal("done", future:await(limit))
  end)
end)

describe("a state that is idle", function ()
  after_each(session.finish)

  -- How often the small Lua state of a program collects. That is twice for
  -- being idle, and in a worker sometimes of its own accord; were it again and
  -- again, it would be some twenty times in a second.
  local counts = [[
    local tidepool = require "tidepool"
    local n = 0
    local function arm()
      setmetatable({}, { __gc = function () n = n + 1 arm() end })
    end
    collectgarbage()
    arm()
  ]]

  local function run(source)
    local result = process.program(counts .. source)
    assert.are.same({ 0, "" }, { result.code, result.err })
  end

  it("does not collect when it holds no promise", function ()
    run [[
      local future, promise = tidepool.promise()
      promise:resolve(1)
      tidepool.sleep(0.3)
      assert(n == 0, n)
    ]]
  end)

  it("collects no more once there is nothing new", function ()
    run [[
      local kept = { tidepool.promise() }
      tidepool.sleep(1)
      assert(n <= 2, n)
    ]]
  end)

  it("neither as a worker", function ()
    run [[
      local pool = tidepool.AsyncManager.new { workers = 1 }
      pool:call(function ()
        local n = 0
        local function arm()
          setmetatable({}, { __gc = function () n = n + 1 arm() end })
        end
        collectgarbage()
        arm()
        kept = { require "tidepool".promise() }
        function count() return n end
      end):await()
      tidepool.sleep(1)
      local n = pool:call(function () return count() end):await()
      assert(n <= 5, n)
    ]]
  end)

  it("is left alone when the collector was stopped", function ()
    run [[
      collectgarbage "stop"
      local future = tidepool.promise()
      assert(not future:wait(0.3))
      collectgarbage "restart"
      assert(not future:pawait())
    ]]
  end)

  it("warns of what finalizers raise, and goes on", function ()
    local future = dropped()
    setmetatable({}, { __gc = function () error "in a finalizer" end })
    is_broken(future)
  end)

  it("has finalizers wait, in the coroutine that waits", function ()
    local task, waited
    local awaits = tidepool.spawn(function ()
      local future = dropped()
      setmetatable({}, { __gc = function ()
        task = tidepool.task()
        waited = tidepool.spawn(function ()
          tidepool.sleep(0.01)
          return "waited"
        end):await()
      end })
      local ok
      string.gsub("x", "x", function () ok = future:pawait(limit) end)
      return ok
    end)
    assert.is_false(awaits:await(limit))
    assert.are.equal("waited", waited)
    assert.is_not_nil(task)
  end)

  it("has finalizers wait in a task of an idle worker", function ()
    local future, promise = tidepool.promise()
    session.pool():call(function (p)
      local tidepool = require "tidepool"
      _G.kept = { tidepool.promise() }
      setmetatable({}, { __gc = function ()
        local waited = tidepool.spawn(function ()
          tidepool.sleep(0.01)
          return "waited"
        end):await()
        p:resolve(waited, tidepool.task() ~= nil)
      end })
    end, promise):await(limit)
    assert.are.same({ "waited", true }, { future:await(limit) })
  end)

  it("finds rings after a finalizer has waited", function ()
    local kept = { tidepool.promise() }
    local waited, first, second
    setmetatable({}, { __gc = function ()
      tidepool.sleep(0.01)
      waited = true
    end })
    first = tidepool.spawn(function ()
      local ok, err
      string.gsub("x", "x", function () ok, err = second:pawait() end)
      return ok, err
    end)
    second = tidepool.spawn(function ()
      repeat
        tidepool.sleep(0.06)
      until waited
      return first:await()
    end)
    assert.is_true(first:wait(limit))
    assert.is_truthy(session.failure(second).message
      :find("would wait for each other", 1, true))
    assert.are.equal(2, #kept)
  end)
end)
