--- `future:await()` inside of a coroutine yields to the loop of luv.
-- luv has no coroutines of its own. What counts as one: a coroutine that the
-- program itself, or a callback of luv, has resumed; and any made by `wrap`
-- of this module. One that runs inside of another one is a generator as
-- likely as not, which a yield to the loop would break.
local loop = require "tidepool.loop"
local tidepool = require "tidepool"
local uv = require "luv"

local luv = {}

local main = debug.getregistry()[1]
local ours = setmetatable({}, { __mode = "k" })

-- Stands for the loop of this Lua state, of which there is one however often
-- this file is loaded:
--   poll   the handle that watches tidepool's descriptor
--   fd     that descriptor
local watched = tidepool.private.kept("luv", "")

-- Those that go on at the next turn of the loop, oldest first. An idle handle
-- has libuv look at once, but after timers and descriptors had their turn.
local queue, first, free = {}, 1, 1
local idle = assert(uv.new_idle())

local function go_on()
  local stop = free -- what joins meanwhile waits for the next turn
  while first < stop do
    local token = queue[first]
    queue[first] = nil
    first = first + 1
    if first == free then
      idle:stop()
    end
    if token.paused and coroutine.status(token.co) == "suspended" then
      local ok, err = coroutine.resume(token.co)
      if not ok then -- the rest of the queue is for the next turn
        local trace = type(err) == "string"
          and debug.traceback(token.co, err) or err
        coroutine.close(token.co)
        error(trace, 0)
      end
    end
  end
end

local function resume(token)
  if first == free then
    idle:start(go_on)
  end
  queue[free] = token
  free = free + 1
end

-- A `for` calls generators, and nothing else.
local function generates()
  return debug.getinfo(main, 0, "n").namewhat == "for iterator"
end

local function running()
  local co = coroutine.running()
  if ours[co] or loop.resumer() == main and not generates() then
    ours[co] = true
    return { co = co, paused = false }, watched
  end
end

local function pause(token)
  token.paused = true
  coroutine.yield()
  token.paused = false
end

-- One handle for good: libuv wants no two of one descriptor. Once nobody
-- waits, it watches on, but does not keep the loop running.
local function watch(fd, step)
  if watched.fd ~= fd then -- after a fork it is another one
    if watched.poll then
      watched.poll:close()
      watched.poll, watched.fd = nil, nil
    end
    local handle, err = uv.new_poll(fd)
    if not handle then
      error("libuv cannot watch tidepool.fd(): " .. err, 0)
    end
    watched.poll, watched.fd = handle, fd
    handle:start("r", step)
  end
  watched.poll:ref()
  return function () watched.poll:unref() end
end

--- A function that runs `f` as a coroutine that may await wherever it is
-- started, also inside of another one.
-- @tparam function f
-- @treturn function starts `f` with its arguments
function luv.wrap(f)
  local function body(...)
    ours[coroutine.running()] = true
    return f(...)
  end
  return function (...)
    return coroutine.wrap(body)(...)
  end
end

luv.adapter = {
  name = "luv", last = true,
  running = running, pause = pause, resume = resume, watch = watch,
}

luv.detach = tidepool.use_loop(luv.adapter)

return luv
