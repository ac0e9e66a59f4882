-- Ends with coroutines in every state. Arguments: how to end, and where:
-- "top", "coroutine", "rigid" (in one that cannot yield), "task" (after one
-- has ended), "worker" (while coroutines of a worker wait as well).

local how, where = ...

local tidepool = require "tidepool"
local testmod = require "testmod"

tidepool.exit_grace(0.05)
local pool = tidepool.AsyncManager.new { workers = 1, queue = 1 }
local never, promise = tidepool.promise()
kept = { never, promise }

local function keep(future)
  kept[#kept + 1] = future
  return future
end

-- Those that begin do not end in any way that somebody could see.
local function guarded(f, ...)
  local _ <close> = setmetatable({}, {
    __close = function () print "closed" end,
  })
  f(...)
end

local sleeper = keep(tidepool.spawn(guarded, tidepool.sleep, 1000))
local waiter = keep(tidepool.spawn(guarded, sleeper.await, sleeper))
keep(tidepool.spawn(guarded, waiter.await, waiter, 1000))
keep(tidepool.spawn(guarded, never.await, never))
keep(tidepool.spawn(guarded, never.await, never)):detach()
keep(tidepool.after(waiter, print, "after"))
keep(tidepool.private.spawn_within(1000, guarded, tidepool.sleep, 1000))
keep(tidepool.private.timer(1000))
local group = tidepool.group():add(never):add(sleeper)
keep(tidepool.spawn(guarded, group.next, group))
keep(tidepool.spawn(guarded, group.next, group, 1000))
keep(pool:call "test.until_cancelled")
testmod.wait_entered "until_cancelled"
keep(pool:call("test.echo", 1))
keep(tidepool.spawn(guarded, pool.call, pool, "test.echo", 2)) -- at the door
keep(tidepool.spawn(guarded, pool.call, pool, "test.echo", sleeper))
tidepool.poll()
keep(tidepool.spawn(guarded, tidepool.sleep, 1000)) -- it may not even begin
if where == "worker" then
  keep(tidepool.call(function ()
    local t = require "tidepool"
    local f = t.spawn(t.sleep, 1000)
    t.spawn(f.await, f)
    table.sort({ 1, 2, 3 }, function () f:await() end)
  end))
  keep(tidepool.call(function ()
    local t = require "tidepool"
    t.spawn(t.sleep, 1000):detach()
  end)):wait()
end

local ways = {
  last = function () end,
  error = function () error "of the program" end,
  exit = function () os.exit() end,
  code = function () os.exit(7) end,
  close = function () os.exit(true, true) end,
  ["close-code"] = function () os.exit(7, true) end,
  ["false"] = function () os.exit(false, true) end,
}

local function leave()
  io.stdout:write "leaving\n"
  io.stdout:flush()
  ways[how]()
end

if where == "coroutine" then
  tidepool.spawn(leave):await()
elseif where == "rigid" then
  tidepool.spawn(table.sort, { 1, 2 }, function ()
    tidepool.spawn(function ()
      tidepool.spawn(table.sort, { 1, 2 }, leave):await()
    end):await()
  end):await()
elseif where == "task" then
  tidepool.after(keep(tidepool.spawn(function () return {} end)),
    leave):await()
else
  leave()
end
