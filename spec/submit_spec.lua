-- Calls into a manager from C, and awaiting inside a task.

local session = require "spec.support.session"
local testmod = require "testmod"

local pool

local function setup()
  pool = session.pool { workers = 2, queue = 100 }
end

-- The results of a call.
local function call(name, ...)
  return pool:call(name, ...):await(session.limit)
end

describe("a call from another thread", function ()
  before_each(setup)
  after_each(session.finish)

  it("runs and calls back once", function ()
    testmod.callbacks(true)
    local future = testmod.submit(pool, "test.add", 20, 22)
    assert.are.equal(42, future:await(session.limit))
    testmod.wait_callbacks(1)
    local count, wrong = testmod.callbacks(true)
    assert.are.equal(1, count)
    assert.are.equal(0, wrong)
  end)

  it("calls back for every end", function ()
    testmod.callbacks(true)
    local gate, held = session.block(pool, 2)
    local pending = testmod.submit(pool, "test.count")
    pending:cancel()
    testmod.wait_callbacks(1)
    local timed = testmod.submit(pool, { timeout = 0.02 }, "test.count")
    assert.are.equal("timeout", session.failure(timed).kind)
    testmod.wait_callbacks(2)
    testmod.open(gate)
    session.settle(held)
    session.failure(testmod.submit(pool, "test.fail", "on purpose"))
    testmod.wait_callbacks(3)
    local count, wrong = testmod.callbacks(true)
    assert.are.equal(3, count)
    assert.are.equal(0, wrong)
  end)

  it("may be watched by many", function ()
    testmod.callbacks(true)
    local gate, held = session.block(pool, 1)
    for _ = 1, 50 do
      assert.are.equal("ok", testmod.on_settled(held[1]))
    end
    testmod.open(gate)
    testmod.wait_callbacks(50)
    assert.are.equal("ok", testmod.on_settled(held[1])) -- at once
    testmod.wait_callbacks(51)
    local count, wrong = testmod.callbacks(true)
    assert.are.equal(51, count)
    assert.are.equal(0, wrong)
  end)

  it("answers why it was not taken", function ()
    local function refused(why, ...)
      local future, answer = testmod.submit(...)
      assert.is_nil(future)
      assert.are.equal(why, answer)
    end
    refused("unknown", pool, "test.no_such_function")
    refused("transfer", pool, "test.add", "ten", 1)
    refused("transfer", pool, "test.add", 1)
    local small = session.pool { workers = 1, queue = 1 }
    session.block(small, 1)
    testmod.submit(small, "test.count")
    refused("full", small, { nowait = true }, "test.count")
    local closed = session.pool()
    closed:shutdown()
    refused("closed", closed, "test.add", 1, 2)
  end)

  it("takes priorities", function ()
    local one = session.pool { workers = 1 }
    session.block(one, 1)
    testmod.submit(one, { priority = "high" }, "test.count")
    testmod.submit(one, { priority = "low" }, "test.count")
    testmod.submit(one, "test.count")
    local queued = one:stats().queued
    assert.are.equal(1, queued.high)
    assert.are.equal(1, queued.normal)
    assert.are.equal(1, queued.low)
  end)

  it("can be waited for and cancelled there", function ()
    local gate, held = session.block(pool, 2)
    assert.is_false(testmod.wait(held[1], 0.02))
    assert.is_nil(testmod.outcome(held[1]))
    assert.is_true(testmod.cancel(held[1], "from C"))
    assert.is_false(testmod.cancel(held[1], "again"))
    assert.is_true(testmod.wait(held[1], 0))
    local kind, message = testmod.outcome(held[1])
    assert.are.equal("cancelled", kind)
    assert.are.equal("from C", message)
    testmod.open(gate)
    assert.is_true(testmod.wait(held[2]))
    local what, count = testmod.outcome(held[2])
    assert.are.equal("completed", what)
    assert.are.equal(1, count)
    local failed = pool:call("test.fail", "on purpose")
    assert.is_true(testmod.wait(failed, 30))
    kind, message = testmod.outcome(failed)
    assert.are.equal("error", kind)
    assert.are.equal("on purpose", message)
    failed:pawait()
  end)
end)

describe("awaiting inside a task", function ()
  before_each(setup)
  after_each(session.finish)

  it("answers results and failures", function ()
    assert.are.equal(5, call("test.await", "test.add", 2, 3))
    assert.are.same({ 1, "x", n = 2 },
      table.pack(call("test.await", "test.echo", 1, "x")))
    local err = session.failure(pool:call("test.await", "test.fail", "inner"))
    assert.are.equal("error: inner", err.message)
  end)

  it("keeps results that outlive the task they came from", function ()
    -- test.await does not wait for room: there has to be enough.
    local roomy, futures = session.pool { workers = 2, queue = 400 }, {}
    for i = 1, 200 do
      futures[i] = roomy:call("test.await", "test.echo",
        { i, ("x"):rep(i), { i } })
    end
    for i, future in ipairs(futures) do
      local t = future:await(session.limit)
      assert.are.same({ i, ("x"):rep(i), { i } }, t)
    end
  end)

  it("may submit more than there is room for in its own pool", function ()
    local one = session.pool { workers = 1, queue = 1 }
    assert.are.equal(100,
      one:call("test.start_many", 100, "test.count"):await(session.limit))
    assert.is_true(one:wait_all(session.limit))
    assert.are.equal(101, one:stats().completed)
  end)

  it("blocks no pool of one worker", function ()
    local one = session.pool { workers = 1, queue = 10 }
    assert.are.equal(5, one:call("test.await", "test.await", "test.await",
      "test.add", 2, 3):await(session.limit))
  end)

  it("runs a fork and join on one worker", function ()
    for _, workers in ipairs { 1, 2, 4 } do
      local some = session.pool { workers = workers, queue = 100 }
      local futures = {}
      for i = 1, 20 do
        futures[i] = some:call("test.fib", 15)
      end
      for _, future in ipairs(futures) do
        assert.are.equal(610, future:await(session.limit))
      end
    end
  end)

  it("goes deeper than 32", function ()
    local one, words = session.pool { workers = 1, queue = 200 }, {}
    for i = 1, 60 do
      words[i] = "test.await"
    end
    words[61] = "test.echo"
    words[62] = "bottom"
    assert.are.equal("bottom",
      one:call(table.unpack(words)):await(session.limit))
  end)

  it("waits for another pool", function ()
    local other = session.pool { workers = 1 }
    assert.are.equal(5,
      call("test.await_in", other, "test.add", 2, 3))
    assert.are.equal(1, other:stats().completed)
  end)

  it("waits for a task that runs elsewhere", function ()
    local other = session.pool { workers = 1 }
    local gate, held = session.block(other, 1)
    local waiting = pool:call("test.await_future", held[1])
    session.eventually(function () return waiting:state() ~= "pending" end)
    assert.is_false(waiting:wait(0.02))
    testmod.open(gate)
    assert.are.equal(gate, waiting:await(session.limit))
  end)

  it("keeps the pool alive while all of its workers wait", function ()
    local one = session.pool { workers = 1, queue = 10 }
    local other = session.pool { workers = 1 }
    local gate, held = session.block(other, 1)
    local before = testmod.entered "await_future"
    local waiting = one:call("test.await_future", held[1])
    session.entered("await_future", before + 1)
    -- A spare worker stands in for the one that blocks.
    assert.are.equal(3, one:call("test.add", 1, 2):await(session.limit))
    testmod.open(gate)
    assert.are.equal(gate, waiting:await(session.limit))
  end)

  it("is refused for the task itself", function ()
    local future = pool:call("test.await_slot", 1)
    testmod.fill(1, future)
    assert.are.equal("invalid", future:await(session.limit))
    testmod.fill(1, nil)
  end)

  it("ends when the waiting task is cancelled", function ()
    testmod.noticed(true)
    local other = session.pool { workers = 1 }
    local gate, held = session.block(other, 1)
    local before = testmod.entered "await_future"
    local waiting = pool:call("test.await_future", held[1])
    session.entered("await_future", before + 1)
    assert.is_true(waiting:cancel())
    testmod.wait_noticed(1)
    assert.is_false(held[1]:is_ready())
    testmod.open(gate)
    assert.are.equal(gate, held[1]:await(session.limit))
  end)
end)
