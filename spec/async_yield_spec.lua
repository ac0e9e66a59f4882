-- Which coroutine yields where: the table of docs/async-lua.md, cell by cell.
--
-- Two coroutines, A and B, await through the same wrapper, A first; then A's
-- promise is resolved, and B's. If the awaits yield, A ends first. If they run
-- other coroutines on top of themselves, B lies on top of A and ends first.

local session = require "spec.support.session"
local tidepool = require "tidepool"

local expect = assert

local limit = session.limit

-- Ways to call f(); each answers what f does.
local wrappers = {
  ["directly"] = function (f) return f() end,
  ["in pcall"] = function (f) return select(2, pcall(f)) end,
  ["in xpcall"] = function (f) return select(2, xpcall(f, print)) end,
  ["in a metamethod"] = function (f)
    return setmetatable({}, { __index = function () return f() end }).x
  end,
  ["in an iterator"] = function (f)
    local result
    for value in function (_, before) return not before and f() or nil end do
      result = value
    end
    return result
  end,
  ["in a closing variable"] = function (f)
    local result
    do
      local _ <close> = setmetatable({}, { __close = function ()
        result = f()
      end })
    end
    return result
  end,
  ["in a finalizer"] = function (f)
    local result
    setmetatable({}, { __gc = function () result = result or f() end })
    collectgarbage()
    collectgarbage()
    return result
  end,
  ["in a module that is required"] = function (f)
    package.preload["spec.yield.module"] = f
    package.loaded["spec.yield.module"] = nil
    return (require "spec.yield.module")
  end,
  ["in a coroutine of one's own"] = function (f)
    return coroutine.wrap(f)()
  end,
  ["in a comparator"] = function (f)
    local result
    table.sort({ 1, 2 }, function (a, b)
      result = result or f()
      return a < b
    end)
    return result
  end,
  ["in a callback of gsub"] = function (f)
    local result
    string.gsub("x", "x", function () result = f() end)
    return result
  end,
}

-- The order in which two coroutines that were spawned end.
local function order_of(wrapper)
  local ended = {}
  local a, resolve_a = tidepool.promise()
  local b, resolve_b = tidepool.promise()
  local function waits(name, future)
    return tidepool.spawn(function ()
      assert(wrapper(function () return future:await() end) == name)
      ended[#ended + 1] = name
    end)
  end
  local first, second = waits("A", a), waits("B", b)
  local third = tidepool.spawn(function ()
    tidepool.sleep(0)
    resolve_a:resolve "A"
    for _ = 1, 5 do
      tidepool.sleep(0)
    end
    resolve_b:resolve "B"
  end)
  first:await()
  second:await()
  third:await()
  return table.concat(ended)
end

local yields, drives = "AB", "BA"

local cells = {
  -- wrapper                         program  worker
  { "directly",                      yields,  yields },
  { "in pcall",                      yields,  yields },
  { "in xpcall",                     yields,  yields },
  { "in a metamethod",               yields,  yields },
  { "in an iterator",                yields,  yields },
  { "in a closing variable",         yields,  yields },
  { "in a coroutine of one's own",   drives,  yields },
  { "in a finalizer" }, -- of which there is one at a time
  { "in a module that is required",  drives,  drives },
  { "in a comparator",               drives,  drives },
  { "in a callback of gsub",         drives,  drives },
}

describe("an await", function ()
  after_each(session.finish)

  for _, cell in ipairs(cells) do
    local name, in_program, in_worker = cell[1], cell[2], cell[3]
    local wrapper = wrappers[name]

    if in_program then
      it(name .. ", of a spawned coroutine of the program", function ()
        expect.are.equal(in_program, order_of(wrapper))
      end)

      it(name .. ", of a coroutine that a task has spawned", function ()
        local pool = session.pool { workers = 1 }
        expect.are.equal(in_worker, pool:call(order_of, wrapper):await(limit))
      end)
    end

    -- Who is no coroutine of ours runs the loop; a task gives its worker away,
    -- or runs its own coroutines while it blocks.
    local function goes_on()
      local future, promise = tidepool.promise()
      tidepool.spawn(function ()
        tidepool.sleep(0)
        promise:resolve "there"
      end)
      return wrapper(function () return future:await() end)
    end

    it(name .. ", of the program itself", function ()
      expect.are.equal("there", goes_on())
    end)

    it(name .. ", of a coroutine that the program made", function ()
      expect.are.equal("there", coroutine.wrap(goes_on)())
    end)

    it(name .. ", of a task", function ()
      local pool = session.pool { workers = 1 }
      expect.are.equal("there", pool:call(goes_on):await(limit))
    end)
  end

  it("nests where it cannot yield, to a depth, then raises", function ()
    local function deep(n)
      if n == 0 then
        return 0
      end
      local future = tidepool.spawn(function ()
        return wrappers["in a comparator"](function () return deep(n - 1) end)
      end)
      return future:await() + 1
    end
    expect.are.equal(10, deep(10))
    local ok, err = pcall(deep, 100)
    expect.is_false(ok)
    expect.is_truthy(tostring(err):find("nested too deep", 1, true), err)
  end)

  it("of what waits for it in turn raises, and names the ring", function ()
    for _, name in ipairs { "directly", "in a comparator" } do
      local a, b
      a = tidepool.spawn(function ()
        return wrappers[name](function () return b:await() end)
      end)
      b = tidepool.spawn(function () return a:await() end)
      local err = session.failure(a)
      expect.is_truthy(tostring(err):find("wait for each other", 1, true), err)
      expect.is_truthy(tostring(err):find("itself", 1, true), err)
      expect.is_false((b:pawait(limit)))
    end
  end)

  it("of itself raises", function ()
    local future
    future = tidepool.spawn(function () return future:await() end)
    local err = session.failure(future)
    expect.is_truthy(tostring(err):find("wait for each other", 1, true), err)
  end)

  it("that another thread's cancel ends need not be able to yield", function ()
    local never = tidepool.promise()
    local future = tidepool.private.spawn_within(0.01, function ()
      wrappers["in a comparator"](function () never:await() end)
    end)
    local err = session.failure(future)
    expect.are.equal("timeout", err.kind)
  end)
end)
