--- Futures and worker pools for Lua.
-- The C module `tidepool.core` does the work; what needs no C is added here,
-- and in the files beside this one. A program loads them at once: later it may
-- have no descriptor left to open them with. A worker loads each when something
-- of it is looked for.

-- An older Lua has to be able to read this file, to say so. The releases of
-- 5.4 are told apart by the C module.
local version = tonumber((tostring(_VERSION):match "^Lua (%d+%.%d+)"))
if version and version < 5.4 then
  local jit = rawget(_G, "jit")
  error("tidepool needs Lua 5.4.4 or newer, and this is "
    .. (jit and jit.version or _VERSION), 0)
end

local loaded, tidepool = pcall(require, "tidepool.core")
if not loaded then
  local why = tostring(tidepool)
  if why:find "symbol" and why:find "lua%a*_%a" then
    error(("tidepool.core was built for another Lua than this %s: build it "
      .. "with the headers of the Lua that runs it (%s)"):format(_VERSION, why),
      0)
  end
  error(tidepool, 0)
end

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

local function load_all()
  for _, names in pairs(parts) do
    for _, part in pairs(names) do
      load(part)
    end
  end
end

-- Listed is what is public, all of it; found is `private` as well.
local meta = getmetatable(tidepool)
local find = meta.__index

function meta.__index(_, name)
  return name == "private" and private or find(_, name)
end

function meta.__pairs()
  load_all()
  return next, tidepool, nil
end

if not tidepool.current() then
  load_all()
end

private.own()

return tidepool
