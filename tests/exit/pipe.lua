-- Prints, in a pipe that nobody reads, until it is told. Argument: who prints.

local what = ...

local tidepool = require "tidepool"
local testmod = require "testmod"

local function chatter()
  while true do
    print "a line"
  end
end

local function careful()
  while true do
    local ok, why = io.write "a line\n"
    if ok then
      ok, why = io.stdout:flush()
    end
    if not ok then
      return why
    end
  end
end

testmod.signal("PIPE", what == "ignores" and "ignore" or "default")
local pool = tidepool.AsyncManager.new { workers = 1 }
if what == "program" then
  chatter()
elseif what == "worker" then
  pool:call(chatter):await()
else
  io.stderr:write(tostring(pool:call(careful):await()), "\n")
  io.stdout:setvbuf "no" -- nothing is left to write at the end
end
