-- What every case needs: passes on the clock, and a pool as the options ask.

local benchmod = require "benchmod"

local sample = {}

function sample.median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local half = #sorted // 2
  if #sorted % 2 == 1 then
    return sorted[half + 1]
  end
  return (sorted[half] + sorted[half + 1]) / 2
end

-- Seconds that `body` takes: the median of o.passes, after one to warm up.
function sample.seconds(o, body)
  body()
  local seconds = {}
  for pass = 1, o.passes do
    local start = benchmod.now()
    body()
    seconds[pass] = (benchmod.now() - start) / 1e9
  end
  return sample.median(seconds)
end

-- A pool, with the functions bench.* registered. Options left out are the
-- library's own defaults.
function sample.pool(o)
  local tidepool = require "tidepool"
  benchmod.register()
  return tidepool.AsyncManager.new {
    workers = o.workers,
    queue = o.queue,
    spin = o.spin,
  }
end

-- A function that runs `work`, a work of luv's, and waits for its result.
-- The size of luv's pool is UV_THREADPOOL_SIZE, set by the driver.
function sample.luv(body)
  local uv = require "luv"
  local settled, result
  local work = uv.new_work(body, function(value)
    settled, result = true, value
  end)
  return function(argument)
    settled = false
    work:queue(argument)
    repeat
      uv.run("once")
    until settled
    return result
  end
end

return sample
