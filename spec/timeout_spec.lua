-- Time limits: of a call (the task ends), of an await (the task goes on).

local session = require "spec.support.session"
local testmod = require "testmod"

describe("a call with a timeout", function ()
  after_each(session.finish)

  it("fails with kind timeout when its time is over", function ()
    local pool = session.pool()
    local start = session.now()
    local future = pool:with({ timeout = 0.05 }):call("tidepool.sleep", 10)
    local ok, err = future:pawait(session.limit)
    local took = session.now() - start
    assert.is_false(ok)
    assert.are.equal("timeout", err.kind)
    assert.are.equal("tidepool.sleep", err.name)
    assert.are.equal("failed", future:state())
    assert.is_true(took >= 0.05, "too early")
    assert.is_true(took < 5, "as long as the function")
    assert.is_truthy(tostring(err):find(
      "tidepool.sleep: timed out after 0.05 s", 1, true))
  end)

  it("returns the worker of a cooperative function at once", function ()
    local pool = session.pool()
    local start = session.now()
    local future = pool:with({ timeout = 0.05 }):call("tidepool.sleep", 3600)
    assert.are.equal(3, pool:call("test.add", 1, 2):await(session.limit))
    assert.is_true(session.now() - start < session.limit)
    session.failure(future)
  end)

  it("fails though the function does not look", function ()
    local pool, gate = session.pool(), session.gate()
    local future = pool:with({ timeout = 0.05 }):call("test.gate", gate)
    assert.are.equal("timeout", session.failure(future).kind)
    -- The function is still in there: the worker is not free.
    local after = pool:call("test.add", 1, 2)
    assert.are.equal(1, pool:stats().stopping)
    assert.is_false(after:wait(0.05))
    testmod.open(gate)
    assert.are.equal(3, after:await(session.limit))
    session.eventually(function ()
      return pool:stats().stopping == 0
    end, "nothing stopping")
    assert.are.equal("timeout", session.failure(future).kind)
  end)

  it("never runs when its time is over in the queue", function ()
    local pool = session.pool { workers = 1, queue = 1 }
    local gate = session.block(pool, 1)
    testmod.runs(true)
    local future = pool:with({ timeout = 0.05 }):call "test.count"
    assert.are.equal("timeout", session.failure(future).kind)
    local other = pool:try_call("test.add", 1, 1) -- its slot is free
    assert.is_truthy(other)
    testmod.open(gate)
    assert.are.equal(2, other:await(session.limit))
    assert.are.equal(0, testmod.runs())
  end)

  it("does nothing when the task was quick", function ()
    local pool = session.pool()
    local view = pool:with { timeout = 3600 }
    for i = 1, 1000 do
      assert.are.equal(i + 1, view:call("test.add", i, 1):await())
    end
    assert.are.equal(1000, pool:stats().completed)
    assert.are.equal(0, pool:stats().failed)
  end)

  it("keeps many deadlines apart", function ()
    local pool, futures = session.pool { workers = 4, queue = 400 }, {}
    for i = 1, 200 do
      local timeout = i % 2 == 0 and 0.001 * (i % 20 + 1) or 3600
      local view = pool:with { timeout = timeout }
      futures[i] = view:call("tidepool.sleep", i % 2 == 0 and 3600 or 0)
    end
    for i, future in ipairs(futures) do
      local ok, err = future:pawait(session.limit)
      if i % 2 == 0 then
        assert.is_false(ok)
        assert.are.equal("timeout", err.kind)
      else
        assert.is_true(ok)
      end
    end
  end)

  it("reaches a function that waits to be cancelled", function ()
    local pool = session.pool()
    local before = testmod.noticed()
    local future = pool:with({ timeout = 0.05 }):call "test.until_cancelled"
    assert.are.equal("timeout", session.failure(future).kind)
    session.eventually(function ()
      return testmod.noticed() == before + 1
    end, "the function is told")
  end)

  it("belongs to the view, not to the pool", function ()
    local pool = session.pool()
    local view = pool:with { timeout = 0.01 }
    assert.are.equal(getmetatable(pool), getmetatable(view))
    local slow = pool:call("tidepool.sleep", 0.1)
    assert.is_true((slow:pawait(session.limit)))
    assert.are.equal("timeout",
      session.failure(view:call("tidepool.sleep", 3600)).kind)
    assert.are.equal(2, view:stats().submitted)
    assert.are.equal(2, pool:stats().submitted)
  end)

  it("wants a number of seconds", function ()
    local pool = session.pool()
    for _, wrong in ipairs { "soon", -1, 0 / 0, {}, true } do
      local ok, err = pcall(pool.with, pool, { timeout = wrong })
      assert.is_false(ok)
      assert.is_truthy(err:find("'timeout'", 1, true), err)
    end
    assert.is_false(pcall(pool.with, pool, { timout = 1 }))
    assert.is_false(pcall(pool.with, pool, 1))
  end)
end)

describe("an await with a timeout", function ()
  after_each(session.finish)

  it("raises kind timeout and lets the task go on", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    local start = session.now()
    local ok, err = pcall(held[1].await, held[1], 0.05)
    assert.is_true(session.now() - start >= 0.05)
    assert.is_false(ok)
    assert.are.equal("timeout", err.kind)
    assert.are.equal("running", held[1]:state())
    testmod.open(gate)
    held[1]:await(session.limit)
    assert.are.equal("completed", held[1]:state())
  end)

  it("polls when it is 0", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    local queued = pool:call("test.add", 1, 2)
    for _, future in ipairs { held[1], queued } do
      local ok, err = pcall(future.await, future, 0)
      assert.is_false(ok)
      assert.are.equal("timeout", err.kind)
      ok, err = future:pawait(0)
      assert.is_false(ok)
      assert.are.equal("timeout", err.kind)
      assert.is_false(future:wait(0))
    end
    testmod.open(gate)
    session.eventually(function ()
      return (queued:pawait(0))
    end)
    assert.are.equal(3, queued:await(0))
    assert.is_true(queued:wait(0))
  end)

  it("does not settle the future by pawait or wait", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    local ok, err = held[1]:pawait(0.02)
    assert.is_false(ok)
    assert.are.equal("timeout", err.kind)
    assert.is_false(held[1]:wait(0.02))
    assert.is_false(held[1]:is_ready())
    testmod.open(gate)
    assert.is_true(held[1]:wait(session.limit))
  end)

  it("wants a number", function ()
    local future = session.pool():call("test.add", 1, 2)
    for method, f in pairs {
      await = function () future:await "soon" end,
      pawait = function () future:pawait "soon" end,
      wait = function () future:wait "soon" end,
    } do
      local ok, err = pcall(f)
      assert.is_false(ok)
      assert.is_truthy(err:find("bad argument #1 to '" .. method .. "'", 1,
        true), err)
    end
  end)
end)
