-- What a program leaves at its end is told, in whatever way it ends.

local process = require "spec.support.process"

local function ends(source)
  local result = process.program(source)
  assert.are.equal(0, result.code, result.err)
  return result
end

local WAYS = { "", "os.exit(0)", "os.exit(0, true)" }

describe("at its end a program", function ()
  it("tells how many tasks and coroutines it cancels", function ()
    for _, way in ipairs(WAYS) do
      local result = ends([[
        local tidepool = require "tidepool"
        local pool = tidepool.AsyncManager.new { workers = 1 }
        for _ = 1, 7 do pool:call("tidepool.sleep", 1000) end
        tidepool.spawn(tidepool.sleep, 1000)
        tidepool.spawn(tidepool.sleep, 1000)
        tidepool.poll()
      ]] .. way)
      assert.are.equal(
        "tidepool: cancelled at the end: 7 tasks, 2 coroutines\n", result.err)
    end
  end)

  it("says nothing when nothing is left", function ()
    for _, way in ipairs(WAYS) do
      local result = ends([[
        local tidepool = require "tidepool"
        local future = tidepool.spawn(tidepool.sleep, 0.01)
        tidepool.call("tidepool.sleep", 0.01):await()
        future:await()
        tidepool.spawn(tidepool.sleep, 1000):cancel()
        tidepool.poll()
      ]] .. way)
      assert.are.equal("", result.err)
    end
  end)

  it("closes the variables of coroutines, but for os.exit", function ()
    for i, way in ipairs(WAYS) do
      local result = ends([[
        local tidepool = require "tidepool"
        local never = tidepool.promise()
        for i = 1, 2 do
          tidepool.spawn(function ()
            local _ <close> = setmetatable({}, { __close = function ()
              print("closed", pcall(never.await, never))
            end })
            tidepool.scope(function (s)
              s:spawn(tidepool.sleep, 1000)
              tidepool.sleep(1000)
            end)
          end)
        end
        tidepool.poll()
      ]] .. way)
      local _, closed = result.out:gsub("closed\tfalse", "")
      assert.are.equal(i == 2 and 0 or 2, closed, result.err)
      assert.are.equal("tidepool: cancelled at the end: 4 coroutines\n",
        result.err)
    end
  end)

  it("reports failures that nobody read", function ()
    for _, way in ipairs(WAYS) do
      local result = ends([[
        local tidepool = require "tidepool"
        local held = tidepool.call(function () error("held", 0) end)
        local read = tidepool.call(function () error("read", 0) end)
        tidepool.call(function () error("dropped", 0) end)
        local here = tidepool.spawn(function () error("here", 0) end)
        tidepool.default():wait_all()
        read:pawait()
        tidepool.poll()
        kept = { held, here }
      ]] .. way)
      for _, what in ipairs { "held", "dropped", "here" } do
        local _, n = result.err:gsub("nobody read: [^\n]*" .. what, "")
        assert.are.equal(1, n, result.err)
      end
      assert.is_nil(result.err:find("read: [^\n]*read"), result.err)
    end
  end)
end)
