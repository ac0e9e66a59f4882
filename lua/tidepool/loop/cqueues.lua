--- `future:await()` inside of a coroutine of cqueues yields to its controller.
-- Needs no more than `require "tidepool.loop.cqueues"`.
local auxlib = require "cqueues.auxlib"
local condition = require "cqueues.condition"
local cqueues = require "cqueues"
local tidepool = require "tidepool"

-- Do yields of cqueues go through coroutines inside of its own? They do where
-- its resume and wrap are in place of Lua's.
local function through()
  return coroutine.resume == auxlib.resume and coroutine.wrap == auxlib.wrap
end

local function running()
  local controller, direct = cqueues.running()
  if controller and (direct or through()) then
    return condition.new(), controller
  end
end

-- A coroutine of the controller, which ends when nobody waits any more: as
-- long as there is one, controller:loop() goes on.
local function watch(fd, step, controller)
  local wanted, ended = true, condition.new()
  local ring = { pollfd = fd, events = "r" }
  local function body()
    while wanted do
      cqueues.poll(ring, ended)
      local ok, err = pcall(step)
      if not ok then
        controller:wrap(body) -- cqueues drops what has raised
        error(err, 0)
      end
    end
  end
  controller:wrap(body)
  return function ()
    wanted = false
    ended:signal()
  end
end

local adapter = {
  name = "cqueues",
  running = running,
  pause = cqueues.poll,
  resume = function (wakeup) wakeup:signal() end,
  watch = watch,
}

return { adapter = adapter, detach = tidepool.use_loop(adapter) }
