-- Waits for ever, for somebody to interrupt it. Argument: where it waits.

local where = ...

local tidepool = require "tidepool"
local testmod = require "testmod"

tidepool.exit_grace(0.05)
local pool = tidepool.AsyncManager.new { workers = 1, queue = 1 }
local future = pool:call("test.gate", "never")
tidepool.on_unhandled(function () end)
testmod.wait_entered "never"

local function ready()
  io.stdout:write "ready\n"
  io.stdout:flush()
end

local function forever(f, ...)
  while true do
    f(...)
  end
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
  suspended = function ()
    for _ = 1, 3 do
      tidepool.spawn(tidepool.sleep, 1000)
      tidepool.spawn(future.await, future)
    end
    tidepool.spawn(future.await, future):await()
  end,
  sleep = function () tidepool.sleep(1000) end,
  sleep_busy = function () -- while others hand the thread to each other
    tidepool.spawn(forever, tidepool.sleep, 0)
    tidepool.spawn(forever, tidepool.sleep, 0)
    tidepool.sleep(1000)
  end,
  group = function () tidepool.group():add(future):next() end,
  group_timed = function () tidepool.group():add(future):next(1000) end,
  ping_pong = function ()
    tidepool.spawn(forever, tidepool.sleep, 0)
    tidepool.spawn(forever, tidepool.sleep, 0)
    future:await()
  end,
  offspring = function () -- each spawns the next
    local function spawn()
      tidepool.spawn(spawn)
    end
    spawn()
    future:await()
  end,
  polling = function ()
    tidepool.spawn(forever, tidepool.sleep, 0)
    forever(tidepool.poll, 1000)
  end,
  rigid = function () -- in a coroutine that cannot yield
    tidepool.spawn(table.sort, { 1, 2, 3 }, function ()
      future:await()
    end):await()
  end,
  rigid_busy = function ()
    tidepool.spawn(forever, tidepool.sleep, 0)
    tidepool.spawn(table.sort, { 1, 2, 3 }, function ()
      future:await()
    end):await()
  end,
  inner = function ()
    tidepool.spawn(function ()
      coroutine.wrap(function () future:await() end)()
    end):await()
  end,
  nobodys = function () -- the one that is interrupted is not awaited
    tidepool.spawn(table.sort, { 1, 2, 3 }, function ()
      future:await()
    end)
    future:await()
  end,
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
