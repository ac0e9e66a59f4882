-- A Lua that tidepool does not run in says so, in one sentence.

local process = require "spec.support.process"

-- The first file of the library, read in a Lua that says it is `version`.
local function load_in(version, jit)
  local env = setmetatable({ _VERSION = version, jit = jit },
    { __index = _G })
  env._G = env
  local chunk = assert(loadfile("lua/tidepool/init.lua", "t", env))
  return select(2, pcall(chunk))
end

local function there(name)
  return process.shell("command -v " .. name).code == 0
end

describe("a wrong Lua", function ()
  it("is named with the one that is needed", function ()
    assert.equal("tidepool needs Lua 5.4.4 or newer, and this is Lua 5.1",
      load_in "Lua 5.1")
    assert.equal("tidepool needs Lua 5.4.4 or newer, and this is Lua 5.3",
      load_in "Lua 5.3")
    assert.equal("tidepool needs Lua 5.4.4 or newer, and this is LuaJIT 2.1.0",
      load_in("Lua 5.1", { version = "LuaJIT 2.1.0" }))
  end)

  local others = {
    ["lua5.1"] = "Lua 5.1", luajit = there "luajit" and "LuaJIT" or nil,
  }
  for name, called in pairs(others) do
    it("says no more than that: " .. name, function ()
      if not there(name) then
        pending("there is no " .. name)
        return
      end
      local run = process.shell(name .. [[ -e 'require "tidepool"']])
      local said = run.err:match "[^\n]*"
      assert.equal(1, run.code)
      assert.equal(name .. ": tidepool needs Lua 5.4.4 or newer, and this is "
        .. called, (said:gsub("(LuaJIT) .*", "%1")))
    end)
  end
end)

describe("a core.so with functions that this Lua does not have", function ()
  it("says that it was built for another one", function ()
    local folder = os.tmpname()
    os.remove(folder)
    local built = process.shell(([[
mkdir -p %s/tidepool && cd %s && cat >core.c <<'END' &&
int lua_from_later (void *L);
int luaopen_tidepool_core (void *L);
int luaopen_tidepool_core (void *L) { return lua_from_later(L); }
END
%s -shared -fPIC core.c -o tidepool/core.so]]):format(folder, folder,
      os.getenv "CC" or "cc"))
    assert.equal(0, built.code, built.err)
    local run = process.program(([[
package.cpath = "%s/?.so"
local ok, err = pcall(require, "tidepool")
print(ok, err)]]):format(folder))
    os.execute("rm -rf " .. folder)
    assert.truthy(run.out:find("tidepool.core was built for another Lua than "
      .. "this " .. _VERSION .. ": build it with the headers of the Lua that "
      .. "runs it", 1, true), run.out .. run.err)
    assert.truthy(run.out:find("lua_from_later", 1, true))
  end)
end)

-- Of headers in a folder of their own, or of an interpreter that says so.
describe("what is built with", function ()
  local folder

  before_each(function ()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir -p " .. folder))
  end)
  after_each(function ()
    os.execute("rm -rf " .. folder)
  end)

  local function write(name, text)
    local file <close> = assert(io.open(folder .. "/" .. name, "w"))
    assert(file:write(text))
  end

  local function program(version)
    write("lua5.4", "#!/bin/sh\necho 'Lua " .. version .. "  Copyright'\n")
    assert(os.execute("chmod +x " .. folder .. "/lua5.4"))
    return process.shell(("PATH=%s:/usr/bin:/bin; %s"):format(folder,
      "for name in lua-5.4 lua54 lua5.5 lua-5.5 lua55 lua; do "
      .. "cp /bin/false " .. folder .. "/$name; done; "
      .. "scripts/find-lua.sh program"))
  end

  it("is no interpreter that is too old", function ()
    assert.equal("lua5.4\n", program("5.4.4").out)
    assert.equal("lua5.4\n", program("5.4.10").out)
    assert.equal("lua5.4\n", program("5.5.0").out)
    for _, version in ipairs { "5.4.0", "5.4.3", "5.3.6", "5.1.5" } do
      local found = program(version)
      assert.equal("", found.out)
      assert.equal(1, found.code)
    end
  end)

  local function write_headers(minor, release)
    write("lua.h", ("#define LUA_VERSION_MAJOR\t\"5\"\n"
      .. "#define LUA_VERSION_MINOR\t\"%d\"\n"
      .. "#define LUA_VERSION_RELEASE\t\"%d\"\n"
      .. "#define LUA_VERSION_NUM\t(500 + %d)\n"
      .. "#define LUA_VERSION_RELEASE_NUM\t(LUA_VERSION_NUM * 100 + %d)\n")
      :format(minor, release, minor, release))
  end

  local function headers(...)
    write_headers(...)
    write("pkg-config", "#!/bin/sh\n[ \"$2\" = lua5.4 ] && echo -I"
      .. folder .. "\n")
    assert(os.execute("chmod +x " .. folder .. "/pkg-config"))
    return process.shell(("PATH=%s:$PATH scripts/find-lua.sh include")
      :format(folder))
  end

  it("is not found in headers that are too old", function ()
    assert.equal(folder .. "\n", headers(4, 4).out)
    for release = 0, 3 do
      assert.not_equal(folder .. "\n", headers(4, release).out)
    end
  end)

  it("does not compile with headers that are too old", function ()
    local function compile(...)
      write_headers(...)
      write("probe.c", "#include \"lua/version.h\"\n")
      return process.shell(("%s -fsyntax-only -Isrc -I%s %s/probe.c"):format(
        os.getenv "CC" or "cc", folder, folder)).err
    end
    local sentence = "tidepool needs the headers of Lua 5.4.4 or newer"
    assert.truthy(compile(4, 3):find(sentence, 1, true))
    assert.truthy(compile(1, 5):find(sentence, 1, true))
    assert.falsy(compile(4, 4):find(sentence, 1, true))
    assert.falsy(compile(5, 0):find(sentence, 1, true))
  end)
end)
