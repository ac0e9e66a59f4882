--- What is to be done when a future has settled.
-- The handlers run in the loop of the Lua state that attached them, each as a
-- coroutine of its own that begins when it is its turn. Nothing but the Future
-- of the result exists until then; cancelling that cancels the future as well,
-- if nobody else waits for it.
local check = require "tidepool.check"
local core = require "tidepool.core"

local private = core.private
local Future = private.methods "tidepool.Future"

-- What a handler answers. A Future on its own stands for what becomes of it.
local function follow(...)
  if select("#", ...) == 1 and core.is_future((...)) then
    local future = ...
    future:wait()
    return private.pass(future)
  end
  return ...
end

local function settled(future, f, g)
  if future:state() == "completed" then
    if f then
      return follow(f(future:get()))
    end
  elseif g then
    local _, err = pcall(future.get, future)
    return follow(g(err))
  end
  return private.pass(future) -- a failure raises the same Error again
end

-- The handler runs in any case, also if nobody waits for what comes after it;
-- a failure that goes on to nobody then is not one that was missed. It may run
-- before there is anything after it that could have been cancelled.
local function ended(link)
  follow(link.h())
  if link.outer and link.outer:state() == "cancelled" then
    link.inner:cancel()
  end
  return private.pass(link.future)
end

--- Calls a function with the results.
-- @tparam function f called with the results, once the future has completed
-- @tparam[opt] function g called with the Error, if it fails instead
-- @treturn Future of what the one or the other answers, followed if that is a
-- Future; of the Error if there is nobody to call, or what is called raises
function Future.and_then(future, f, g)
  check.self(2, "and_then", "tidepool.Future", future)
  check.callback(2, 1, "and_then", f)
  if g ~= nil then
    check.callback(2, 2, "and_then", g)
  end
  return private.chain(future, future, settled, future, f, g)
end

--- Calls a function with the Error, if the future fails or is cancelled.
-- @tparam function g
-- @treturn Future of what g answers, followed if that is a Future, or of the
-- results of the future, if it completes
function Future.catch(future, g)
  check.self(2, "catch", "tidepool.Future", future)
  check.callback(2, 1, "catch", g)
  return private.chain(future, future, settled, future, nil, g)
end

--- Calls a function when the future has settled, in whatever way.
-- @tparam function h called without arguments; if it answers a Future, that is
-- awaited
-- @treturn Future of what became of the future, unless h fails
function Future.finally(future, h)
  check.self(2, "finally", "tidepool.Future", future)
  check.callback(2, 1, "finally", h)
  local link = { future = future, h = h }
  link.inner = private.watch(future, ended, link)
  link.outer = private.chain(link.inner, future, private.pass, link.inner)
  return link.outer
end

private.own()
