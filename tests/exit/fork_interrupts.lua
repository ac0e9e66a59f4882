-- For host_fork: the threads of a child have the ids of threads of the parent
-- that have ended; its tasks are interrupted all the same.

local fork, wait = fork, wait -- luacheck: ignore

local tidepool = require "tidepool"

local function pool_that_ran()
  local pool = tidepool.AsyncManager.new { workers = 3 }
  local function take_long()
    local till = os.clock() + 0.02
    while os.clock() < till do end
  end
  local futures = {}
  for i = 1, 3 do
    futures[i] = pool:call(take_long)
  end
  tidepool.all(futures):await()
  return pool
end

-- Cancels loops, and waits until their workers are free again.
local function interrupt()
  local pool = pool_that_ran()
  local ready, loops = {}, {}
  for i = 1, 3 do
    local future, promise = tidepool.promise()
    ready[i] = future
    loops[i] = pool:call(function ()
      promise:resolve(true)
      while true do end
    end)
  end
  tidepool.all(ready):await()
  for i = 1, 3 do
    loops[i]:cancel "enough"
  end
  repeat
    tidepool.sleep(0.01)
  until pool:stats().stopping == 0
end

pool_that_ran():shutdown()
local alive = pool_that_ran()
local pid = fork()
if pid == 0 then
  interrupt()
  os.exit(0)
end
assert(wait(pid) == 0)
interrupt()
alive:shutdown()
