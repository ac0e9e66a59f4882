-- Awaiting in a Lua task: it gives its worker away, wherever it stands.

local session = require "spec.support.session"
local testmod = require "testmod"
local tidepool = require "tidepool"

local expect = assert

local limit = session.limit

-- A pool of one worker, where whatever blocks is seen.
local function narrow(queue)
  return session.pool { workers = 1, queue = queue or 4 }
end

local function suspended(pool, count)
  session.eventually(function ()
    return pool:stats().suspended == count
  end, count .. " suspended tasks")
end

-- In a task: a future that another task of the pool will settle.
local function later(value)
  return require "tidepool".current():call(function (v) return v end, value)
end

local function fib(n)
  if n < 2 then
    return n
  end
  local pool = require "tidepool".current()
  local a, b = pool:call(fib, n - 1), pool:call(fib, n - 2)
  return a:await() + b:await()
end

describe("fork and join in Lua", function ()
  after_each(session.finish)

  it("completes with one worker and a queue of four", function ()
    local n = session.check and not session.long and 14 or 20
    local pool, results = narrow(4), { [14] = 377, [20] = 6765 }
    expect.are.equal(results[n], pool:call(fib, n):await(10 * limit))
    local stats = pool:stats()
    expect.are.equal(0, stats.suspended)
    expect.are.equal(stats.submitted, stats.completed)
  end)

  it("completes with one worker and a queue of one", function ()
    expect.are.equal(144, narrow(1):call(fib, 12):await(limit))
  end)

  it("completes with four workers", function ()
    local pool = session.pool { workers = 4, queue = 4 }
    expect.are.equal(610, pool:call(fib, 15):await(limit))
  end)

  it("completes when subtasks are C functions", function ()
    local function sum(n)
      local pool = require "tidepool".current()
      local total = 0
      for i = 1, n do
        total = total + pool:call("test.add", i, 0):await()
      end
      return total
    end
    expect.are.equal(5050, narrow(1):call(sum, 100):await(limit))
  end)

  it("completes across two pools that call each other", function ()
    local function ping(n, mine, other)
      if n == 0 then
        return 0
      end
      local task = require "tidepool".task()
      return other:call(ping, n - 1, other, mine):await() + (task and 1)
    end
    local a, b = narrow(1), narrow(1)
    a:call(ping, 0, a, b):await(limit)
    -- ping is an upvalue of itself; the pools travel as arguments
    expect.are.equal(100, a:call(ping, 100, a, b):await(limit))
  end)
end)

describe("suspended tasks", function ()
  after_each(session.finish)

  local function await(box)
    return box[1]:await()
  end

  it("all resume, many at once", function ()
    local count = session.count(100000, 10000)
    local pool, futures = narrow(4), {}
    local gate, number = testmod.promise()
    for i = 1, count do
      futures[i] = pool:call(function (box, n)
        return box[1]:await() + n
      end, { gate }, i)
    end
    suspended(pool, count)
    expect.is_true(testmod.resolve(number, nil, 7))
    for i, future in ipairs(futures) do
      expect.are.equal(i + 7, future:await(limit))
    end
    expect.are.equal(0, pool:stats().suspended)
    expect.are.equal(count, pool:stats().completed)
  end)

  it("resume along a chain", function ()
    local pool, count = narrow(4), 1000
    local first, number = testmod.promise()
    local last = first
    for _ = 1, count do
      last = pool:call(await, { last })
    end
    suspended(pool, count)
    testmod.resolve(number, nil, "passed on")
    expect.are.equal("passed on", last:await(limit))
  end)

  it("say so, and are counted, and take no slot", function ()
    local pool = narrow(1)
    local gate, number = testmod.promise()
    local futures = {}
    for i = 1, 5 do
      futures[i] = pool:call(await, { gate })
    end
    suspended(pool, 5)
    local stats = pool:stats()
    expect.are.equal(0, stats.running)
    expect.are.equal(0, stats.queued.total)
    for _, future in ipairs(futures) do
      expect.are.equal("suspended", future:state())
      expect.is_false(future:is_ready())
    end
    expect.are.equal(3, pool:call("test.add", 1, 2):await(limit))
    expect.are.equal(4, pool:call(function () return 4 end):await(limit))
    testmod.resolve(number, nil, 1)
    session.settle(futures)
    expect.are.equal(0, pool:stats().suspended)
    expect.are.equal("completed", futures[1]:state())
  end)

  it("go on before new ones begin", function ()
    local pool = narrow(10)
    local promised, number = testmod.promise()
    local first = pool:call(function (box)
      box[1]:await()
      _G.order = (_G.order or "") .. "resumed "
    end, { promised })
    suspended(pool, 1)
    local gate = session.block(pool, 1)
    local new = pool:call(function ()
      _G.order = (_G.order or "") .. "new "
      return _G.order
    end)
    testmod.resolve(number)
    testmod.open(gate)
    expect.are.equal("resumed new ", new:await(limit))
    first:await(limit)
  end)

  it("keep their locals, and nils among the results", function ()
    local pool = narrow()
    local promised, number = testmod.promise()
    local future = pool:call(function (box, ...)
      local held = table.pack(...)
      local got = table.pack(box[1]:await())
      return held.n, held[2], got.n, got[1], got[2], got[3]
    end, { promised }, 1, "two", nil)
    testmod.resolve(number, nil, nil, "x", nil)
    expect.are.same({ 3, "two", 3, nil, "x", nil },
      { future:await(limit) })
  end)
end)

describe("around an await", function ()
  after_each(session.finish)

  -- Runs on one worker, and there is no way round that worker: 200 tasks
  -- in this place at once suspend only if each of them yields.
  local function yields(f)
    local pool = narrow()
    local promised, number = testmod.promise()
    local futures = {}
    for i = 1, 200 do
      futures[i] = pool:call(f, { promised })
    end
    suspended(pool, 200)
    testmod.resolve(number, nil, 21)
    for _, future in ipairs(futures) do
      expect.are.equal(42, future:await(limit))
    end
  end

  it("pcall yields", function ()
    yields(function (box)
      local ok, value = pcall(function () return box[1]:await() * 2 end)
      return ok and value
    end)
  end)

  it("pcall of the method itself yields", function ()
    yields(function (box)
      local ok, value = pcall(box[1].await, box[1])
      return ok and value * 2
    end)
  end)

  it("pcall catches what is raised after it", function ()
    yields(function (box)
      local ok, err = pcall(function ()
        error { box[1]:await() * 2 }
      end)
      return not ok and err[1]
    end)
  end)

  it("xpcall yields, and its handler is there afterwards", function ()
    yields(function (box)
      local ok, value = xpcall(function ()
        error(box[1]:await(), 0)
      end, function (err) return err * 2 end)
      return not ok and value
    end)
  end)

  it("pawait and wait yield", function ()
    yields(function (box)
      local settled = box[1]:wait()
      local ok, value = box[1]:pawait()
      return settled and ok and value * 2
    end)
  end)

  it("awaiting with a timeout yields", function ()
    yields(function (box)
      local settled = box[1]:wait(1000)
      return settled and box[1]:await(1000) * 2
    end)
  end)

  it("<close> variables are closed when their time comes", function ()
    yields(function (box)
      local log = {}
      do
        local _ <close> = setmetatable({}, { __close = function ()
          log[#log + 1] = "closed"
        end })
        log[#log + 1] = box[1]:await()
      end
      return log[2] == "closed" and log[1] * 2
    end)
  end)

  it("a __close handler yields", function ()
    yields(function (box)
      local value
      do
        local _ <close> = setmetatable({}, { __close = function ()
          value = box[1]:await()
        end })
      end
      return value * 2
    end)
  end)

  it("a __close handler yields while an error passes", function ()
    yields(function (box)
      local value
      local ok, err = pcall(function ()
        local _ <close> = setmetatable({}, { __close = function (_, e)
          value = e + box[1]:await()
        end })
        error(21)
      end)
      return not ok and err == 21 and value
    end)
  end)

  for name, operation in pairs {
    __index = function (o) return o.key end,
    __newindex = function (o) o.key = 1 return o[1] end,
    __call = function (o) return o() end,
    __add = function (o) return o + 1 end,
    __unm = function (o) return -o end,
    __len = function (o) return #o end,
    __concat = function (o) return o .. "x" end,
    __eq = function (o)
      local same = o == setmetatable({}, getmetatable(o))
      return same and o[1]
    end,
    __lt = function (o) return o < 1 and o[1] end,
    __le = function (o) return o <= 1 and o[1] end,
  } do
    it(name .. " yields", function ()
      local body = load(([[
        local operation, box = ...
        local result
        local o = setmetatable({}, {
          %s = function (o)
            result = box[1]:await() * 2
            rawset(o, 1, result)
            return result
          end,
        })
        local answer = operation(o)
        return (answer == result or answer == nil) and result
          or (answer and result)
      ]]):format(name))
      yields(function (box)
        return body(operation, box)
      end)
    end)
  end

  it("an iterator yields", function ()
    yields(function (box)
      local sum = 0
      for value in function (_, last)
        return not last and box[1]:await() or nil
      end do
        sum = sum + value * 2
      end
      return sum
    end)
  end)

  it("a __pairs iterator yields", function ()
    yields(function (box)
      local sum = 0
      local list = setmetatable({}, { __pairs = function ()
        local value = box[1]:await()
        return function (_, last)
          return not last and value + box[1]:await() or nil
        end
      end })
      for value in pairs(list) do
        sum = sum + value
      end
      return sum
    end)
  end)

  it("a chunk that dofile or require runs may await", function ()
    local pool = narrow()
    expect.are.equal(5, pool:call(function (await)
      package.preload["lua_await_spec.fresh"] = function ()
        return { value = await() }
      end
      return require "lua_await_spec.fresh".value
    end, function ()
      local module = require "tidepool"
      return module.current():call("test.add", 2, 3):await()
    end):await(limit))
  end)

  -- Where Lua cannot yield: the awaited task is run there and then, if
  -- nobody has claimed it.
  local stiff = {
    ["a table.sort comparator"] = function (await)
      local list = { 3, 1, 2 }
      table.sort(list, function (a, b) return await(a) < await(b) end)
      return table.concat(list)
    end,
    ["the reader of load"] = function (await)
      local at, pieces = 0, { "return ", "12", "3" }
      return tostring(load(function ()
        at = at + 1
        return pieces[at] and await(pieces[at])
      end)())
    end,
    ["__tostring"] = function (await)
      return tostring(setmetatable({}, {
        __tostring = function () return await "123" end,
      }))
    end,
    ["a comparator in a coroutine"] = function (await)
      return coroutine.wrap(function ()
        local list = { 3, 1, 2 }
        table.sort(list, function (a, b) return await(a) < await(b) end)
        return table.concat(list)
      end)()
    end,
    ["a coroutine in a comparator"] = function (await)
      local list = { 3, 1, 2 }
      table.sort(list, function (a, b)
        return coroutine.wrap(function () return await(a) < await(b) end)()
      end)
      return table.concat(list)
    end,
    ["the closing of a coroutine"] = function (await)
      local result
      local co = coroutine.create(function ()
        local _ <close> = setmetatable({}, {
          __close = function () result = await "123" end,
        })
        coroutine.yield()
      end)
      coroutine.resume(co)
      return coroutine.close(co) and result
    end,
  }
  stiff["a string.gsub callback"] = function (await)
    local at = 0
    return (("abc"):gsub(".", function ()
      at = at + 1
      return await(tostring(at))
    end))
  end

  for where, f in pairs(stiff) do
    it(where .. " gets what it awaits on one worker", function ()
      local pool = narrow()
      for _ = 1, 5 do
        expect.are.equal("123", pool:call(f, function (value)
          return later(value):await()
        end):await(limit))
      end
      local stats = pool:stats()
      expect.are.equal(stats.submitted, stats.completed)
    end)

    it(where .. " blocks, and the pool lives on", function ()
      local pool = narrow()
      local promised, number = testmod.promise()
      local future = pool:call(f, function (value)
        promised:await()
        return value
      end)
      session.eventually(function ()
        return future:state() == "suspended"
      end)
      for i = 1, 20 do -- more than the queue: somebody takes them
        expect.are.equal(i, pool:call("test.add", i, 0):await(limit))
        expect.are.equal(i, pool:call(function (n)
          return n
        end, i):await(limit))
      end
      testmod.resolve(number)
      expect.are.equal("123", future:await(limit))
    end)
  end

  it("a comparator may await a task that itself suspends", function ()
    local pool = narrow()
    local promised, number = testmod.promise()
    local future = pool:call(function (box)
      local pool = require "tidepool".current() -- luacheck: ignore
      return (("x"):gsub("x", function ()
        return pool:call(function (inner)
          return inner[1]:await()
        end, box):await()
      end))
    end, { promised })
    session.eventually(function () return pool:stats().suspended > 0 end)
    testmod.resolve(number, nil, "through")
    expect.are.equal("through", future:await(limit))
  end)

  it("comparators that await such tasks do not block each other", function ()
    local pool, futures = narrow(100), {}
    local gate = session.block(pool, 1)
    for i = 1, 10 do
      futures[i] = pool:call(function ()
        local pool = require "tidepool".current() -- luacheck: ignore
        local middle = pool:call(function ()
          return pool:call(function () return "leaf" end):await()
        end)
        return (("x"):gsub("x", function () return middle:await() end))
      end)
    end
    testmod.open(gate)
    for _, future in ipairs(futures) do
      expect.are.equal("leaf", future:await(limit))
    end
  end)

  it("comparators hold no task that another worker's waits for", function ()
    local pool = session.pool { workers = 2 }
    local promised, number = testmod.promise()
    local parked, stiffly = {}, {}
    local function both(list, f, ...) -- one in each worker
      local gate = session.gate()
      for i = 1, 2 do
        list[i] = pool:call(f, gate, i, ...)
      end
      session.entered(gate, 2)
      testmod.open(gate)
    end
    both(parked, function (gate, i, box)
      _G.mine = i
      require "tidepool".invoke("test.gate", gate)
      return box[1]:await()
    end, { promised })
    suspended(pool, 2)
    both(stiffly, function (gate, _, others)
      require "tidepool".invoke("test.gate", gate)
      return (("x"):gsub("x", function ()
        return others[3 - _G.mine]:await()
      end))
    end, parked)
    suspended(pool, 4)
    testmod.resolve(number, nil, "through")
    for i = 1, 2 do
      expect.are.equal("through", stiffly[i]:await(limit))
      expect.are.equal("through", parked[i]:await(limit))
    end
  end)

  it("a finalizer that awaits does no harm", function ()
    local pool = narrow()
    local result = pool:call(function ()
      local done = require "tidepool".current():call("test.add", 1, 2)
      do
        setmetatable({}, { __gc = function ()
          _G.collected = table.pack(pcall(done.await, done))
        end })
      end
      collectgarbage()
      collectgarbage()
      return _G.collected[2] == 3 or type(tostring(_G.collected[2]))
    end):await(limit)
    expect.is_true(result == true or result == "string")
    expect.are.equal(1, pool:call(function () return 1 end):await(limit))
  end)
end)

describe("awaits that cannot yield, nested,", function ()
  after_each(session.finish)

  local function deep(n)
    local result = 0
    if n > 0 then
      local pool = require "tidepool".current()
      local below = pool:call(deep, n - 1)
      local _ = ("x"):gsub("x", function () result = below:await() end)
    end
    return result + 1
  end

  it("work to a depth", function ()
    expect.are.equal(26, narrow():call(deep, 25):await(limit))
    local pool = session.pool { workers = 4 }
    expect.are.equal(26, pool:call(deep, 25):await(limit))
  end)

  it("get a clear error past it, and the pool lives", function ()
    -- Those further down are begun anew, and fail with nobody to hear.
    tidepool.on_unhandled(function () end)
    for workers = 1, 3 do
      local pool = session.pool { workers = workers }
      local err = session.failure(pool:call(deep, 1000))
      expect.are.equal("error", err.kind)
      expect.is_nil(err.message:find "stack overflow", err.message)
      expect.is_truthy(err.message:find "await", err.message)
      expect.is_truthy(err.message:find "deep", err.message)
      expect.is_true(pool:wait_all(limit))
      expect.are.equal(26, pool:call(deep, 25):await(limit))
    end
  end)

  -- Tasks that could not yield kept their slots, or waited at the door for
  -- slots that only they could free; or were told of rings that were none.
  it("come to an end in pools with small queues", function ()
    for workers = 1, 3 do
      for _, queue in ipairs { 1, 2, 6 } do
        local pool = session.pool { workers = workers, queue = queue }
        for _ = 1, session.check and 2 or 10 do
          local futures = {}
          for i = 1, 20 do
            futures[i] = pool:call(deep, 6)
          end
          for _, future in ipairs(futures) do
            expect.are.equal(7, future:await(limit))
          end
        end
      end
    end
  end)

  it("have no depth where they yield", function ()
    local function down(n)
      local pool = require "tidepool".current()
      return n == 0 and 0 or pool:call(down, n - 1):await() + 1
    end
    expect.are.equal(2000, narrow():call(down, 2000):await(limit))
  end)
end)

describe("a coroutine in a task", function ()
  after_each(session.finish)

  it("made by wrap yields to its own user, and awaits", function ()
    local pool = narrow()
    expect.are.same({ 2, 4, 6, 8, 10 }, (pool:call(function ()
      local squares = {}
      for value in coroutine.wrap(function ()
        for i = 1, 5 do
          coroutine.yield(later(i * 2):await())
        end
      end) do
        squares[#squares + 1] = value
      end
      return squares
    end):await(limit)))
  end)

  it("suspends the task as a whole, at any depth", function ()
    local pool = narrow()
    local promised, number = testmod.promise()
    local futures = {}
    for i = 1, 100 do
      futures[i] = pool:call(function (box)
        local function nest(n)
          if n == 0 then
            return box[1]:await()
          end
          return coroutine.wrap(function ()
            return select(2, assert(coroutine.resume(
              coroutine.create(nest), n - 1)))
          end)()
        end
        return nest(5)
      end, { promised })
    end
    suspended(pool, 100)
    testmod.resolve(number, nil, "deep")
    for _, future in ipairs(futures) do
      expect.are.equal("deep", future:await(limit))
    end
  end)

  it("gets and gives values as in Lua itself", function ()
    local log = session.pool { workers = 1 }:call(function ()
      local log = {}
      local co = coroutine.create(function (a, b)
        local c = coroutine.yield(a + b, later("x"):await())
        local d, e = coroutine.yield(c .. later("y"):await())
        later(0):await()
        return d, e, nil
      end)
      local function put(...)
        log[#log + 1] = table.pack(...)
      end
      put(coroutine.resume(co, 1, 2))
      put(coroutine.resume(co, "c"))
      put(coroutine.resume(co, nil, "e"))
      put(coroutine.resume(co))
      return log
    end):await(limit)
    expect.are.same({
      { true, 3, "x", n = 3 }, { true, "cy", n = 2 },
      { true, nil, "e", nil, n = 4 },
      { false, "cannot resume dead coroutine", n = 2 },
    }, log)
  end)

  it("knows its status, whether it may yield, and itself", function ()
    local seen = narrow():call(function ()
      local seen, co, outer = {}, nil, nil
      local function look(when)
        local running, main = coroutine.running()
        seen[when] = {
          status = co and coroutine.status(co),
          outer = outer and coroutine.status(outer),
          self = running == co, main = main,
          yieldable = coroutine.isyieldable(),
          of_co = co and coroutine.isyieldable(co),
        }
      end
      outer = coroutine.create(function ()
        co = coroutine.create(function ()
          look "before"
          later(1):await()
          look "after"
          coroutine.yield()
          later(1):await()
          look "last"
        end)
        assert(coroutine.resume(co))
        look "outside"
        later(1):await()
        look "still outside"
        assert(coroutine.resume(co))
        look "dead"
      end)
      assert(coroutine.resume(outer))
      return seen
    end):await(limit)
    local inside = {
      status = "running", outer = "normal", self = true, main = false,
      yieldable = true, of_co = true,
    }
    expect.are.same(inside, seen.before)
    expect.are.same(inside, seen.after)
    expect.are.same(inside, seen.last)
    local outside = {
      status = "suspended", outer = "running", self = false, main = false,
      yieldable = true, of_co = true,
    }
    expect.are.same(outside, seen.outside)
    expect.are.same(outside, seen["still outside"])
    expect.are.equal("dead", seen.dead.status)
  end)

  it("can be closed between awaits", function ()
    local closed, ok, status, bad, why = narrow():call(function ()
      local closed = false
      local co = coroutine.create(function ()
        local _ <close> = setmetatable({}, {
          __close = function () closed = true end,
        })
        later(1):await()
        coroutine.yield()
      end)
      coroutine.resume(co)
      local ok = coroutine.close(co)
      local other = coroutine.create(function ()
        local _ <close> = setmetatable({}, {
          __close = function () error("of closing", 0) end,
        })
        later(1):await()
        coroutine.yield()
      end)
      coroutine.resume(other)
      return closed, ok, coroutine.status(co), coroutine.close(other)
    end):await(limit)
    expect.is_true(closed)
    expect.is_true(ok)
    expect.are.equal("dead", status)
    expect.is_false(bad)
    expect.are.equal("of closing", why)
  end)

  it("passes its errors on after an await", function ()
    local ok, why, wrapped, status = narrow():call(function ()
      local co = coroutine.create(function ()
        later(1):await()
        error({ "a table" }, 0)
      end)
      local ok, why = coroutine.resume(co)
      local _, wrapped = pcall(coroutine.wrap(function ()
        later(1):await()
        error("text", 0)
      end))
      return ok, why, wrapped, coroutine.status(co)
    end):await(limit)
    expect.is_false(ok)
    expect.are.same({ "a table" }, why)
    expect.is_truthy(wrapped:find("text", 1, true))
    expect.are.equal("dead", status)
  end)

  it("gets the Error of a failed future in itself", function ()
    local kind, message = narrow():call(function ()
      return coroutine.wrap(function ()
        local future = require "tidepool".current():call("test.fail", "no")
        local ok, err = pcall(future.await, future)
        return not ok and err.kind, err.message
      end)()
    end):await(limit)
    expect.are.equal("error", kind)
    expect.are.equal("no", message)
  end)

  it("may be begun in one task and go on in another", function ()
    local pool = narrow()
    pool:call(function ()
      _G.generator = coroutine.wrap(function ()
        for i = 1, 3 do
          coroutine.yield(later(i):await())
        end
      end)
    end):await(limit)
    for i = 1, 3 do
      expect.are.equal(i, pool:call(function ()
        return _G.generator()
      end):await(limit))
    end
  end)

  it("that awaits cannot be resumed by another task", function ()
    local pool = narrow()
    local promised, number = testmod.promise()
    local future = pool:call(function (box)
      _G.stolen = coroutine.create(function ()
        return box[1]:await()
      end)
      return coroutine.resume(_G.stolen)
    end, { promised })
    suspended(pool, 1)
    local ok, why, closed = pool:call(function ()
      local ok, why = coroutine.resume(_G.stolen)
      return ok, why, (pcall(coroutine.close, _G.stolen))
    end):await(limit)
    expect.is_false(ok)
    expect.are.equal("string", type(why))
    expect.is_false(closed)
    testmod.resolve(number, nil, "kept")
    expect.are.same({ true, "kept" }, { future:await(limit) })
  end)

  it("that is a task cannot be resumed or closed by another", function ()
    local pool = narrow()
    local promised, number = testmod.promise()
    local future = pool:call(function (box)
      _G.stolen = coroutine.running()
      return box[1]:await()
    end, { promised })
    suspended(pool, 1)
    local resumed, closed = pool:call(function ()
      return (coroutine.resume(_G.stolen)),
        (pcall(coroutine.close, _G.stolen))
    end):await(limit)
    expect.is_false(resumed)
    expect.is_false(closed)
    testmod.resolve(number, nil, "kept")
    expect.are.equal("kept", future:await(limit))
  end)

  it("that is a task cannot resume or close itself", function ()
    local resumed, closed = narrow():call(function ()
      local me = coroutine.running()
      return (coroutine.resume(me)), (pcall(coroutine.close, me))
    end):await(limit)
    expect.is_false(resumed)
    expect.is_false(closed)
  end)

  it("is what yield needs: the top of a task is outside", function ()
    local pool = narrow()
    local err = session.failure(pool:call(function ()
      coroutine.yield "?"
    end))
    expect.are.equal("error", err.kind)
    expect.is_truthy(err.message:find("outside a coroutine", 1, true),
      err.message)
    local ok, yieldable = pool:call(function ()
      return (pcall(coroutine.yield)), coroutine.isyieldable()
    end):await(limit)
    expect.is_false(ok)
    expect.is_false(yieldable)
  end)

  it("may be dropped half-way", function ()
    local pool = narrow()
    for _ = 1, 100 do
      pool:call(function ()
        coroutine.wrap(function ()
          later(1):await()
          coroutine.yield()
        end)()
      end):await(limit)
    end
    pool:call(function () collectgarbage() end):await(limit)
  end)

  it("that C code resumed blocks, and gets its result", function ()
    local pool = narrow()
    local run = function (box)
      local loop, result = require "cqueues".new(), nil
      loop:wrap(function () result = box[1]:await() end)
      assert(loop:loop())
      return result
    end
    local unclaimed = pool:call(function (f)
      return f { later "unclaimed" }
    end, run)
    expect.are.equal("unclaimed", unclaimed:await(limit))
    local promised, number = testmod.promise()
    local future = pool:call(run, { promised })
    session.eventually(function () return future:state() == "suspended" end)
    expect.are.equal(3, pool:call("test.add", 1, 2):await(limit))
    testmod.resolve(number, nil, "in C")
    expect.are.equal("in C", future:await(limit))
  end)
end)

describe("in a task", function ()
  after_each(session.finish)

  it("await raises kind timeout, and the other task goes on", function ()
    local pool = narrow()
    local promised, number = testmod.promise()
    local future = pool:call(function (box)
      local kinds = {}
      for i, seconds in ipairs { 0, 0.001, 0.02 } do
        local ok, err = pcall(box[1].await, box[1], seconds)
        kinds[i] = ok or err.kind
        ok, err = box[1]:pawait(seconds)
        kinds[i] = kinds[i] .. (ok and "" or " " .. err.kind)
        kinds[i] = kinds[i] .. " " .. tostring(box[1]:wait(seconds))
      end
      return kinds, box[1]:await()
    end, { promised })
    suspended(pool, 1)
    session.eventually(function () return pool:stats().submitted == 1 end)
    testmod.resolve(number, 0.2, "at last")
    local kinds, value = future:await(limit)
    for i = 1, 3 do
      expect.are.equal("timeout timeout false", kinds[i])
    end
    expect.are.equal("at last", value)
    expect.is_true(testmod.answer(number))
  end)

  it("an await with a timeout lets others run meanwhile", function ()
    local pool, futures = narrow(), {}
    local promised, number = testmod.promise()
    for i = 1, 100 do
      futures[i] = pool:call(function (box)
        local ok, err = box[1]:pawait(0.01)
        return ok, err.kind
      end, { promised })
    end
    for _, future in ipairs(futures) do
      expect.are.same({ false, "timeout" }, { future:await(limit) })
    end
    testmod.resolve(number)
  end)

  it("a timeout works where nothing can yield", function ()
    local pool = narrow()
    local promised, number = testmod.promise()
    expect.are.equal("timeout", pool:call(function (box)
      return (("x"):gsub("x", function ()
        local _, err = box[1]:pawait(0.01)
        return err.kind
      end))
    end, { promised }):await(limit))
    testmod.resolve(number)
  end)

  it("wait, is_ready, get and state say how it is", function ()
    local pool = narrow()
    local promised, number = testmod.promise()
    local future = pool:call(function (box)
      local f = box[1]
      local before = { f:is_ready(), f:state(), select(2, pcall(f.get, f)) }
      local settled = f:wait()
      return before, settled, f:is_ready(), f:state(), f:get()
    end, { promised })
    suspended(pool, 1)
    testmod.resolve(number, nil, "value")
    local before, settled, ready, state, value = future:await(limit)
    expect.is_false(before[1])
    expect.are.equal("pending", before[2])
    expect.is_truthy(before[3]:find("future not ready", 1, true))
    expect.is_true(settled)
    expect.is_true(ready)
    expect.are.equal("completed", state)
    expect.are.equal("value", value)
  end)

  it("misuse of await is an error with its position", function ()
    local err = session.failure(narrow():call(function ()
      later(1):await(-1)
    end))
    expect.is_truthy(err.message:find "lua_await_spec.lua:%d+:.*seconds")
  end)

  it("call waits for a slot of a full pool of one worker", function ()
    local pool = narrow(1)
    expect.are.equal(5050, pool:call(function ()
      local current, futures, sum = require "tidepool".current(), {}, 0
      for i = 1, 100 do
        futures[i] = current:call("test.add", i, 0)
      end
      for _, future in ipairs(futures) do
        sum = sum + future:await()
      end
      return sum
    end):await(limit))
  end)

  it("call waits where nothing can yield", function ()
    local pool = narrow(1)
    expect.are.equal(55, pool:call(function ()
      local current, futures, sum = require "tidepool".current(), {}, 0
      local _ = ("x"):rep(10):gsub("x", function ()
        futures[#futures + 1] = current:call("test.add", #futures + 1, 0)
      end)
      for _, future in ipairs(futures) do
        sum = sum + future:await()
      end
      return sum
    end):await(limit))
  end)

  it("call waits at the door of another pool", function ()
    local pool, other = narrow(1), narrow(1)
    local gate = session.block(other, 1)
    local queued = other:call("test.add", 0, 0)
    local futures = {}
    for i = 1, 20 do
      futures[i] = pool:call(function (there, n)
        return there:call("test.add", n, 1):await()
      end, other, i)
    end
    suspended(pool, 20)
    testmod.open(gate)
    for i, future in ipairs(futures) do
      expect.are.equal(i + 1, future:await(limit))
    end
    queued:await(limit)
  end)

  it("a call at a door ends with the pool behind it", function ()
    local pool, other = narrow(1), narrow(1)
    session.block(other, 1)
    local queued = other:call("test.add", 0, 0)
    local future = pool:call(function (there)
      local ok, err = pcall(there.call, there, "test.add", 1, 1)
      return ok, err.kind
    end, other)
    suspended(pool, 1)
    other:shutdown { drain = false, timeout = 0 }
    expect.are.same({ false, "closed" }, { future:await(limit) })
    expect.are.equal("cancelled", queued:state())
  end)

  it("a call at a door with a deadline ends by it", function ()
    local pool, other = narrow(1), narrow(1)
    local gate = session.block(other, 1)
    local queued = other:call("test.add", 0, 0)
    local future = pool:call(function (there)
      local view = there:with { timeout = 0.02 }
      local _, err = pcall(function ()
        return view:call("test.add", 1, 1):await()
      end)
      return err.kind
    end, other)
    expect.are.equal("timeout", future:await(limit))
    testmod.open(gate)
    queued:await(limit)
  end)

  it("try_call and full = \"fail\" do not wait", function ()
    local pool, other = narrow(1), narrow(1)
    session.block(other, 1)
    local queued = other:call("test.add", 0, 0)
    local future, why, kind = pool:call(function (there)
      local view = there:with { full = "fail" }
      local future, why = there:try_call("test.add", 1, 1)
      local _, err = pcall(view.call, view, "test.add", 1, 1)
      return future, why, err.kind
    end, other):await(limit)
    expect.is_nil(future)
    expect.are.equal("full", why)
    expect.are.equal("full", kind)
    expect.is_truthy(queued)
  end)

  it("call_many takes a batch larger than the queue", function ()
    for _, queue in ipairs { 1, 3, 1000 } do
      local pool = narrow(queue)
      expect.are.equal(20100, pool:call(function ()
        local batch, sum = {}, 0
        for i = 1, 200 do
          batch[i] = { i, 0 }
        end
        local current = require "tidepool".current()
        for _, future in ipairs(current:call_many("test.add", batch)) do
          sum = sum + future:await()
        end
        return sum
      end):await(limit))
    end
  end)

  it("call_many of Lua functions works as well", function ()
    expect.are.equal(5150, narrow(2):call(function ()
      local batch, sum = {}, 0
      for i = 1, 100 do
        batch[i] = { i }
      end
      local current = require "tidepool".current()
      local futures = current:call_many(function (n) return n + 1 end, batch)
      for _, future in ipairs(futures) do
        sum = sum + future:await()
      end
      return sum
    end):await(limit))
  end)

  it("a future may be awaited by many and again", function ()
    local pool = session.pool { workers = 2 }
    local promised, number = testmod.promise()
    local futures = {}
    for i = 1, 50 do
      futures[i] = pool:call(function (box)
        local first, second = box[1]:await(), box[1]:await()
        return first[1] == "t" and rawequal(first, second)
      end, { promised })
    end
    suspended(pool, 50)
    testmod.resolve(number, nil, { "t" })
    for _, future in ipairs(futures) do
      expect.is_true(future:await(limit))
    end
  end)
end)

-- Each of these stood still, or worse, once.
describe("a task that awaits", function ()
  after_each(session.finish)

  local function consume(v) return v end

  -- Awaits the future in the box where nothing can yield.
  local function stiffly(box)
    local result
    local _ = ("x"):gsub("x", function () result = box[1]:await() end)
    return result
  end

  it("may call though what follows it has all the slots", function ()
    local pool = session.pool { workers = 1, queue = 4 }
    local go, promise = tidepool.promise()
    local task = pool:call(function (box)
      box[1]:await()
      local current = require "tidepool".current()
      for _ = 1, 3 do
        current:call(function () end):await()
      end
      return "done"
    end, { go })
    session.eventually(function () return task:state() == "suspended" end)
    local followers = {}
    repeat
      local follower = pool:try_call(consume, task)
      followers[#followers + 1] = follower
    until not follower
    expect.are.equal(5, #followers)
    promise:resolve()
    expect.are.equal("done", task:await(limit))
    for _, follower in ipairs(followers) do
      expect.are.equal("done", follower:await(limit))
    end
  end)

  it("stands at the door if what has the slots waits for others", function ()
    local pool = session.pool { workers = 1, queue = 4 }
    local input, promise = tidepool.promise()
    local task = pool:call(function (box, f)
      local current, futures = require "tidepool".current(), {}
      for i = 1, 20 do
        futures[i] = current:call(f, box[1])
      end
      for i = 1, 20 do
        futures[i]:await()
      end
      return "done"
    end, { input }, consume)
    session.eventually(function () return task:state() == "suspended" end)
    expect.are.equal(5, pool:stats().queued.total)
    promise:resolve()
    expect.are.equal("done", task:await(limit))
  end)

  it("may do so at the same time as others", function ()
    local pool = session.pool { workers = 2, queue = 3 }
    for _ = 1, session.check and 20 or 200 do
      local tasks = {}
      for i = 1, 4 do
        tasks[i] = pool:call(function (n)
          local current = require "tidepool".current()
          local first = current:call(function (k) return k end, n)
          return current:call(function (k) return k + 1 end, first):await()
        end, i)
      end
      for i = 1, 4 do
        expect.are.equal(i + 1, tasks[i]:await(limit))
      end
    end
  end)

  for _, way in ipairs { "yields", "cannot yield" } do
    it("may stand at the door of a pool that waits for it, where it " .. way,
      function ()
        local here = session.pool { workers = 1 }
        local there = session.pool { workers = 1, queue = 1 }
        local go, promise = tidepool.promise()
        local task = here:call(function (pool, box, stiff)
          box[1]:await()
          if stiff then
            return (("x"):gsub("x", function ()
              pool:call(function () end)
              return "done"
            end))
          end
          pool:call(function () end)
          return "done"
        end, there, { go }, way == "cannot yield")
        local waiting = {
          there:call(stiffly, { task }), there:call(stiffly, { task }),
        }
        session.eventually(function ()
          return there:stats().suspended == 2
        end, "both workers are blocked")
        local queued = {}
        repeat
          queued[#queued + 1] = there:try_call(function () end)
        until not there:try_call(function () end)
        promise:resolve()
        expect.are.equal("done", task:await(limit))
        for _, future in ipairs(waiting) do
          expect.are.equal("done", future:await(limit))
        end
      end)
  end

  it("is helped by whoever waits for it, by way of another pool", function ()
    local here = session.pool { workers = 1 }
    local there = session.pool { workers = 2 }
    local go, promise = tidepool.promise()
    local function back(pool, box)
      box[1]:await()
      return pool:call(function () return "leaf" end):await()
    end
    local futures = {}
    for i = 1, 2 do
      futures[i] = here:call(stiffly, { there:call(back, here, { go }) })
    end
    session.eventually(function () return here:stats().suspended == 2 end,
      "all workers are blocked")
    promise:resolve()
    for i = 1, 2 do
      expect.are.equal("leaf", futures[i]:await(limit))
    end
  end)

  it("may do so while others on the way are cancelled", function ()
    local pool = session.pool { workers = 2, queue = 10000 }
    local length = session.check and 300 or 3000
    for round = 1, session.check and 5 or 30 do
      local input, promise = tidepool.promise()
      local chain = { pool:call(consume, input) }
      for i = 2, length do
        chain[i] = pool:call(consume, chain[i - 1])
      end
      local looker = pool:call(function (box)
        repeat until box[1]:wait(1e-9)
      end, { chain[length] })
      for _ = 1, round * 100 do
        looker:is_ready()
      end
      chain[length // 2]:cancel()
      looker:await(limit)
      promise:resolve()
    end
    expect.is_true(pool:wait_all(limit))
  end)
end)

describe("a ring of tasks", function ()
  after_each(session.finish)

  -- Awaits the future that the promise in the box is about.
  local function through(box, stiff)
    local other = box[1]:await()
    if stiff then
      return (("x"):gsub("x", function () return other:await() end))
    end
    return other:await()
  end

  local function ring(pools, stiff)
    local promises, futures = {}, {}
    for i, pool in ipairs(pools) do
      local promised, number = testmod.promise()
      promises[i] = number
      futures[i] = pool:call(through, { promised }, stiff)
    end
    for _, future in ipairs(futures) do
      session.eventually(function ()
        return future:state() == "suspended"
      end)
    end
    for i in ipairs(pools) do
      testmod.resolve(promises[i], nil, futures[i % #pools + 1])
    end
    session.settle(futures)
    for _, future in ipairs(futures) do
      expect.are.equal("failed", future:state())
      local err = session.failure(future)
      expect.are.equal("error", err.kind)
      expect.is_truthy(err.message:find("wait for each other", 1, true),
        err.message)
      -- Where they cannot yield, one may hold up another whose worker it has
      -- to use: then the ring is shorter.
      for _, each in ipairs(stiff and {} or futures) do
        expect.is_truthy(err.message:find(tostring(each:id()), 1, true),
          err.message)
      end
    end
    for _, pool in ipairs(pools) do
      expect.are.equal(0, pool:stats().suspended)
      expect.are.equal(1, pool:call(function () return 1 end):await(limit))
    end
  end

  for count = 1, 3 do
    local function pools(make)
      local list, first = {}, make()
      for i = 1, count do
        list[i] = first
      end
      return list
    end

    it(("of %d gets an error that names it"):format(count), function ()
      for _ = 1, 20 do
        ring(pools(narrow))
      end
    end)

    it(("of %d is found on four workers"):format(count), function ()
      for _ = 1, 20 do
        ring(pools(function () return session.pool { workers = 4 } end))
      end
    end)

    it(("of %d is found where nothing can yield"):format(count), function ()
      ring(pools(function () return session.pool { workers = 4 } end), true)
    end)

    it(("of %d is found across pools"):format(count), function ()
      local list = {}
      for i = 1, count do
        list[i] = narrow()
      end
      ring(list)
    end)
  end

  it("that goes through an argument is found", function ()
    local pool = narrow()
    local promised, number = testmod.promise()
    local future = pool:call(through, { promised })
    suspended(pool, 1)
    local follower = pool:call("test.echo", future)
    testmod.resolve(number, nil, follower)
    session.settle { future, follower }
    local err = session.failure(future)
    expect.is_truthy(err.message:find(tostring(future:id()), 1, true),
      err.message)
    expect.are.equal("failed", follower:state())
  end)

  it("can be caught", function ()
    local pool = narrow()
    local promised, number = testmod.promise()
    local future = pool:call(function (box)
      local me = box[1]:await()
      local ok, why = pcall(me.await, me)
      return ok, tostring(why), later(5):await()
    end, { promised })
    suspended(pool, 1)
    testmod.resolve(number, nil, future)
    local ok, why, value = future:await(limit)
    expect.is_false(ok)
    expect.is_truthy(why:find(tostring(future:id()), 1, true), why)
    expect.are.equal(5, value)
  end)

  it("is none where tasks share what they await", function ()
    local pool, futures = narrow(), {}
    local promised, number = testmod.promise()
    local base = pool:call(function (box) return box[1]:await() end,
      { promised })
    local function both(box)
      return box[1]:await() + box[2]:await()
    end
    local before, last = base, base
    for i = 1, 10 do
      futures[i] = pool:call(both, { before, last })
      before, last = last, futures[i]
    end
    testmod.resolve(number, nil, 1)
    expect.are.equal(144, last:await(limit))
  end)
end)
