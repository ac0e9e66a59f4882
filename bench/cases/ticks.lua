-- Coroutines of an event loop wait for tasks, all of which settle within a
-- moment, while a timer of that loop ticks: how long are its longest gaps?

local benchmod = require "benchmod"
local sample = require "sample"

local ticks = {}

-- Notes the longest time between two ticks, from the third on.
local function ticker()
  local last, longest, count = nil, 0, 0
  return function()
    local now = benchmod.now()
    count = count + 1
    if count > 3 then
      longest = math.max(longest, now - last)
    end
    last = now
  end, function()
    return longest / 1e6
  end
end

-- Starts the tasks, with a coroutine for each that waits; `start` starts
-- one, `finish` runs the loop until `done` says so. The workers begin when
-- the timer has ticked for some time.
local function measure(o, tick, longest, start, finish)
  local pool <close> = sample.pool(o)
  local awaited, began = 0, benchmod.now()
  for _ = 1, o.workers do
    pool:call "bench.gate"
  end
  local function waiter(i)
    local future = pool:call("bench.inc", i)
    start(function()
      assert(future:await() == i + 1)
      awaited = awaited + 1
    end)
  end
  for i = 1, o.tasks do
    waiter(i)
  end
  local opened = o.tasks == 0
  finish(function()
    tick()
    local now = benchmod.now()
    if not opened and now - began > 2e8 then
      opened = true
      benchmod.opengate()
    end
    return awaited == o.tasks and now - began > 4e8
  end)
  benchmod.opengate()
  return { ms = longest(), awaited = awaited }
end

function ticks.luv(o)
  local uv = require "luv"
  require "tidepool.loop.luv"
  local tick, longest = ticker()
  return measure(o, tick, longest, function(body)
    assert(coroutine.resume(coroutine.create(body)))
  end, function(ticked)
    local timer = uv.new_timer()
    timer:start(5, 5, function()
      if ticked() then
        timer:close()
      end
    end)
    uv.run()
  end)
end

function ticks.cqueues(o)
  local cqueues = require "cqueues"
  require "tidepool.loop.cqueues"
  local controller = cqueues.new()
  local tick, longest = ticker()
  return measure(o, tick, longest, function(body)
    controller:wrap(body)
  end, function(ticked)
    controller:wrap(function()
      repeat
        cqueues.sleep(0.005)
      until ticked()
    end)
    assert(controller:loop())
  end)
end

-- Old ones have no timers: their loop is turned by hand.
function ticks.copas(o)
  local copas = sample.copas()
  require "tidepool.loop.copas"
  local tick, longest = ticker()
  return measure(o, tick, longest, function(body)
    copas.addthread(body)
  end, function(ticked)
    if copas.wakeup then
      copas.addthread(function()
        repeat
          (copas.pause or copas.sleep)(0.005)
        until ticked()
      end)
      copas.loop()
      return
    end
    repeat
      copas.step(0.005)
    until ticked()
  end)
end

-- The loop of tidepool itself.
function ticks.tidepool(o)
  local tidepool = require "tidepool"
  local tick, longest = ticker()
  return measure(o, tick, longest, tidepool.spawn, function(ticked)
    tidepool.spawn(function()
      repeat
        tidepool.sleep(0.005)
      until ticked()
    end):await()
  end)
end

return ticks
