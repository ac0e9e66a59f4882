-- "module:field" stands for a function wherever one is taken.

local session = require "spec.support.session"
local shop = require "spec.support.shop"
local tidepool = require "tidepool"

local limit = session.limit
local SHOP = "spec.support.shop:"

package.preload["spec.flag"] = function () return true end

local pool

-- What was raised, as text.
local function failure(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return tostring(type(err) == "table" and err.message or err), err
end

describe('"module:field"', function ()
  before_each(function () pool = session.pool { workers = 2 } end)
  after_each(session.finish)

  describe("stands for a function in a worker", function ()
    it("of call, try_call and call_many", function ()
      local here, a, b = pool:call(SHOP .. "charge", 1, "two"):await(limit)
      assert.are.same({ true, 1, "two" }, { here, a, b })
      local future = assert(pool:try_call(SHOP .. "double", 4))
      assert.are.equal(8, future:await(limit))
      local sums = pool:call_many(SHOP .. "sum", { { 1, 2 }, { 3, 4 } })
      assert.are.equal(3, sums[1]:await(limit))
      assert.are.equal(7, sums[2]:await(limit))
    end)

    it("of a view, of tidepool.call and of a scope's call", function ()
      local view = pool:with { priority = "high" }
      assert.are.equal(2, view:call(SHOP .. "double", 1):await(limit))
      assert.is_true((tidepool.call(SHOP .. "charge"):await(limit)))
      assert.are.equal(6, tidepool.scope(function (s)
        return s:call(SHOP .. "double", 3):await(limit)
      end))
    end)

    it("of map, each, imap and reduce", function ()
      local list = { 1, 2, 3, 4 }
      assert.are.same({ 2, 4, 6, 8, n = 4 }, pool:map(SHOP .. "double", list))
      pool:each(SHOP .. "double", list)
      assert.are.equal(10, pool:reduce(SHOP .. "sum", list))
      local results = {}
      for i, result in pool:imap(SHOP .. "double", list) do
        results[i] = result
      end
      assert.are.same({ 2, 4, 6, 8 }, results)
    end)

    it("of invoke, which may await in it", function ()
      local function invoke(name)
        return require "tidepool".invoke(name, 1, nil, 3)
      end
      local future = pool:call(invoke, SHOP .. "wait")
      assert.are.same({ 1, nil, 3 }, { future:await(limit) })
    end)

    it("of init", function ()
      local opened = session.pool { workers = 1, init = SHOP .. "open" }
      assert.is_true(opened:call(SHOP .. "is_open"):await(limit))
    end)

    it("which may await, and follows futures", function ()
      local seven = pool:call(SHOP .. "wait", 7)
      assert.are.equal(14, pool:call(SHOP .. "double", seven):await(limit))
    end)
  end)

  describe("stands for a function here", function ()
    it("of spawn, after and run", function ()
      local here, a = tidepool.spawn(SHOP .. "charge", 1):await(limit)
      assert.are.same({ false, 1 }, { here, a })
      local first = tidepool.spawn(SHOP .. "wait")
      assert.are.equal(4,
        tidepool.after(first, SHOP .. "double", 2):await(limit))
      assert.are.equal(5, tidepool.run(SHOP .. "wait", 5))
    end)

    it("of with_timeout, scope and a scope's spawn", function ()
      assert.are.equal(5, tidepool.with_timeout(limit, SHOP .. "wait", 5))
      local scope, value = tidepool.scope(SHOP .. "pass", 6)
      assert.are.equal("tidepool.Scope: left, 0 unsettled", tostring(scope))
      assert.are.equal(6, value)
      assert.are.equal(8, tidepool.scope(function (s)
        return s:spawn(SHOP .. "double", 4):await(limit)
      end))
    end)

    it("of and_then, catch, finally and on_cancel", function ()
      local function fails() return pool:call(SHOP .. "fail", "no luck") end
      local doubled = pool:call(SHOP .. "pass", 4):and_then(SHOP .. "double")
      assert.are.equal(8, doubled:await(limit))
      local err = fails():and_then(SHOP .. "double", SHOP .. "pass")
      assert.are.equal("no luck", err:await(limit).message)
      err = fails():catch(SHOP .. "pass"):await(limit)
      assert.are.equal("no luck", err.message)
      local visited = pool:call(SHOP .. "pass", 1):finally(SHOP .. "wait")
      assert.are.equal(1, visited:await(limit))
      local future, promise = tidepool.promise()
      promise:on_cancel(SHOP .. "visitors")
      future:cancel(3)
      session.eventually(function ()
        tidepool.poll(0)
        return shop.next() == 2
      end)
    end)

    it("of on_unhandled", function ()
      local before = tidepool.on_unhandled(SHOP .. "wait")
      local mine = tidepool.on_unhandled(before)
      assert.are.equal("function", type(mine))
    end)

    it("of imap's source", function ()
      shop.visitors(3)
      local results = {}
      for i, result in pool:imap(SHOP .. "double", SHOP .. "next") do
        results[i] = result
      end
      assert.are.same({ 4, 2, 0 }, results)
    end)
  end)

  it("is the name of its task", function ()
    assert.are.equal(SHOP .. "name", pool:call(SHOP .. "name"):await(limit))
    local future = pool:call(SHOP .. "fail", "no luck")
    assert.are.equal(SHOP .. "fail", session.failure(future).name)
    assert.is_truthy(tostring(future):find(SHOP .. "fail", 1, true))
    local long = SHOP .. ("x"):rep(200)
    assert.are.equal(long, session.failure(pool:call(long)).name)
    local _, err = failure(pool.map, pool, SHOP .. "fail", { "no luck" })
    assert.are.equal(SHOP .. "fail", err.name)
  end)

  it("says that there is no such module", function ()
    local err = session.failure(pool:call "spec.support.none:field")
    assert.are.equal("error", err.kind)
    assert.is_truthy(err.message:find(
      "module 'spec.support.none' not found", 1, true))
  end)

  it("says that there is no such field, or that it is no function", function ()
    local cases = {
      [SHOP .. "none"] = "module 'spec.support.shop' has no field 'none'",
      [SHOP .. "price"] = "field 'price' of module 'spec.support.shop' is a "
        .. "number, not a function",
      ["spec.flag:x"] = "module 'spec.flag' returned a "
        .. "boolean, which has no fields",
    }
    for name, why in pairs(cases) do
      local expected = ('cannot call "%s": %s'):format(name, why)
      assert.are.equal(expected, session.failure(pool:call(name)).message)
      local spawned = session.failure(tidepool.spawn(name))
      assert.are.equal(expected, spawned.message)
      assert.are.equal(expected, failure(pool.map, pool, name, { 1 }))
    end
    local broken = session.pool { workers = 1, init = SHOP .. "none" }
    local err = session.failure(broken:call(SHOP .. "double", 1))
    assert.are.equal("broken", err.kind)
    assert.is_truthy(err.message:find("has no field 'none'", 1, true))
  end)

  it("is refused at once without a module or a field", function ()
    for _, name in ipairs { ":x", "x:", ":", "a:b\0c" } do
      local calls = {
        function () pool:call(name) end,
        function () pool:map(name, { 1 }) end,
        function () tidepool.spawn(name) end,
        function () tidepool.run(name) end,
        function () pool:call(shop.pass):and_then(name) end,
        function () tidepool.AsyncManager.new { init = name } end,
      }
      for _, call in ipairs(calls) do
        local message = failure(call)
        assert.is_truthy(message:find('"module:field" expected, got \'' .. name,
          1, true), message)
        assert.is_truthy(message:find("reference_spec", 1, true), message)
      end
    end
  end)

  it("finds what the module has when it runs", function ()
    local one = session.pool { workers = 1 }
    local function set(value)
      require "spec.support.shop".now = function () return value end
    end
    one:call(set, 1):await(limit)
    assert.are.equal(1, one:call(SHOP .. "now"):await(limit))
    one:call(set, 2):await(limit)
    assert.are.equal(2, one:call(SHOP .. "now"):await(limit))
  end)
end)
