-- Ends with tasks in the queue: none of them runs.

local counts = {}

-- Made before tidepool is loaded, so collected after it has stopped.
last = setmetatable({}, { -- luacheck: ignore
  __gc = function () print("runs", counts.runs()) end,
})

local tidepool = require "tidepool"
local testmod = require "testmod"
counts.runs = testmod.runs

tidepool.exit_grace(60)
local pool = tidepool.AsyncManager.new { workers = 1, queue = 50 }
pool:call "test.until_cancelled"
testmod.wait_entered("until_cancelled", 1)
held = {} -- luacheck: ignore
for i = 1, 50 do
  local future = pool:call "test.count"
  held[i] = i % 2 == 0 and future or nil -- luacheck: ignore
end
print "end"
