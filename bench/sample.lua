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

function sample.collect()
  collectgarbage()
  collectgarbage()
end

-- A table of n places, so that filling it takes no memory.
function sample.places(n)
  local list = {}
  for i = 1, n do
    list[i] = false
  end
  return list
end

-- Bytes that this process had resident at most; nil where nothing tells.
function sample.peak()
  local file = io.open "/proc/self/status"
  local text = file and file:read "a" or ""
  if file then
    file:close()
  end
  local kilobytes = tonumber(text:match "VmHWM:%s*(%d+)")
  return kilobytes and kilobytes * 1024
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

-- Debian's copas is one for Lua 5.1 and 5.2, whose folder 5.4 does not look
-- into; but it is Lua that 5.4 runs.
function sample.copas()
  local path = package.path
  package.path = path .. ";/usr/share/lua/5.1/?.lua"
  local ok, copas = pcall(require, "copas")
  package.path = path
  return ok and copas or nil
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
