--[[
forks.lua: does every lock in static storage survive a fork?

A thread of the parent may hold any lock when another one forks, and in the
child nobody lets go of it. A lock in an object is free there (lock.h), and
nobody uses what it guards: the objects of a parent are broken. What is in
static storage goes on being used, so each such lock is one of these:

- frozen: held over the fork, so that what it guards is whole in the child;
- forgotten: what it guards begins anew in the child, and so does the lock.

The file that has the lock has a function `..._freeze` or `..._forget` for it
that names it, and that is called by the fork handlers of src/core/pools.c, or
is handed to pthread_atfork in the file itself.
]]

local HANDLERS = "src/core/pools.c"

local problems, count = {}, 0

local function problem(...)
  problems[#problems + 1] = string.format(...)
end

local function contents(path)
  local file <close> = assert(io.open(path))
  return (file:read "a":gsub("/%*.-%*/", " "))
end

-- The body of a function, from its name to the brace that ends it.
local function body(text, name)
  return text:match("%f[%w_]" .. name .. " %b() (%b{})")
end

-- The locks in static storage of a file: { name... }. A structure counts by
-- the name of the variable that it is the type of.
local function static_locks(text)
  local locks = {}
  for name in text:gmatch "static tpi_Lock ([%w_]+)" do
    locks[#locks + 1] = name
  end
  for name in text:gmatch "static pthread_mutex_t ([%w_]+)" do
    locks[#locks + 1] = name
  end
  for fields, name in text:gmatch "static struct (%b{}) ([%w_]+)" do
    if fields:find "tpi_Lock" or fields:find "pthread_mutex_t" then
      locks[#locks + 1] = name
    end
  end
  return locks
end

local handlers = contents(HANDLERS)
local at_fork = (body(handlers, "before_fork") or "")
  .. (body(handlers, "in_child") or "")
assert(at_fork ~= "", HANDLERS .. " has no before_fork and in_child")

-- Is that function called at a fork?
local function called(text, name)
  local registered = text:match "pthread_atfork(%b())" or ""
  return at_fork:find(name .. "(", 1, true)
    or registered:find("%f[%w_]" .. name .. "%f[^%w_]")
end

-- Does the text name the lock, or call a function of the file that does?
local function names(text, code, lock)
  if code:find("%f[%w_]" .. lock .. "%f[^%w_]") then
    return true
  end
  for callee in code:gmatch "([%w_]+)%(" do
    local inner = body(text, callee)
    if inner and inner:find("%f[%w_]" .. lock .. "%f[^%w_]") then
      return true
    end
  end
  return false
end

local function survives(path, text, lock)
  if path == HANDLERS then
    return names(text, at_fork, lock)
  end
  for name, code in text:gmatch "void ([%w_]+) %(void%) (%b{})" do
    if (name:find "freeze$" or name:find "forget$") and called(text, name)
      and names(text, code, lock) then
      return true
    end
  end
  return false
end

for _, folder in ipairs { "src/core", "src/api", "src/lua" } do
  local pipe <close> = assert(io.popen("ls " .. folder .. "/*.[ch]"))
  for path in pipe:lines() do
    local text = contents(path)
    for _, lock in ipairs(static_locks(text)) do
      count = count + 1
      if not survives(path, text, lock) then
        problem("%s: no function that is called at a fork freezes or forgets "
          .. "'%s' (see scripts/forks.lua)", path, lock)
      end
    end
  end
end

for _, text in ipairs(problems) do
  io.stderr:write("forks: ", text, "\n")
end
local bad = #problems > 0 or count == 0
print(("forks: %d passed, %d failed, 0 skipped (static locks)"):format(
  count - #problems, #problems))
os.exit(not bad)
