--- Futures and worker pools for Lua.
-- The C module `tidepool.core` does the work; what needs no C is added here,
-- and in the files beside this one. A program loads them at once: later it may
-- have no descriptor left to open them with. A worker loads each when something
-- of it is looked for.
local tidepool = require "tidepool.core"

-- What only these files may call.
local private = tidepool.private

-- Where a function, or a method, is written in Lua.
local parts = {
  [tidepool] = {
    all = "combine", race = "combine", any = "combine",
    all_settled = "combine", as_completed = "combine", wait = "combine",
    scope = "scope", run = "run", shield = "run", with_timeout = "run",
    use_loop = "loop",
  },
  [private.methods "tidepool.Future"] = {
    and_then = "chain", catch = "chain", finally = "chain",
    detach = "scope",
  },
  [private.methods "tidepool.AsyncManager"] = {
    map = "map", each = "map", reduce = "map", imap = "imap",
  },
  [private.methods "tidepool.Promise"] = {
    on_cancel = "promise",
  },
}

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

-- What cannot be opened looks as if it were not there: this file was, so it
-- tells whether that is so.
local function load(part)
  local ok, err = pcall(require, "tidepool." .. part)
  if not ok then
    local this = debug.getinfo(1, "S").source:match "^@(.*)"
    local file, why = io.open(this or "")
    if file then
      file:close()
    elseif this then
      err = why
    end
    error(("tidepool.%s cannot be loaded: %s"):format(part, err), 0)
  end
end

for table, names in pairs(parts) do
  setmetatable(table, { __index = function (_, name)
    local part = names[name]
    if part then
      load(part)
      return rawget(table, name)
    end
  end })
end

if not tidepool.current() then
  for _, names in pairs(parts) do
    for _, part in pairs(names) do
      load(part)
    end
  end
end

private.own()

return tidepool
