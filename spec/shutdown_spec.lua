-- shutdown{drain=, timeout=}: every future settles.

local session = require "spec.support.session"
local testmod = require "testmod"
local tidepool = require "tidepool"

local function settled(futures)
  for _, future in ipairs(futures) do
    if not future:is_ready() then
      return false
    end
  end
  return true
end

-- Queues `count` calls of test.count and answers their futures.
local function queue(pool, count)
  local futures = {}
  for i = 1, count do
    futures[i] = pool:call "test.count"
  end
  return futures
end

describe("shutdown", function ()
  before_each(function () testmod.runs(true) end)
  after_each(session.finish)

  it("drains: every queued task runs", function ()
    local pool = session.pool { workers = 2, queue = 200 }
    local first = pool:call("tidepool.sleep", 0.05)
    local futures = queue(pool, 200)
    assert.is_true(pool:shutdown())
    assert.are.equal(200, testmod.runs())
    assert.are.equal("completed", first:state())
    for _, future in ipairs(futures) do
      assert.are.equal("completed", future:state())
    end
    local stats = pool:stats()
    assert.are.equal(201, stats.completed)
    assert.are.equal(0, stats.running)
    assert.are.equal(0, stats.queued.total)
  end)

  it("drains when told so by name", function ()
    local pool = session.pool { workers = 1, queue = 50 }
    queue(pool, 50)
    assert.is_true(pool:shutdown { drain = true })
    assert.are.equal(50, testmod.runs())
  end)

  it("without drain cancels what is queued", function ()
    local pool = session.pool { workers = 1, queue = 50 }
    local before = testmod.noticed()
    local running = pool:call "test.until_cancelled"
    session.eventually(function () return pool:stats().running == 1 end)
    local futures = queue(pool, 50)
    assert.is_true(pool:shutdown { drain = false })
    assert.are.equal(0, testmod.runs())
    assert.are.equal(before + 1, testmod.noticed()) -- the running one is told
    assert.are.equal("cancelled", running:state())
    for _, future in ipairs(futures) do
      assert.are.equal("cancelled", session.failure(future).kind)
    end
    assert.are.equal(51, pool:stats().cancelled)
  end)

  it("settles everything though a function does not return", function ()
    local pool = session.pool { workers = 1, queue = 50 }
    local gate, held = session.block(pool, 1)
    local futures = queue(pool, 50)
    assert.is_false(pool:shutdown { drain = false, timeout = 0.05 })
    assert.is_true(settled(held))
    assert.is_true(settled(futures))
    assert.are.equal(0, testmod.runs())
    testmod.open(gate)
    assert.is_true(pool:shutdown())
  end)

  it("gives up draining when the time is over", function ()
    local pool = session.pool { workers = 1, queue = 50 }
    local gate, held = session.block(pool, 1)
    local futures = queue(pool, 50)
    local start = session.now()
    assert.is_false(pool:shutdown { timeout = 0.05 })
    assert.is_true(session.now() - start >= 0.05)
    assert.is_true(settled(held))
    assert.is_true(settled(futures))
    testmod.open(gate)
    assert.is_true(pool:shutdown { timeout = session.limit })
    assert.are.equal(0, testmod.runs())
  end)

  it("needs no time when nothing is left to do", function ()
    local pool = session.pool { workers = 4 }
    queue(pool, 4)
    assert.is_true(pool:wait_all(session.limit))
    assert.is_true(pool:shutdown { timeout = session.limit })
  end)

  it("is a no-op the second time", function ()
    local pool = session.pool { workers = 2, queue = 50 }
    queue(pool, 20)
    assert.is_true(pool:shutdown())
    local stats = pool:stats()
    assert.is_true(pool:shutdown())
    assert.is_true(pool:shutdown { drain = false })
    assert.is_true(pool:shutdown { drain = true, timeout = 0 })
    assert.are.same(stats, pool:stats())
  end)

  it("works on a manager that never ran anything", function ()
    assert.is_true(session.pool({ workers = 3 }):shutdown())
  end)

  it("names its wrong options", function ()
    local pool = session.pool()
    for _, wrong in ipairs {
      { drian = true }, { timeout = "soon" }, { timeout = -1 },
      { drain = "yes" }, { timeout = 0 / 0 },
    } do
      local ok, err = pcall(pool.shutdown, pool, wrong)
      assert.is_false(ok)
      assert.is_truthy(err:find("'" .. next(wrong) .. "'", 1, true), err)
    end
    assert.are.equal(3, pool:call("test.add", 1, 2):await(session.limit))
  end)

  it("lets finished results be read", function ()
    local pool = session.pool()
    local future = pool:call("test.echo", "kept")
    pool:shutdown()
    assert.are.equal("kept", future:await())
    assert.are.equal("kept", future:get())
  end)
end)

describe("after shutdown", function ()
  after_each(session.finish)

  local function closed(f, ...)
    local ok, err = pcall(f, ...)
    assert.is_false(ok)
    assert.are.equal("table", type(err), tostring(err))
    assert.are.equal("closed", err.kind)
    assert.are.equal("tidepool.Error", getmetatable(err).__name)
  end

  it("a call raises kind closed", function ()
    local pool = session.pool()
    local view = pool:with { priority = "high" }
    pool:shutdown()
    closed(pool.call, pool, "test.add", 1, 2)
    closed(pool.try_call, pool, "test.add", 1, 2)
    closed(pool.call_many, pool, "test.add", { { 1, 2 } })
    closed(view.call, view, "test.add", 1, 2)
  end)

  it("a call raises though a task has not returned", function ()
    local pool = session.pool()
    session.block(pool, 1)
    pool:shutdown { drain = false, timeout = 0 }
    closed(pool.call, pool, "test.add", 1, 2)
  end)

  it("a view of it closes the pool as well", function ()
    local pool = session.pool()
    assert.is_true(pool:with({ timeout = 1 }):shutdown())
    closed(pool.call, pool, "test.add", 1, 2)
  end)

  it("the rest of a manager still answers", function ()
    local pool = session.pool { workers = 2, name = "shutdown-spec-rest" }
    pool:shutdown()
    assert.is_true(pool:wait_all())
    assert.are.equal("shutdown-spec-rest", pool:name())
    assert.are.equal("string", type(tostring(pool)))
    assert.are.equal(0, pool:stats().running)
  end)
end)

describe("calls that race a shutdown", function ()
  after_each(session.finish)

  -- Four states, 50 calls each, while this one shuts the manager down.
  local caller = [[
    local tidepool = require "tidepool"
    local testmod = require "testmod"
    local pool, gate = tidepool.attach "%s", "%s"
    tidepool.call("test.gate", gate):await()
    local settled, refused, wrong = 0, 0, 0
    local futures = {}
    for i = 1, 50 do
      local ok, future = pcall(pool.call, pool, "test.add", i, 1)
      if ok then
        futures[#futures + 1] = future
      elseif type(future) == "table" and future.kind == "closed" then
        refused = refused + 1
      else
        wrong = wrong + 1
      end
    end
    for _, future in ipairs(futures) do
      local ok, err = future:pawait(60)
      if ok or err.kind == "cancelled" or err.kind == "closed" then
        settled = settled + 1
      else
        wrong = wrong + 1
      end
    end
    return settled, refused, wrong
  ]]

  for _, drain in ipairs { true, false } do
    it("all settle or raise, drain = " .. tostring(drain), function ()
      for round = 1, session.count(200, 20) do
        local name = ("shutdown-spec-race-%s-%d"):format(drain, round)
        local pool = session.pool { workers = 2, queue = 8, name = name }
        local gate, others = session.gate(), {}
        for i = 1, 4 do
          others[i] = session.state(caller:format(name, gate))
        end
        session.entered(gate, 4)
        testmod.open(gate)
        local before = round % 4 * 25
        session.eventually(function ()
          return pool:stats().submitted >= before
        end)
        assert.is_true(pool:shutdown {
          drain = drain, timeout = session.limit,
        })
        local total = 0
        for _, other in ipairs(others) do
          local ended, refused, wrong = other:join()
          assert.are.equal(0, wrong)
          total = total + ended + refused
        end
        assert.are.equal(200, total)
        local stats = pool:stats()
        assert.are.equal(stats.submitted,
          stats.completed + stats.failed + stats.cancelled)
      end
    end)
  end

  it("a caller that waits for a slot is woken", function ()
    local pool = session.pool {
      workers = 1, queue = 1, name = "shutdown-spec-woken",
    }
    local gate = session.block(pool, 1)
    pool:call "test.count"
    local other = session.state [[
      local tidepool = require "tidepool"
      local testmod = require "testmod"
      local pool = tidepool.attach "shutdown-spec-woken"
      tidepool.call("test.gate", "shutdown-spec-here")
      local ok, err = pcall(pool.call, pool, "test.count")
      return ok, not ok and err.kind
    ]]
    testmod.open "shutdown-spec-here"
    session.entered("shutdown-spec-here", 1)
    assert.is_false(pool:shutdown { drain = false, timeout = 0 })
    local ok, kind = other:join()
    assert.is_false(ok)
    assert.are.equal("closed", kind)
    testmod.open(gate)
    assert.is_true(pool:shutdown())
  end)

  it("shutdowns that race each other all return", function ()
    for round = 1, 20 do
      local name = "shutdown-spec-both-" .. round
      local pool = session.pool { workers = 2, queue = 40, name = name }
      local others, gate = {}, session.gate()
      for i = 1, 3 do
        others[i] = session.state(([[
          local pool = require("tidepool").attach "%s"
          require("tidepool").call("test.gate", "%s"):await()
          return pool:shutdown { drain = %s }
        ]]):format(name, gate, i % 2 == 0))
      end
      session.entered(gate, 3)
      local futures = queue(pool, 40)
      testmod.open(gate)
      assert.is_true(pool:shutdown())
      for _, other in ipairs(others) do
        assert.is_true(other:join())
      end
      assert.is_true(settled(futures))
    end
  end)
end)

it("the default manager is shared, so nobody's test closes it", function ()
  assert.are.equal(3, tidepool.call("test.add", 1, 2):await(session.limit))
end)

describe("a shutdown that runs out of time", function ()
  after_each(session.finish)

  it("leaves no future unsettled", function ()
    for i = 1, session.count(20000, 1000) do
      local pool = session.pool { workers = 2, queue = 100 }
      local futures = {}
      for k = 1, 60 do
        futures[k] = pool:call("test.echo", k)
      end
      pool:shutdown { timeout = 0, drain = i % 2 == 0 }
      for k = 1, 60 do
        assert.is_true(futures[k]:is_ready())
      end
      if i % 100 == 0 then
        session.finish()
      end
    end
  end)
end)
