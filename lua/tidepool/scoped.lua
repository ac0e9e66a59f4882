--- What a scope has a pool do: each call is one of its children.
-- A list is gone through by a coroutine in the scope, so that what fails is
-- what `map` raises, and cancelling the scope is cancelling that.
local must = require "tidepool.check"
local tidepool = require "tidepool.core"

local private = tidepool.private

-- Called by a method, so that an error has its name and its arguments.
local ask = {
  call = function (pool, ...)
    local future = pool:call(...)
    return future
  end,
  try_call = function (pool, ...)
    local future, why = pool:try_call(...)
    return future, why
  end,
  call_many = function (pool, ...)
    local futures = pool:call_many(...)
    return futures
  end,
}

-- The methods of scopes, in terms of what a scope is: `check` raises unless it
-- takes children, `admit` makes a future one of them.
return function (Scope, check, admit)
  local function pool_of(s)
    return s.pool or tidepool.default()
  end

  local function admit_all(s, futures)
    for _, future in ipairs(futures) do
      admit(s, future)
    end
  end

  -- The scope may have failed, or been left, while the queue was full; what is
  -- admitted then is cancelled.
  local function begin(s, name, ...)
    check(s, name, true)
    local ok, future, why = pcall(ask[name], pool_of(s), ...)
    if not ok then
      must.again(2, future)
    elseif not future then
      return nil, why
    end
    local futures = name == "call_many" and future or { future }
    local admitted, interrupt = pcall(admit_all, s, futures)
    if not admitted then -- by a worker, once: all of them have to come in
      admit_all(s, futures)
      error(interrupt, 0)
    end
    check(s, name, true)
    return future
  end

  --- Calls a function on the pool of the scope, in the scope.
  -- @param fn a function, "module:field" or the name of a registered one
  -- @param ... its arguments
  -- @treturn Future of what it answers
  function Scope.call(s, ...)
    return begin(s, "call", ...)
  end

  --- As call, without waiting for a slot.
  -- @treturn[1] Future
  -- @return[2] nil, "full"
  function Scope.try_call(s, ...)
    return begin(s, "try_call", ...)
  end

  --- Calls a function once for each table of arguments.
  -- @param fn a function, "module:field" or the name of a registered one
  -- @tparam table list of tables of arguments
  -- @treturn table the Futures
  function Scope.call_many(s, ...)
    return begin(s, "call_many", ...)
  end

  -- Who wanted the results hears why there are none.
  local function outcome(s, ok, ...)
    if not ok then
      error(s.failure or (...), 0)
    end
    return ...
  end

  local function through(fn, pool, name, ...)
    return pool[name](pool, fn, ...)
  end

  private.carries(through)

  -- If who calls is cancelled alone, so is that.
  local function go_through(s, name, fn, list, ...)
    check(s, name, true)
    local pool = pool_of(s)
    must.target(2, name, pool, fn)
    must.list(2, 2, name, list)
    local child = s:spawn(through, fn, pool, name, list, ...)
    private.stands_in(child)
    return outcome(s, pcall(child.await, child))
  end

  --- Calls a function for each element of a list, in the workers.
  -- @see AsyncManager.map
  function Scope.map(s, ...)
    return go_through(s, "map", ...)
  end

  --- The same without results.
  -- @see AsyncManager.each
  function Scope.each(s, ...)
    return go_through(s, "each", ...)
  end

  --- Brings a list down to one value, in the workers.
  -- @see AsyncManager.reduce
  function Scope.reduce(s, ...)
    return go_through(s, "reduce", ...)
  end

  -- What `imap` asks of a pool.
  local Calls = { __name = "tidepool.AsyncManager" }
  Calls.__index = Calls

  function Calls:call(...) return self.scope:call(...) end

  function Calls:stats() return self.pool:stats() end

  function Calls:functions() return self.pool:functions() end

  --- Iterates over the results of calls in the workers, each in the scope.
  -- @see AsyncManager.imap
  function Scope.imap(s, ...)
    check(s, "imap", true)
    local pool = pool_of(s)
    return pool.imap(setmetatable({ scope = s, pool = pool }, Calls), ...)
  end
end
