-- What specs of coroutines share. All of it may be sent to a worker.

local tidepool = require "tidepool"

local async = {}

-- What f raises.
function async.failure(f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "it had to fail")
  return err
end

local Gate = { __gc = function (gate) gate[2]:resolve() end }

-- A future that settles when told: gate[2]:resolve(). It has to be held by
-- whoever needs it shut.
function async.gate()
  return setmetatable({ tidepool.promise() }, Gate)
end

-- A <close> variable that calls f.
function async.at_end(f)
  return setmetatable({}, { __close = function (_, err) f(err) end })
end

return async
