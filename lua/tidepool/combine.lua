--- Many futures at once.
-- All of these hear of their futures through a group, which is made when they
-- are called, so that first means first in time also if nobody has awaited
-- anything yet. A future may stand in a list more than once.
local check = require "tidepool.check"
local core = require "tidepool.core"

local private = core.private

-- The futures of a list, each in the group once, by its first place in the
-- list; the further places of those that have some.
local function gather(futures, ids)
  local group, first, more = core.group(), {}, {}
  for i, future in ipairs(futures) do
    local place = first[ids[i]]
    if not place then
      first[ids[i]] = i
      group:add(future, i)
    else
      more[place] = more[place] or {}
      table.insert(more[place], i)
    end
  end
  return group, more
end

-- For a generic `for`, until nothing is left.
local function settling(group)
  return group:next()
end

-- ------------------------------------------------------------------
-- Those that answer a Future
-- ------------------------------------------------------------------

-- What one of them works on. Leaving it, in whatever way, ends what is left.
local Work = {}

-- Nobody asks any more what becomes of that future. A failure that comes too
-- late to matter is not one that nobody cared to read. What waits for us is not
-- cancelled: it shall hear what became of that.
local function drop(self, future)
  self.group:remove(future)
  if future:state() == "failed" then
    pcall(future.get, future)
  elseif self.cancel and not future:awaited()
    and not private.waits_for_this(future) then
    future:cancel(self.reason)
  end
end

local function leave(self)
  for i = #self.futures, 1, -1 do -- the newest in the group are found first
    pcall(drop, self, self.futures[i]) -- raises for one that was cleaned up
  end
  self.over = true
end

-- A worker may interrupt it, once.
function Work:__close()
  if not self.over and not pcall(leave, self) then
    leave(self)
  end
end

-- The combinator was cancelled before its coroutine had begun.
local function abandon(self)
  local _ <close> = self
end

-- A finalizer may wait, and so have it run before `spawn` knows its future.
local function run(self)
  local work <close> = self
  work.begun = true
  if work.watch then
    work.watch:cancel()
  end
  return work.body(work)
end

local known = { cancel = "boolean" }

local function begin(name, body, list, options)
  local futures, ids = check.futures(3, name, list)
  options = check.options(3, 2, name, options, known)
  local self = setmetatable({
    body = body,
    cancel = options.cancel ~= false,
    futures = futures,
    reason = ("its %s is over"):format(name),
  }, Work)
  self.group = gather(futures, ids)
  return self
end

local function spawn(self)
  local future = core.spawn(run, self)
  self.watch = private.watch(future, abandon, self)
  if self.begun then
    self.watch:cancel()
  end
  return future
end

local function all_of(self)
  for _, future in settling, self.group do
    if future:state() ~= "completed" then
      future:get() -- raises
    end
  end
  self.over = true
  local results = { n = #self.futures }
  for i, future in ipairs(self.futures) do
    results[i] = (future:get())
  end
  return results
end

--- The results of all futures.
-- When one of them fails, so does the answer, at once and with the same
-- Error; the others are cancelled, but for those that somebody else awaits.
-- So they are when the answer is cancelled.
-- @tparam table list of Futures
-- @tparam[opt] table options `cancel = false` leaves the others alone
-- @treturn Future of a list: the first result of each, in the order of the
-- futures, and their number `n`
function core.all(list, options)
  return spawn((begin("all", all_of, list, options)))
end

local function race_of(self)
  local _, future = self.group:next()
  return private.pass(future)
end

--- What becomes of the first future that settles.
-- The others are cancelled, but for those that somebody else awaits.
-- @tparam table list of Futures, at least one
-- @tparam[opt] table options `cancel = false` leaves the others alone
-- @treturn Future of all results of the first, or its Error
function core.race(list, options)
  local self = begin("race", race_of, list, options)
  if #self.futures == 0 then
    error("race of no futures", 2)
  end
  return spawn(self)
end

local function error_of(future)
  return select(2, pcall(future.get, future))
end

local function any_of(self)
  for _, future in settling, self.group do
    if future:state() == "completed" then
      return future:get()
    end
    error_of(future) -- it was read, should another one complete
  end
  self.over = true
  local errors = {}
  for i, future in ipairs(self.futures) do
    errors[i] = error_of(future)
  end
  error(core.error {
    kind = "error", errors = errors,
    message = ("all %d futures failed"):format(#errors),
  }, 0)
end

--- The results of the first future that completes.
-- The others are cancelled, but for those that somebody else awaits. When all
-- fail the Error has a list of theirs, `errors`, in the order of the futures.
-- @tparam table list of Futures, at least one
-- @tparam[opt] table options `cancel = false` leaves the others alone
-- @treturn Future of all results of the first
function core.any(list, options)
  local self = begin("any", any_of, list, options)
  if #self.futures == 0 then
    error("any of no futures", 2)
  end
  return spawn(self)
end

local function outcome(future)
  local values = table.pack(pcall(future.get, future))
  local state = future:state()
  if state ~= "completed" then
    return { state = state, error = values[2] }
  end
  table.move(values, 2, values.n + 1, 1)
  values.n = values.n - 1
  return { state = state, value = values[1], values = values }
end

local function settle_all(self)
  repeat until self.group:next() == nil
  self.over = true
  local outcomes = { n = #self.futures }
  for i, future in ipairs(self.futures) do
    outcomes[i] = outcome(future)
  end
  return outcomes
end

--- What becomes of all futures.
-- @tparam table list of Futures
-- @tparam[opt] table options `cancel = false`: they are left alone when the
-- answer is cancelled
-- @treturn Future of a list, in the order of the futures and with their
-- number `n`, of tables: `state`, and `value` (the first result) and `values`
-- (all of them, with `n`), or `error`
function core.all_settled(list, options)
  return spawn((begin("all_settled", settle_all, list, options)))
end

-- ------------------------------------------------------------------
-- One after the other
-- ------------------------------------------------------------------

-- Seconds that are left until then; nil for no limit.
local function left_until(deadline)
  return deadline and math.max(deadline - core.now(), 0)
end

local function step(self)
  local again = table.remove(self.places, 1)
  if again then
    return again, self.futures[again]
  end
  local place, future = self.group:next(left_until(self.deadline))
  if place then
    for _, other in ipairs(self.more[place] or {}) do
      table.insert(self.places, other)
    end
  elseif future == "timeout" then
    error(core.error {
      kind = "timeout",
      message = ("%d of %d futures not settled after %.6g s; they go on")
        :format(#self.group, self.count, self.timeout),
    }, 0)
  end
  return place, future
end

--- Iterates over futures in the order in which they settle.
-- Leaves the futures alone, also when the loop is left.
-- @tparam table list of Futures
-- @tparam[opt] table options `timeout`: seconds, from the call on, after which
-- an Error of kind `timeout` is raised instead of waiting any longer
-- @return what a generic `for` wants; it gets the place in the list, and the
-- Future that stands there
function core.as_completed(list, options)
  local futures, ids = check.futures(2, "as_completed", list)
  options = check.options(2, 2, "as_completed", options,
    { timeout = "seconds" })
  local group, more = gather(futures, ids)
  return step, {
    futures = futures, group = group, count = #group,
    more = more, -- by the first place of a future, its other ones
    places = {}, -- of those that have come, and stand in the list again
    timeout = options.timeout,
    deadline = options.timeout and core.now() + options.timeout,
  }, nil, group
end

local function is_when(value)
  local fits = value == "first" or value == "first_error" or value == "all"
  return fits, "'first', 'first_error' or 'all'"
end

--- Waits for futures, and leaves them alone.
-- @tparam table list of Futures
-- @tparam[opt] table options `when`: until the `"first"` has settled, until
-- the `"first_error"`, else until `"all"` have; `timeout`: seconds
-- @treturn table those that have settled, in the order of the list
-- @treturn table those that have not
function core.wait(list, options)
  local futures, ids = check.futures(2, "wait", list)
  options = check.options(2, 2, "wait", options,
    { when = is_when, timeout = "seconds" })
  local when = options.when
  local deadline = options.timeout and core.now() + options.timeout
  local group <close> = gather(futures, ids)
  repeat
    local place, future = group:next(left_until(deadline))
  until not place or when == "first"
    or when == "first_error" and future:state() ~= "completed"
  local done, pending = {}, {}
  for _, future in ipairs(futures) do
    table.insert(future:is_ready() and done or pending, future)
  end
  return done, pending
end

private.own()
