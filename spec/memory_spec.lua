-- Memory stays flat without cleanup. TIDEPOOL_LONG=1 runs the full numbers:
-- ten million small calls, and 100,000 results of 1 MiB that nobody reads.

local session = require "spec.support.session"
local process = require "spec.support.process"

local mebibyte = 2 ^ 20 // 1 | 0

-- Runs `step` `total` times and asserts that resident memory after a warm-up
-- never grows by more than `allowed` bytes. Looks a hundred times.
local function flat(total, allowed, step)
  if session.check or not process.resident() then
    pending "memory cannot be measured here"
    return
  end
  local warm = total // 5
  for i = 1, warm do
    step(i)
  end
  local base, look = process.resident(), math.max(total // 100, 1)
  for i = warm + 1, total do
    step(i)
    if i % look == 0 then
      local grown = process.resident() - base
      if grown > allowed then
        error(("%d MiB more after %d calls"):format(grown // mebibyte, i))
      end
    end
  end
end

describe("memory", function ()
  after_each(session.finish)

  local calls = session.count(10000000, 300000)

  it("is flat over small calls that are awaited", function ()
    local pool = session.pool { workers = 2, queue = 100 }
    flat(calls, 32 * mebibyte, function (i)
      pool:call("test.add", i, 1):await()
    end)
  end)

  it("is flat over small calls that nobody reads", function ()
    local pool = session.pool { workers = 2, queue = 100 }
    flat(calls, 32 * mebibyte, function (i)
      pool:call("test.add", i, 1)
    end)
    assert.is_true(pool:wait_all(session.limit))
  end)

  it("is flat with the incremental collector, as in most programs", function ()
    local pool = session.pool { workers = 2, queue = 100 }
    local before = collectgarbage "incremental"
    flat(calls, 32 * mebibyte, function (i)
      pool:call("test.add", i, 1)
    end)
    collectgarbage(before)
    assert.is_true(pool:wait_all(session.limit))
  end)

  it("is flat over small calls that are cleaned up", function ()
    local pool = session.pool { workers = 2, queue = 100 }
    flat(calls, 32 * mebibyte, function (i)
      pool:call("test.add", i, 1):cleanup()
    end)
    assert.is_true(pool:wait_all(session.limit))
  end)

  it("is flat over calls that are cancelled", function ()
    local pool = session.pool { workers = 2, queue = 100 }
    flat(calls // 3, 32 * mebibyte, function (i)
      pool:call("test.echo", i, { i }):cancel()
    end)
  end)

  it("is flat over calls with tables", function ()
    local pool = session.pool { workers = 2, queue = 100 }
    flat(calls // 10, 32 * mebibyte, function (i)
      pool:call("test.echo", { id = i, list = { 1, 2, 3 } }):await()
    end)
  end)

  it("is flat over failures", function ()
    local tidepool = require "tidepool"
    tidepool.on_unhandled(function () end)
    local pool = session.pool { workers = 2, queue = 100 }
    flat(calls // 10, 32 * mebibyte, function (i)
      local future = pool:call("test.fail", "on purpose")
      if i % 2 == 0 then
        future:pawait()
      end
    end)
    collectgarbage()
    pool:wait_all(session.limit)
    collectgarbage()
    tidepool.poll()
  end)

  it("is flat over refused calls", function ()
    local pool = session.pool { workers = 2, queue = 100 }
    flat(calls // 10, 32 * mebibyte, function ()
      assert(not pcall(pool.call, pool, "test.echo",
        { 1, "two", { io.stdout } }))
      assert(not pcall(pool.call, pool, "test.add", "two"))
    end)
  end)

  it("is bounded over results of 1 MiB that nobody reads", function ()
    local pool = session.pool { workers = 2 }
    flat(session.count(100000, 3000), 600 * mebibyte, function ()
      pool:call("test.big", mebibyte)
    end)
    assert.is_true(pool:wait_all(session.limit))
  end)

  it("is bounded over arguments of 1 MiB", function ()
    local pool, text = session.pool { workers = 2 }, ("x"):rep(mebibyte)
    flat(session.count(100000, 3000), 600 * mebibyte, function ()
      pool:call("test.echo", text):wait(session.limit)
    end)
  end)
end)
