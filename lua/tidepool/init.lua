--- Futures and worker pools for Lua.
-- The C module `tidepool.core` does the work; what needs no C is added here.
local tidepool = require "tidepool.core"

--- The results of a future; any other value as it is.
-- @param value a Future, or anything else
-- @tparam[opt] number timeout seconds, as for `Future:await`
-- @return what `value:await(timeout)` answers, or the value itself
function tidepool.await(value, timeout)
  if tidepool.is_future(value) then
    return value:await(timeout)
  end
  return value
end

--- The path of tidepool.h, for building modules with native functions.
-- It stands beside this file when installed, and in src/ in a source tree.
-- @treturn string a path that can be opened, or nil and what was tried
function tidepool.header()
  local here = debug.getinfo(1, "S").source:match "^@(.*)init%.lua$" or ""
  local tried = { here .. "tidepool.h", here .. "../../src/tidepool.h" }
  for _, path in ipairs(tried) do
    local file = io.open(path)
    if file then
      file:close()
      return path
    end
  end
  return nil, "tidepool.h is neither of " .. table.concat(tried, ", ")
end

return tidepool
