-- What a program does for as long as it runs leaves nothing behind: neither
-- memory nor threads nor descriptors.

local growth = require "spec.support.growth"
local session = require "spec.support.session"
local tidepool = require "tidepool"


local function one() return 1 end

if session.check then
  pending "what is left behind: what checks the memory keeps some itself"
  return
end

describe("again and again, nothing is left of", function ()
  local pool

  before_each(function ()
    tidepool.on_unhandled(function () end)
    pool = session.pool { workers = 1, queue = 100 }
  end)
  after_each(session.finish)

  it("chains of tasks that follow each other", function ()
    local last = pool:call("test.echo", 1)
    growth.none(function ()
      last = pool:call("test.echo", last)
    end, function ()
      last:await(session.limit)
    end)
  end)

  it("chains of tasks that follow one that has failed", function ()
    local last = pool:call("test.fail", "once")
    growth.none(function ()
      last = pool:call("test.echo", last)
    end, function ()
      last:pawait(session.limit)
    end)
  end)

  it("chains of coroutines that await each other", function ()
    local last = tidepool.spawn(one)
    growth.none(function (i)
      local before = last
      last = tidepool.spawn(function () return before:await() end)
      if i % 100 == 0 then
        last:await(session.limit)
      end
    end)
  end)

  it("chains of and_then", function ()
    local last = tidepool.spawn(one)
    growth.none(function (i)
      last = last:and_then(one)
      if i % 100 == 0 then
        last:await(session.limit)
      end
    end)
  end)

  it("chains of promises that are resolved with each other", function ()
    local future, promise = tidepool.promise()
    growth.none(function (i)
      local after, its = tidepool.promise()
      promise:resolve(after)
      promise = its
      if i % 100 == 0 then
        promise:resolve(i)
        assert(future:await() == i)
        future, promise = tidepool.promise()
      end
    end)
  end)

  it("futures that are resolved with the ones before them", function ()
    local future, promise = tidepool.promise()
    promise:resolve(1)
    growth.none(function ()
      local before = future
      future, promise = tidepool.promise()
      promise:resolve(before)
    end)
  end)

  it("scopes that spawn for ever", function ()
    tidepool.scope(function (scope)
      growth.none(function ()
        scope:spawn(one)
        tidepool.sleep(0)
      end)
    end)
  end)

  it("coroutines that spawn for ever", function ()
    tidepool.run(function ()
      growth.none(function ()
        tidepool.spawn(one)
        tidepool.sleep(0)
      end)
    end)
  end)

  it("coroutines that wait for news", function ()
    tidepool.run(function ()
      growth.none(function ()
        local done = pool:call("tidepool.sleep", 0.0001)
        while not done:is_ready() do
          tidepool.poll(session.limit)
        end
      end)
    end)
  end)

  it("sleeps that are cut short", function ()
    growth.none(function ()
      tidepool.spawn(tidepool.sleep, 3600):cancel()
      tidepool.poll()
    end)
  end)

  it("time limits of calls", function ()
    local limited = pool:with { timeout = 3600 }
    growth.none(function ()
      limited:call("test.count"):await()
    end)
  end)

  it("views of a pool", function ()
    growth.none(function ()
      pool:with({ priority = "high", timeout = 1 }):call("test.count"):await()
    end)
  end)

  it("promises that a worker has settled, or dropped", function ()
    growth.none(function (i)
      local future, promise = tidepool.promise()
      pool:call(function (p, n)
        return n % 2 == 0 and p:resolve(n)
      end, promise, i)
      promise = nil -- luacheck: ignore 311
      if i % 2 == 0 then
        future:await()
      end
    end, function ()
      pool:wait_all(session.limit)
    end)
  end)

  it("distinct functions that workers load", function ()
    growth.none(function (i)
      pool:call(load(("return %d, %q"):format(i, i))):await()
    end, nil, 4000)
  end)

  it("distinct functions that a Lua state of a worker makes", function ()
    pool:call(function (code)
      local here = require "tidepool"
      for i = 1, 20000 do
        here.spawn(load(code .. i)):await()
      end
    end, "return "):await()
    growth.none(function (i)
      local f = pool:call(load, "return " .. i):pawait()
      return f
    end, nil, 2000)
  end)

  it("closures, each with upvalues of its own", function ()
    growth.none(function (i)
      local list = { i }
      pool:call(function () return list[1] end):await()
    end)
  end)

  it("Errors with tracebacks, read and unread", function ()
    growth.none(function (i)
      local future = pool:call(function () error("on purpose " .. i) end)
      if i % 2 == 0 then
        future:pawait()
      end
    end, function ()
      pool:wait_all(session.limit)
      collectgarbage()
      tidepool.poll()
    end)
  end)

  it("failures that reach other coroutines", function ()
    growth.none(function ()
      tidepool.spawn(error, "on purpose"):catch(one):await()
    end)
  end)

  it("names that promises, progress and reasons carry", function ()
    local future, promise = tidepool.promise()
    growth.none(function (i)
      promise:progress(0.5, "note " .. i)
      tidepool.spawn(tidepool.sleep, 60):cancel("reason " .. i)
      tidepool.poll()
    end)
    assert.is_false(future:is_ready())
  end)

  it("looking at stats", function ()
    growth.none(function ()
      pool:stats()
    end)
  end)

  it("maps and reductions", function ()
    growth.none(function ()
      pool:map(tostring, { 1, 2, 3 })
    end, nil, 1000)
  end)

  it("coroutines that a task spawns, and leaves", function ()
    growth.none(function ()
      pool:call(function ()
        local here = require "tidepool"
        here.spawn(function () here.sleep(0) end)
        here.spawn(function () here.sleep(60) end):cancel()
      end):await()
    end)
  end)

  it("calls that a task makes", function ()
    local inner = session.pool { workers = 1 }
    pool:call(function (other, rounds)
      for i = 1, rounds do
        other:call("test.echo", i):await()
      end
    end, inner, 100):await()
    growth.none(function ()
      pool:call(function (other)
        return other:call("test.echo", 1):await()
      end, inner):await()
    end)
  end)

  it("pools that are made and shut down", function ()
    local threads, descriptors
    growth.none(function ()
      local other = tidepool.AsyncManager.new { workers = 2 }
      other:call(one):await()
      other:shutdown()
    end, function ()
      local fds, count = growth.counts()
      descriptors = descriptors or fds
      threads = threads or count
      -- The last threads to end are not joined.
      session.eventually(function ()
        fds, count = growth.counts()
        return (not descriptors or fds <= descriptors)
          and (not threads or count <= threads)
      end, "the end of the last threads")
    end, session.count(3000, 150))
  end)

  it("pools that are collected", function ()
    growth.none(function (i)
      local other = tidepool.AsyncManager.new { workers = 1, name = "p" .. i }
      other:call(one):await()
    end, function ()
      collectgarbage()
      local _, first = growth.counts()
      if first then
        session.eventually(function ()
          return select(2, growth.counts()) <= 8
        end, "the end of the threads of pools that were collected")
      end
    end, session.count(3000, 150))
  end)
end)
