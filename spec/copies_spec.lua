-- Two copies of the library, as when package.cpath finds another one.

local process = require "spec.support.process"

-- Where a copy of the module is, under a name of its own.
local function copy()
  local path = package.searchpath("tidepool.core", package.cpath)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute(("mkdir -p '%s/tidepool' && cp '%s' '%s/tidepool/core.so'")
    :format(folder, path, folder)))
  return folder, path
end

describe("two copies of the library", function ()
  local folder, path

  setup(function () folder, path = copy() end)
  teardown(function () os.execute(("rm -r '%s'"):format(folder)) end)

  local function run(source)
    local result = process.program(("folder = %q %s"):format(folder, source))
    assert.are.same({ 0, "" }, { result.code, result.err })
    return result.out
  end

  it("are not opened by one Lua state, and both are named", function ()
    local out = run [[
      local tidepool = require "tidepool"
      local open = assert(package.loadlib(folder .. "/tidepool/core.so",
        "luaopen_tidepool_core"))
      local ok, err = pcall(open)
      print(ok, err)
      assert(tidepool.spawn(function () return 1 end):await() == 1)
      assert(tidepool.call(function () return 2 end):await() == 2)
    ]]
    assert.are.equal("false", out:match "^%a+")
    assert.is_truthy(out:find(folder .. "/tidepool/core.so", 1, true), out)
    assert.is_truthy(out:find(path, 1, true), out)
  end)

  it("are not opened by require either", function ()
    local out = run [[
      require "tidepool"
      package.loaded["tidepool.core"] = nil
      package.cpath = folder .. "/?.so;" .. package.cpath
      print(pcall(require, "tidepool.core"))
    ]]
    assert.is_truthy(out:find("another copy of tidepool", 1, true), out)
  end)

  it("are not opened by a worker", function ()
    local out = run [[
      local tidepool = require "tidepool"
      print(tidepool.call(function (path)
        return pcall(package.loadlib(path, "luaopen_tidepool_core"))
      end, folder .. "/tidepool/core.so"):await())
    ]]
    assert.is_truthy(out:find("another copy of tidepool", 1, true), out)
  end)

  it("may serve two Lua states of one process", function ()
    local out = run [[
      local tidepool = require "tidepool"
      local testmod = require "testmod"
      local state = testmod.newstate([=[
        package.cpath = ... .. "/?.so;" .. package.cpath
        local tidepool = require "tidepool"
        return tidepool.call(function () return 2 end):await()
      ]=], folder)
      print(testmod.join(state))
      assert(tidepool.call(function () return 1 end):await() == 1)
    ]]
    assert.are.equal("true\t2\n", out)
  end)

  it("but the same one may be opened again", function ()
    local out = run [[
      local tidepool = require "tidepool"
      package.loaded["tidepool.core"] = nil
      print(require "tidepool.core" == tidepool)
    ]]
    assert.are.equal("true\n", out)
  end)
end)
