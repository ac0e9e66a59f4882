-- One trivial call at a time: submitted, awaited, and only then the next.

local sample = require "sample"

local roundtrip = {}

local function microseconds(o, trip)
  local n = o.tasks
  return {
    us = sample.seconds(o, function()
      for i = 1, n do
        assert(trip(i) == i + 1)
      end
    end) * 1e6 / n,
  }
end

function roundtrip.tidepool(o)
  local pool <close> = sample.pool(o)
  return microseconds(o, function(i)
    return pool:call("bench.inc", i):await()
  end)
end

-- The same loop over objects that do nothing: what Lua itself costs.
function roundtrip.bare(o)
  local pool = require("benchmod").bare()
  return microseconds(o, function(i)
    return pool:call("bench.inc", i):await()
  end)
end

function roundtrip.luv(o)
  return microseconds(o, sample.luv(function(i)
    return i + 1
  end))
end

return roundtrip
