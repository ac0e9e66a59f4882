-- A string of 1 MiB goes to a function and comes back, one at a time.

local sample = require "sample"

local echo = {}

local function gigabytes(o, trip)
  local text = ("tidepool"):rep(1 << 17)
  return {
    rate = o.tasks * #text / 1e9 / sample.seconds(o, function()
      for _ = 1, o.tasks do
        assert(#trip(text) == #text)
      end
    end),
  }
end

-- The function moves its argument into its result.
function echo.tidepool(o)
  local pool <close> = sample.pool(o)
  return gigabytes(o, function(text)
    return pool:call("bench.echo", text):await()
  end)
end

-- As a program does that frees each result when it has read it.
function echo.cleanup(o)
  local pool <close> = sample.pool(o)
  return gigabytes(o, function(text)
    local future = pool:call("bench.echo", text)
    local result = future:await()
    future:cleanup()
    return result
  end)
end

function echo.luv(o)
  return gigabytes(o, sample.luv(function(text)
    return text
  end))
end

return echo
