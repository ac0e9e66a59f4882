-- Ends with running tasks: they are told, and waited for. Some of them look
-- whether they were cancelled, one is just busy for a while.

local counts = {}

last = setmetatable({}, { -- luacheck: ignore
  __gc = function ()
    print("noticed", counts.noticed())
    print("waited", counts.now() >= counts.busy_until)
  end,
})

local tidepool = require "tidepool"
local testmod = require "testmod"
counts.noticed, counts.now = testmod.noticed, testmod.now

tidepool.exit_grace(60)
local pool = tidepool.AsyncManager.new { workers = 4 }
pool:call "test.until_cancelled"
held = pool:call "test.until_cancelled" -- luacheck: ignore
pool:call "test.poll_cancelled"
testmod.wait_entered("until_cancelled", 3)
counts.busy_until = testmod.now() + 0.3
pool:call("test.spin", 0.3)
testmod.wait_entered "spin"
print "end"
