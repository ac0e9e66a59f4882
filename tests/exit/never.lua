-- Ends with tasks that never return: after the grace they are left behind.
-- Argument: the grace in seconds; without one it is what tidepool says.

local counts = {}

last = setmetatable({}, { -- luacheck: ignore
  __gc = function ()
    print(("took %.3f"):format(counts.now() - counts.start))
  end,
})

local tidepool = require "tidepool"
local testmod = require "testmod"
counts.now = testmod.now

local grace = tonumber((...))
if grace then
  assert(tidepool.exit_grace(grace) == 1)
  assert(tidepool.exit_grace() == grace)
end
local pool = tidepool.AsyncManager.new { workers = 2 }
for _ = 1, 2 do
  pool:call("test.gate", "never")
end
tidepool.call("test.gate", "never")
testmod.wait_entered("never", 3)
counts.start = testmod.now()
print "end"
