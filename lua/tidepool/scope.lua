--- Scopes: what is started together ends together.
-- A scope keeps what was started through it, and a group that tells of each
-- when it has settled. In the function form the coroutine that called `scope`
-- listens to the group. In the variable form that coroutine is busy with its
-- block, so a coroutine of the scope's own listens: the watcher.
--
-- A worker interrupts a coroutine that is cancelled wherever it is, once, also
-- in a `__close`. What must be done as a whole is written so that it can be
-- done twice. And wherever a finalizer or a hook waits, others run, who may use
-- the same scope: so first it is told what is done, then whether it still
-- holds is looked at.
local must = require "tidepool.check"
local tidepool = require "tidepool.core"

local private = tidepool.private

local Scope = { __name = "tidepool.Scope" }
Scope.__index = Scope

-- Futures that a scope may have: its time limit, and what looks after one that
-- its owner cannot close.
local HELPERS = { "expiry", "timer", "heir", "ward" }

-- The id of the task or coroutine that runs, nil in the program itself.
local function running()
  local task = tidepool.task()
  return task and task.id
end

-- Cancelled coroutines run their <close> variables in the next turn of the
-- loop. Who cancelled them lets them do so before it goes on.
local function let_end()
  tidepool.sleep(0)
end

local function whole(f, ...)
  local ok, interrupt = pcall(f, ...)
  if not ok then
    f(...)
    error(interrupt, 0)
  end
end

local function cancel_child(s, child, reason, spared)
  local id = child:id()
  if s.children[id] and id ~= spared then -- else it was detached
    child:cancel(reason)
  end
end

-- All but the task of that id.
local function cancel_children(s, reason, spared)
  for _, child in ipairs(private.members(s.group)) do
    pcall(cancel_child, s, child, reason, spared) -- one was cleaned up: raises
  end
end

-- A genuine failure: the first one is that of the scope, and has the others.
-- In one step it is the first, or not.
local function note(s, err)
  if not s.failures[err] then
    table.insert(s.failures, err)
    if not rawequal(err, s.failures[1]) then
      table.insert(s.others, err)
    end
    s.failures[err] = true
  end
end

-- One that comes from a scope within has others already.
local function fail_whole(s, err, reason)
  local others = rawget(err, "others")
  note(s, err)
  s.failure = s.failures[1]
  if type(others) == "table" and not rawequal(others, s.others) then
    for _, other in ipairs(others) do
      note(s, other)
    end
  end
  s.failure.others = s.others
  cancel_children(s, reason)
end

local function fail(s, err, reason)
  whole(fail_whole, s, err, reason)
end

local function failure_of(child)
  if child:state() == "failed" then
    return select(2, pcall(child.get, child))
  end
end

local function settled(s, child)
  local ok, err = pcall(failure_of, child)
  if not ok or err == nil then
    return -- it was cleaned up, or there is none
  elseif not s.failure then
    fail(s, err, "its scope failed")
  elseif err.kind ~= "cancelled" then -- that is what became of the first
    note(s, err)
  end
end

-- Until all children have settled, or were detached.
local function listen(s)
  while next(s.children) do
    local id, child = s.group:next()
    if id == nil then
      return -- one that was broken off while it was admitted never comes
    elseif s.children[id] then
      settled(s, child)
      s.children[id] = nil
    end
  end
end

-- Whoever listens looks again whether anything is left.
local function rouse(s)
  local now, promise = tidepool.promise()
  promise:resolve()
  s.group:add(now, 0)
end

local look_after

-- The body of a watcher. It fails as the scope did: if the scope is never
-- closed, or another error comes through, that is a failure that nobody read,
-- and told as such. The one that the scope knows of is who listens.
local function watch(s, watcher)
  if s.watcher ~= watcher then
    return
  end
  listen(s)
  local err = s.failure
  if err and s.watched and s.watcher == watcher
    and not rawequal(err, s.passed) and not rawequal(err, s.called_off) then
    error(err, 0)
  end
  if s.watcher == watcher then
    s.watcher = nil
    look_after(s) -- one more may have come
  end
  if s.joined then
    rouse(s)
  end
end

-- The Future of the watcher, if there is one.
local function watching(s)
  local watcher = s.watcher
  return watcher and watcher.future
end

-- Has somebody listen while the block of the scope goes on. Who admits a child
-- asks for that when it is in the group.
function look_after(s)
  if s.watched and not s.joined and next(s.children) and #s.group > 0
    and not watching(s) then
    local watcher = {}
    s.watcher = watcher
    watcher.future = private.detach(tidepool.spawn(watch, s, watcher))
  end
end

-- The scopes that a future is in.
local places = private.kept("places", "k")
local Future = private.methods "tidepool.Future"

--- Takes the future away from its parent, and out of its scopes.
-- A scope neither cancels what is detached nor waits for it. Who listens there
-- may wait for that alone, so something that has settled comes.
-- @treturn Future the same
function Future.detach(future)
  private.detach(future)
  local id = future:id()
  for s in pairs(places[future] or {}) do
    if s.children[id] then
      s.children[id] = nil
      rouse(s)
    end
  end
  return future
end

local function admit_whole(s, child)
  local id = child:id()
  places[child] = places[child] or setmetatable({}, { __mode = "k" })
  places[child][s] = true
  s.children[id] = true
  s.group:add(child, id)
  look_after(s)
end

-- The scope may have failed, or been left, since it was asked.
local function admit(s, child)
  whole(admit_whole, s, child)
  if s.failure or s.left then
    pcall(child.cancel, child, "its scope was left")
  end
  return child
end

-- Nothing comes in any more, and nothing looks after the scope.
local function close(s)
  s.left = true
  for _, name in ipairs(HELPERS) do
    local helper = s[name]
    if helper then
      helper:cancel()
    end
  end
  if s.promise then
    s.promise:resolve()
  end
end

-- The failure is raised: who watched has been heard.
local function hush(s)
  s.watched = false
  local watcher = watching(s)
  if watcher and watcher:is_ready() then
    pcall(watcher.get, watcher)
  end
end

local function abandon_whole(s, err)
  close(s)
  s.passed = err
  if s.failure and rawequal(err, s.failure) then
    hush(s)
  end
  cancel_children(s, "its scope was left by an error", running())
  s.done = true
end

-- An error comes through, which goes on.
local function abandon(s, err)
  if not s.done then
    whole(abandon_whole, s, err)
  end
end

-- For a <close> variable where an await may be broken off.
local Guard = {}

function Guard:__close(err)
  abandon(self.scope, err)
end

-- Listens in the place of the watcher, if there is one.
local function take_over(s)
  s.joined = true
  local watcher = watching(s)
  if watcher then
    watcher:wait()
    if not s.failure then
      pcall(watcher.get, watcher) -- what it failed with we are told, too
    end
  end
  s.watched = false -- from here on it is we who listen
  listen(s)
end

-- Until all children have settled, or an error comes through.
local function finish(s)
  local ok, err = pcall(take_over, s)
  if not ok then
    abandon(s, err)
    pcall(let_end)
    error(err, 0)
  end
end

-- Is nothing in it? Then nothing comes in any more.
local function seal(s)
  s.left = true
  s.left = next(s.children) == nil or #s.group == 0
  return s.left
end

-- Once all children have settled.
local function leave(s)
  repeat
    finish(s)
    if s.failure then
      let_end()
    end
  until seal(s)
  close(s)
  s.done = true
  if s.failure then
    hush(s)
    error(s.failure, 0)
  end
end

--- Leaves the block of `local s <close> = tidepool.scope()`.
function Scope:__close(err)
  if self.left or not self.block then
    return -- one with a function is left when that and all else has ended
  elseif err ~= nil then
    abandon(self, err)
    pcall(let_end)
    return
  end
  local _ <close> = setmetatable({ scope = self }, Guard)
  leave(self)
end

function Scope:__tostring()
  local state = self.left and "left" or self.failure and "failed" or "open"
  return ("tidepool.Scope: %s, %d unsettled"):format(state, #self.group)
end

-- Nothing begins in a scope that has failed.
local function check(s, name, begins)
  must.self(3, name, Scope.__name, s)
  if s.left then
    error("the scope was left", 3)
  elseif begins and s.failure then
    error(s.failure, 0)
  end
end

--- Starts a coroutine in the scope.
-- @tparam function fn what it runs
-- @param ... its arguments
-- @treturn Future of what it answers
function Scope:spawn(fn, ...)
  check(self, "spawn", true)
  must.callback(2, 1, "spawn", fn)
  local child = tidepool.spawn(fn, ...)
  if running() ~= self.owner then
    private.detach(child) -- it is the scope's, not that of who calls
  end
  return admit(self, child)
end

--- Calls a function on the default manager, in the scope.
-- @param fn a function, or the name of a registered one
-- @param ... its arguments
-- @treturn Future of what it answers
function Scope:call(fn, ...)
  check(self, "call", true)
  local ok, child = pcall(tidepool.call, fn, ...)
  if not ok then
    must.again(2, child)
  elseif self.left or self.failure then -- while the queue was full
    child:cancel "its scope was left"
    check(self, "call", true)
  end
  return admit(self, child)
end

--- Takes any future into the scope.
-- One that comes when the scope has failed is cancelled.
-- @tparam Future future
-- @treturn Future the same
function Scope:add(future)
  check(self, "add")
  if not tidepool.is_future(future) then
    must.bad(2, 1, "add", "Future", future)
  elseif self.failure then
    future:cancel "its scope failed"
    error(self.failure, 0)
  end
  return admit(self, future)
end

-- A future that is to be cancelled when the scope is left, or has another one
-- of that name.
local function help(s, name, future)
  local before = s[name]
  s[name] = future
  if before then
    before:cancel()
  end
  if s.left then
    future:cancel()
  end
end

local function expire(s, seconds)
  if not s.left and not s.failure then
    fail(s, tidepool.error {
      kind = "timeout",
      message = ("the scope timed out after %.6g s"):format(seconds),
    }, "its scope timed out")
  end
end

--- Bounds the time of the scope, from now on.
-- When it is over the scope fails with kind `timeout`. Again: the new time
-- takes the place of the old one.
-- @tparam number seconds
function Scope:timeout(seconds)
  check(self, "timeout")
  local number = tonumber(seconds)
  if not (number and number >= 0) then
    must.bad(2, 1, "timeout", "seconds", seconds)
  elseif not self.failure then
    local timer = private.timer(number)
    help(self, "expiry",
      private.detach(tidepool.after(timer, expire, self, number)))
    help(self, "timer", timer)
  end
end

--- Cancels all that is in the scope, which then raises kind `cancelled`.
-- @tparam[opt] string reason
-- @treturn boolean did this call decide how the scope ends?
function Scope:cancel(reason)
  check(self, "cancel")
  local kind = type(reason)
  if kind ~= "nil" and kind ~= "string" and kind ~= "number" then
    must.bad(2, 1, "cancel", "string", reason)
  elseif reason and tostring(reason):find("\0", 1, true) then
    error("bad argument #1 to 'cancel' (a reason has no zeros)", 2)
  end
  if self.failure then
    return false
  end
  local err = tidepool.error {
    kind = "cancelled", message = reason or "cancelled", value = reason,
  }
  self.called_off = err
  fail(self, err, reason or "its scope was cancelled")
  return rawequal(self.failure, err)
end

local function new(form)
  form.group = private.lookout()
  form.children = {} -- the ids of those not yet known to have settled
  form.failures, form.others = {}, {}
  return setmetatable(form, Scope)
end

local function body_of(s, fn, ...)
  s.owner = running()
  return fn(s, ...)
end

local function enter(fn, ...)
  local s = new {}
  local guard = setmetatable({ scope = s }, Guard)
  local _ <close> = guard
  local _ <close> = guard -- in case that the other is interrupted
  local body = tidepool.spawn(body_of, s, fn, ...)
  admit(s, body)
  leave(s)
  return body:get()
end

-- They keep no `run` waiting.
local wards = private.kept("wards", "k")

local weak = { __mode = "v" }

local function orphaned(box)
  local s = box[1]
  if s then
    s.heir = nil -- which is who runs this
    abandon(s)
  end
end

-- If a worker interrupts the `__close` of a scope when it has hardly begun,
-- nobody would look after what had only been added. The ward does: it is a
-- child of the owner, so it is cancelled with that. It only looks on, and so
-- does its heir: a scope that is never closed holds up no shutdown, which
-- cancels the ward once nothing else is left.
local function set_ward(s)
  local never
  never, s.promise = tidepool.promise()
  local ward = private.watch(never, orphaned, {})
  wards[ward] = true
  local box = setmetatable({ s }, weak) -- one that is never closed may go
  help(s, "heir", private.detach(private.watch(ward, orphaned, box)))
  help(s, "ward", ward)
end

--- Runs a function with a scope, or opens one for a `<close>` variable.
-- Leaving a scope waits for all that was started in it. The first failure
-- cancels the others and is raised; its field `others` lists those that
-- failed besides.
-- @tparam[opt] function fn called as fn(scope, ...), as a coroutine of it
-- @param ... further arguments
-- @return what fn answers; without fn, the scope
function tidepool.scope(...)
  if select("#", ...) == 0 then
    local s = new { block = true, watched = true, owner = running() }
    if s.owner and tidepool.current() then
      set_ward(s)
    end
    return s
  end
  must.callback(2, 1, "scope", (...))
  return enter(...)
end

private.own()
