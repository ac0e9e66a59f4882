-- A pool is made and closed: never used, or after a call to each worker.

local sample = require "sample"

local pool = {}

local function microseconds(o, body)
  return { us = sample.seconds(o, body) * 1e6 }
end

function pool.tidepool(o)
  return microseconds(o, function()
    sample.pool(o):shutdown()
  end)
end

function pool.used(o)
  return microseconds(o, function()
    local p = sample.pool(o)
    local calls = {}
    for i = 1, o.workers do
      calls[i] = p:call("bench.noop")
    end
    for i = 1, o.workers do
      calls[i]:await()
    end
    p:shutdown()
  end)
end

return pool
