-- For host_fork: forks with coroutines in every state. In the child they are
-- broken, as all futures of before, and none of them goes on; new ones work.
-- In the parent everything goes on.

local fork, wait = fork, wait -- luacheck: ignore

local tidepool = require "tidepool"

local here = "the parent"
local said = {}
local function say(what)
  assert(here == "the parent", what .. " goes on in the child")
  said[#said + 1] = what
end

local never, promise = tidepool.promise()
local function make()
  local old = {}
  old.sleeper = tidepool.spawn(function ()
    tidepool.sleep(0.2)
    say "slept"
  end)
  old.waiter = tidepool.spawn(function ()
    never:await()
    say "got"
  end)
  old.chained = tidepool.spawn(function () old.waiter:await() end)
  old.later = tidepool.after(never, say, "after")
  old.timed = tidepool.private.spawn_within(100, tidepool.sleep, 0.2)
  old.group = tidepool.group():add(never):add(old.waiter)
  old.grouped = tidepool.spawn(old.group.next, old.group)
  tidepool.poll()
  old.begun = tidepool.spawn(say, "begun")
  return old
end

local function broken(f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok and err.kind == "broken", tostring(err))
end

local function child(old, unsettled)
  here = "the child"
  for name, future in pairs(unsettled) do
    assert(future:is_ready() and future:state() == "failed")
    broken(future.await, future, 10)
    broken(future.cancel, future)
    broken(function ()
      tidepool.spawn(future.await, future, 10):await()
    end)
    local key, which = tidepool.group():add(future, name):next(10)
    assert(key == name and which == future)
    assert(tidepool.after(future, function () return name end):await(10)
      == name)
    tostring(future)
    future:detach()
  end
  assert(select(2, old.group:next(10)) == never)
  assert(select(2, old.group:next(10)) == old.waiter)
  assert(old.group:next(10) == nil)
  old.group:clear()
  assert(tidepool.spawn(function (n)
    tidepool.sleep(0.01)
    return tidepool.call(function (m) return m + 1 end, n):await()
  end, 1):await(60) == 2)
  assert(tidepool.group():add(tidepool.spawn(tidepool.sleep, 0.01)):next(60))
end

local children = {}
for round = 1, 12 do
  local old = make()
  old.timer = tidepool.private.timer(100)
  local function go()
    local unsettled = {}
    for name, future in pairs(old) do
      if name ~= "group" and not future:is_ready() then
        unsettled[name] = future
      end
    end
    local pid = fork()
    if pid == 0 then
      local ok, err = pcall(child, old, unsettled)
      if not ok then
        io.stderr:write("in the child: ", tostring(err), "\n")
      end
      os.exit(ok and 0 or 1, round % 2 == 0)
    end
    children[#children + 1] = pid
  end
  if round % 3 == 0 then
    tidepool.spawn(go):await() -- a fork within a coroutine
  else
    go()
  end
end
for round, pid in ipairs(children) do
  local status = wait(pid)
  assert(status == 0, ("child %d ended with %d"):format(round, status))
end
promise:resolve(1)
tidepool.sleep(0.3)
local count = {}
for _, what in ipairs(said) do
  count[what] = (count[what] or 0) + 1
end
for _, what in ipairs { "slept", "got", "after", "begun" } do
  assert(count[what] == 12, what .. ": " .. tostring(count[what]))
end
