-- stats(): what a manager says about itself.

local session = require "spec.support.session"
local testmod = require "testmod"

describe("stats", function ()
  after_each(session.finish)

  it("has every field, and zeros for a new manager", function ()
    local stats = session.pool({ workers = 3 }):stats()
    local zero = { p50 = 0, p90 = 0, p99 = 0, max = 0 }
    for _, times in ipairs { stats.wait, stats.run } do
      for key, value in pairs(times) do
        times[key] = value + 0 == 0 and 0 or value
      end
    end
    assert.are.same({
      workers = 3, running = 0, suspended = 0, stopping = 0, replaced = 0,
      submitted = 0, completed = 0, failed = 0, cancelled = 0,
      queued = { high = 0, normal = 0, low = 0, total = 0 },
      wait = zero, run = zero,
    }, stats)
  end)

  it("counts what is queued, by priority", function ()
    local pool = session.pool { workers = 2, queue = 20 }
    session.block(pool, 2)
    for priority, count in pairs { high = 3, normal = 2, low = 5 } do
      for _ = 1, count do
        pool:with({ priority = priority }):call "test.count"
      end
    end
    local stats = pool:stats()
    assert.are.same({ high = 3, normal = 2, low = 5, total = 10 },
      stats.queued)
    assert.are.equal(2, stats.running)
    assert.are.equal(12, stats.submitted)
  end)

  it("forgets a queued task that was cancelled", function ()
    local pool = session.pool { workers = 1, queue = 20 }
    session.block(pool, 1)
    local future = pool:with({ priority = "low" }):call "test.count"
    assert.are.equal(1, pool:stats().queued.low)
    assert.is_true(future:cancel())
    local stats = pool:stats()
    assert.are.equal(0, stats.queued.low)
    assert.are.equal(0, stats.queued.total)
    assert.are.equal(1, stats.cancelled)
  end)

  it("counts a cancelled task that has not returned", function ()
    local pool = session.pool { workers = 2 }
    local gate, held = session.block(pool, 2)
    assert.are.equal(0, pool:stats().stopping)
    held[1]:cancel()
    assert.are.equal(1, pool:stats().stopping)
    testmod.open(gate)
    session.eventually(function ()
      local stats = pool:stats()
      return stats.stopping == 0 and stats.running == 0
    end)
    local stats = pool:stats()
    assert.are.equal(1, stats.cancelled)
    assert.are.equal(1, stats.completed)
  end)

  it("counts every end once", function ()
    local pool = session.pool { workers = 2, queue = 100 }
    local futures = {}
    for i = 1, 100 do
      if i % 4 == 0 then
        futures[i] = pool:call("test.fail", "on purpose")
      else
        futures[i] = pool:call("test.add", i, i)
      end
    end
    session.settle(futures)
    for _, future in ipairs(futures) do
      future:pawait()
    end
    local stats = pool:stats()
    assert.are.equal(100, stats.submitted)
    assert.are.equal(75, stats.completed)
    assert.are.equal(25, stats.failed)
    assert.are.equal(0, stats.cancelled)
  end)

  it("counts a timeout as a failure", function ()
    local pool = session.pool()
    local future = pool:with({ timeout = 0.01 }):call("tidepool.sleep", 3600)
    session.failure(future)
    local stats = pool:stats()
    assert.are.equal(1, stats.failed)
    assert.are.equal(0, stats.completed)
    assert.are.equal(0, stats.cancelled)
  end)

  it("measures how long tasks waited and ran", function ()
    local pool, futures = session.pool { workers = 1, queue = 20 }, {}
    for i = 1, 10 do
      futures[i] = pool:call("tidepool.sleep", 0.02)
    end
    session.settle(futures)
    session.eventually(function () return pool:stats().running == 0 end)
    local stats = pool:stats()
    for _, times in ipairs { stats.wait, stats.run } do
      assert.is_true(times.p50 <= times.p90)
      assert.is_true(times.p90 <= times.p99)
      assert.is_true(times.p99 <= times.max)
      assert.is_true(times.max < session.limit)
    end
    -- The ranks may be estimates; the largest was no shorter than a sleep.
    assert.is_true(stats.run.max >= 0.02)
    assert.is_true(stats.run.p50 >= 0.01)
    assert.is_true(stats.wait.max >= 9 * 0.02)
  end)

  it("adds up under load", function ()
    local pool, futures = session.pool { workers = 4, queue = 64 }, {}
    for i = 1, 20000 do
      futures[i] = pool:call("test.add", i, 1)
      if i % 3 == 0 then
        futures[i - 1]:cancel()
      end
      if i % 1000 == 0 then
        local stats = pool:stats()
        local ended = stats.completed + stats.failed + stats.cancelled
        assert.is_true(ended <= stats.submitted)
        assert.is_true(stats.queued.total + stats.running <= 68)
      end
    end
    session.settle(futures)
    local stats = pool:stats()
    assert.are.equal(20000, stats.submitted)
    assert.are.equal(20000, stats.completed + stats.cancelled)
  end)

  it("answers a table of one's own each time", function ()
    local pool = session.pool()
    local stats = pool:stats()
    stats.workers, stats.queued.high = 99, 99
    assert.are.equal(1, pool:stats().workers)
    assert.are.equal(0, pool:stats().queued.high)
  end)
end)
