-- Futures as arguments: a call that gets one runs with its results.

local session = require "spec.support.session"
local testmod = require "testmod"
local tidepool = require "tidepool"


local function count(...)
  return select("#", ...), ...
end

describe("a Future as an argument", function ()
  after_each(session.finish)

  it("gives its result to a C function", function ()
    local pool = session.pool()
    local sum = pool:call("test.add", pool:call("test.add", 1, 2), 4)
    assert.are.equal(7, sum:await(session.limit))
    assert.are.equal("test.echo", pool:call("test.echo",
      pool:call("test.echo", "test.echo")):await(session.limit))
  end)

  it("gives its result to a Lua function", function ()
    local pool = session.pool()
    local first = pool:call(function (n) return { n = n } end, 5)
    local second = pool:call(function (t) return t.n * 2 end, first)
    assert.are.equal(10, second:await(session.limit))
    assert.are.equal(5, first:await(session.limit).n)
    assert.are.equal("TEXT", pool:call(string.upper,
      pool:call("test.echo", "text")):await(session.limit))
  end)

  it("gives the results of a Lua function to one of C", function ()
    local pool = session.pool()
    assert.are.equal(12, pool:call("test.add", pool:call(function ()
      return 5, 7
    end)):await(session.limit))
  end)

  it("gives all of its results when it is the last", function ()
    local pool = session.pool()
    local many = pool:call("test.echo", 1, nil, "three", nil)
    assert.are.same({ 4, 1, nil, "three", nil, n = 5 },
      table.pack(pool:call(count, many):await(session.limit)))
    assert.are.same({ 5, 0, 1, nil, "three", nil, n = 6 },
      table.pack(pool:call(count, 0, many):await(session.limit)))
    assert.are.equal(4,
      pool:call("test.argcount", many):await(session.limit))
  end)

  it("may have no result", function ()
    local pool = session.pool()
    local none = pool:call(function () end)
    assert.are.same({ 0, n = 1 },
      table.pack(pool:call(count, none):await(session.limit)))
    assert.are.same({ 2, nil, 2, n = 3 },
      table.pack(pool:call(count, none, 2):await(session.limit)))
  end)

  it("may have settled before", function ()
    local pool = session.pool()
    local done = pool:call("test.echo", { 1, 2 })
    done:await(session.limit)
    assert.are.equal(2, pool:call(function (t)
      return #t
    end, done):await(session.limit))
    assert.are.same({ 1, 2 }, pool:call("test.echo",
      done):await(session.limit))
  end)

  it("may stand with others, and more than once", function ()
    local pool = session.pool { workers = 2 }
    local gate = session.block(pool)
    local a = pool:call("test.echo", "a")
    local b = pool:call(function (name)
      require("tidepool").invoke("test.gate", name)
      return "b"
    end, gate)
    local all = pool:call(function (...)
      return table.concat({ ... }, " ")
    end, a, "-", b, a, b)
    assert.are.equal("pending", all:state())
    testmod.open(gate)
    assert.are.equal("a - b a b", all:await(session.limit))
  end)

  it("gives each follower a copy of its own", function ()
    local pool = session.pool()
    local list = pool:call(function () return { 1 } end)
    local append = function (t)
      t[#t + 1] = #t
      return #t
    end
    for _ = 1, 3 do
      assert.are.equal(2, pool:call(append, list):await(session.limit))
    end
    assert.are.equal(1, #list:await())
  end)

  it("may be one of another pool", function ()
    local one, other = session.pool(), session.pool()
    local gate, held = session.block(one)
    local future = other:call(function (name) return name end, held[1])
    assert.are.equal(1, other:call("test.add", 0, 1):await(session.limit))
    assert.is_false(future:is_ready())
    testmod.open(gate)
    assert.are.equal(gate, future:await(session.limit))
  end)

  it("keeps no worker waiting", function ()
    local pool = session.pool { workers = 1, queue = 20 }
    local future, promise = testmod.promise()
    local held = {}
    for i = 1, 5 do
      held[2 * i - 1] = pool:call("test.echo", future)
      held[2 * i] = pool:call(function (x) return x end, future)
    end
    for i = 1, 50 do -- the one worker is free
      assert.are.equal(i + 1, pool:call("test.add", i,
        1):await(session.limit))
    end
    for _, follower in ipairs(held) do
      assert.are.equal("pending", follower:state())
    end
    assert.is_true(testmod.resolve(promise, nil, "there"))
    for _, follower in ipairs(held) do
      assert.are.equal("there", follower:await(session.limit))
    end
  end)

  it("makes chains, which need no more slots than tasks", function ()
    local pool = session.pool { workers = 2, queue = 10 }
    local add = function (n) return n + 1 end
    local last = pool:call("test.add", 0, 0)
    local total = session.count(20000, 2000)
    for i = 1, total do
      if i % 2 == 0 then
        last = pool:call("test.add", last, 1)
      else
        last = pool:call(add, last)
      end
    end
    assert.are.equal(total, last:await(session.limit))
  end)

  it("may be given to many", function ()
    local pool = session.pool { workers = 2, queue = 1000 }
    local future, promise = testmod.promise()
    local list = {}
    for i = 1, 500 do
      list[i] = { future, i }
    end
    local futures = pool:call_many("test.add", list)
    local others = pool:call_many(function (a, b) return a * b end,
      { { future, 2 }, { 3, future } })
    testmod.resolve(promise, nil, 1000)
    for i, each in ipairs(futures) do
      assert.are.equal(1000 + i, each:await(session.limit))
    end
    assert.are.equal(2000, others[1]:await(session.limit))
    assert.are.equal(3000, others[2]:await(session.limit))
  end)

  it("may be given by try_call, and holds a slot", function ()
    local pool = session.pool { workers = 1, queue = 1 }
    local future, promise = testmod.promise()
    local taken = 0
    local first = pool:try_call("test.echo", future)
    assert.is_truthy(first)
    while taken < 10 and pool:try_call("test.echo", future) do
      taken = taken + 1
    end
    assert.is_true(taken <= 1) -- queue and worker
    local none, why = pool:try_call("test.echo", future)
    assert.is_nil(none)
    assert.are.equal("full", why)
    testmod.resolve(promise, nil, 1)
    assert.are.equal(1, first:await(session.limit))
  end)

  it("is a Future for a C function that asks for one", function ()
    local pool = session.pool { workers = 2 }
    local gate, held = session.block(pool)
    local before = testmod.entered "await_future"
    local future = pool:call("test.await_future", held[1])
    session.entered("await_future", before + 1) -- it runs already
    testmod.open(gate)
    assert.are.equal(gate, future:await(session.limit))
  end)

  it("is a Future when it stands in a table", function ()
    local pool = session.pool { workers = 2 }
    local gate, held = session.block(pool)
    assert.is_true(pool:call(function (t)
      return require("tidepool").is_future(t[1]) and not t[1]:is_ready()
    end, { held[1] }):await(session.limit))
    local same = pool:call("test.echo", { held[1] }):await(session.limit)
    assert.are.equal(held[1], same[1])
    testmod.open(gate)
  end)

  it("is followed for calls that a task makes, too", function ()
    local pool = session.pool()
    assert.are.equal(7, pool:call(function ()
      local here = require("tidepool").current()
      return here:call("test.add", here:call(math.abs, -3),
        here:call(function () return 4 end)):await()
    end):await(session.limit))
  end)

  it("may follow a follower that is a result", function ()
    local pool = session.pool()
    local outer = pool:call(function ()
      return require("tidepool").current():call("test.add", 1, 2)
    end)
    -- the result is a Future, which is a value like others
    assert.are.equal("userdata", pool:call(type,
      outer):await(session.limit))
  end)

  it("is refused when it was cleaned up", function ()
    local pool = session.pool()
    local gone = pool:call("test.echo", 1)
    gone:cleanup()
    for _, f in ipairs { "test.echo", count } do
      local ok, err = pcall(pool.call, pool, f, gone)
      assert.is_false(ok)
      assert.is_truthy(err:find("cleaned up", 1, true), err)
    end
    assert.are.equal(1, pool:stats().submitted)
  end)

  it("may be let go of, once it is followed", function ()
    local pool = session.pool()
    local gate = session.block(pool)
    local first = pool:call("test.echo", ("x"):rep(10000))
    local second = pool:call(string.len, first)
    first:cleanup()
    first = nil -- luacheck: ignore
    collectgarbage()
    testmod.open(gate)
    assert.are.equal(10000, second:await(session.limit))
  end)

  it("that breaks the signature makes the call fail", function ()
    local pool = session.pool()
    local text = pool:call("test.echo", "no number")
    local err = session.failure(pool:call("test.add", text, 1))
    assert.is_truthy(tostring(err):find(
      "bad argument #1 to 'test.add'", 1, true), tostring(err))
    local none = pool:call(function () end)
    err = session.failure(pool:call("test.add", 1, none))
    assert.is_truthy(tostring(err):find(
      "bad argument #2 to 'test.add'", 1, true), tostring(err))
  end)
end)

describe("what a followed Future gives to a C function", function ()
  after_each(session.finish)

  it("is converted as a direct argument is", function ()
    local pool = session.pool()
    local echo = function (...) return ... end
    assert.are.equal(5, pool:call("test.add", 2.0, "3"):await(session.limit))
    for _, pair in ipairs { { 2.0, 3 }, { 2, "3" }, { "2.0", 3 } } do
      assert.are.equal(5, pool:call("test.add", pool:call(echo,
        table.unpack(pair))):await(session.limit))
    end
    local err = session.failure(pool:call("test.fail", pool:call(echo, 25)))
    assert.are.equal("25", err.message)
    err = session.failure(pool:call("test.add", pool:call(echo, 2.5), 1))
    assert.is_truthy(err.message:find("number has no integer representation",
      1, true), err.message)
  end)
end)

describe("a Future that fails", function ()
  local reported
  before_each(function ()
    reported = {}
    tidepool.on_unhandled(function (err)
      reported[#reported + 1] = tostring(err)
    end)
    testmod.runs(true)
  end)
  after_each(session.finish)

  it("makes who follows it fail likewise, without running", function ()
    local pool = session.pool()
    for _, first in ipairs {
      pool:call("test.fail", "at first"),
      pool:call(function () error("at first", 0) end),
    } do
      local second = pool:call("test.count", first)
      local third = pool:call(function (_)
        require("tidepool").invoke "test.count"
      end, second)
      for _, future in ipairs { third, second, first } do
        local err = session.failure(future)
        assert.are.equal("failed", future:state())
        assert.are.equal("error", err.kind)
        assert.are.equal("at first", err.message)
        assert.are.equal("at first", err.value)
      end
    end
    assert.is_true(pool:wait_all(session.limit))
    assert.are.equal(0, testmod.runs())
    assert.are.equal(6, pool:stats().failed)
  end)

  it("hands on the value that was raised", function ()
    local pool = session.pool()
    local first = pool:call(function () error { code = 7 } end)
    local err = session.failure(pool:call("test.echo", first))
    assert.are.equal(7, err.value.code)
    assert.are.equal("string", type(err.traceback))
    assert.are.equal(session.failure(first).traceback, err.traceback)
  end)

  it("may have failed before", function ()
    local pool = session.pool()
    local first = pool:call("test.fail", "before")
    session.failure(first)
    assert.are.equal("before",
      session.failure(pool:call("test.echo", first)).message)
  end)

  it("ends who follows it before the others have settled", function ()
    local pool = session.pool { workers = 2 }
    local gate, held = session.block(pool)
    local bad = pool:call("test.fail", "one of two")
    local both = pool:call(count, held[1], bad)
    local err = session.failure(both) -- the gate is still closed
    assert.are.equal("one of two", err.message)
    assert.is_false(held[1]:is_ready())
    testmod.open(gate)
  end)

  it("may have timed out", function ()
    local pool = session.pool()
    local first = pool:with({ timeout = 0.02 }):call("tidepool.sleep", 3600)
    local err = session.failure(pool:call(count, first))
    assert.are.equal("timeout", err.kind)
  end)

  it("has been read by whoever reads the follower", function ()
    local pool = session.pool()
    do
      local second = pool:call(count, pool:call("test.fail", "read"))
      session.failure(second)
    end
    collectgarbage()
    collectgarbage()
    tidepool.poll()
    assert.are.same({}, reported)
  end)

  it("is reported when nobody reads either", function ()
    local pool = session.pool()
    do
      local second = pool:call(count, pool:call("test.fail", "unread"))
      second:wait(session.limit)
    end
    assert.is_true(pool:wait_all(session.limit))
    session.eventually(function ()
      collectgarbage()
      tidepool.poll()
      return #reported > 0
    end)
    assert.is_truthy(reported[1]:find("unread", 1, true))
  end)
end)

describe("a Future that is cancelled", function ()
  before_each(function () testmod.runs(true) end)
  after_each(session.finish)

  it("cancels who follows it, with the reason", function ()
    local pool = session.pool()
    local _, held = session.block(pool)
    local second = pool:call("test.count", held[1])
    local third = pool:call(count, second)
    assert.is_true(held[1]:cancel "not wanted")
    for _, future in ipairs { third, second } do
      local err = session.failure(future)
      assert.are.equal("cancelled", err.kind)
      assert.are.equal("not wanted", err.message)
      assert.are.equal("cancelled", future:state())
    end
    assert.are.equal(0, testmod.runs())
    assert.are.equal(3, pool:stats().cancelled)
  end)

  it("may be a promise", function ()
    local pool = session.pool()
    local future = testmod.promise()
    local second = pool:call(count, future)
    future:cancel "withdrawn"
    local err = session.failure(second)
    assert.are.equal("cancelled", err.kind)
    assert.are.equal("withdrawn", err.message)
  end)
end)

describe("a promise as an argument", function ()
  after_each(session.finish)

  it("is followed", function ()
    local pool = session.pool()
    local future, promise = testmod.promise()
    local second = pool:call(count, future)
    testmod.resolve(promise, 0.02, 1, nil, { 3 }, nil)
    assert.are.same({ 4, 1, nil, { 3 }, nil, n = 5 },
      table.pack(second:await(session.limit)))
  end)

  it("may be rejected", function ()
    local pool = session.pool()
    local future, promise = testmod.promise()
    local second = pool:call("test.echo", future)
    testmod.reject(promise, "not kept")
    local err = session.failure(second)
    assert.are.equal("error", err.kind)
    assert.are.equal("not kept", err.message)
  end)

  it("may be dropped", function ()
    local pool = session.pool()
    local future, promise = testmod.promise()
    local second = pool:call("test.echo", future)
    testmod.drop(promise)
    assert.are.equal("broken", session.failure(second).kind)
    assert.are.equal("broken", session.failure(future).kind)
  end)

  it("settles once for all who follow, in a race", function ()
    local pool = session.pool { workers = 2, queue = 100 }
    for _ = 1, session.check and 20 or 200 do
      local future, promise = testmod.promise()
      local followers = {}
      for i = 1, 8 do
        followers[i] = pool:call(i % 2 == 0 and "test.echo" or count, future)
      end
      assert.are.equal(1, testmod.promise_race(promise, 4, future))
      local ok = future:pawait()
      for _, each in ipairs(followers) do
        assert.are.equal(ok, (each:pawait(session.limit)))
      end
    end
  end)
end)

describe("a task that follows", function ()
  before_each(function () testmod.runs(true) end)
  after_each(session.finish)

  it("can be cancelled, and its input goes on", function ()
    local pool = session.pool()
    local gate, held = session.block(pool)
    for _, f in ipairs { "test.count", count } do
      local second = pool:call(f, held[1])
      assert.is_true(second:cancel "no more")
      local err = session.failure(second)
      assert.are.equal("cancelled", err.kind)
      assert.are.equal("no more", err.message)
    end
    assert.is_false(held[1]:is_ready())
    testmod.open(gate)
    assert.are.equal(gate, held[1]:await(session.limit))
    assert.are.equal(0, testmod.runs())
  end)

  it("gives its slot back when it is cancelled", function ()
    local pool = session.pool { workers = 1, queue = 1 }
    local future, promise = testmod.promise()
    for _ = 1, 200 do
      local second = pool:try_call("test.echo", future)
      assert.is_truthy(second)
      assert.is_true(second:cancel())
    end
    testmod.resolve(promise, nil, 1)
    assert.are.equal(3, pool:call("test.add", 1, 2):await(session.limit))
  end)

  it("has a deadline from when it was called", function ()
    local pool = session.pool()
    local future, promise = testmod.promise()
    for _, f in ipairs { "test.count", count } do
      local second = pool:with({ timeout = 0.02 }):call(f, future)
      local err = session.failure(second)
      assert.are.equal("timeout", err.kind)
      assert.are.equal("failed", second:state())
    end
    assert.is_false(future:is_ready())
    testmod.resolve(promise, nil, 1)
    assert.is_true(pool:wait_all(session.limit))
    assert.are.equal(0, testmod.runs())
  end)

  it("keeps its priority", function ()
    local pool = session.pool { workers = 1, queue = 50 }
    local gate = session.block(pool)
    local future, promise = testmod.promise()
    local order = function (_)
      local n = (rawget(_G, "served") or 0) + 1
      rawset(_G, "served", n)
      return n
    end
    local low = pool:with({ priority = "low" }):call(order, future)
    local high = pool:with({ priority = "high" }):call(order, future)
    testmod.resolve(promise, nil, 1)
    testmod.open(gate)
    assert.are.equal(1, high:await(session.limit))
    assert.are.equal(2, low:await(session.limit))
  end)

  it("is waited for by wait_all", function ()
    local pool = session.pool()
    local future, promise = testmod.promise()
    local second = pool:call(count, future)
    assert.is_false(pool:wait_all(0.02))
    testmod.resolve(promise, 0.02, 1)
    assert.is_true(pool:wait_all(session.limit))
    assert.is_true(second:is_ready())
  end)

  it("counts in stats", function ()
    local pool = session.pool { workers = 1, queue = 20 }
    local future, promise = testmod.promise()
    local futures = {}
    for i = 1, 10 do
      futures[i] = pool:call("test.echo", future)
    end
    futures[1]:cancel()
    local stats = pool:stats()
    assert.are.equal(10, stats.submitted)
    assert.are.equal(1, stats.cancelled)
    assert.are.equal(0, stats.running)
    testmod.resolve(promise, nil, 1)
    session.settle(futures)
    assert.is_true(pool:wait_all(session.limit))
    stats = pool:stats()
    assert.are.equal(9, stats.completed)
    assert.are.equal(1, stats.cancelled)
    assert.are.equal(0, stats.queued.total)
  end)

  it("is drained by a shutdown", function ()
    local pool = session.pool { workers = 1 }
    local gate, held = session.block(pool)
    local second = pool:call(count, held[1])
    local third = pool:call("test.echo", second)
    testmod.open(gate)
    assert.is_true(pool:shutdown { timeout = session.limit })
    assert.are.same({ 1, gate }, { third:await(0) })
  end)

  it("is drained by a shutdown that waits for another pool", function ()
    local pool, other = session.pool(), session.pool()
    local second = pool:call(count, other:call("tidepool.sleep", 0.05))
    assert.is_true(pool:shutdown { timeout = session.limit })
    assert.are.equal("completed", second:state())
  end)

  it("is cancelled by a shutdown that does not drain", function ()
    local pool = session.pool()
    local future, promise = testmod.promise()
    local futures = { pool:call("test.echo", future),
      pool:call(count, future) }
    assert.is_true(pool:shutdown { drain = false })
    for _, each in ipairs(futures) do
      assert.are.equal("cancelled", session.failure(each).kind)
    end
    assert.is_true(testmod.resolve(promise))
  end)

  it("is cancelled by a shutdown that takes too long", function ()
    local pool = session.pool()
    local future, promise = testmod.promise()
    local second = pool:call(count, future)
    pool:shutdown { timeout = 0.02 }
    assert.are.equal("cancelled", session.failure(second).kind)
    assert.is_true(testmod.resolve(promise, nil, 1))
    assert.is_true(pool:shutdown { timeout = session.limit })
  end)

  it("may be in a pool that was closed when its input comes", function ()
    local future, promise = testmod.promise()
    local second
    do
      local pool <close> = tidepool.AsyncManager.new { workers = 1 }
      second = pool:call("test.echo", future)
      testmod.resolve(promise, 0.02, "drained")
    end
    assert.are.equal("drained", second:await(0))
  end)

  it("keeps a pool that nobody has until it has run", function ()
    local future, promise = testmod.promise()
    local second = tidepool.AsyncManager.new({ workers = 1 }):call(count,
      future)
    collectgarbage()
    collectgarbage()
    testmod.resolve(promise, nil, "kept")
    assert.are.same({ 1, "kept" }, { second:await(session.limit) })
  end)

  it("may be dropped by all before its input comes", function ()
    local pool = session.pool()
    local future, promise = testmod.promise()
    for _ = 1, 10 do
      pool:call("test.count", future)
    end
    collectgarbage()
    collectgarbage()
    testmod.resolve(promise)
    assert.is_true(pool:wait_all(session.limit))
    assert.are.equal(10, testmod.runs())
  end)

  it("may be cancelled while its input settles", function ()
    local pool = session.pool { workers = 2, queue = 100 }
    for _ = 1, session.count(3000, session.check and 100 or 500) do
      local future, promise = testmod.promise()
      local second = pool:call("test.echo", future)
      local third = pool:call(count, second)
      testmod.resolve(promise, 0, "x")
      local mine = second:cancel()
      assert.are.equal(not mine, (second:pawait(session.limit)))
      assert.are.equal(not mine, (third:pawait(session.limit)))
    end
    assert.is_true(pool:wait_all(session.limit))
    local stats = pool:stats()
    assert.are.equal(stats.submitted, stats.completed + stats.cancelled)
  end)
end)

-- 30,000 links took 10 MB of stack when each heard of it within the one before.
describe("a long chain of followers", function ()
  before_each(function () testmod.runs(true) end)
  after_each(session.finish)

  local function chain(pool, first, length)
    for _ = 1, length do
      first = pool:call("test.count", first)
    end
    return first
  end

  for _, how in ipairs { "cancelled", "error", "timeout", "completed" } do
    it("ends with its head: " .. how, function ()
      local length = session.check and 3000 or 100000
      local pool = session.pool { workers = 1, queue = length + 10 }
      local head, promise = testmod.promise()
      local view = how == "timeout" and pool:with { timeout = 0.01 } or pool
      local first = view:call("test.count", head)
      local last = chain(pool, first, length)
      if how == "cancelled" then
        first:cancel()
      elseif how == "error" then
        testmod.reject(promise, "broken off")
      elseif how == "completed" then
        testmod.resolve(promise)
      end
      local ok, err = last:pawait(session.limit)
      assert.are.equal(how == "completed", ok)
      assert.are.equal(how, ok and how or err.kind)
      assert.are.equal(ok and length + 1 or 0, testmod.runs())
      assert.is_true(pool:wait_all(session.limit))
      testmod.resolve(promise)
    end)
  end
end)
