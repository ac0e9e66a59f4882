-- Capacity is a count: queued and running at most queue and workers.

local session = require "spec.support.session"
local testmod = require "testmod"

describe("capacity", function ()
  after_each(session.finish)

  it("is 22 with two workers and the default queue", function ()
    for _ = 1, 20 do -- whether or not the workers have started
      local pool, gate = session.pool { workers = 2 }, session.gate()
      for i = 1, 22 do
        assert.is_truthy(pool:try_call("test.gate", gate), "call " .. i)
      end
      local future, why = pool:try_call("test.gate", gate)
      assert.is_nil(future)
      assert.are.equal("full", why)
      testmod.open(gate)
      assert.is_true(pool:wait_all(session.limit))
      assert.is_truthy(pool:try_call("test.gate", gate))
    end
  end)

  it("is 22 when the workers have long been waiting", function ()
    local pool = session.pool { workers = 2 }
    pool:call("test.add", 1, 1):await(session.limit)
    local gate = session.block(pool, 2)
    for i = 3, 22 do
      assert.is_truthy(pool:try_call("test.gate", gate), "call " .. i)
    end
    assert.is_nil((pool:try_call("test.gate", gate)))
  end)

  it("makes call wait for a free slot", function ()
    local pool, gate = session.pool { workers = 2 }, session.gate()
    local first = pool:call("tidepool.sleep", 0.2)
    for _ = 2, 22 do
      pool:call("test.gate", gate)
    end
    -- Comes in with the slot of the first, which settles a moment after it
    -- has given that back; the others have not begun, or stand at the gate.
    pool:call("test.gate", gate)
    assert.is_nil((pool:try_call("test.gate", gate)))
    first:await()
    assert.are.equal(23, pool:stats().submitted)
  end)

  it("makes call fail at once when full = \"fail\"", function ()
    local pool = session.pool { workers = 1, queue = 1, full = "fail" }
    local gate = session.block(pool, 1)
    pool:call("test.gate", gate)
    local ok, err = pcall(pool.call, pool, "test.gate", gate)
    assert.is_false(ok)
    assert.are.equal("full", err.kind)
    assert.are.equal("tidepool.Error", getmetatable(err).__name)
    local future, why = pool:try_call("test.gate", gate)
    assert.is_nil(future)
    assert.are.equal("full", why)
    assert.are.equal(2, pool:stats().submitted)
  end)

  it("can be told to fail by a view", function ()
    local pool = session.pool { workers = 1, queue = 1 }
    local gate = session.block(pool, 1)
    pool:call("test.gate", gate)
    local view = pool:with { full = "fail" }
    local ok, err = pcall(view.call, view, "test.gate", gate)
    assert.is_false(ok)
    assert.are.equal("full", err.kind)
  end)

  it("is free again for every task that has run", function ()
    local pool = session.pool { workers = 1, queue = 2 }
    for i = 1, 2000 do
      assert.are.equal(i + 1, pool:call("test.add", i, 1):await())
    end
    local gate = session.block(pool, 1)
    assert.is_truthy(pool:try_call("test.gate", gate))
    assert.is_truthy(pool:try_call("test.gate", gate))
    assert.is_nil((pool:try_call("test.gate", gate)))
  end)
end)

describe("call_many", function ()
  after_each(session.finish)

  it("answers the futures in order", function ()
    local pool, batch = session.pool { workers = 4, queue = 1000 }, {}
    for i = 1, 1000 do
      batch[i] = { i, i }
    end
    local futures = pool:call_many("test.add", batch)
    assert.are.equal(1000, #futures)
    for i, future in ipairs(futures) do
      assert.are.equal(2 * i, future:await(session.limit))
    end
  end)

  it("takes a batch larger than the queue", function ()
    local pool, batch = session.pool { workers = 2, queue = 3 }, {}
    for i = 1, 500 do
      batch[i] = { i, 1 }
    end
    local futures = pool:call_many("test.add", batch)
    for i, future in ipairs(futures) do
      assert.are.equal(i + 1, future:await(session.limit))
    end
    assert.are.equal(500, pool:stats().completed)
  end)

  it("takes an empty batch and arguments that end in nil", function ()
    local pool = session.pool()
    assert.are.same({}, pool:call_many("test.add", {}))
    local futures = pool:call_many("test.echo", { { nil, 1, nil, n = 3 } })
    local got = table.pack(futures[1]:await(session.limit))
    assert.are.equal(3, got.n)
    assert.are.equal(1, got[2])
  end)

  it("queues nothing when one of them is wrong", function ()
    local pool = session.pool()
    assert.is_false(pcall(pool.call_many, pool, "test.add",
      { { 1, 1 }, { 1 }, { 2, 2 } }))
    assert.is_false(pcall(pool.call_many, pool, "test.add", { { 1, 1 }, 7 }))
    assert.is_false(pcall(pool.call_many, pool, "test.add"))
    assert.is_false(pcall(pool.call_many, pool, "test.nothing", { {} }))
    assert.is_false(pcall(pool.call_many, pool, "test.echo",
      { { 1 }, { io.stdout } }))
    assert.are.equal(0, pool:stats().submitted)
  end)
end)

describe("wait_all", function ()
  after_each(session.finish)

  it("waits for what was unsettled", function ()
    local pool, futures = session.pool { workers = 2, queue = 100 }, {}
    for i = 1, 100 do
      futures[i] = pool:call("tidepool.sleep", 0.001)
    end
    assert.is_true(pool:wait_all())
    for _, future in ipairs(futures) do
      assert.is_true(future:is_ready())
    end
  end)

  it("answers at once when there is nothing", function ()
    assert.is_true(session.pool():wait_all())
    assert.is_true(session.pool():wait_all(0))
  end)

  it("answers false when the time is over", function ()
    local pool = session.pool()
    session.block(pool, 1)
    local start = session.now()
    assert.is_false(pool:wait_all(0.05))
    assert.is_true(session.now() - start >= 0.05)
    assert.is_false(pool:wait_all(0))
  end)

  it("raises no error of a task", function ()
    local pool = session.pool()
    local future = pool:call("test.fail", "on purpose")
    assert.is_true(pool:wait_all(session.limit))
    assert.are.equal("failed", future:state())
    future:pawait()
  end)

  it("does not wait for calls that came later", function ()
    local pool = session.pool { workers = 2, name = "capacity-spec-later" }
    local stop = session.gate()
    testmod.open(stop)
    -- Another state keeps the pool busy without a pause until told to stop.
    local other = session.state(([[
      local tidepool = require "tidepool"
      local testmod = require "testmod"
      local pool, futures = tidepool.attach "capacity-spec-later", {}
      local rounds = 0
      while testmod.entered "%s" == 0 do
        rounds = rounds + 1
        futures[#futures + 1] = pool:call("tidepool.sleep", 0.01)
        if #futures == 4 then
          table.remove(futures, 1):await()
        end
      end
      return rounds
    ]]):format(stop))
    session.eventually(function ()
      return pool:stats().submitted >= 4
    end)
    local ok = pool:wait_all(session.limit)
    pool:call("test.gate", stop):await(session.limit)
    assert.is_true(other:join() > 0)
    assert.is_true(ok)
  end)
end)

describe("a batch that does not fit", function ()
  after_each(session.finish)

  it("enters whole or not at all when full is to fail", function ()
    local pool = session.pool { workers = 1, queue = 2, full = "fail" }
    local gate = session.block(pool)
    local ok, err = pcall(pool.call_many, pool, "test.count", { {}, {}, {} })
    assert.is_false(ok)
    assert.are.equal("full", err.kind)
    assert.are.equal(0, pool:stats().queued.total)
    local futures = pool:call_many("test.count", { {}, {} })
    testmod.open(gate)
    session.settle(futures)
  end)

  it("runs nothing of what nobody gets when its manager is closed", function ()
    local pool = session.pool { workers = 1, queue = 2, name = "broken-off" }
    local gate = session.block(pool)
    local closer = session.state([[
      local testmod = require "testmod"
      local pool = require "tidepool".attach "broken-off"
      while pool:stats().queued.total < 2 do end -- the rest is at the door
      pool:shutdown { drain = false, timeout = 0 }
    ]])
    testmod.runs(true)
    local ok, err = pcall(pool.call_many, pool, "test.count",
      { {}, {}, {}, {} })
    assert.is_false(ok)
    assert.are.equal("closed", err.kind)
    testmod.open(gate)
    closer.join()
    assert.are.equal(0, testmod.runs())
  end)

  it("is refused when its length is no length", function ()
    local pool = session.pool()
    local odd = setmetatable({}, { __len = function () return -1 end })
    assert.has_error(function () pool:call_many("test.add", odd) end)
    assert.has_error(function ()
      pool:call_many("test.echo", { { 1, 2, n = 1.5 } })
    end)
    assert.has_error(function ()
      pool:call_many("test.echo", { { 1, n = -1 } })
    end)
  end)
end)
