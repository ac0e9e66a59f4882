--[[
terminal.lua: what the examples share: lists of files, the number of
processors, and a progress bar. No part of tidepool.
]]

local terminal = {}

local REDRAW = 0.1 -- seconds between two looks of the bar
local WIDTH = 30

terminal.redraw = REDRAW

----------------------------------------------------------------------
-- What the shell knows and Lua does not
----------------------------------------------------------------------

local function quote (word)
  return "'" .. word:gsub("'", [['\'']]) .. "'"
end

function terminal.cores ()
  local pipe <close> = assert(io.popen(
    "nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null"))
  local n = tonumber(pipe:read "l")
  return n and math.max(1, math.min(n // 1 | 0, 1024)) or 4
end

function terminal.is_terminal (descriptor)
  return os.execute("[ -t " .. descriptor .. " ]") == true
end

-- The regular files below a folder, sorted; and whether find saw them all.
-- -H follows dir itself where that is a symbolic link, and no other.
function terminal.list (dir)
  if dir:find "^[-(!)]" then
    dir = "./" .. dir -- not an option or an operator of find
  end
  local pipe = assert(io.popen("find -H " .. quote(dir)
    .. " -type f -print0"))
  local names = pipe:read "a" or ""
  local complete = pipe:close() == true
  local paths = {}
  for path in names:gmatch "[^\0]+" do
    paths[#paths + 1] = path
  end
  table.sort(paths)
  return paths, complete
end

----------------------------------------------------------------------
-- The bar
----------------------------------------------------------------------

-- A bar on standard error, drawn again every REDRAW seconds; and at once
-- where it had to be cleared for something else on the same terminal.
-- now() answers seconds.
function terminal.new_bar (total, now)
  local bar = { shown = false, last = 0 }

  function bar:draw (files, bytes, fraction)
    local time = now()
    if self.shown and time - self.last < REDRAW then return end
    local part = (files + (fraction or 0)) / total
    local full = math.floor(part * WIDTH)
    io.stderr:write(("\r[%s%s] %3d%% %d/%d files, %.1f MB\27[K"):format(
      ("#"):rep(full), ("."):rep(WIDTH - full), math.floor(part * 100),
      files, total, bytes / 1e6))
    self.shown, self.last = true, time
  end

  function bar:clear ()
    if self.shown then
      io.stderr:write "\r\27[K"
      self.shown = false
    end
  end

  -- Cleared however the block that shows the bar is left.
  return setmetatable(bar, { __close = bar.clear })
end

return terminal
