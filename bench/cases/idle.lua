-- What a pool costs that has worked and now has nothing to do.

local benchmod = require "benchmod"
local sample = require "sample"

local idle = {}

function idle.tidepool(o)
  local pool <close> = sample.pool(o)
  for i = 1, 1000 do
    pool:call("bench.inc", i):await()
  end
  benchmod.sleep(0.2)
  local before = benchmod.switches()
  local cpu = benchmod.cpu()
  benchmod.sleep(o.seconds)
  cpu = benchmod.cpu() - cpu
  return { us = cpu * 1e6, switches = benchmod.switches() - before }
end

return idle
