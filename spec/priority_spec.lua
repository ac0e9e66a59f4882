-- Priorities: weighted turns of 8:4:1. One worker is held at a gate while
-- the queue fills, then drains it; test.count numbers its runs, so that the
-- result of a call is its place in the order.

local session = require "spec.support.session"
local testmod = require "testmod"

local weights = { high = 8, normal = 4, low = 1 }

-- Queues `counts[priority]` calls of each while the worker is held, lets
-- them run, and answers the priority that ran at each place.
local function drain(counts)
  local pool = session.pool { workers = 1, queue = 4000 }
  local gate = session.block(pool, 1)
  testmod.runs(true)
  local futures, total = {}, 0
  for _, priority in ipairs { "low", "high", "normal" } do
    local view = pool:with { priority = priority }
    for _ = 1, counts[priority] or 0 do
      total = total + 1
      futures[total] = { view:call "test.count", priority }
    end
  end
  testmod.open(gate)
  local order, base, last = {}, math.huge, {}
  local places = {}
  for i, entry in ipairs(futures) do
    places[i] = entry[1]:await(session.limit)
    base = math.min(base, places[i])
  end
  for i, entry in ipairs(futures) do
    local place = places[i] - base + 1
    order[place] = entry[2]
    -- Among equals, first come, first served.
    assert.is_true(place > (last[entry[2]] or 0))
    last[entry[2]] = place
  end
  assert.are.equal(total, #order)
  return order
end

local function tally(order, first, last)
  local count = { high = 0, normal = 0, low = 0 }
  for i = first, last do
    count[order[i]] = count[order[i]] + 1
  end
  return count
end

describe("priorities", function ()
  after_each(session.finish)

  it("take turns 8:4:1 while all have work", function ()
    local order = drain { high = 400, normal = 200, low = 50 }
    -- The task at the gate has used up a turn of the first round.
    for round = 1, 20 do
      local first = 13 * round + 1
      assert.are.same(weights, tally(order, first, first + 12))
    end
  end)

  it("are near their share at every moment", function ()
    local order = drain { high = 400, normal = 200, low = 50 }
    for n = 1, 500 do
      local count = tally(order, 1, n)
      for priority, weight in pairs(weights) do
        assert.is_true(math.abs(count[priority] - n * weight / 13) <= 8)
      end
    end
  end)

  it("never starve a low task", function ()
    local order, seen = drain { high = 1500, low = 100 }, 0
    for place, priority in ipairs(order) do
      if priority == "low" then
        seen = seen + 1
        assert.is_true(place <= 13 * (seen + 1),
          ("low task %d ran at place %d"):format(seen, place))
      end
    end
    assert.are.equal(100, seen)
  end)

  it("never starve a low task that comes last", function ()
    local order = drain { high = 1000, normal = 1000, low = 1 }
    local place
    for i, priority in ipairs(order) do
      place = priority == "low" and i or place
    end
    assert.is_true(place <= 26)
  end)

  it("never starve a low task while others keep coming", function ()
    local pool = session.pool { workers = 1, queue = 100 }
    local gate = session.block(pool, 1)
    local high = pool:with { priority = "high" }
    for _ = 1, 50 do
      high:call "test.count"
    end
    local low = pool:with { priority = "low" }:call "test.count"
    testmod.open(gate)
    local rounds = 0
    while not low:is_ready() do -- the queue of the high ones stays filled
      high:call "test.count"
      rounds = rounds + 1
      assert.is_true(rounds < 100000)
    end
  end)

  it("leave turns that nobody needs to the others", function ()
    local order = drain { normal = 30 }
    assert.are.equal(30, tally(order, 1, 30).normal)
    order = drain { low = 30 }
    assert.are.equal(30, tally(order, 1, 30).low)
  end)

  it("are normal when nothing is said", function ()
    local pool = session.pool { workers = 1 }
    session.block(pool, 1)
    pool:call "test.count"
    pool:with({ timeout = session.limit }):call "test.count"
    assert.are.equal(2, pool:stats().queued.normal)
  end)

  it("are named in the error when unknown", function ()
    local pool = session.pool()
    for _, wrong in ipairs { "urgent", "", 1, true } do
      local ok, err = pcall(pool.with, pool, { priority = wrong })
      assert.is_false(ok)
      assert.is_truthy(err:find("'priority'", 1, true), err)
    end
    local ok, err = pcall(pool.with, pool, { prority = "high" })
    assert.is_false(ok)
    assert.is_truthy(err:find("unknown option 'prority'", 1, true), err)
  end)

  it("let a manager with full = \"wait\" admit every class", function ()
    local pool = session.pool { workers = 1, queue = 2 }
    local views = {}
    for i, priority in ipairs { "low", "normal", "high" } do
      views[i] = pool:with { priority = priority }
    end
    for i = 1, 300 do
      views[i % 3 + 1]:call "test.count"
    end
    assert.is_true(pool:wait_all(session.limit))
    assert.are.equal(300, pool:stats().completed)
  end)
end)
