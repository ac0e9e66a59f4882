-- Who resumed a coroutine is found from the main thread on, which each version
-- of Lua keeps in another slot of the registry: Lua 5.5 not in the first.

local process = require "spec.support.process"

local moved = [[
  local registry = debug.getregistry()
  debug.getregistry = function ()
    return setmetatable({ false, false }, { __index = registry })
  end
]]

local function prints(text, program)
  local result = process.program(moved .. program)
  assert.are.equal("", result.err)
  assert.are.equal(text, result.out)
end

describe("the resumer of a coroutine", function ()
  it("is found wherever the registry has the main thread", function ()
    prints("true\ttrue\n", [[
      local resumer = require "tidepool.loop".resumer
      local main = coroutine.running()
      local outer, inner
      inner = coroutine.create(function () return resumer() == outer end)
      outer = coroutine.create(function ()
        return resumer() == main, select(2, coroutine.resume(inner))
      end)
      print(select(2, coroutine.resume(outer)))
    ]])
  end)

  it("lets awaits yield to luv there", function ()
    if not pcall(require, "luv") then
      pending "luv is not here"
      return
    end
    prints("yields\ndone\n", [[
      local uv = require "luv"
      require "tidepool.loop.luv"
      local tidepool = require "tidepool"
      local future, promise = tidepool.promise()
      coroutine.wrap(function () print(future:await()) end)()
      print "yields"
      promise:resolve "done"
      uv.run()
    ]])
  end)
end)
