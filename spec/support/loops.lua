-- The event loops that awaiting is tested in, all driven the same way. Each
-- is a table:
--   name
--   missing        why it cannot be tested here, or nil
--   adapter        what tidepool.loop.* has attached
--   run(f, ...)    runs functions as coroutines of that loop until all have
--                  ended; raises what they raise
--   start(f)       one more such coroutine; answers it if the loop lets
--   sleep(s)       in one of them: the loop's own way to sleep
--   turn()         in one of them: goes on at the loop's next turn
--   ends           does the loop end by itself when nothing is left?

local session = require "spec.support.session"
local socket = require "socket"

local loops = {}

local function quiet_require(name)
  local ok, module = pcall(require, name)
  return ok and module or nil
end

-- Starts functions by start(f), turns the loop by turn() until all ended.
local function driver(start, turn)
  return function (...)
    local left, failure = select("#", ...), nil
    for _, f in ipairs { ... } do
      start(function ()
        local ok, err = pcall(f)
        left = left - 1
        failure = failure or not ok and { err }
      end)
    end
    local deadline = session.now() + session.limit
    repeat
      turn(function () return left end)
      if session.now() > deadline then
        error(("%d coroutines never ended"):format(left), 2)
      end
    until left == 0 or failure
    if failure then
      error(failure[1], 0)
    end
  end
end

local function add(name, library, make)
  local loop = { name = name }
  loops[#loops + 1] = loop
  if library then
    local module = require("tidepool.loop." .. name)
    loop.adapter, loop.module = module.adapter, module
    make(loop, library)
  else
    loop.missing = "there is no " .. name .. " here"
  end
end

add("luv", quiet_require "luv", function (loop, uv)
  loop.ends = true

  function loop.start(f)
    local co = coroutine.create(f)
    local ok, err = coroutine.resume(co)
    return ok and co or error(err, 0)
  end

  -- uv.run returns when nothing is left, which is part of what is tested; the
  -- timer that limits it does not count.
  loop.run = driver(loop.start, function (left)
    local limit = uv.new_timer()
    limit:start(math.ceil(session.limit * 1000), 0, uv.stop)
    limit:unref()
    uv.run()
    local over = not uv.loop_alive()
    limit:close()
    uv.run "nowait" -- luv 1.44 crashes on exit while a handle closes
    if left() > 0 and over then
      error(left() .. " coroutines wait in a loop that has ended", 0)
    end
  end)

  function loop.sleep(seconds)
    local co = coroutine.running()
    local timer = uv.new_timer()
    timer:start(math.ceil(seconds * 1000), 0, function ()
      timer:close()
      assert(coroutine.resume(co))
    end)
    coroutine.yield()
  end

  -- No timer of 0 ms: some versions run one that a timer has started in the
  -- same turn.
  function loop.turn()
    local co = coroutine.running()
    local idle = uv.new_idle()
    idle:start(function ()
      idle:close()
      assert(coroutine.resume(co))
    end)
    coroutine.yield()
  end
end)

add("cqueues", quiet_require "cqueues", function (loop, cqueues)
  local controller = cqueues.new()
  loop.ends = true

  function loop.start(f)
    controller:wrap(f)
  end

  -- One that ends by itself: its loop returns once nothing is left.
  loop.run = driver(loop.start, function ()
    assert(controller:loop(session.limit))
  end)

  loop.sleep = cqueues.sleep

  function loop.turn()
    cqueues.sleep(0)
  end
end)

-- Debian's copas is one for Lua 5.1 and 5.2, whose folder 5.4 does not look
-- into; but it is Lua that 5.4 runs.
local function find_copas()
  local path = package.path
  package.path = path .. ";/usr/share/lua/5.1/?.lua"
  local copas = quiet_require "copas"
  package.path = path
  return copas
end

-- Without sleeping (1.x): a turn is a datagram, which the socket itself sends
-- when the loop turns next.
local function datagrams(copas)
  local spare, waiting = {}, {}

  local function new()
    local udp = assert(socket.udp())
    assert(udp:setsockname("127.0.0.1", 0))
    assert(udp:setpeername(udp:getsockname()))
    udp:settimeout(0)
    return udp
  end

  local function turn()
    local udp = table.remove(spare) or new()
    waiting[#waiting + 1] = udp
    assert(copas.receive(udp, 16) == "turn")
    spare[#spare + 1] = udp
  end

  return turn, function ()
    for _, udp in ipairs(waiting) do
      assert(udp:send "turn")
    end
    waiting = {}
    copas.step(0.05)
  end
end

add("copas", find_copas(), function (loop, copas)
  copas.autoclose = false -- else it closes the sockets of datagrams
  loop.start = copas.addthread
  if not copas.wakeup then
    local step
    loop.turn, step = datagrams(copas)
    function loop.sleep(seconds)
      local deadline = session.now() + seconds
      repeat
        loop.turn()
      until session.now() >= deadline
    end
    loop.run = driver(loop.start, step)
    return
  end
  loop.ends = true
  loop.sleep = copas.pause or copas.sleep
  function loop.turn()
    loop.sleep(0)
  end
  loop.run = driver(loop.start, function () copas.loop() end)
end)

return loops
