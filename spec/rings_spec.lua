-- Waits that could never end: who would close the ring is told, whatever the
-- ring goes through.
local names_of = require "spec.support.names"
local session = require "spec.support.session"
local tidepool = require "tidepool"

local assert, describe, it, after_each = assert, describe, it, after_each
local limit = session.limit

-- What f answers, and the failures that nobody has read meanwhile, as one text.
local function overheard(f, ...)
  local heard = {}
  local before = tidepool.on_unhandled(function (err)
    heard[#heard + 1] = tostring(err)
  end)
  local ok, result = pcall(f, ...)
  collectgarbage()
  collectgarbage()
  tidepool.poll()
  tidepool.on_unhandled(before)
  assert(ok, result)
  return result, table.concat(heard, "\n")
end

local function is_told(me)
  local err, heard = overheard(function ()
    assert.is_true(me:wait(limit))
    return select(2, pcall(me.get, me))
  end)
  assert.is_truthy((tostring(err) .. heard):find("wait for each other", 1,
    true), tostring(err) .. heard)
end

-- What waits for a future. They cross.
local ways = {
  ["await"] = function (f) return f:await() end,
  ["and_then"] = function (f)
    return f:and_then(function (...) return ... end):await()
  end,
  ["catch"] = function (f) return f:catch(print):await() end,
  ["finally"] = function (f) return f:finally(print):await() end,
  ["all"] = function (f) return require "tidepool".all { f }:await() end,
  ["race"] = function (f) return require "tidepool".race { f }:await() end,
  ["any"] = function (f) return require "tidepool".any { f }:await() end,
  ["all_settled"] = function (f)
    return require "tidepool".all_settled { f }:await()
  end,
  ["all of all"] = function (f)
    local all = require "tidepool".all
    return all { all { all { f, f } } }:await()
  end,
  ["wait"] = function (f) return require "tidepool".wait { f } end,
  ["as_completed"] = function (f)
    for _ in require "tidepool".as_completed { f } do end
  end,
  ["a group"] = function (f)
    return require "tidepool".group():add(f):next()
  end,
  ["a scope"] = function (f)
    return require "tidepool".scope(function (s) s:add(f) end)
  end,
  ["a scope of a block"] = function (f)
    local s <close> = require "tidepool".scope()
    s:add(f)
  end,
  ["shield"] = function (f) return require "tidepool".shield(f) end,
  ["with_timeout"] = function (f)
    return require "tidepool".with_timeout(3600, f.await, f)
  end,
  ["run"] = function (f)
    return require "tidepool".run(function () return f:await() end)
  end,
  ["a promise"] = function (f)
    local future, promise = require "tidepool".promise()
    promise:resolve(require "tidepool".all { f })
    return future:await()
  end,
  ["after"] = function (f)
    return require "tidepool".after(f, print):await()
  end,
  ["an argument"] = function (f)
    local pool = require "tidepool".AsyncManager.new { workers = 1 }
    local _ <close> = setmetatable({}, { __close = function ()
      pool:shutdown { drain = false }
    end })
    return pool:call(print, f):await()
  end,
}

-- A task, and the future that it gets is its own.
local function task_of(pool, f, ...)
  local box, promise = tidepool.promise()
  local me = pool:call(function (list, body, ...)
    return body(list[1]:await()[1], ...)
  end, { box }, f, ...)
  promise:resolve { me }
  return me
end

describe("a task that would wait for itself by way of", function ()
  after_each(session.finish)

  for _, name in ipairs(names_of(ways)) do
    it(name .. " gets an error, in the program", function ()
      local me
      me = tidepool.spawn(function () return ways[name](me) end)
      is_told(me)
    end)

    it(name .. " gets an error, in a worker", function ()
      is_told(task_of(session.pool { workers = 2 }, ways[name]))
    end)
  end

  it("others is told their names", function ()
    local a, b
    a = tidepool.spawn(function () return tidepool.all { b }:await() end)
    b = tidepool.spawn(function () return tidepool.group():add(a):next() end)
    local _, err = a:pawait(limit)
    b:pawait(limit)
    for _, each in ipairs { a, b } do
      assert.is_truthy(err.message:find(("(id %d)"):format(each:id()), 1, true),
        err.message)
    end
  end)

  it("a promise that was to follow it is told their names", function ()
    local future, promise = tidepool.promise()
    local waiting = tidepool.spawn(function () return future:await() end)
    tidepool.sleep(0)
    local ok, err = pcall(promise.resolve, promise, waiting)
    assert.is_false(ok)
    assert.is_truthy(err:find("(id " .. waiting:id() .. ")", 1, true), err)
    promise:resolve(1)
    assert.are.equal(1, waiting:await(limit))
  end)
end)

describe("waits that can end are no ring:", function ()
  after_each(session.finish)

  it("the first of several may be another one", function ()
    for _, name in ipairs { "race", "any" } do
      local other, promise = tidepool.promise()
      local me
      me = tidepool.spawn(function ()
        return tidepool[name]({ me, other }, { cancel = false }):await()
      end)
      tidepool.sleep(0)
      promise:resolve "other"
      assert.are.equal("other", me:await(limit))
    end
  end)

  it("until the others have gone", function ()
    local other, promise = tidepool.promise()
    local me
    me = tidepool.spawn(function ()
      return tidepool.wait { other, me }
    end)
    tidepool.sleep(0)
    assert.are.equal("suspended", me:state())
    promise:resolve "other"
    assert.is_false((me:pawait(limit)))
  end)

  it("what waits for the first may be waited for twice", function ()
    local other, promise = tidepool.promise()
    local both, me
    local one = tidepool.spawn(function () return both:await() end)
    both = tidepool.race({ one, other }, { cancel = false })
    me = tidepool.spawn(function ()
      return #tidepool.all { both, one }:await()
    end)
    tidepool.sleep(0)
    promise:resolve(1)
    assert.are.equal(2, me:await(limit))
  end)

  it("one of them has a time limit", function ()
    local a, b
    a = tidepool.spawn(function () return b:wait(0.01) end)
    b = tidepool.spawn(function () return a:await() end)
    assert.is_false(b:await(limit))
  end)
end)

describe("tasks of pools that would wait for each other", function ()
  after_each(session.finish)

  -- Each of them waits for all of the next one's pool.
  local function across(pools, how)
    local go, promise = tidepool.promise()
    local futures = {}
    for i, pool in ipairs(pools) do
      futures[i] = pool:call(function (list, other, method)
        list[1]:await()
        if method == "close" then
          local _ <close> = other
          return true
        end
        return other[method](other)
      end, { go }, pools[i % #pools + 1], how)
    end
    promise:resolve()
    return futures
  end

  for _, how in ipairs { "wait_all", "shutdown", "close" } do
    for count = 2, 3 do
      it(("by %s of %d pools are told"):format(how, count), function ()
        local pools, failed = {}, 0
        for i = 1, count do
          pools[i] = session.pool { workers = 1, name = "pool " .. i }
        end
        for _, future in ipairs(across(pools, how)) do
          local ok, err = future:pawait(limit)
          if not ok then
            failed = failed + 1
            assert.is_truthy(err.message:find("wait for each other", 1, true),
              err.message)
            assert.is_truthy(err.message:find("pool %d"), err.message)
          end
        end
        assert.are.equal(1, failed)
      end)
    end

    -- One awaits what waits for its pool: either is told.
    local function both(me, pool, method)
      local other = pool:call(function (list) return list[1]:await() end,
        { me })
      local ok, err = pcall(function ()
        if method == "close" then
          local _ <close> = pool
          return
        end
        pool[method](pool)
      end)
      if ok then
        err = select(2, other:pawait())
      end
      return tostring(err)
    end

    it(("are told if one awaits the other: %s"):format(how), function ()
      local text = task_of(session.pool(), both, session.pool(), how)
        :await(limit)
      assert.is_truthy(text:find("wait for each other", 1, true), text)
    end)

    it(("are told if one is a coroutine: %s"):format(how), function ()
      local pool, me = session.pool()
      me = tidepool.spawn(function () return both(me, pool, how) end)
      local text = me:await(limit)
      assert.is_truthy(text:find("wait for each other", 1, true), text)
    end)
  end

  it("may, where the other's is not one of those waited for", function ()
    local pool = session.pool { workers = 2 }
    local me
    me = tidepool.spawn(function ()
      local go, promise = tidepool.promise()
      local done = pool:call(function (list) return list[1]:await() end, { go })
      tidepool.spawn(function () -- when the pool is waited for
        pool:call(function (list) return list[1]:await() end, { me })
        promise:resolve()
      end)
      return pool:wait_all() and done:is_ready()
    end)
    assert.is_true(me:await(limit))
    assert.is_true(pool:wait_all(limit))
  end)

  it("may, with a time limit", function ()
    local pool = session.pool()
    local me
    me = tidepool.spawn(function ()
      pool:call(function (list) return list[1]:await() end, { me })
      return pool:wait_all(0.01)
    end)
    assert.is_false(me:await(limit))
    assert.is_true(pool:wait_all(limit))
  end)
end)
