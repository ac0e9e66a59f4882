-- A future that is among its own results would keep itself, for ever: it is
-- refused, by name and place, and nothing is decided or left behind.

local growth = require "spec.support.growth"
local session = require "spec.support.session"
local tidepool = require "tidepool"


local why = "a future cannot be among its own results"

describe("a future among its own results", function ()
  before_each(function () tidepool.on_unhandled(function () end) end)
  after_each(session.finish)

  -- What a promise is resolved with, and where that holds it.
  local ways = {
    ["in a table"] = {
      function (future) return { 1, { here = future } } end,
      'value 1, field "[2].here"',
    },
    ["as a second value"] = {
      function (future) return 1, future end,
      "value 2",
    },
    ["as an upvalue"] = {
      function (future) return { f = function () return future end } end,
      'value 1, field "f.upvalue future"',
    },
    ["by its promise"] = {
      function (_, promise) return { promise } end,
      'value 1, field "[1]"',
    },
  }
  for name, way in pairs(ways) do
    it("is refused " .. name, function ()
      local future, promise = tidepool.promise()
      local ok, err = pcall(promise.resolve, promise, way[1](future, promise))
      assert.is_false(ok)
      assert.is_truthy(err:find(way[2] .. ": " .. why, 1, true), err)
      assert.are.equal("pending", future:state())
      assert.is_true(promise:resolve "after all")
      assert.are.equal("after all", future:await())
    end)

    it("leaves nothing behind " .. name, function ()
      growth.none(function ()
        local future, promise = tidepool.promise()
        pcall(promise.resolve, promise, way[1](future, promise))
      end)
    end)
  end

  it("makes a task fail that returns it", function ()
    local pool = session.pool()
    local handed, promise = tidepool.promise()
    local task = pool:call(function (box) return box[1]:await() end, { handed })
    promise:resolve({ task })
    local err = session.failure(task)
    assert.is_truthy(err.message:find(why, 1, true), err.message)
  end)

  it("is for who spawned it, and cannot be sent", function ()
    local pool = session.pool()
    local own
    own = tidepool.spawn(function () return { own } end)
    assert.are.equal(own, own:await()[1])
    local ok, err = pcall(pool.call, pool, "test.echo", { own })
    assert.is_false(ok)
    assert.is_truthy(err:find(why, 1, true), err)
  end)
end)
