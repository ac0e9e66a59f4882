-- Promises: futures that code of a program settles, in any thread.

local session = require "spec.support.session"
local testmod = require "testmod"
local tidepool = require "tidepool"

local pool

local function setup()
  pool = session.pool { workers = 2, queue = 100 }
end

describe("a promise", function ()
  before_each(setup)
  after_each(session.finish)

  it("is resolved by another thread", function ()
    local future, promise = testmod.promise()
    assert.is_true(tidepool.is_future(future))
    assert.is_false(future:is_ready())
    assert.is_true(testmod.resolve(promise, nil, 1, "two", { 3 }, nil))
    local got = table.pack(future:await(session.limit))
    assert.are.same({ 1, "two", { 3 }, n = 4 }, got)
    assert.are.equal("completed", future:state())
  end)

  it("is awaited while another thread gets to it", function ()
    local future, promise = testmod.promise()
    testmod.resolve(promise, 0.05, "late")
    assert.are.equal("late", future:await(session.limit))
    assert.is_true(testmod.answer(promise))
  end)

  it("is resolved with nothing", function ()
    local future, promise = testmod.promise()
    assert.is_true(testmod.resolve(promise))
    assert.are.equal(0, select("#", future:await(session.limit)))
  end)

  it("is rejected with a message", function ()
    local future, promise = testmod.promise()
    assert.is_true(testmod.reject(promise, "no luck"))
    local err = session.failure(future)
    assert.are.equal("error", err.kind)
    assert.are.equal("no luck", err.message)
    assert.are.equal("failed", future:state())
  end)

  it("settles once, and later tries answer so", function ()
    local future, promise = testmod.promise()
    assert.is_true(testmod.resolve(promise, nil, "first"))
    assert.is_false(testmod.resolve(promise, nil, "second"))
    assert.is_false(testmod.reject(promise, "third"))
    assert.is_false(future:cancel())
    assert.are.equal("first", future:await())
  end)

  it("breaks when it is dropped", function ()
    local future, promise = testmod.promise()
    testmod.drop(promise)
    local err = session.failure(future)
    assert.are.equal("broken", err.kind)
    assert.are.equal("failed", future:state())
    assert.are.equal("string", type(tostring(err)))
  end)

  it("does not break when it is dropped after settling", function ()
    local future, promise = testmod.promise()
    testmod.resolve(promise, nil, "kept")
    testmod.drop(promise)
    assert.are.equal("kept", future:await(session.limit))
  end)

  it("can be cancelled by its future", function ()
    local future, promise = testmod.promise()
    assert.is_false(testmod.promise_cancelled(promise))
    assert.is_true(future:cancel "not needed")
    assert.is_true(testmod.promise_cancelled(promise))
    assert.is_false(testmod.resolve(promise, nil, "late"))
    local err = session.failure(future)
    assert.are.equal("cancelled", err.kind)
    assert.are.equal("not needed", err.message)
  end)

  it("tells progress", function ()
    local future, promise = testmod.promise()
    assert.are.equal(0, (future:progress()))
    testmod.promise_progress(promise, 0.75, "almost")
    local fraction, note = future:progress()
    assert.are.equal(0.75, fraction)
    assert.are.equal("almost", note)
    testmod.resolve(promise)
  end)

  it("lets one of many threads win", function ()
    for round = 1, session.check and 30 or 300 do
      local future, promise = testmod.promise()
      assert.are.equal(1, testmod.promise_race(promise, 8, future),
        "round " .. round)
      assert.is_true(future:is_ready())
      future:pawait()
    end
  end)

  it("is awaited by a task", function ()
    local future, promise = testmod.promise()
    local waiting = pool:call("test.await_future", future)
    testmod.resolve(promise, 0.02, "through")
    assert.are.equal("through", waiting:await(session.limit))
  end)

  it("may outlive the future that Lua held", function ()
    local _, promise
    do
      _, promise = testmod.promise()
      _ = nil
    end
    collectgarbage()
    collectgarbage()
    testmod.resolve(promise, nil, ("x"):rep(100000), { 1, 2, 3 })
    testmod.drop(promise)
  end)
end)
