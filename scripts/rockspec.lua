-- rockspec.lua [--fix]: does the rockspec name every source file, and nothing
-- else? --fix writes the list anew.

local ROCKSPEC = "tidepool-scm-1.rockspec"

local spec = {}
assert(loadfile(ROCKSPEC, "t", spec))()

local problems = 0

local function problem(...)
  problems = problems + 1
  io.stderr:write(ROCKSPEC, ": ", string.format(...), "\n")
end

local function listed(pattern)
  local found = {}
  local pipe <close> = assert(io.popen("ls " .. pattern .. " 2>/dev/null"))
  for name in pipe:lines() do
    found[name] = true
  end
  return found
end

local function fix()
  local names = {}
  for name in pairs(listed "src/*/*.c") do
    names[#names + 1] = ("        %q,\n"):format(name)
  end
  table.sort(names)
  local input <close> = assert(io.open(ROCKSPEC))
  local text = input:read "a":gsub("(sources = {\n).-( *},)",
    function (before, after) return before .. table.concat(names) .. after end)
  local output <close> = assert(io.open(ROCKSPEC, "w"))
  assert(output:write(text))
end

if arg[1] == "--fix" then
  fix()
  return
end

local function compare(what, tree, rock)
  for name in pairs(tree) do
    if not rock[name] then
      problem("%s lacks %q", what, name)
    end
  end
  for name in pairs(rock) do
    if not tree[name] then
      problem("%s names %q, which is not there", what, name)
    end
  end
end

local sources, modules = {}, {}
for _, name in ipairs(spec.build.modules["tidepool.core"].sources) do
  sources[name] = true
end
for _, file in pairs(spec.build.modules) do
  if type(file) == "string" then
    modules[file] = true
  end
end
compare("sources", listed "src/*/*.c", sources)
compare("modules", listed "lua/tidepool/*.lua lua/tidepool/*/*.lua", modules)

print(("rockspec: %d passed, %d failed, 0 skipped"):format(
  problems == 0 and 1 or 0, problems == 0 and 0 or 1))
os.exit(problems == 0)
