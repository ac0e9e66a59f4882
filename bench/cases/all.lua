-- Many tasks, and waiting for all of them: through one future, or each.

local sample = require "sample"

local all = {}

local function together(futures)
  return require("tidepool").all(futures):await()
end

local function each(futures)
  local results = {}
  for i = 1, #futures do
    results[i] = futures[i]:await()
  end
  return results
end

-- Microseconds a task, its submission included.
local function measure(o, start, wait)
  local n = o.tasks
  return {
    us = sample.seconds(o, function()
      local futures = {}
      for i = 1, n do
        futures[i] = start(i)
      end
      local results = wait(futures)
      assert(results[1] == 2 and results[n] == n + 1, "wrong results")
    end) * 1e6 / n,
  }
end

local function increment(i)
  return i + 1
end

local function of_pool(what, wait)
  return function(o)
    local pool <close> = sample.pool(o)
    return measure(o, function(i) return pool:call(what, i) end, wait)
  end
end

all.c, all.ceach = of_pool("bench.inc", together), of_pool("bench.inc", each)
all.lua, all.luaeach = of_pool(increment, together), of_pool(increment, each)

local function of_coroutines(wait)
  return function(o)
    local spawn = require("tidepool").spawn
    return measure(o, function(i) return spawn(increment, i) end, wait)
  end
end

all.coroutines, all.coroutineseach = of_coroutines(together),
  of_coroutines(each)

return all
