-- Leaves by os.exit while tasks run and are queued.
-- Arguments: what the tasks do, and how to leave.

local what, how = ...

local tidepool = require "tidepool"
local testmod = require "testmod"

local pool = tidepool.AsyncManager.new { workers = 4, queue = 100 }
if what == "cooperative" then
  for _ = 1, 4 do
    pool:call "test.until_cancelled"
  end
  testmod.wait_entered("until_cancelled", 4)
elseif what == "stuck" then
  tidepool.exit_grace(0.05)
  for _ = 1, 4 do
    pool:call("test.gate", "never")
  end
  testmod.wait_entered("never", 4)
elseif what == "crypto" then
  require "digest"
  local data = ("x"):rep(4 * 2 ^ 20 // 1 | 0)
  for _ = 1, 40 do
    pool:call("digest.sha256", data)
  end
elseif what == "short" then
  for i = 1, 5000 do
    pool:call("test.add", i, 1)
  end
end
for _ = 1, 20 do
  pool:try_call("test.echo", what)
end
io.stdout:write "leaving\n"
io.stdout:flush()

if how == "exit" then
  os.exit()
elseif how == "code" then
  os.exit(7)
elseif how == "close" then
  os.exit(true, true)
elseif how == "close-code" then
  os.exit(7, true)
elseif how == "false" then
  os.exit(false, true)
elseif how == "coroutine" then
  coroutine.wrap(function () os.exit(7, true) end)()
end
