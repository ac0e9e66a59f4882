-- What a task that follows others leaves behind when it is over, and whose turn
-- it is once its inputs are there.

local session = require "spec.support.session"
local testmod = require "testmod"
local tidepool = require "tidepool"


describe("a task that is over before it has begun", function ()
  before_each(function () tidepool.on_unhandled(function () end) end)
  after_each(session.finish)

  it("does not wait for what stands behind a failed input", function ()
    local pool = session.pool()
    local bad, rejected = tidepool.promise()
    rejected:reject "no"
    local slow, promise = tidepool.promise()
    local before, first = tidepool.promise()
    local task = pool:call("test.count", before, bad, slow)
    assert.are.equal("no", session.failure(task).message)
    assert.is_false(before:awaited())
    assert.is_false(slow:awaited())
    assert.are.equal(1, tidepool.race({ pool:call("test.echo", 1), slow })
      :await(session.limit))
    assert.are.equal("cancelled", slow:state())
    assert.is_false(promise:resolve(1))
    assert.is_true(first:resolve(1))
  end)

  it("leaves its inputs, whoever ends it while it enters", function ()
    local slow, promise = tidepool.promise()
    for round = 1, session.count(2000, 100) do
      local name = "ends " .. round
      local pool = session.pool { workers = 1, queue = 1000, name = name }
      local closer = session.state([[
        local tidepool = require "tidepool"
        tidepool.attach(...):shutdown { drain = false }
      ]], name)
      while true do
        local open, task = pcall(pool.try_call, pool, "test.count", slow, slow)
        if not open then
          break
        elseif not task then -- it is full
          tidepool.sleep(0)
        end
      end
      closer:join()
      assert.is_true(pool:shutdown { drain = false, timeout = session.limit })
      assert.is_false(slow:awaited())
    end
    promise:resolve(1)
  end)
end)

describe("a promise that follows", function ()
  after_each(session.finish)

  it("waits no longer once it was cancelled", function ()
    local slow, promise = tidepool.promise()
    local future, follows = tidepool.promise()
    follows:resolve(slow)
    assert.is_true(slow:awaited())
    future:cancel()
    assert.is_false(slow:awaited())
    promise:resolve(1)
    assert.are.equal("cancelled", future:state())
  end)

  it("settles once, whoever is first", function ()
    local pool = session.pool()
    for i = 1, session.count(20000, 500) do
      local slow, promise = tidepool.promise()
      local future, follows = tidepool.promise()
      local resolved = pool:call(function (p, n) p:resolve(n) end, promise, i)
      follows:resolve(slow)
      local won = future:cancel()
      assert.are.equal(won and "cancelled" or "completed", future:state())
      assert.are.equal(i, slow:await(session.limit))
      resolved:await(session.limit)
    end
  end)
end)

describe("a task whose inputs are there", function ()
  before_each(function () testmod.runs(true) end)
  after_each(session.finish)

  it("comes before all that was submitted after it", function ()
    local pool = session.pool { workers = 1, queue = 100 }
    local gate, held = session.block(pool)
    local future, promise = tidepool.promise()
    local order = {}
    local function note(name, task)
      task:and_then(function () order[#order + 1] = name end)
      return task
    end
    note("before", pool:call("test.echo", 1))
    note("follows", pool:call("test.echo", future))
    note("follows too", pool:call("test.echo", future))
    local last = note("after", pool:call("test.echo", 2))
    promise:resolve(1)
    testmod.open(gate)
    held[1]:await(session.limit)
    last:await(session.limit)
    session.eventually(function ()
      tidepool.poll()
      return #order == 4
    end, "the end of all four")
    assert.are.same({ "before", "follows", "follows too", "after" }, order)
  end)

  it("is one of those that wait_all waits for", function ()
    local pool = session.pool { workers = 1, queue = 100 }
    local gate = session.block(pool)
    local future, promise = tidepool.promise()
    local follows = pool:call("test.echo", future)
    for i = 1, 10 do
      pool:call("test.echo", i)
    end
    promise:resolve("there")
    testmod.open(gate)
    assert.is_true(pool:wait_all(session.limit))
    assert.are.equal("there", follows:get())
  end)

  it("is counted among the queued until it is taken", function ()
    local pool = session.pool { workers = 1, queue = 100 }
    local gate = session.block(pool)
    local future, promise = tidepool.promise()
    local low = pool:with { priority = "low" }
    local tasks = { low:call("test.echo", future), low:call("test.echo", 1) }
    assert.are.equal(2, pool:stats().queued.low)
    promise:resolve(1)
    assert.are.equal(2, pool:stats().queued.low)
    tasks[1]:cancel()
    assert.are.equal(1, pool:stats().queued.low)
    testmod.open(gate)
    session.settle(tasks)
    assert.are.equal(0, pool:stats().queued.low)
  end)
end)
