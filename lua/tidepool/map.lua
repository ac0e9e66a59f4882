--- One function over many values, in the workers of a pool.
-- A list goes to the workers in chunks: a task each, with a loop in it. What a
-- worker runs has no upvalues, so that sending it costs no more than a number.
local check = require "tidepool.check"
local core = require "tidepool.core"

local AsyncManager = core.private.methods "tidepool.AsyncManager"

-- How chunks grow, with chunk = "auto": to what takes a worker so many
-- seconds, four times at once, up to so many elements.
local GOAL, GROWTH, MOST = 1e-3, 4, 8192

-- Chunks under way for each worker: one that it runs, and some that wait, so
-- that many are submitted at once.
local EACH = 4

-- ------------------------------------------------------------------
-- In a worker
-- ------------------------------------------------------------------

-- Each gets the function or its name, a chunk and its length, and answers what
-- that came to, and how many seconds it took. Tasks can change the globals of a
-- worker, so these use none: they get the module, and how to call a name.

-- In a task: a function that calls the registered one.
local function named(tidepool, name)
  local invoke = tidepool.invoke
  return function (...) return invoke(name, ...) end
end

local function map_chunk(fn, chunk, n, tidepool, wrap)
  local private = tidepool.private
  local began, results = tidepool.now(), private.room(n)
  fn = wrap and wrap(tidepool, fn) or fn
  for i = 1, n do
    results[i] = fn(chunk[i])
  end
  return private.slice(results, 1, n), tidepool.now() - began
end

local function each_chunk(fn, chunk, n, tidepool, wrap)
  local began = tidepool.now()
  fn = wrap and wrap(tidepool, fn) or fn
  for i = 1, n do
    fn(chunk[i])
  end
  return nil, tidepool.now() - began
end

local function fold_chunk(fn, chunk, n, tidepool, wrap)
  local began, result = tidepool.now(), chunk[1]
  fn = wrap and wrap(tidepool, fn) or fn
  for i = 2, n do
    result = fn(result, chunk[i])
  end
  return result, tidepool.now() - began
end

-- ------------------------------------------------------------------
-- Chunks
-- ------------------------------------------------------------------

-- As a pool calls it in its Errors.
local function name_of(fn)
  if type(fn) == "string" then
    return fn
  end
  local info = debug.getinfo(fn, "S")
  return info.what == "C" and "a C function"
    or ("function <%s:%d>"):format(info.short_src, info.linedefined)
end

-- Nobody wants to know any more what becomes of that call; if it has failed
-- already, not even that.
local function drop(future)
  future:cancel "what it was part of is over"
  future:cleanup()
end

-- A list on its way through a pool. Leaving it cancels what is under way.
local Work = {}
Work.__index = Work

function Work:__close()
  for _, future in pairs(self.flying) do
    drop(future)
  end
end

-- No chunk is so long that workers would have nothing to do in the end.
function Work:length(first)
  local rest = self.n - first + 1
  if not self.auto then
    return math.min(self.size, rest)
  end
  return math.min(self.size, (rest - 1) // (2 * self.workers) + 1)
end

-- A chunk of the list, as it is sent.
function Work:cut(first, length)
  local last = first + length - 1
  if debug.getmetatable(self.list) then
    return table.move(self.list, first, last, 1, {})
  end
  return core.private.slice(self.list, first, last)
end

-- Submits as many chunks as may be under way.
function Work:send()
  local calls, firsts, room = {}, {}, self.concurrency - #self.group
  while #calls < room and self.first <= self.n do
    local first = self.first
    local length = self:length(first)
    calls[#calls + 1] = {
      self.fn, self:cut(first, length), length, core, self.wrap,
    }
    firsts[#firsts + 1] = first
    self.first = first + length
    self.lengths[first] = length
  end
  if #calls > 0 then
    local ok, futures = pcall(self.pool.call_many, self.pool, self.body, calls)
    if not ok then
      check.again(4, futures) -- send, run, the method
    end
    for i, future in ipairs(futures) do
      self.flying[firsts[i]] = future
      self.group:add(future, firsts[i])
    end
  end
end

-- The next chunks should take a worker GOAL seconds.
function Work:adapt(length, seconds)
  if self.auto then
    local fit = seconds > 0 and length * GOAL / seconds or MOST
    fit = math.min(fit, length * GROWTH, MOST)
    self.size = math.max(math.floor(fit), 1)
  end
end

-- A chunk is back: hands out what it has answered.
function Work:receive(first, future)
  self.flying[first] = nil
  local length = self.lengths[first]
  self.lengths[first] = nil
  if future:state() ~= "completed" then
    local _, err = pcall(future.get, future)
    if err.name == name_of(self.body) then -- ours would tell nobody anything
      err.name = name_of(self.fn)
    end
    error(err, 0)
  end
  self:adapt(length, self.take(self, first, length, future))
  future:cleanup()
end

function Work:run()
  local group = self.group
  repeat
    self:send()
    local timeout -- none for the first
    for _ = 1, self.workers do -- not all: workers should not run dry
      local first, future = group:next(timeout)
      if not first then
        break
      end
      self:receive(first, future)
      timeout = 0
    end
  until self.first > self.n and #group == 0
end

-- ------------------------------------------------------------------
-- Arguments
-- ------------------------------------------------------------------

local function is_chunk(value)
  return value == "auto" or math.type(value) == "integer" and value > 0,
    "positive integer or 'auto'"
end

local known = { chunk = is_chunk, concurrency = "positive integer" }

local function begin(name, pool, fn, list, options, number)
  check.target(3, name, pool, fn)
  local n = check.list(3, 2, name, list)
  options = check.options(3, number, name, options, known)
  local workers = pool:stats().workers
  local auto = options.chunk == nil or options.chunk == "auto"
  return setmetatable({
    pool = pool, fn = fn, wrap = type(fn) == "string" and named or nil,
    list = list, n = n,
    auto = auto, size = auto and 1 or options.chunk,
    workers = workers,
    concurrency = options.concurrency or EACH * workers,
    first = 1, -- where the next chunk begins
    group = core.group(), -- chunks under way, by where they begin
    flying = {}, lengths = {}, -- by where a chunk begins
  }, Work)
end

-- ------------------------------------------------------------------
-- Lists
-- ------------------------------------------------------------------

-- These take what a chunk has come to, and answer how long that took.

local function take_results(self, first, length, future)
  local seconds = core.private.spread(future, self.results, first)
  if seconds == nil then -- something that has to be rebuilt
    local results
    results, seconds = future:get()
    table.move(results, 1, length, first, self.results)
  end
  return seconds
end

--- Calls a function for each element of a list, in the workers.
-- The elements go there in chunks, one task each, and are copied as arguments
-- of a call are. With `chunk = "auto"` the first chunks are short, and the
-- next ones so long that each takes a millisecond. The first failure in time
-- is raised; what is left is cancelled then.
-- @param fn a function, or the name of a registered one
-- @tparam table list of elements; `n` in it is respected
-- @tparam[opt] table options `chunk`: how many elements are one task, or
-- `"auto"`, as if left out; `concurrency`: how many chunks are under way at
-- most, 4 for each worker if left out
-- @treturn table the first result of each call, in order, and their number `n`
function AsyncManager.map(pool, fn, list, options)
  local work <close> = begin("map", pool, fn, list, options, 3)
  work.body, work.take = map_chunk, take_results
  work.results = core.private.room(work.n)
  work.results.n = work.n
  work:run()
  return work.results
end

local function take_nothing(_, _, _, future)
  return select(2, future:get())
end

--- Calls a function for each element of a list, in the workers, for what it
-- does there. As map, but nothing comes back.
-- @param fn a function, or the name of a registered one
-- @tparam table list of elements
-- @tparam[opt] table options as for map
function AsyncManager.each(pool, fn, list, options)
  local work <close> = begin("each", pool, fn, list, options, 3)
  work.body, work.take = each_chunk, take_nothing
  work:run()
end

local function take_part(self, first, _, future)
  local part, seconds = future:get()
  self.parts[first] = part
  table.insert(self.firsts, first)
  return seconds
end

-- What the chunks came to, in order, with the initial value before them.
local function gather(self, init)
  local values, n = {}, 0
  if init ~= nil then
    values[1], n = init, 1
  end
  table.sort(self.firsts)
  for i, first in ipairs(self.firsts) do
    values[n + i] = self.parts[first]
  end
  return values, n + #self.firsts
end

--- Brings a list down to one value, in the workers.
-- `fn(a, b)` has to be associative: each chunk is reduced from its first
-- element on, then what they came to, in order and with `init` before them,
-- in one more task. So `init` goes in once.
-- @param fn a function of two values, or the name of a registered one
-- @tparam table list of elements
-- @param init what comes before the first element; nil is nothing
-- @tparam[opt] table options as for map
-- @return the value; of an empty list `init`
function AsyncManager.reduce(pool, fn, list, init, options)
  local work <close> = begin("reduce", pool, fn, list, options, 4)
  work.body, work.take, work.parts, work.firsts = fold_chunk, take_part, {}, {}
  work:run()
  local values, n = gather(work, init)
  if n > 1 then
    local future = pool:call(fold_chunk, fn, values, n, core, work.wrap)
    work.flying[0], work.lengths[0] = future, n
    future:wait()
    work:receive(0, future)
    return work.parts[0]
  end
  return values[1]
end

core.private.own()
