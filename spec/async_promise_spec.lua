-- promise:on_cancel: who computes learns that nobody waits any more.

local places = require "spec.support.places"
local session = require "spec.support.session"
local tidepool = require "tidepool"

local expect = assert

local limit = session.limit

-- Turns of the loop in which a wrong call would come.
local function turns()
  for _ = 1, 10 do
    tidepool.sleep(0)
  end
end

describe("promise:on_cancel", function ()
  after_each(session.finish)

  it("in a worker does not keep a manager from draining", function ()
    local pool = session.pool { workers = 2 }
    local future, promise = tidepool.promise()
    for _ = 1, 3 do
      pool:call(function (p) p:on_cancel(print) end, promise):await(limit)
    end
    assert(pool:wait_all(limit))
    assert(pool:shutdown { timeout = limit })
    local stats = pool:stats()
    assert(stats.suspended == 0 and stats.submitted
      == stats.completed + stats.failed + stats.cancelled)
    assert(not future:is_ready())
  end)
end)

for _, place in ipairs(places) do
  describe("promise:on_cancel " .. place.name, function ()
    after_each(session.finish)

    it("calls once, with the reason", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        local told, tell = tidepool.promise()
        local calls = 0
        assert(promise:on_cancel(function (...)
          calls = calls + 1
          tell:resolve(...)
        end) == promise)
        turns()
        assert(calls == 0)
        future:cancel "enough"
        local got = table.pack(told:await())
        assert(got.n == 1 and got[1] == "enough")
        turns()
        assert(calls == 1)
      end)
    end)

    it("calls with nil where there is no reason", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        local told, tell = tidepool.promise()
        promise:on_cancel(function (reason) tell:resolve(type(reason)) end)
        future:cancel()
        assert(told:await() == "nil")
      end)
    end)

    it("calls in the loop, never at once", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        local told, tell = tidepool.promise()
        local called = false
        local function f()
          called = true
          tidepool.sleep(0) -- as a coroutine
          tell:resolve()
        end
        future:cancel()
        promise:on_cancel(f) -- also if it was cancelled before
        assert(not called)
        told:await()
      end)
    end)

    it("calls all that were attached", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        local told, tell = tidepool.promise()
        local log = {}
        for i = 1, 3 do
          promise:on_cancel(function (reason)
            log[#log + 1] = i .. reason
            if i == 3 then tell:resolve() end
          end)
        end
        future:cancel "!"
        told:await()
        assert(table.concat(log, " ") == "1! 2! 3!")
      end)
    end)

    it("does not call when it settles otherwise", function ()
      place.run(function ()
        local calls = 0
        local function count() calls = calls + 1 end
        local future, promise = tidepool.promise()
        promise:on_cancel(count)
        promise:resolve(1)
        assert(future:await() == 1 and not future:cancel())
        future, promise = tidepool.promise()
        promise:on_cancel(count)
        promise:reject "lost"
        assert(not future:pawait())
        future:cancel()
        promise:on_cancel(count)
        turns()
        assert(calls == 0)
      end)
    end)

    it("calls when the future that it follows is cancelled", function ()
      place.run(function ()
        local _, promise = tidepool.promise()
        local inner, inside = tidepool.promise()
        local told, tell = tidepool.promise()
        promise:on_cancel(function (reason) tell:resolve(reason) end)
        promise:resolve(inner)
        inner:cancel "inner"
        assert(told:await() == "inner" and inside:cancelled())
      end)
    end)

    it("does not hold the promise", function ()
      place.run(function ()
        local future, called
        do
          local promise
          future, promise = tidepool.promise()
          promise:on_cancel(function () called = true end)
        end
        collectgarbage()
        collectgarbage()
        local ok, err = future:pawait()
        assert(not ok and err.kind == "broken")
        turns()
        assert(not called)
      end)
    end)

    it("calls though who attached has been cancelled", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        local told, tell = tidepool.promise()
        local stay, keep = tidepool.promise()
        local attached, attach = tidepool.promise()
        local owner = tidepool.spawn(function ()
          promise:on_cancel(function (reason) tell:resolve(reason) end)
          attach:resolve()
          stay:await()
        end)
        attached:await()
        owner:cancel()
        turns()
        future:cancel "later"
        assert(told:await() == "later" and keep:resolve())
      end)
    end)

    it("keeps no scope and no run from ending", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        tidepool.run(function () promise:on_cancel(print) end)
        tidepool.scope(function () promise:on_cancel(print) end)
        assert(not future:is_ready() and promise:resolve())
      end)
    end)

    it("stops what runs for the promise", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        local work = tidepool.call(function ()
          while true do end
        end)
        promise:on_cancel(function () work:cancel "not wanted" end)
        future:cancel()
        local ok, err = work:pawait()
        assert(not ok and err.kind == "cancelled")
      end)
    end)

    it("refuses what is no function", function ()
      place.run(function ()
        local _, promise = tidepool.promise()
        for _, wrong in ipairs { 1, "f", {}, false } do
          local ok, err = pcall(function () promise:on_cancel(wrong) end)
          assert(not ok and err:find "function expected", err)
          assert(err:find "^spec/async_promise_spec.lua:%d+:", err)
        end
        assert(not pcall(promise.on_cancel))
        assert(not pcall(promise.on_cancel, {}, print))
        assert(promise:resolve())
      end)
    end)
  end)
end

describe("promise:on_cancel of a promise that crossed", function ()
  after_each(session.finish)

  -- A task that attaches and waits to be told.
  local function attach(promise, ready)
    local told, tell = tidepool.promise()
    promise:on_cancel(function (reason) tell:resolve(reason) end)
    ready:resolve()
    return told:await()
  end

  it("tells the task, when the program cancels", function ()
    local future, promise = tidepool.promise()
    local attached, ready = tidepool.promise()
    local task = session.pool():call(attach, promise, ready)
    attached:await(limit)
    expect.is_false(task:is_ready())
    future:cancel "from the program"
    expect.are.equal("from the program", task:await(limit))
  end)

  it("tells every Lua state that attached, each in its loop", function ()
    local future, promise = tidepool.promise()
    local tasks, here = {}, nil
    for i = 1, 3 do
      local attached, ready = tidepool.promise()
      tasks[i] = session.pool():call(attach, promise, ready)
      attached:await(limit)
    end
    promise:on_cancel(function (reason) here = reason end)
    future:cancel "all"
    for i = 1, 3 do
      expect.are.equal("all", tasks[i]:await(limit))
    end
    turns()
    expect.are.equal("all", here)
  end)

  it("tells a worker that has no other task", function ()
    local pool = session.pool()
    local future, promise = tidepool.promise()
    local told, tell = tidepool.promise()
    pool:call(function (p, t)
      p:on_cancel(function (reason) t:resolve(reason) end)
    end, promise, tell):await(limit)
    future:cancel "later"
    expect.are.equal("later", told:await(limit))
  end)

  it("is there in a task that did nothing else with the module", function ()
    local future, promise = tidepool.promise()
    session.pool():call(function (p)
      p:on_cancel(print)
    end, promise):await(limit)
    promise:resolve()
    future:await()
  end)
end)

describe("a failure in on_cancel", function ()
  after_each(session.finish)

  it("is reported", function ()
    local message
    tidepool.on_unhandled(function (err) message = err.message end)
    local future, promise = tidepool.promise()
    promise:on_cancel(function () error("in the handler", 0) end)
    future:cancel()
    turns()
    collectgarbage()
    collectgarbage()
    tidepool.poll()
    expect.are.equal("in the handler", message)
  end)
end)
