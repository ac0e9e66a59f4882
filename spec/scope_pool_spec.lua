-- What a scope has a pool do belongs to the scope.

local places = require "spec.support.places"
local session = require "spec.support.session"
local tidepool = require "tidepool"

local limit = session.limit

local function forever()
  require "tidepool".sleep(1000)
end

local function double(x)
  return 2 * x
end

local function boom(x)
  error("boom " .. x, 0)
end

local function eventually(condition)
  local late = tidepool.now() + limit
  while not condition() do
    assert(tidepool.now() < late)
    tidepool.sleep(0)
  end
end

-- A manager, and what cancels all that it has at the end of a block.
local function manager()
  local pool = tidepool.AsyncManager.new { workers = 2 }
  return pool, setmetatable({}, { __close = function ()
    pool:shutdown { drain = false }
  end })
end

-- Both forms of a scope: what `f(scope)` returns.
local forms = {
  { name = "with a function", run = function (pool, f)
    return tidepool.scope({ pool = pool }, f)
  end },
  { name = "in a variable", run = function (pool, f)
    local s <close> = tidepool.scope { pool = pool }
    return f(s)
  end },
}

for _, place in ipairs(places) do
  for _, form in ipairs(forms) do
    local run = form.run
    describe(("a scope %s that has a pool %s"):format(form.name, place.name),
      function ()
        after_each(session.finish)

        it("calls there, in all the ways that there are", function ()
          place.run(function ()
            local pool, _ <close> = manager()
            local sum = run(pool, function (s)
              local list = s:map(double, { 1, 2, nil, n = 2 })
              assert(list[2] == 4 and list.n == 2)
              assert(s:reduce(math.max, { 1, 5, 2 }, 0) == 5)
              assert(select("#", s:each(double, { 1 })) == 0)
              local got = 0
              for i, value in s:imap(double, { 7, 8 }) do
                got = got + i * value
              end
              local futures = s:call_many(double, { { 1 }, { 2 } })
              return got + s:call(double, 10):await()
                + s:try_call(double, 100):await() + futures[2]:await()
            end)
            assert(sum == 14 + 32 + 20 + 200 + 4, sum)
            assert(pool:stats().completed >= 8)
          end)
        end)

        it("cancels all of that with the scope", function ()
          place.run(function ()
            local pool, _ <close> = manager()
            for _, f in ipairs {
              function (s) s:call(forever) end,
              function (s) s:try_call(forever) end,
              function (s) s:call_many(forever, { {}, {} }) end,
              function (s) s:map(forever, { 1, 2 }) end,
              function (s) s:each(forever, { 1, 2 }) end,
              function (s) s:reduce(forever, { 1, 2, 3 }, 0) end,
              function (s)
                pcall(function ()
                  for _ in s:imap(forever, { 1, 2 }) do end
                end)
              end,
            } do
              local ok, err = pcall(run, pool, function (s)
                s:timeout(0.02)
                f(s)
              end)
              assert(not ok and err.kind == "timeout", tostring(err))
              local stats = pool:stats()
              assert(stats.queued.total + stats.suspended == 0)
            end
          end)
        end)

        it("fails with what fails there, though nobody reads it", function ()
          place.run(function ()
            local pool, _ <close> = manager()
            for _, f in ipairs {
              function (s) s:call(boom, 1) end,
              function (s) s:try_call(boom, 1) end,
              function (s) s:call_many(boom, { { 1 } }) end,
              function (s) pcall(s.map, s, boom, { 1 }) end,
              function (s) pcall(s.each, s, boom, { 1 }) end,
              function (s)
                pcall(function () for _ in s:imap(boom, { 1 }) do end end)
              end,
            } do
              local sibling
              local ok, err = pcall(run, pool, function (s)
                sibling = s:spawn(forever)
                f(s)
              end)
              assert(not ok and err.kind == "error", tostring(err))
              assert(tostring(err):find "boom 1", tostring(err))
              assert(sibling:state() == "cancelled")
            end
          end)
        end)

        it("stops going through a list for who is cancelled", function ()
          place.run(function ()
            local pool, _ <close> = manager()
            run(pool, function (s)
              local child = s:spawn(s.map, s, forever, { 1 })
              eventually(function () return pool:stats().suspended > 0 end)
              child:cancel()
            end)
            eventually(function () return pool:stats().cancelled == 1 end)
          end)
        end)

        it("takes no call any more when it has failed", function ()
          place.run(function ()
            local pool, _ <close> = manager()
            for _, name in ipairs {
              "call", "try_call", "call_many", "map", "each", "reduce", "imap",
            } do
              local ok, err = pcall(run, pool, function (s)
                s:cancel "enough"
                local began, why = pcall(s[name], s, double, {})
                assert(not began and why.value == "enough", tostring(why))
              end)
              assert(not ok and err.value == "enough", tostring(err))
            end
          end)
        end)
      end)
  end
end

describe("a scope", function ()
  after_each(session.finish)

  it("without a pool calls on the default one", function ()
    local before = tidepool.default():stats().completed
    assert.are.equal(12, tidepool.scope(function (s)
      return s:map(double, { 1, 2, 3 })[3] + s:call(double, 3):await()
    end))
    assert.is_true(tidepool.default():stats().completed >= before + 2)
    assert.are.equal(6, tidepool.scope({}, function (s)
      return s:call_many(double, { { 3 } })[1]:await()
    end))
  end)

  it("calls with the options of a view", function ()
    local pool = session.pool()
    local ok, err = pcall(tidepool.scope, { pool = pool:with {
      timeout = 0.01,
    } }, function (s)
      s:call(forever):await()
    end)
    assert.is_false(ok)
    assert.are.equal("timeout", err.kind)
  end)

  it("raises misuse where it was called", function ()
    local pool = session.pool()
    local function raises(text, f, ...)
      local ok, err = pcall(f, ...)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(text, 1, true), err)
      assert.is_truthy(tostring(err):find "scope_pool_spec", err)
    end
    raises("bad option 'pool' (AsyncManager expected, got 3)",
      function () return (tidepool.scope { pool = 3 }) end)
    raises("unknown option 'pol'",
      function () return (tidepool.scope { pol = pool }) end)
    raises("bad argument #2 to 'scope' (function expected, got nil)",
      function () return (tidepool.scope({ pool = pool }, nil)) end)
    local s <close> = tidepool.scope { pool = pool }
    raises("bad argument #1 to 'map' (name or function expected, got number)",
      function () s:map(3, {}) end)
    raises("bad argument #2 to 'each' (table expected, got nil)",
      function () s:each(double) end)
    raises("bad argument #1 to 'call' (name or function expected, got table)",
      function () s:call {} end)
    raises("bad argument #2 to 'call_many' (table expected, got no value)",
      function () s:call_many(double) end)
  end)

  it("says when its pool is full, or shut down", function ()
    local pool = session.pool { workers = 1, queue = 1 }
    local gate = session.block(pool)
    pool:call(double, 1)
    tidepool.scope({ pool = pool }, function (s)
      local future, why = s:try_call(double, 1)
      assert.is_nil(future)
      assert.are.equal("full", why)
    end)
    require "testmod".open(gate)
    pool:shutdown()
    local ok, err = pcall(tidepool.scope, { pool = pool }, function (s)
      s:call(double, 1)
    end)
    assert.is_false(ok)
    assert.are.equal("closed", err.kind)
  end)
end)
