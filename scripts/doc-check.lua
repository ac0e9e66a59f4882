--[[
doc-check.lua: is everything documented?

What the loaded library really has is looked up in docs/reference.md (as
`tidepool.name`, `pool:name`, `future:name` or `promise:name`) and in
types/tidepool.lua, what src/tidepool.h defines in docs/c-api.md. The other way
round, headings of the reference must name what is there, and links between the
documents must lead somewhere.
]]

local tidepool = require "tidepool"

local passed, problems = 0, 0

local function check(ok, ...)
  if ok then
    passed = passed + 1
  else
    problems = problems + 1
    print(string.format(...))
  end
end

local function contents(name)
  local file = io.open(name)
  if not file then
    check(false, "%s is missing", name)
    return ""
  end
  local text = file:read "a"
  file:close()
  return text
end

local function quoted(text)
  return (text:gsub("%W", "%%%0"))
end

-- Does `name` stand in `text`, not as a part of a longer name?
local function has(text, name)
  return text:find("%f[%w_]" .. quoted(name) .. "%f[^%w_]") ~= nil
end

local function methods(object)
  local index = getmetatable(object).__index
  return type(index) == "table" and index or {}
end

local pool <close> = tidepool.AsyncManager.new { workers = 1 }
local future = pool:call("tidepool.sleep", 0)
future:await()

-- What is written in Lua is loaded when it is looked for.
for _, part in ipairs { "combine", "chain", "scope", "map", "promise", "loop" }
do
  pcall(require, "tidepool." .. part)
end

local surface = {}
for name in pairs(tidepool) do
  if name:sub(1, 1) ~= "_" and name ~= "private" then
    surface["tidepool." .. name] = true
  end
end
for name in pairs(tidepool.AsyncManager) do
  surface["tidepool.AsyncManager." .. name] = true
end
for name in pairs(methods(pool)) do
  surface["pool:" .. name] = true
end
for name in pairs(methods(future)) do
  surface["future:" .. name] = true
end
local promised, promise = tidepool.promise()
promised:cancel()
for name in pairs(methods(promise)) do
  surface["promise:" .. name] = true
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

local function check_surface()
  local reference = contents "docs/reference.md"
  local types = contents "types/tidepool.lua"
  for _, name in ipairs(sorted(surface)) do
    if not name:find "[.:]__" then
      check(has(reference, name), "docs/reference.md lacks %s", name)
      check(has(types, name:match "[%w_]+$"), "types/tidepool.lua lacks %s",
        name)
    end
  end
  for line in reference:gmatch "[^\n]+" do
    local named = line:match "^#+ `([%w_.:]+)"
    if named and (named:find "^tidepool[.]" or named:find "^pool:"
      or named:find "^future:" or named:find "^promise:") then
      check(surface[named], "docs/reference.md describes %s, which is not "
        .. "there", named)
    end
  end
end

local function check_c_api()
  local document = contents "docs/c-api.md"
  local names = {}
  local header = contents "src/tidepool.h":gsub("/%*.-%*/", "")
  for line in header:gmatch "[^\n]+" do
    local name = line:match "^static inline .-(tp_[%w_]+) %("
      or line:match "^#define (tp_[%w_]+)%("
      or line:match "^} (tp_[%w_]+);"
      or line:match "^typedef struct [%w_]+ (tp_[%w_]+);"
      or line:match "^typedef [%w_ *]+%(%*(tp_[%w_]+)%)"
    if name then
      names[name] = true
    end
  end
  for _, name in ipairs(sorted(names)) do
    check(has(document, name), "docs/c-api.md lacks %s", name)
  end
end

-- As the web pages of git hosts make them from headings.
local function anchors(text)
  local found = {}
  for line in text:gsub("```.-```", ""):gmatch "[^\n]+" do
    local heading = line:match "^#+ (.*)"
    if heading then
      found[heading:lower():gsub("[^%w _-]", ""):gsub(" ", "-")] = true
    end
  end
  return found
end

local function check_links(name)
  local text = contents(name)
  local folder = name:match "^(.*/)" or ""
  for target in text:gsub("```.-```", ""):gmatch "%]%(([^)%s]+)%)" do
    if not target:find "^%a+:" then
      local path, anchor = target:match "^([^#]*)#?(.*)$"
      path = path == "" and name or folder .. path
      local file = io.open(path)
      check(file, "%s: the link %s leads nowhere", name, target)
      if file then
        file:close()
        check(anchor == "" or anchors(contents(path))[anchor],
          "%s: the link %s leads to no heading", name, target)
      end
    end
  end
end

check_surface()
check_c_api()
local pipe <close> = assert(io.popen "ls *.md docs/*.md 2>/dev/null")
for name in pipe:lines() do
  check_links(name)
end

print(("documents: %d passed, %d failed, 0 skipped"):format(passed, problems))
os.exit(problems == 0, true)
