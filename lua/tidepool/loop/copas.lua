--- `future:await()` inside of a coroutine of copas yields to copas.
-- Needs no more than `require "tidepool.loop.copas"`. For copas 2 and later,
-- and for 1.x, which has no way to sleep.
local copas = require "copas"
local loop = require "tidepool.loop"
local tidepool = require "tidepool"

local FOREVER = 1e9 -- seconds
local source = debug.getinfo(copas.step, "S").source

-- Sleepers with a time to wake up are held by copas, so let nobody else do:
-- one that copas removes is gone. What 1.x has yielded to us only we hold.
local hold = copas.wakeup and { __mode = "v" } or {}

-- Was the running coroutine resumed by copas itself?
local function running()
  local by = loop.resumer()
  local info = by and debug.getinfo(by, 1, "S")
  if info and info.source == source then
    return setmetatable({ (coroutine.running()) }, hold)
  end
end

-- What copas takes for a server: it is readable when tidepool has something
-- to do, and to accept is to do it.
local server = setmetatable({ woken = {} }, {
  __tostring = function () return "tcp{tidepool}" end,
})

function server:getfd() return self.fd end

function server:dirty() return self.woken[1] ~= nil end

function server:settimeout() return self end

function server:close() self.added = false end

function server:accept()
  self.step()
  local woken = self.woken
  self.woken = {}
  for _, co in ipairs(woken) do
    if coroutine.status(co) == "suspended" then
      copas.addthread(co)
    end
  end
end

local function add()
  if not server.added then
    server.added = true
    copas.addserver(server, function () end)
  end
end

local pause, resume
if copas.wakeup then
  local sleep = copas.pause or copas.sleep
  function pause()
    add() -- copas.cancelall() may have removed it
    sleep(FOREVER)
  end
  function resume(token)
    if token[1] then
      copas.wakeup(token[1])
    end
  end
else
  -- To yield is to name a queue, here one that keeps nothing; adding a
  -- coroutine that has begun resumes it.
  local function nothing() end
  local parked = { insert = nothing, push = nothing }
  function pause(token)
    coroutine.yield(token, parked)
  end
  function resume(token)
    table.insert(server.woken, token[1])
  end
end

local function watch(fd, step)
  server.fd, server.step = fd, step
  add()
  return function ()
    if copas.removeserver then -- in 1.x the loop never ends anyway
      server.added = false
      copas.removeserver(server, true)
    end
  end
end

local adapter = {
  name = "copas",
  running = running, pause = pause, resume = resume, watch = watch,
}

return { adapter = adapter, detach = tidepool.use_loop(adapter) }
