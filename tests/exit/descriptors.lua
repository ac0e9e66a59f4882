-- What a program does about descriptors. Argument: what it does.
--
--   none      has none left (run it with a small `ulimit -n`), and waits
--   forever   the same, and waits until it is interrupted
--   closed    closes what it does not know, as a daemon does, and waits
--   reused    the same, and opens files, which are nobody else's

local what = ...

local tidepool = require "tidepool"
local testmod = require "testmod"

local pool = tidepool.AsyncManager.new { workers = 1 }

local function open_all()
  local files = {}
  repeat
    files[#files + 1] = io.open "/dev/null"
    local last = io.open "/dev/null"
    files[#files + 1] = last
  until not last
  return files
end

-- Every kind of wait of a Lua state, and what is written in Lua.
local function wait_in_all_ways()
  local function nap(seconds)
    return pool:call("tidepool.sleep", seconds)
  end
  nap(0.01):await()
  assert(not nap(0.3):wait(0.01))
  tidepool.sleep(0.01)
  pool:wait_all()
  nap(0.01)
  assert(tidepool.poll(60))
  tidepool.all { nap(0.01), tidepool.spawn(tidepool.sleep, 0.01) }:await()
  assert(tidepool.group():add(nap(0.01)):next(60))
  tidepool.scope(function (s) s:spawn(tidepool.sleep, 0.01) end)
  pool:map("tidepool.sleep", { 0.01, 0.01 })
  nap(0.01):and_then(function () end):await()
  local other <close> = tidepool.AsyncManager.new { workers = 1 }
  other:call("tidepool.sleep", 0.01)
end

local ways = {}

function ways.none()
  local files = open_all()
  wait_in_all_ways()
  local ok, why = pcall(tidepool.fd)
  assert(not ok and why:find "no descriptor left", why)
  local _, err = pool:call(function () return tidepool.all end):pawait()
  assert(tostring(err):find "cannot be loaded: .*open files", err)
  for _, file in ipairs(files) do
    file:close()
  end
  assert(tidepool.fd() > 2)
  wait_in_all_ways()
end

function ways.forever()
  local future = pool:call("tidepool.sleep", 1000)
  open_all()
  io.stdout:write "ready\n"
  io.stdout:flush()
  tidepool.exit_grace(0.05)
  future:await()
end

function ways.closed()
  local before = tidepool.fd()
  testmod.close_from(3)
  local spent = os.clock()
  wait_in_all_ways()
  tidepool.sleep(0.5)
  assert(os.clock() - spent < 0.5, "it does not sleep")
  assert(tidepool.fd() >= 3 and before >= 3)
end

function ways.reused()
  tidepool.sleep(0.01)
  testmod.close_from(3)
  local files = {}
  for i = 1, 8 do
    files[i] = assert(io.tmpfile())
  end
  wait_in_all_ways()
  for i = 1, 8 do
    assert(files[i]:write(i) and files[i]:seek "set")
    assert(files[i]:read "a" == tostring(i))
    assert(files[i]:close())
  end
end

ways[what]()
