-- Many trivial calls are submitted, then all of them awaited, from one state.

local sample = require "sample"

local flood = {}

local function check(sum, n)
  assert(sum == n * (n + 1) // 2 + n, "wrong results")
end

local function through(pool, o)
  local n = o.tasks
  return {
    rate = n / sample.seconds(o, function()
      local futures, sum = {}, 0
      for i = 1, n do
        futures[i] = pool:call("bench.inc", i)
      end
      for i = 1, n do
        sum = sum + futures[i]:await()
      end
      check(sum, n)
    end),
  }
end

function flood.tidepool(o)
  local pool <close> = sample.pool(o)
  return through(pool, o)
end

-- The same loop over objects that do nothing: what Lua itself costs.
function flood.bare(o)
  return through(require("benchmod").bare(), o)
end

function flood.luv(o)
  local uv = require "luv"
  local n, sum = o.tasks, 0
  local work = uv.new_work(function(i)
    return i + 1
  end, function(result)
    sum = sum + result
  end)
  return {
    rate = n / sample.seconds(o, function()
      sum = 0
      for i = 1, n do
        work:queue(i)
      end
      uv.run()
      check(sum, n)
    end),
  }
end

return flood
