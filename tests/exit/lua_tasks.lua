-- Ends while Lua tasks run and wait. Arguments: what they do, and how to end.
-- Each task that cleans up says so.

local what, how = ...

local tidepool = require "tidepool"
local testmod = require "testmod"

tidepool.exit_grace(60)
local pool = tidepool.AsyncManager.new { workers = 2 }
local never, promise = testmod.promise()
kept = { never, promise }

local function guarded(gate, f, ...)
  local _ <close> = setmetatable({}, {
    __close = function () print "closed" end,
  })
  require "tidepool".invoke("test.gate", gate)
  f(...)
end

local tasks = {
  looping = function () while true do end end,
  stubborn = function ()
    while true do
      pcall(function () while true do end end)
    end
  end,
  suspended = function (box) box[1]:await() end,
}

testmod.open "lua-tasks"
local function start(name)
  kept[#kept + 1] = pool:call(guarded, "lua-tasks", tasks[name], { never })
  testmod.wait_entered("lua-tasks", #kept - 2)
end

if what == "all" then
  start "suspended"
  start "looping"
  start "stubborn"
else
  start(what)
  start(what)
end
pool:call(tasks.looping) -- in the queue, or behind what waits

io.stdout:write "leaving\n"
io.stdout:flush()
if how == "exit" then
  os.exit(7)
elseif how == "close" then
  os.exit(7, true)
elseif how == "error" then
  error "of the program"
elseif how == "shutdown" then
  pool:shutdown { drain = false }
end
