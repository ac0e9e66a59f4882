-- The same as the flood, submitted with one call_many.

local sample = require "sample"

local batch = {}

function batch.tidepool(o)
  local pool <close> = sample.pool(o)
  local n = o.tasks
  local arguments = {}
  for i = 1, n do
    arguments[i] = { i }
  end
  return {
    rate = n / sample.seconds(o, function()
      local futures, sum = pool:call_many("bench.inc", arguments), 0
      for i = 1, n do
        sum = sum + futures[i]:await()
      end
      assert(sum == n * (n + 1) // 2 + n, "wrong results")
    end),
  }
end

return batch
