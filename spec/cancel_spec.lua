-- cancel: of pending, running and settled futures, and in a race.

local session = require "spec.support.session"
local testmod = require "testmod"

describe("cancel of a pending future", function ()
  before_each(function () testmod.runs(true) end)
  after_each(session.finish)

  it("means that it never runs", function ()
    local pool = session.pool { workers = 1, queue = 100 }
    local gate, futures = session.block(pool, 1), {}
    for i = 1, 100 do
      futures[i] = pool:call "test.count"
    end
    for i = 1, 100, 2 do
      assert.is_true(futures[i]:cancel())
      assert.are.equal("cancelled", futures[i]:state())
    end
    testmod.open(gate)
    session.settle(futures)
    assert.is_true(pool:wait_all(session.limit))
    assert.are.equal(50, testmod.runs())
    for i, future in ipairs(futures) do
      assert.are.equal(i % 2 == 1 and "cancelled" or "completed",
        future:state())
    end
  end)

  it("frees its slot at once", function ()
    local pool = session.pool { workers = 1, queue = 2 }
    session.block(pool, 1)
    local first = pool:call "test.count"
    pool:call "test.count"
    for _ = 1, 1000 do -- many times what the queue holds
      assert.is_nil((pool:try_call "test.count"))
      first:cancel()
      first = pool:try_call "test.count"
      assert.is_truthy(first)
    end
    assert.are.equal(2, pool:stats().queued.total)
  end)

  it("lets in a call that was waiting", function ()
    local pool = session.pool {
      workers = 1, queue = 1, name = "cancel-spec-waiting",
    }
    local gate = session.block(pool, 1)
    local queued = pool:call "test.count"
    local other = session.state [[
      local tidepool = require "tidepool"
      require "testmod"
      local pool = tidepool.attach "cancel-spec-waiting"
      return pool:call("test.add", 4, 5):await(60)
    ]]
    assert.is_true(queued:cancel())
    session.eventually(function () return pool:stats().submitted == 3 end)
    testmod.open(gate)
    assert.are.equal(9, other:join())
    assert.are.equal(0, testmod.runs())
  end)

  it("makes await raise kind cancelled with the reason", function ()
    local pool = session.pool()
    session.block(pool, 1)
    local future = pool:call "test.count"
    assert.is_true(future:cancel "no longer wanted")
    local ok, err = pcall(future.await, future)
    assert.is_false(ok)
    assert.are.equal("cancelled", err.kind)
    assert.are.equal("no longer wanted", err.message)
    assert.are.equal("test.count", err.name)
    assert.are.equal("test.count: cancelled: no longer wanted",
      tostring(err))
    ok, err = pcall(future.get, future)
    assert.is_false(ok)
    assert.are.equal("cancelled", err.kind)
  end)

  it("needs no reason", function ()
    local pool = session.pool()
    session.block(pool, 1)
    local future = pool:call "test.count"
    assert.is_true(future:cancel())
    local err = session.failure(future)
    assert.are.equal("cancelled", err.kind)
    assert.are.equal("string", type(tostring(err)))
    assert.is_false(pcall(future.cancel, future, {}))
  end)
end)

describe("cancel of a running future", function ()
  before_each(function () testmod.runs(true) end)
  after_each(session.finish)

  it("lets await raise at once", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    assert.is_true(held[1]:cancel "enough")
    local err = session.failure(held[1]) -- the gate is still closed
    assert.are.equal("cancelled", err.kind)
    assert.are.equal("enough", err.message)
    assert.are.equal("cancelled", held[1]:state())
    testmod.open(gate)
  end)

  it("drops the late result", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    held[1]:cancel()
    testmod.open(gate)
    assert.are.equal(3, pool:call("test.add", 1, 2):await(session.limit))
    session.eventually(function () return pool:stats().stopping == 0 end)
    assert.are.equal("cancelled", held[1]:state())
    assert.are.equal("cancelled", session.failure(held[1]).kind)
    assert.are.equal(1, pool:stats().completed)
  end)

  it("tells the function", function ()
    local pool = session.pool { workers = 4 }
    local before, futures = testmod.noticed(), {}
    for i = 1, 4 do
      futures[i] = pool:call "test.until_cancelled"
    end
    session.eventually(function () return pool:stats().running == 4 end)
    for _, future in ipairs(futures) do
      assert.is_true(future:cancel())
    end
    session.eventually(function ()
      return testmod.noticed() == before + 4
    end, "all are told")
  end)

  it("ends tidepool.sleep, which is cooperative", function ()
    local pool = session.pool()
    local future = pool:call("tidepool.sleep", 3600)
    session.eventually(function () return future:state() == "running" end)
    future:cancel()
    assert.are.equal(3, pool:call("test.add", 1, 2):await(session.limit))
  end)

  it("wakes those who wait for it", function ()
    local pool, other = session.pool(), session.pool { workers = 4 }
    local gate, held = session.block(pool, 1)
    local before = testmod.entered "await_future"
    local waiting = {}
    for i = 1, 4 do
      waiting[i] = other:call("test.await_future", held[1])
    end
    session.entered("await_future", before + 4)
    assert.is_true(held[1]:cancel "by another")
    for _, future in ipairs(waiting) do
      local err = session.failure(future)
      assert.are.equal("error", err.kind)
      assert.is_truthy(err.message:find("by another", 1, true), err.message)
    end
    testmod.open(gate)
  end)
end)

describe("cancel of a settled future", function ()
  after_each(session.finish)

  it("answers false, and the result stays", function ()
    local pool = session.pool()
    local done = pool:call("test.echo", "kept")
    done:wait(session.limit)
    assert.is_false(done:cancel "too late")
    assert.are.equal("completed", done:state())
    assert.are.equal("kept", done:await())
    local failed = pool:call("test.fail", "on purpose")
    failed:wait(session.limit)
    assert.is_false(failed:cancel())
    assert.are.equal("error", session.failure(failed).kind)
  end)

  it("is a no-op the second time", function ()
    local pool = session.pool()
    local _, held = session.block(pool, 1)
    local pending = pool:call "test.count"
    for _, future in ipairs { held[1], pending } do
      assert.is_true(future:cancel "first")
      assert.is_false(future:cancel "second")
      assert.are.equal("first", session.failure(future).message)
    end
    assert.are.equal(2, pool:stats().cancelled)
  end)
end)

describe("cancels that race completions", function ()
  after_each(session.finish)

  it("settle each future exactly once", function ()
    local pool = session.pool { workers = 4, queue = 1000 }
    local total = session.count(300000, session.check and 20000 or 300000)
    local cancelled, completed, batch = 0, 0, {}
    for i = 1, 1000 do
      batch[i] = { i, 1 }
    end
    for round = 1, total // 1000 do
      local futures, mine = pool:call_many("test.add", batch), {}
      local first, last, step = 1, 1000, 1
      if round % 2 == 0 then
        first, last, step = last, first, -1
      end
      for i = first, last, step do
        mine[i] = futures[i]:cancel()
        if mine[i] then
          cancelled = cancelled + 1
          assert(not futures[i]:cancel(), "settled twice")
        end
      end
      for i, future in ipairs(futures) do
        local ok, result = future:pawait(session.limit)
        assert(ok ~= mine[i], "neither or both")
        assert(ok and result == i + 1 or result.kind == "cancelled")
        completed = completed + (ok and 1 or 0)
      end
    end
    assert.are.equal(total, cancelled + completed)
    assert.is_true(pool:wait_all(session.limit))
    session.eventually(function ()
      local stats = pool:stats()
      return stats.stopping == 0 and stats.running == 0
    end)
    local stats = pool:stats()
    assert.are.equal(total, stats.submitted)
    assert.are.equal(cancelled, stats.cancelled)
    assert.are.equal(completed, stats.completed)
    assert.are.equal(0, stats.queued.total)
  end)
end)
