--[[
layers.lua: do all arrows between the source files point down?

The compiler itself tells what every file of src/ includes, directly or not
(`cc -M`), so nothing can hide in a macro. Two tables say what is allowed.

`folders`: what files of a folder may include.
`core`: one row for each module of src/core (its .c and .h together), from
the top to the bottom: the modules that it uses. A row may name only rows
below it, so the table itself has no arrow that points up. What those rows
use is allowed too and need not be repeated.

A new file: put a row where it belongs. An arrow that points up: move the
code, or hand the lower module a function pointer.
]]

local folders = {
  -- folder     may include
  ["src/lua"]  = { "src/lua", "src/api", "src/core", "tidepool.h", "lua.h" },
  ["src/api"]  = { "src/api", "src/core", "tidepool.h" },
  ["src/core"] = { "src/core", "tidepool.h" },
}

local core = {
  -- module      uses
  { "pools",     "promise functions homes" },
  { "promise",   "follow" },
  { "group",     "waits" },
  { "drain",     "waits" },
  { "homes",     "future" },
  { "await",     "parked waits" },
  { "worker",    "pool" },
  { "submit",    "follow" },
  { "seek",      "parked waits" },
  { "dispatch",  "follow" },
  { "cancel",    "pool" },
  { "parked",    "pool" },
  { "follow",    "waits copy" },
  { "waits",     "pool" },
  { "alarm",     "timer" },
  { "pool",      "task stats" },
  { "task",      "timer queue" },
  { "timer",     "future thread" },
  { "future",    "value host" },
  { "queue",     "" },
  { "functions", "signature pin lock" },
  { "convert",   "signature" },
  { "signature", "value" },
  { "copy",      "value map" },
  { "value",     "blob" },
  { "blob",      "lock memory" },
  { "map",       "memory" },
  { "stats",     "atomic" },
  -- the platform
  { "host",      "waiter bell word generation" },
  { "thread",    "lock memory" },
  { "bell",      "clock memory" },
  { "lock",      "word generation" },
  { "word",      "clock chaos" },
  { "memory",    "atomic" },
  { "random",    "clock atomic" },
  { "pin",       "" },
  { "waiter",    "" },
  { "generation", "atomic" },
  { "clock",     "" },
  { "atomic",    "chaos" },
  { "chaos",     "" },
}

local LUA_HEADERS = {
  ["lua.h"] = true, ["lauxlib.h"] = true, ["lualib.h"] = true,
  ["luaconf.h"] = true,
}

local problems = {}

local function problem(...)
  problems[#problems + 1] = string.format(...)
end

local function lines(command)
  local pipe <close> = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do
    list[#list + 1] = line
  end
  return list, pipe:close()
end

-- { [file] = { headers... } } for every file of a folder.
local function dependencies(folder, flags)
  local cc = os.getenv "CC" or "cc"
  local files = lines(("ls %s/*.[ch] 2>/dev/null"):format(folder))
  local result = {}
  for _, file in ipairs(files) do
    local text, ok = lines(("%s -std=c11 -w -Isrc %s -M -MT x -x c %s")
      :format(cc, flags, file))
    if not ok then
      problem("%s: the compiler cannot say what it includes", file)
    end
    local headers = {}
    local rule = table.concat(text, " "):gsub("^x:%s*", ""):gsub("\\ ", "")
    for name in rule:gmatch "%S+" do
      if name ~= file and name ~= "\\" then
        headers[#headers + 1] = name
      end
    end
    result[file] = headers
  end
  return result
end

-- What kind of thing a header is for `folders`; nil for the system's own.
local function kind(header)
  local folder = header:match "^(src/%w+)/"
  local name = header:match "[^/]*$"
  if folder then
    return folder
  elseif header == "src/tidepool.h" then
    return "tidepool.h"
  elseif LUA_HEADERS[name] then
    return "lua.h"
  end
end

local function set(list)
  local result = {}
  for _, item in ipairs(list) do
    result[item] = true
  end
  return result
end

local function check_folder(folder, allowed, files)
  for file, headers in pairs(files) do
    for _, header in ipairs(headers) do
      local is = kind(header)
      if is and not allowed[is] then
        problem("%s includes %s; files of %s may not", file, header, folder)
      end
    end
  end
end

-- { [module] = set of all it may use }, from the rows read bottom up.
local function reachable()
  local result = {}
  for i = #core, 1, -1 do
    local name, uses = core[i][1], core[i][2]
    local all = {}
    for used in uses:gmatch "%S+" do
      if not result[used] then
        problem("scripts/layers.lua: the row '%s' names '%s', which is no "
          .. "row below it", name, used)
      end
      all[used] = true
      for further in pairs(result[used] or {}) do
        all[further] = true
      end
    end
    result[name] = all
  end
  return result
end

local function module(file)
  return file:match "^src/core/([%w_]+)%.[ch]$"
end

local function check_core(files)
  local allowed, seen = reachable(), {}
  for file, headers in pairs(files) do
    local name = module(file)
    seen[name] = true
    if not allowed[name] then
      problem("%s has no row in scripts/layers.lua; give '%s' one, above "
        .. "what it uses", file, name)
    end
    for _, header in ipairs(headers) do
      local other = module(header)
      if other and other ~= name and allowed[name]
        and not allowed[name][other] then
        problem("%s includes %s, but the row '%s' in scripts/layers.lua does "
          .. "not allow '%s'", file, header, name, other)
      end
    end
  end
  for _, row in ipairs(core) do
    if not seen[row[1]] then
      problem("scripts/layers.lua: the row '%s' has no file in src/core; "
        .. "take it out", row[1])
    end
  end
end

local count = 0
for folder, list in pairs(folders) do
  local flags = ""
  if folder == "src/lua" then
    flags = "-I'" .. (os.getenv "LUA_INCDIR" or "/usr/include/lua5.4") .. "'"
  end
  local files = dependencies(folder, flags)
  check_folder(folder, set(list), files)
  if folder == "src/core" then
    check_core(files)
  end
  for _ in pairs(files) do
    count = count + 1
  end
end

table.sort(problems)
for _, text in ipairs(problems) do
  io.stderr:write("layers: ", text, "\n")
end
if count == 0 then
  io.stderr:write "layers: no source files\n"
end
local bad = #problems > 0 or count == 0
print(("layers: %d passed, %d failed, 0 skipped (%d files)"):format(
  bad and 0 or 1, bad and 1 or 0, count))
os.exit(not bad)
