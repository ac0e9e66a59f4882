-- tidepool.h: modules of every age, and what the compiler finds for their
-- authors.

local oldmod = require "oldmod"
local process = require "spec.support.process"
local session = require "spec.support.session"
local testmod = require "testmod"
local tidepool = require "tidepool"

describe("a module that was compiled for 0.1.0", function ()
  after_each(session.finish)

  it("finds everything where it was", function ()
    local now = testmod.layout()
    for name, number in pairs(oldmod.layout()) do
      assert.equal(number, now[name], name)
    end
  end)

  it("reads arguments and pushes results", function ()
    local pool = session.pool { workers = 1 }
    local future = pool:call("old.describe", { 1, 2, 3.9, name = "three" })
    assert.same({ false, sum = 6, name = "three" }, future:await())
    assert.same({ 1.0, "half of it" }, { future:progress() })
    assert.equal(100, pool:call("old.scratch", 100):await())
  end)

  it("fails", function ()
    local pool = session.pool { workers = 1 }
    local err = session.failure(pool:call("old.fail", "100 %s"))
    assert.equal("error", err.kind)
    assert.equal("100 %s", err.message)
  end)

  it("calls functions with options, and is called back", function ()
    local pool = session.pool { workers = 2 }
    local before = oldmod.told()
    assert.equal(7, pool:call("old.forward", pool, "old.scratch", 7):await())
    local err = session.failure(pool:call("old.forward", pool, "old.fail",
      "below"))
    assert.equal("error: below", err.message)
    session.failure(pool:call("old.forward", pool, "no such function"))
    assert.equal(before + 2, oldmod.told())
  end)

  it("makes promises and takes futures", function ()
    local future = oldmod.promised(42)
    assert.equal(42, future:await())
    assert.is_true(oldmod.settled(future))
    local pending, promise = tidepool.promise()
    assert.is_false(oldmod.settled(pending))
    promise:resolve()
    pending:await()
  end)
end)

describe("tp_fail_errno", function ()
  after_each(session.finish)

  local function failed(...)
    local pool = session.pool { workers = 1 }
    return session.failure(pool:call("test.fail_errno", ...))
  end

  it("says what the system says, and what it was about", function ()
    local _, said, number = io.open "no such file"
    local err = failed(number, "no such file")
    assert.equal("error", err.kind)
    assert.equal(said, err.message)
  end)

  it("says so without a subject", function ()
    local _, said, number = io.open "no such file"
    assert.equal(said:match "^no such file: (.*)", failed(number).message)
  end)

  it("does with numbers that mean nothing", function ()
    for _, number in ipairs { 99999, -1, math.mininteger } do
      assert.truthy(failed(number, "odd").message:find "^odd: %S")
    end
  end)
end)

describe("a compiler", function ()
  local folder

  before_each(function ()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
  end)
  after_each(function ()
    os.execute("rm -rf " .. folder)
  end)

  local function write(name, text)
    local file <close> = assert(io.open(folder .. "/" .. name, "w"))
    assert(file:write(text))
  end

  local function cc(text, flags)
    write("probe.c", text)
    return process.shell(("%s -std=c11 -Wall -Wextra -Wpedantic -Werror "
      .. "%s -Isrc -I%s %s/probe.c"):format(os.getenv "CC" or "cc",
      flags or "-fsyntax-only", os.getenv "LUA_INCDIR" or "/usr/include/lua5.4",
      folder))
  end

  local function fails(arguments, needs)
    return cc((needs or "") .. "#include \"tidepool.h\"\n"
      .. "int f (tp_Context *ctx);\n"
      .. "int f (tp_Context *ctx) { return " .. arguments .. "; }\n")
  end

  it("checks the format of tp_fail", function ()
    assert.equal(0, fails("tp_fail(ctx, \"%s: %d\", \"a\", 1)").code)
    local found = fails("tp_fail(ctx, \"%s\", 1)")
    assert.not_equal(0, found.code)
    assert.truthy(found.err:find "format", found.err)
    assert.not_equal(0, fails("tp_fail(ctx, \"%d %d\", 1)").code)
  end)

  it("hides what is newer than the version that a module needs", function ()
    local call = "tp_fail_errno(ctx, 2, \"file\")"
    assert.equal(0, fails(call).code)
    assert.equal(0, fails(call, "#define TP_NEEDS 2\n").code)
    assert.not_equal(0, fails(call, "#define TP_NEEDS 1\n").code)
    assert.equal(0, fails("tp_fail(ctx, \"no\")", "#define TP_NEEDS 1\n").code)
  end)

  it("refuses a header that is older than that", function ()
    local found = fails("0", "#define TP_NEEDS 1000\n")
    assert.truthy(found.err:find("TP_NEEDS is newer than this tidepool.h", 1,
      true))
  end)

  -- A module that meets a tidepool with the first version of the table.
  local function opens(needs)
    local built = cc(needs .. [[
#include <lua.h>
#include "tidepool.h"
int luaopen_probe (lua_State *L);
int luaopen_probe (lua_State *L) {
  static tp_Api first;
  first.version = 1;
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "loaded");
  lua_newtable(L);
  lua_pushlightuserdata(L, &first);
  lua_setfield(L, -2, "api");
  lua_setfield(L, -2, "tidepool");
  lua_pushboolean(L, tp_open(L) == &first);
  return 1;
}
]], "-shared -fPIC -o " .. folder .. "/probe.so")
    assert.equal(0, built.code, built.err)
    return process.program(("package.cpath = %q print((require 'probe'))")
      :format(folder .. "/?.so"))
  end

  it("makes a module that refuses an older tidepool, or takes it", function ()
    assert.truthy(opens("").err:find("this module needs tidepool with C API 2, "
      .. "found 1; upgrade tidepool", 1, true))
    assert.equal("true\n", opens("#define TP_NEEDS 1\n").out)
  end)
end)
