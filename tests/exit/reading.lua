-- A worker waits for input that does not come, or not all of it. Standard
-- input is a pipe that nobody writes to. Argument: what it reads, and how the
-- program goes on meanwhile; it must not wait for it.

local what, way = ...

local tidepool = require "tidepool"

local pool = tidepool.AsyncManager.new { workers = 2 }
local begun, promise = tidepool.promise()

local readers = {
  line = function ()
    promise:resolve(true)
    return io.read()
  end,
  all = function ()
    promise:resolve(true)
    return io.stdin:read "a"
  end,
  number = function ()
    promise:resolve(true)
    return io.read "n"
  end,
  lines = function ()
    promise:resolve(true)
    for _ in io.lines() do end
  end,
  part = function () -- of a line: the rest does not come
    local pipe = io.popen "printf 'a li'; exec sleep 1000"
    pipe:read(1)
    promise:resolve(true)
    return pipe:read "l"
  end,
}

local function popen()
  local pipe <close> = io.popen "echo started"
  assert(pipe:read() == "started")
end

local ways = {
  popen = popen,
  flush = function () -- all files, as popen does, but in Lua's own words
    popen()
    io.stdout:flush()
  end,
  cancel = function (reading)
    reading:cancel "enough"
    assert(not reading:pawait())
    repeat
      tidepool.sleep(0.01)
    until pool:stats().stopping == 0
  end,
  exit = function ()
    tidepool.exit_grace(0.2)
    io.stdout:write "left"
    os.exit(0)
  end,
  close = function ()
    io.stdout:write "left"
    os.exit(0, true)
  end,
}

local reading = pool:call(readers[what])
begun:await()
for _ = 1, 20 do -- until it waits, and while it does
  tidepool.sleep(0.005)
  popen()
end
ways[way](reading)
io.stdout:write "left"
reading:cancel()
os.exit(0, true)
