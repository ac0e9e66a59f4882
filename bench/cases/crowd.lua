-- More workers than cores: does the spin take time from those who compute?

local benchmod = require "benchmod"
local sample = require "sample"

local crowd = {}

-- Milliseconds that tasks which compute take together.
function crowd.work(o)
  local pool <close> = sample.pool(o)
  return {
    ms = sample.seconds(o, function()
      local futures = {}
      for i = 1, o.tasks do
        futures[i] = pool:call("bench.work", o.steps)
      end
      for i = 1, o.tasks do
        futures[i]:await()
      end
    end) * 1e3,
  }
end

-- The flood, while as many other threads as there are cores compute.
function crowd.flood(o)
  benchmod.neighbours(benchmod.cores())
  local figures = require("cases.flood").tidepool(o)
  benchmod.leave()
  return figures
end

-- How far those threads get in a second (in million steps) while a call is
-- made every half millisecond, so that workers fall idle again and again.
function crowd.trickle(o)
  local pool <close> = sample.pool(o)
  local calls = 0
  benchmod.neighbours(benchmod.cores())
  local finish = benchmod.now() + 1000000000
  while benchmod.now() < finish do
    pool:call("bench.inc", calls):await()
    calls = calls + 1
    benchmod.sleep(0.0005)
  end
  return { steps = benchmod.leave() / 1e3, calls = calls }
end

return crowd
