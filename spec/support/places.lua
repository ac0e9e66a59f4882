-- Where code runs: what is said of coroutines is tested in each of these.
--   for _, place in ipairs(places) do ... place.run(f, ...) ... end
-- `f` may be sent to a worker: what it has as upvalues has to cross.

local session = require "spec.support.session"
local tidepool = require "tidepool"

local limit = session.limit

local function in_coroutine(f, ...)
  return require "tidepool".spawn(f, ...):await()
end

return {
  { name = "in the program", run = function (f, ...)
    return f(...)
  end },
  { name = "in a coroutine", run = function (f, ...)
    return tidepool.spawn(f, ...):await(limit)
  end },
  { name = "in a task", worker = true, run = function (f, ...)
    return session.pool():call(f, ...):await(limit)
  end },
  { name = "in a coroutine of a task", worker = true, run = function (f, ...)
    return session.pool():call(in_coroutine, f, ...):await(limit)
  end },
}
