-- rockspec.lua [--fix]: do the rockspecs, that of the tree and that of the
-- version to be released, name every source file, and nothing else? --fix
-- writes the lists anew. Those of older versions are as they were released.

local problems = 0

local function problem(name, ...)
  problems = problems + 1
  io.stderr:write(name, ": ", string.format(...), "\n")
end

local function contents(name)
  local file <close> = assert(io.open(name))
  return file:read "a"
end

local function listed(pattern)
  local found = {}
  local pipe <close> = assert(io.popen("ls " .. pattern .. " 2>/dev/null"))
  for name in pipe:lines() do
    found[name] = true
  end
  return found
end

local version = contents "src/tidepool.h":match
  '#define TIDEPOOL_VERSION "([%d.]+)"'
local TREE = "tidepool-scm-1.rockspec"
local release = next(listed("rockspec/tidepool-" .. version .. "-*.rockspec"))

local function load(name)
  local spec = {}
  assert(loadfile(name, "t", spec))()
  return spec
end

local function fix(rockspec)
  local names = {}
  for name in pairs(listed "src/*/*.c") do
    names[#names + 1] = ("        %q,\n"):format(name)
  end
  table.sort(names)
  local text = contents(rockspec):gsub("(sources = {\n).-( *},)",
    function (before, after) return before .. table.concat(names) .. after end)
  local output <close> = assert(io.open(rockspec, "w"))
  assert(output:write(text))
end

if arg[1] == "--fix" then
  fix(TREE)
  fix(assert(release, "there is no rockspec of version " .. version))
  return
end

local function compare(rockspec, what, tree, rock)
  for name in pairs(tree) do
    if not rock[name] then
      problem(rockspec, "%s lacks %q", what, name)
    end
  end
  for name in pairs(rock) do
    if not tree[name] then
      problem(rockspec, "%s names %q, which is not there", what, name)
    end
  end
end

local function check_files(rockspec, spec)
  local sources, modules = {}, {}
  for _, name in ipairs(spec.build.modules["tidepool.core"].sources) do
    sources[name] = true
  end
  for _, file in pairs(spec.build.modules) do
    if type(file) == "string" then
      modules[file] = true
    end
  end
  compare(rockspec, "sources", listed "src/*/*.c", sources)
  compare(rockspec, "modules", listed
    "lua/tidepool/*.lua lua/tidepool/*/*.lua", modules)
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for key, value in pairs(a) do
    if not same(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

-- What is released is what was tried in the tree.
local function check_release(spec, tree)
  for key in pairs { build = 1, dependencies = 1, description = 1, test = 1,
    supported_platforms = 1 } do
    if not same(spec[key], tree[key]) then
      problem(release, "%s is not as in %s", key, TREE)
    end
  end
  if release ~= ("rockspec/tidepool-%s.rockspec"):format(spec.version) then
    problem(release, "its version is %q", spec.version)
  end
  if not spec.source.url:find("/tidepool-" .. version .. ".tar.gz", 1, true)
  then
    problem(release, "its source is of another version than %s", version)
  end
end

local tree = load(TREE)
check_files(TREE, tree)
if release then
  local spec = load(release)
  check_files(release, spec)
  check_release(spec, tree)
else
  problem("rockspec/", "there is none of version %s", version)
end
for name in pairs(listed "*.rockspec") do
  if name ~= TREE then
    problem(name, "belongs into rockspec/, or 'luarocks make' needs a name")
  end
end

if problems > 0 then
  io.stderr:write "rockspec: lua5.4 scripts/rockspec.lua --fix lists sources\n"
end
print(("rockspec: %d passed, %d failed, 0 skipped"):format(
  problems == 0 and 2 or 0, problems == 0 and 0 or 1))
os.exit(problems == 0)
