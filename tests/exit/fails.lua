-- An error in the main program, while tasks run and are queued.

local tidepool = require "tidepool"
local testmod = require "testmod"

local pool <close> = tidepool.AsyncManager.new { workers = 1, queue = 20 }
local future = pool:call "test.until_cancelled"
tidepool.call "test.until_cancelled"
testmod.wait_entered("until_cancelled", 2)
for _ = 1, 20 do
  pool:call "test.count"
end
if ... == "task" then
  tidepool.call("test.fail", "of a task"):await()
elseif ... == "kept" then
  kept = future -- luacheck: ignore
end
error "of the program"
