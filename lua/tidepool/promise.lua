--- What Promises can do that needs no C.
local must = require "tidepool.check"
local tidepool = require "tidepool.core"

local private = tidepool.private
local Promise = private.methods "tidepool.Promise"

-- The future is held, the promise is not: it can still be dropped.
local function tell(future, f)
  if future:state() == "cancelled" then
    local _, err = pcall(future.get, future)
    f(err.value)
  end
end

--- Has a function called when the promise's future is cancelled.
-- Once, in the loop of this Lua state, also if it was cancelled before; never
-- if it settles in any other way.
-- @tparam function f called as f(reason)
-- @treturn Promise the same
function Promise:on_cancel(f)
  local future = self:future()
  must.callback(2, 1, "on_cancel", f)
  private.watch(future, tell, future, f)
  return self
end

private.own()
