--- Running a function to the end, for a time, and waiting without owning.
local must = require "tidepool.check"
local tidepool = require "tidepool.core"

local private = tidepool.private

-- A turn of the loop in which cancelled coroutines run their <close> variables.
local function let_end()
  tidepool.sleep(0)
end

-- When the await is broken off, or its time is over, the coroutine that was
-- awaited ends in the next turn, and its children in the one after.
local function awaited(future, ok, ...)
  if ok then
    return ...
  end
  future:cancel "who awaited it was broken off"
  pcall(let_end)
  pcall(let_end)
  error((...), 0)
end

local function finish(future)
  return awaited(future, pcall(future.await, future))
end

--- Runs a function for a limited time.
-- @tparam number seconds
-- @tparam function fn run as a coroutine; cancelled when the time is over
-- @param ... its arguments
-- @return what it answers; raises its Error, or one of kind `timeout`
function tidepool.with_timeout(seconds, fn, ...)
  local number = tonumber(seconds)
  if not (number and number >= 0) then
    must.bad(2, 1, "with_timeout", "seconds", seconds)
  end
  must.callback(2, 2, "with_timeout", fn)
  return finish(private.spawn_within(number, fn, ...))
end

local wards = private.kept("wards", "k")

-- The parent of fn, and so in the end of all that fn leaves behind.
local function root(fn, ...)
  local body = tidepool.spawn(fn, ...)
  local child = body
  repeat
    if wards[child] then
      private.detach(child) -- of a scope that was never closed
    elseif child:is_ready() then
      let_end() -- it was cancelled
    else
      child:wait()
    end
    child = private.child()
  until not child
  return body:get()
end

--- Runs a function and all that it spawns to the end.
-- That is also what its children spawn, but not what was detached. When fn
-- fails its children are cancelled. When one of the children fails, that is
-- for who awaits it; if nobody does, it is reported.
-- @tparam function fn run as a coroutine
-- @param ... its arguments
-- @return what it answers; raises its Error
function tidepool.run(fn, ...)
  must.callback(2, 1, "run", fn)
  return finish(tidepool.spawn(root, fn, ...))
end

--- Awaits without passing a cancellation on.
-- When who awaits is cancelled, the future goes on, even if it was its child:
-- it has no parent from now on, also if the time is over first.
-- @tparam Future future
-- @tparam[opt] number timeout seconds, as for `Future:await`
-- @return its results; raises its Error
function tidepool.shield(future, timeout)
  if not tidepool.is_future(future) then
    must.bad(2, 1, "shield", "Future", future)
  end
  if timeout ~= nil and not (type(timeout) == "number" and timeout >= 0) then
    must.bad(2, 2, "shield", "seconds", timeout)
  end
  return private.detach(future):await(timeout)
end

private.own()
