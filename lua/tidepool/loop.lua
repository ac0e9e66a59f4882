--- Awaiting in the coroutines of other people's event loops.
-- Where a coroutine of such a loop awaits, an *adapter* pauses it in the
-- manner of that loop, has the loop watch tidepool's descriptor, and makes it
-- go on with the coroutine once the future has settled. Those for luv, copas
-- and cqueues are in `tidepool.loop.*`; `tidepool.use_loop` takes any other.
local tidepool = require "tidepool.core"

local private = tidepool.private
local loop = {}

-- Those that are asked first whether a coroutine is theirs, and the others.
local adapters, last = private.kept("adapters", ""), private.kept("last", "")

-- So many coroutines of a loop go on in one turn of it, at most: it has more
-- to do.
local MOST = 100

-- For each foreign loop:
--   waiting    the signals of its coroutines that wait, as keys
--   room       one element for each that it may still be asked to go on with
--   woken      the signals that came last, oldest first
--   next       those that came before them, youngest first
--   step       what it calls when tidepool has something to do
--   stops      what ends that: functions; none while it is not asked to
--
-- Where a finalizer or a hook waits, other coroutines change all this: what is
-- taken out of these tables, or put in, is so in one step.
local watches = private.kept("watches", "k")

-- Has the loop call `step` as long as somebody waits.
local function attend(watch)
  while next(watch.waiting) == nil do
    local stop = table.remove(watch.stops)
    if not stop then
      return
    end
    stop()
  end
  if watch.stops[1] == nil then
    local adapter = watch.adapter
    table.insert(watch.stops,
      adapter.watch(tidepool.fd(), watch.step, watch.key))
  end
end

local function watch_of(adapter, key)
  local watch = watches[key]
  if not watch then
    watch = {
      adapter = adapter, waiting = {}, room = {}, woken = {}, next = {},
      stops = {}, key = key,
    }
    for i = 1, MOST do
      watch.room[i] = true
    end
    -- The last may have left in a finalizer, which stops nothing.
    function watch.step()
      tidepool.poll()
      attend(watch)
    end
    watches[key] = watches[key] or watch
  end
  return watches[key]
end

-- The signal that comes next, or nil.
local function take(watch)
  local signal = table.remove(watch.next)
  if signal or watch.woken[1] == nil then
    return signal
  end
  local woken = watch.woken
  watch.woken = {}
  woken.closed = true -- who was about to add to it sees that
  for i = #woken, 1, -1 do
    table.insert(watch.next, woken[i])
  end
  return table.remove(watch.next)
end

-- It goes on, if it still waits, in that room.
local function go_on(watch, signal, room)
  table.insert(signal, room)
  if signal.state == "woken" then
    signal.state = "going"
    watch.waiting[signal] = nil
    signal.adapter.resume(signal.token)
  else
    table.insert(watch.room, table.remove(signal))
  end
end

-- Has the loop go on with those that come next. Each that goes on makes room
-- for another one, at the turn after.
local function advance(watch)
  repeat
    local room = table.remove(watch.room)
    local signal = room and take(watch)
    if signal then
      go_on(watch, signal, room)
    elseif room then
      table.insert(watch.room, room)
    end
  until not room or watch.woken[1] == nil and watch.next[1] == nil
end

-- One await is two tables. The signal is what tidepool holds until the future
-- settles; the guard only the stack of the coroutine does, so that it goes
-- when the loop has dropped the coroutine, and the rest of the await with it.
local Guard = { __name = "tidepool.loop.Guard" }

local function wake(signal)
  local watch = signal.watch
  if signal.state == "waits" then
    signal.state = "woken"
    repeat
      local woken = watch.woken
      table.insert(woken, signal)
    until not woken.closed
    advance(watch)
    attend(watch)
  end
end

-- One coroutine stands for the one that waits, so that what is lost at the end
-- of the program is counted once.
local function expire(future, timeout, signal)
  if future then
    future:wait(timeout)
  else
    tidepool.sleep(timeout)
  end
  wake(signal)
end

local function leave(guard)
  local signal = guard.signal
  local watch = signal.watch
  signal.state = "gone"
  watch.waiting[signal] = nil
  table.insert(watch.room, table.remove(signal)) -- if it was asked to go on
  for _, future in ipairs(guard) do
    future:cancel()
  end
  return watch
end

function Guard:__close()
  local watch = leave(self)
  advance(watch)
  attend(watch)
end

-- The loop may be in the middle of something.
function Guard:__gc()
  if self.signal.state ~= "gone" then
    local watch = leave(self)
    if watch.woken[1] or watch.next[1] then
      tidepool.spawn(advance, watch)
    end
  end
end

local function wait(adapter, token, key, future, timeout)
  local watch = watch_of(adapter, key)
  local signal = {
    adapter = adapter, token = token, watch = watch, state = "waits",
  }
  local guard <close> = setmetatable({ signal = signal }, Guard)
  watch.waiting[signal] = true
  if timeout then
    guard[1] = tidepool.spawn(expire, future, timeout, signal)
  else
    guard[1] = tidepool.after(future, wake, signal)
  end
  attend(watch)
  while signal.state ~= "going" do
    adapter.pause(token)
  end
  return true
end

-- The first adapter of a list whose coroutine runs, and what it says of it.
local function ask(list)
  local i, adapter = 1, list[1]
  while adapter do
    local token, key = adapter.running()
    if token then
      return adapter, token, key or adapter
    end
    i = i + 1
    adapter = list[i]
  end
end

-- What tidepool calls where it would otherwise drive its own loop.
local function outside(future, timeout)
  local adapter, token, key = ask(adapters)
  if not adapter then
    adapter, token, key = ask(last)
  end
  return adapter and wait(adapter, token, key, future, timeout)
end

local REQUIRED = { "running", "pause", "resume", "watch" }
local FIELDS = {
  name = "string", running = "function", pause = "function",
  resume = "function", watch = "function", last = "boolean",
}

local function check(adapter)
  if type(adapter) ~= "table" then
    error("an adapter is a table, not a " .. type(adapter), 3)
  end
  for field, value in pairs(adapter) do
    if not FIELDS[field] then
      error(("an adapter has no field '%s'"):format(field), 3)
    elseif type(value) ~= FIELDS[field] then
      error(("the field '%s' of an adapter is a %s, not a %s"):format(field,
        FIELDS[field], type(value)), 3)
    end
  end
  for _, field in ipairs(REQUIRED) do
    if adapter[field] == nil then
      error(("an adapter needs a function '%s'"):format(field), 3)
    end
  end
end

local function detach(adapter)
  for _, list in ipairs { adapters, last } do
    for i, attached in ipairs(list) do
      if attached == adapter then
        table.remove(list, i)
      end
    end
  end
  if not (adapters[1] or last[1]) then
    private.outside(nil)
  end
end

--- Makes awaiting work in the coroutines of another event loop.
--
-- - `running()`: if the coroutine that runs now is one that the loop goes on
--   with, a value that stands for this one await, else nil. May answer a
--   second value, which of several loops it is: an object of that loop.
-- - `pause(token)`: gives control to the loop, until it goes on with the
--   coroutine. May return earlier; then it is called again.
-- - `resume(token)`: has the loop go on with what was paused, at its next
--   turn. Does not run it, and must take one that is gone by now.
-- - `watch(fd, step, which)`: has the loop call `step()` whenever `fd` is
--   readable, and keep running for that. Answers a function that ends it.
--   Called when a coroutine waits where none did before.
-- - `last`: true to be asked after all others, for a loop without coroutines
--   of its own, which takes those that nobody else knows.
-- - `name`: for people.
--
-- @tparam table adapter these functions
-- @treturn function takes the adapter off again; what waits with it already
--   goes on to
function tidepool.use_loop(adapter)
  check(adapter)
  if tidepool.current() then
    error("event loops are for programs; a task just awaits", 2)
  end
  detach(adapter)
  table.insert(adapter.last and last or adapters, adapter)
  private.outside(outside)
  return function () detach(adapter) end
end

local main = debug.getregistry()[1]
local resume = coroutine.resume

--- Who has resumed the running coroutine by `coroutine.resume` or a function
-- of `coroutine.wrap`: another coroutine, or the main one. Nothing in Lua
-- tells, but the stacks do: from the main coroutine on, each that is not
-- running stands in a call of one of these, which knows whom it resumed.
-- @treturn thread that coroutine, or nil if something else resumed it
function loop.resumer()
  local running, thread = coroutine.running(), main
  while true do
    local info = debug.getinfo(thread, 0, "fS")
    local _, inner
    if info and info.func == resume then
      _, inner = debug.getlocal(thread, 0, 1)
    elseif info and info.what == "C" then
      _, inner = debug.getupvalue(info.func, 1)
    end
    if inner == running then
      return thread
    elseif type(inner) ~= "thread" then
      return nil
    end
    thread = inner
  end
end

return loop
