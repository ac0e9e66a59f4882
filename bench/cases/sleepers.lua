-- Many coroutines sleep at once, each for a time of its own.

local benchmod = require "benchmod"
local sample = require "sample"

local sleepers = {}

-- Seconds that the i-th of n sleeps: from 1 to 2, in no order.
local function seconds(i, n)
  return 1 + i * 7919 % n / n
end

-- `start` starts a coroutine, `turn` runs those that can, `finish` all of
-- them to the end. Memory is read when all sleep.
local function measure(o, sleep, start, turn, finish)
  local n, asleep, late, sum = o.tasks, 0, 0, 0
  local function sleeper(i)
    local time = seconds(i, n)
    local due = benchmod.now() + time * 1e9
    asleep = asleep + 1
    sleep(time)
    local over = benchmod.now() - due
    sum = sum + over
    late = late > over and late or over
  end
  sample.collect()
  local resident, lua = benchmod.resident(), collectgarbage "count"
  local began, cpu = benchmod.now(), benchmod.cpu()
  for i = 1, n do
    start(function() sleeper(i) end, i)
  end
  while asleep < n do
    turn()
  end
  local bytes = (benchmod.resident() - resident) / n
  local made = benchmod.now() - began
  finish()
  cpu = benchmod.cpu() - cpu
  return {
    us = cpu * 1e6 / n, -- of processor time, all threads
    start = made / 1e3 / n,
    bytes = bytes, lua = (collectgarbage "count" - lua) * 1024 / n,
    late = late / 1e6, mean = sum / n / 1e6,
  }
end

-- Each has a Future; the list of these is there before.
function sleepers.tidepool(o)
  local tidepool = require "tidepool"
  local futures = sample.places(o.tasks)
  return measure(o, tidepool.sleep, function(body, i)
    futures[i] = tidepool.spawn(body)
  end, tidepool.poll, function()
    for i = 1, o.tasks do
      futures[i]:await()
    end
  end)
end

function sleepers.cqueues(o)
  local cqueues = require "cqueues"
  local controller = cqueues.new()
  return measure(o, cqueues.sleep, function(body)
    controller:wrap(body)
  end, function()
    assert(controller:step(0))
  end, function()
    assert(controller:loop())
  end)
end

-- Coroutines and closures alone: what Lua itself takes.
function sleepers.bare(o)
  local list = sample.places(o.tasks)
  local figures = measure(o, coroutine.yield, function(body, i)
    list[i] = coroutine.wrap(body)
    list[i]()
  end, nil, function()
    for i = 1, o.tasks do
      list[i]()
    end
  end)
  figures.mean, figures.late = nil, nil
  return figures
end

return sleepers
