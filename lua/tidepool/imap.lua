--- The results of calls in the workers, while a loop goes on.
local check = require "tidepool.check"
local core = require "tidepool.core"

local AsyncManager = core.private.methods "tidepool.AsyncManager"

-- Calls that are ahead of who iterates. Leaving it cancels them, and closes
-- what the iterator below wanted closed.
local Ahead = {}

local function stop(self)
  local _ <close> = self.closing
  self.closing, self.pull = nil, nil
  for place = self.first, self.last do
    local future = self.flying[place]
    if future then -- else it is being delivered
      future:cancel "nobody asks for it any more"
      future:cleanup() -- if it has failed already, that is not news
    end
  end
  self.first = self.last + 1
end

function Ahead:__close()
  stop(self)
end

-- The arguments of the next call, or nil.
local function pull_element(self)
  local place = self.last + 1
  if place <= self.n then
    return { self.source[place], n = 1 }
  end
end

local function pull_values(self)
  local values = table.pack(self.source(self.state, self.control))
  self.control = values[1]
  return values[1] ~= nil and values or nil
end

local function fill(self)
  while self.pull and self.last - self.first < self.concurrency - 1 do
    local values = self.pull(self)
    if values == nil then
      self.pull = nil
      return
    end
    local ok, future = pcall(self.pool.call, self.pool, self.fn,
      table.unpack(values, 1, values.n))
    if not ok then
      check.again(3, future) -- fill, step
    end
    self.flying[self.last + 1] = future
    self.last = self.last + 1
  end
end

local function step(self)
  fill(self)
  local place = self.first
  local future = self.flying[place]
  if not future then
    return stop(self)
  end
  future:wait()
  self.flying[place] = nil
  self.first = place + 1
  if future:state() ~= "completed" then
    stop(self)
  end
  return place, future:get()
end

local known_ahead = {
  concurrency = "positive integer",
  state = function () return true end,
  control = function () return true end,
  closing = function () return true end,
}

--- Iterates over the results of calls in the workers, in order.
-- The calls are made while the loop goes on, at most `concurrency` of them
-- ahead of it; leaving the loop cancels those that are under way. A failure is
-- raised when it is its turn.
-- @param fn a function, or the name of a registered one
-- @param source a list, of which each element is an argument, or an iterator:
-- a function that answers the arguments of the next call, in the end nil
-- @tparam[opt] table options `concurrency`: 2 for each worker if left out;
-- `state`, `control`, `closing`: what else a generic `for` would want, so that
-- `pool:imap(f, next, { state = t })` goes over `pairs(t)`
-- @return what a generic `for` wants; it gets the number of the call, from 1
-- on, and all its results
function AsyncManager.imap(pool, fn, source, options)
  check.target(2, "imap", pool, fn)
  local iterates = type(source) == "function"
  if not iterates and type(source) ~= "table" then
    check.bad(2, 2, "imap", "table or function", source)
  end
  local n = not iterates and check.list(2, 2, "imap", source) or nil
  options = check.options(2, 3, "imap", options, known_ahead)
  local self = setmetatable({
    pool = pool, fn = fn, source = source, n = n,
    pull = iterates and pull_values or pull_element,
    state = options.state, control = options.control,
    closing = options.closing,
    concurrency = options.concurrency or 2 * pool:stats().workers,
    first = 1, last = 0, -- calls that were made and not delivered
    flying = {}, -- by their numbers
  }, Ahead)
  return step, self, nil, self
end

core.private.own()
