-- Waits for ever, for somebody to interrupt it. Argument: where it waits.

local where = ...

local tidepool = require "tidepool"
local testmod = require "testmod"

tidepool.exit_grace(0.05)
local pool = tidepool.AsyncManager.new { workers = 1, queue = 1 }
local future = pool:call("test.gate", "never")
testmod.wait_entered "never"

local function ready()
  io.stdout:write "ready\n"
  io.stdout:flush()
end

local ways = {
  top = function () future:await() end,
  coroutine = function ()
    coroutine.wrap(function () future:await() end)()
  end,
  timed = function () future:await(1000) end,
  wait = function () future:wait() end,
  pawait = function () future:pawait() end,
  poll = function () tidepool.poll(1000) end,
  wait_all = function () pool:wait_all() end,
  full = function ()
    pool:call("test.gate", "never")
    pool:call("test.gate", "never")
  end,
  shutdown = function () pool:shutdown() end,
  pcall = function ()
    local ok, err = pcall(future.await, future)
    print("caught", ok, err)
    os.exit(9)
  end,
}

local way = ways[where]
ready()
way()
print "came back"
