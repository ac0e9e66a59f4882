-- For host_fork: a task forks. In the child its worker is the only thread; the
-- process ends when the task returns, and does not go on with the queue.

local fork, wait = fork, wait -- luacheck: ignore

local tidepool = require "tidepool"

local pool = tidepool.AsyncManager.new { workers = 1 }
local function go(how)
  local pid = fork()
  if pid ~= 0 then
    return pid
  elseif how == "sleeps" then
    tidepool.sleep(0.01) -- raises: the task is broken
  elseif how == "fails" then
    error "in the child"
  end
end

for _, how in ipairs { "returns", "sleeps", "fails" } do
  local forked = pool:call(go, how)
  local queued = {}
  for i = 1, 20 do
    queued[i] = pool:call("tidepool.sleep", 0)
  end
  assert(wait(forked:await()) == 0)
  tidepool.all(queued):await()
end
