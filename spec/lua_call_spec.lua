-- Lua functions on the workers: calling them, and what crosses.

local point = require "spec.support.point"
local samples = require "spec.support.samples"
local session = require "spec.support.session"
local testmod = require "testmod"
local tidepool = require "tidepool"


-- Calls on a pool of one worker, and answers the results.
local function run(f, ...)
  return session.pool():call(f, ...):await(session.limit)
end

-- Asserts that a call is refused with these words, and nothing was queued.
local function refused(words, f, ...)
  local pool = session.pool()
  for _, method in ipairs { "call", "try_call" } do
    local ok, err = pcall(pool[method], pool, f, ...)
    assert.is_false(ok)
    assert.are.equal("string", type(err))
    for _, word in ipairs(words) do
      assert.is_truthy(err:find(word, 1, true), err)
    end
  end
  assert.are.equal(0, pool:stats().submitted)
end

describe("a Lua function", function ()
  after_each(session.finish)

  it("is called with its arguments and answers its results", function ()
    assert.are.equal(31, run(function (n) return n + 1 end, 30))
    local results = table.pack(run(function (...)
      return select("#", ...), ...
    end, nil, "two", nil, 4.0, nil))
    assert.are.same({ 5, nil, "two", nil, 4.0, nil, n = 6 }, results)
    assert.are.equal("float", math.type(results[5]))
  end)

  it("may answer nothing, or one nil", function ()
    assert.are.equal(0, select("#", run(function () end)))
    assert.are.equal(1, select("#", run(function () return nil end)))
    assert.are.equal(3, select("#", run(function ()
      return nil, nil, nil
    end)))
  end)

  it("takes and answers many values", function ()
    local arguments = {}
    for i = 1, 200 do
      arguments[i] = i
    end
    local results = table.pack(run(function (...) return ... end,
      table.unpack(arguments)))
    assert.are.equal(200, results.n)
    assert.are.equal(200, results[200])
  end)

  it("gets any value as it was, and gives it back", function ()
    math.randomseed(17)
    local pool = session.pool()
    local echo = function (...) return ... end
    for round = 1, session.count(3000, 300) do
      local value = samples.value(math.random, 4)
      local ok, where = samples.same(value,
        pool:call(echo, value):await(session.limit))
      assert.is_true(ok, ("round %d: %s"):format(round, tostring(where)))
    end
  end)

  it("may recurse", function ()
    local function fib(n)
      return n < 2 and n or fib(n - 1) + fib(n - 2)
    end
    assert.are.equal(610, run(fib, 15))
    local even
    local function odd(n) return n > 0 and even(n - 1) end
    function even(n) return n == 0 or odd(n - 1) end
    assert.is_true(run(even, 100))
    assert.is_false(run(odd, 100))
  end)

  it("may be made anew for each call", function ()
    local pool, futures = session.pool { workers = 2, queue = 100 }, {}
    for i = 1, 3000 do
      futures[i] = pool:call(function () return i end)
    end
    for i = 1, 3000 do
      futures[3000 + i] = pool:call(load(("return %d"):format(i)))
    end
    for i, future in ipairs(futures) do
      assert.are.equal((i - 1) % 3000 + 1, future:await(session.limit))
    end
  end)

  it("may hold others, some levels deep", function ()
    local chain = function () return 0 end
    for _ = 1, 50 do
      local inner = chain
      chain = function () return inner() + 1 end
    end
    assert.are.equal(50, run(chain))
    for _ = 1, 500 do
      local inner = chain
      chain = function () return inner() + 1 end
    end
    refused({ "deep" }, chain)
  end)

  it("may have many upvalues", function ()
    -- More than a function may have local variables, too.
    for _, count in ipairs { 1, 2, 60, 190, 199, 200, 201, 255 } do
      local names, values = {}, {}
      for i = 1, count do
        names[i], values[i] = "v" .. i, i
      end
      local function list(of, from, to)
        return table.concat(of, ",", from, math.min(to, count))
      end
      local source = ("local %s = %s "):format(list(names, 1, 150),
        list(values, 1, 150))
      if count > 150 then
        source = source .. ("return (function () local %s = %s "):format(
          list(names, 151, 255), list(values, 151, 255))
      end
      source = source .. "return function () return " ..
        table.concat(names, "+") .. " end"
      if count > 150 then
        source = source .. " end)()"
      end
      local f = assert(load(source))()
      local pool = session.pool()
      for _ = 1, 2 do
        assert.are.equal(count * (count + 1) // 2,
          pool:call(f):await(session.limit))
      end
    end
  end)

  it("with upvalues is loaded once by a worker, not once a call", function ()
    local source, one = { "local one = ... return function (n) if n then" }, 1
    for i = 1, 2000 do
      source[#source + 1] = ("t[%d] = %d.5 + '%d'"):format(i, i, i)
    end
    source[#source + 1] = "end return one end"
    local big = load(table.concat(source, "\n"))(one)
    local pool = session.pool()
    assert.is_true(#string.dump(big) > 2 ^ 16)
    local function used()
      collectgarbage "stop"
      return collectgarbage "count" * 1024
    end
    pool:call(big):await(session.limit)
    local before = pool:call(used):await(session.limit)
    for _ = 1, 100 do
      assert.are.equal(1, pool:call(big):await(session.limit))
    end
    local after = pool:call(used):await(session.limit)
    assert.is_true(after - before < #string.dump(big), after - before)
  end)

  it("with upvalues is another function at each call", function ()
    local pool, mark = session.pool(), { 0 }
    local function count()
      mark[1] = mark[1] + 1
      _G.kept = _G.kept or {}
      _G.kept[#_G.kept + 1] = count
      return mark[1]
    end
    for _ = 1, 3 do
      assert.are.equal(1, pool:call(count):await(session.limit))
    end
    assert.are.same({ 2, 2, 2, false }, { pool:call(function ()
      return _G.kept[1](), _G.kept[2](), _G.kept[3](), _G.kept[1] == _G.kept[2]
    end):await(session.limit) })
  end)

  it("with upvalues may have constants and functions of all kinds", function ()
    local up = "up"
    local pool = session.pool()
    local function all(...)
      local list = { nil, true, false, 7, -2 ^ 53 | 0, 0.5, 1 / 0, "", "short",
        ("x"):rep(0), "a string that is longer than forty characters, by far" }
      local function inner(n)
        return function () return n .. up end
      end
      return select("#", ...), list[2], list[3], list[4], list[5], list[6],
        list[7], list[9], list[11], inner "in"()
    end
    local expected = table.pack(all(1, 2))
    for _ = 1, 3 do
      assert.are.same(expected,
        table.pack(pool:call(all, 1, 2):await(session.limit)))
    end
    local stripped = load(string.dump(all, true))
    for i = 1, 2 do
      debug.upvaluejoin(stripped, i, all, i)
    end
    assert.are.equal("inup",
      (select(10, pool:call(stripped):await(session.limit))))
  end)

  it("may have been loaded", function ()
    assert.are.equal(6, run(load "local a, b = ... return a * b", 2, 3))
    assert.are.equal("x", run(load("return name", "=env", "t",
      { name = "x" })))
    local dumped = string.dump(function (n) return n * 2 end, true)
    assert.are.equal(8, run(load(dumped), 4))
  end)

  it("with upvalues is told where it is by errors, each time", function ()
    local pool, what = session.pool(), "no tide"
    local function fail()
      error(what)
    end
    local line = debug.getinfo(fail, "S").linedefined + 1
    for _ = 1, 3 do
      local _, err = pool:call(fail):pawait(session.limit)
      assert.are.equal(("spec/lua_call_spec.lua:%d: no tide"):format(line),
        err.value)
    end
  end)

  it("is told where it is by errors, and by debug", function ()
    local line = debug.getinfo(1, "l").currentline + 1
    local fail = function () error "on purpose" end
    local err = session.failure(session.pool():call(fail))
    assert.are.equal("error", err.kind)
    assert.are.equal(("%s:%d: on purpose"):format(
      debug.getinfo(1, "S").short_src, line), err.message)
    local source, where, name = run(function (first)
      local info = debug.getinfo(1, "Sl")
      return info.source, info.currentline, debug.getlocal(1, 1), first
    end)
    assert.are.equal(debug.getinfo(1, "S").source, source)
    assert.are.equal(line + 6, where)
    assert.are.equal("first", name)
    local missing = nil
    err = session.failure(session.pool():call(function ()
      return missing.field
    end))
    assert.is_truthy(err.message:find("upvalue 'missing'", 1, true),
      err.message)
  end)

  it("may be one of C without upvalues", function ()
    assert.are.equal("LOUD", run(string.upper, "loud"))
    assert.are.equal(3, run(math.max, 1, 3, 2))
    local err = session.failure(session.pool():call(string.rep))
    assert.are.equal("error", err.kind)
    assert.is_truthy(err.message:find "bad argument #1", err.message)
    err = session.failure(session.pool():call(error, "by C"))
    assert.are.equal("by C", err.value)
  end)

  it("is shown by its future", function ()
    local future = session.pool():call(function () end)
    assert.is_true(future:wait(session.limit))
    assert.is_truthy(tostring(future):find(
      "^tidepool%.Future: %d+ %(completed"), tostring(future))
  end)

  it("runs on each worker of a pool", function ()
    local pool, gate = session.pool { workers = 4 }, session.gate()
    local futures = {}
    for i = 1, 4 do
      futures[i] = pool:call(function ()
        local own = require "testmod" -- where is it the same module?
        return require "tidepool".invoke("test.gate", gate),
          own ~= nil
      end)
    end
    session.entered(gate, 4)
    testmod.open(gate)
    for _, future in ipairs(futures) do
      assert.are.same({ gate, true }, { future:await(session.limit) })
    end
  end)
end)

describe("an upvalue", function ()
  after_each(session.finish)

  it("has the value of the moment of the call", function ()
    local pool = session.pool { workers = 1, queue = 100 }
    local gate = session.block(pool)
    local n, list, futures = 0, {}, {}
    local look = function () return n, #list end
    for i = 1, 10 do
      n, list[i] = i, true
      futures[i] = pool:call(look)
    end
    n = 99
    testmod.open(gate)
    for i = 1, 10 do
      assert.are.same({ i, i }, { futures[i]:await(session.limit) })
    end
    assert.are.equal(99, n)
  end)

  it("may be anything that crosses", function ()
    local pool = session.pool()
    local future = pool:call("test.add", 1, 2)
    local deep, upper, text = { { 1 } }, string.upper, ("x"):rep(5000)
    local twice = function (x) return x * 2 end
    assert.are.same({ 1, "A", 5000, 42, true }, { run(function ()
      return deep[1][1], upper "a", #text, twice(21),
        require("tidepool").is_future(future)
    end) })
  end)

  it("is changed for that call alone", function ()
    local pool, n, list = session.pool(), 0, {}
    local count = function ()
      n = n + 1
      list[#list + 1] = n
      return n, #list
    end
    for _ = 1, 3 do
      assert.are.same({ 1, 1 }, { pool:call(count):await(session.limit) })
    end
    assert.are.equal(0, n)
    assert.are.equal(0, #list)
  end)

  it("is changed for that call alone when it was the globals", function ()
    local pool, globals = session.pool(), _G
    local look = function ()
      local found = type(globals)
      globals = nil
      return found
    end
    local move = function ()
      local found = type(string)
      _ENV = {}
      return found
    end
    for _ = 1, 3 do
      assert.are.equal("table", pool:call(look):await(session.limit))
      assert.are.equal("table", pool:call(move):await(session.limit))
    end
    assert.are.equal(_G, globals)
  end)

  -- They were one function in the worker, whose _ENV the first had changed.
  it("is changed for that call alone while others await", function ()
    local ways = {
      [[_ENV = { mark = "changed" }]],
      [[(function () _ENV = { mark = "changed" } end)()]],
      [[(function () local up = 1
        return function () up = 2 _ENV = { mark = "changed" } end
      end)()()]],
    }
    for _, way in ipairs(ways) do
      local f = load(([[
        local change, box = ...
        local before, await = mark, box[1].await
        if change then
          %s
          return mark
        end
        await(box[1])
        return before, mark
      ]]):format(way))
      local pool = session.pool()
      local promised, number = testmod.promise()
      local waits = pool:call(f, false, { promised })
      session.eventually(function () return pool:stats().suspended == 1 end)
      assert.are.equal("changed",
        pool:call(f, true, { promised }):await(session.limit))
      testmod.resolve(number)
      assert.are.same({ n = 2 }, table.pack(waits:await(session.limit)))
    end
  end)

  it("may be assigned to by an inner function", function ()
    local total = 0
    local function add(n)
      local function inner() total = total + n end
      inner()
      return total
    end
    local pool = session.pool()
    for _ = 1, 3 do
      assert.are.equal(5, pool:call(add, 5):await(session.limit))
    end
  end)

  it("stays shared by the functions of one transfer", function ()
    local n = 5
    local set = function (value) n = value end
    local get = function () return n end
    local answer = function (pair)
      local before = pair.get()
      pair.set(7)
      return before, pair.get()
    end
    local before, after = run(answer, { set = set, get = get })
    assert.are.equal(5, before)
    assert.are.equal(7, after)
    assert.are.equal(5, n)
    -- as arguments of their own, and as upvalues
    assert.are.equal(8, run(function (one, other)
      one(8)
      return other()
    end, set, get))
    assert.are.equal(9, run(function ()
      set(9)
      return get()
    end))
  end)

  it("stays shared when it was the globals and has no name", function ()
    local text = [[
      local mode = _G
      return function () mode = "changed" end,
        function () return mode == "changed" end
    ]]
    for _, strip in ipairs { false, true } do
      local set, get = load(string.dump(load(text), strip))()
      assert.is_true(run(function (f, g) f() return g() end, set, get))
    end
  end)

  it("stays shared when it was the globals", function ()
    local environment = _G
    local set = function (value) environment = value end
    local get = function () return environment end
    assert.are.equal(7, run(function (one, other)
      one(7)
      return other()
    end, set, get))
  end)

  it("stays shared by what comes back", function ()
    local up, down = run(function ()
      local n = 10
      return function () n = n + 1 return n end,
        function () n = n - 1 return n end
    end)
    assert.are.equal(11, up())
    assert.are.equal(12, up())
    assert.are.equal(11, down())
  end)

  it("stays apart for functions that do not share it", function ()
    local function counter()
      local n = 0
      return function () n = n + 1 return n end
    end
    local a, b = counter(), counter()
    assert.are.same({ 1, 2, 1 }, { run(function (x, y)
      return x(), x(), y()
    end, a, b) })
  end)

  it("of a table stays the table that is also an argument", function ()
    local list = { 1 }
    assert.is_true(run(function (same)
      return rawequal(same, list)
    end, list))
  end)

  it("may be a table that holds the function", function ()
    local class = { base = 20 }
    function class.get(n) return class.base + n end
    assert.are.equal(22, run(class.get, 2))
    class.self = class
    assert.is_true(run(function () return class.self.self == class end))
  end)
end)

describe("the globals", function ()
  after_each(session.finish)

  it("become those of the worker", function ()
    local globals = _G
    assert.are.same({ true, "table" }, { run(function ()
      return globals == _G, type(globals.string)
    end) })
  end)

  it("of a worker are not those of the program", function ()
    rawset(_G, "tidepool_spec_marker", "program")
    local found = run(function ()
      local was = tidepool_spec_marker -- luacheck: ignore
      rawset(_G, "tidepool_spec_marker", "worker")
      return was
    end)
    local now = rawget(_G, "tidepool_spec_marker")
    rawset(_G, "tidepool_spec_marker", nil)
    assert.is_nil(found)
    assert.are.equal("program", now)
  end)

  it("of a worker are kept between its tasks", function ()
    local pool = session.pool()
    pool:call(function () rawset(_G, "kept", 5) end):await(session.limit)
    assert.are.equal(5, pool:call(function ()
      return rawget(_G, "kept")
    end):await(session.limit))
  end)

  it("may be others, which cross by value", function ()
    local environment = { n = 5, double = function (x) return 2 * x end }
    local f = load([[
      n = n + 1
      return double(n)
    ]], "=f", "t", environment)
    local pool = session.pool()
    for _ = 1, 2 do
      assert.are.equal(12, pool:call(f):await(session.limit))
    end
    assert.are.equal(5, environment.n)
    assert.are.equal("no globals", run(load([[
      local _ENV = { text = "no globals" }
      return function () return text end
    ]])()))
  end)
end)

describe("a function that crosses", function ()
  after_each(session.finish)

  it("may stand in tables", function ()
    local n = 3
    local tools = {
      add = function (a, b) return a + b end,
      times = function (a) return a * n end,
      upper = string.upper,
      list = { function () return "in a list" end },
    }
    assert.are.same({ 7, 12, "X", "in a list" }, { run(function (t)
      return t.add(3, 4), t.times(4), t.upper "x", t.list[1]()
    end, tools) })
  end)

  it("may be a key", function ()
    assert.are.equal("here", run(function (t)
      local key, value = next(t)
      return key(value)
    end, { [string.lower] = "HERE" }))
  end)

  it("is one function wherever it stands", function ()
    local n = 1
    local f = function () return n end
    local bare = function () end
    assert.are.same({ true, true, true }, { run(function (a, t, b)
      return a == t.a and a == t[1], b == t.b, f == a
    end, f, { f, a = f, b = bare }, bare) })
  end)

  it("is that of the worker if it is one of Lua's own", function ()
    local names = { "print", "pairs", "pcall", "rawget", "next" }
    local own = { print, pairs, pcall, rawget, next }
    assert.are.equal("print pairs pcall rawget next", run(function ()
      local same = {}
      for i, name in ipairs(names) do
        if own[i] == _G[name] then
          same[#same + 1] = name
        end
      end
      return table.concat(same, " ")
    end))
  end)

  it("may be a method of tidepool", function ()
    local call, pool = tidepool.call, session.pool()
    assert.are.equal(5, pool:call(function ()
      return call("test.add", 2, 3):await(60)
    end):await(session.limit))
  end)

  it("may be a result", function ()
    local base = 10
    local add = run(function (n)
      return function (m) return base + n + m end
    end, 5)
    assert.are.equal(18, add(3))
    assert.are.equal(string.rep, run(function () return string.rep end))
  end)

  it("may be called by a worker for a worker", function ()
    local pool = session.pool()
    assert.are.equal(25, pool:call(function ()
      local square = function (n) return n * n end
      return require("tidepool").current():call(square, 5):await()
    end):await(session.limit))
  end)
end)

describe("a Future in a table", function ()
  after_each(session.finish)

  it("crosses", function ()
    local pool = session.pool { workers = 2 }
    local gate, held = session.block(pool)
    local future = pool:call(function (t)
      return t.held:state(), t.held:id(), t.held:await(60)
    end, { held = held[1] })
    session.eventually(function ()
      return future:state() == "suspended"
    end, "it awaits")
    testmod.open(gate)
    assert.are.same({ "running", held[1]:id(), gate },
      { future:await(session.limit) })
  end)
end)

describe("the globals", function ()
  after_each(session.finish)

  it("cross as those of the other side, wherever they stand", function ()
    assert.is_true(run(function (g, t) return g == _G and t[1] == _G end,
      _G, { _G }))
    assert.are.equal(_G, run(function () return { _G } end)[1])
    assert.are.equal(string.upper, run(load("return _G.string.upper", "=c",
      "t", { _G = _G })))
  end)
end)

describe("what cannot cross", function ()
  after_each(session.finish)

  it("is refused with its path", function ()
    local nothing = function () end
    refused({ 'argument 1, field "conn.socket"',
      "a userdata cannot be sent" }, nothing,
      { conn = { socket = io.stdout } })
    refused({ "argument 2", "a coroutine cannot be sent" }, nothing, 1,
      coroutine.create(nothing))
    refused({ "argument 1", "[2]" }, nothing, { 1, io.stdout })
    refused({ "argument 1", "upvalues" }, nothing, coroutine.wrap(nothing))
    refused({ "argument 1", "iterator" }, nothing,
      { iterator = ("x"):gmatch "x" })
  end)

  it("is refused in an upvalue, which is named", function ()
    local socket = io.stdout
    refused({ "socket", "a userdata cannot be sent" }, function ()
      return socket
    end)
    local connection = { { file = io.stdout } }
    local inner = function () return connection end
    refused({ "connection", "file" }, inner)
    refused({ "inner", "connection", "file" }, function ()
      return inner()
    end)
    refused({ "argument 1", "callback", "connection", "file" },
      function () end, { callback = inner })
    local thread = coroutine.create(print)
    refused({ "thread", "a coroutine cannot be sent" }, function ()
      return thread
    end)
  end)

  it("is refused as the function itself", function ()
    refused({ "upvalues" }, coroutine.wrap(print))
    refused({}, {})
    refused({}, 7)
    refused({}, nil)
    refused({}, coroutine.create(print))
  end)

  it("is refused before any call of a batch is queued", function ()
    local pool = session.pool()
    local ok, err = pcall(pool.call_many, pool, function () end,
      { { 1 }, { 2 }, { { bad = io.stdout } } })
    assert.is_false(ok)
    assert.is_truthy(err:find('argument 1, field "bad"', 1, true), err)
    assert.are.equal(0, pool:stats().submitted)
  end)

  it("makes the task fail when it is a result", function ()
    local err = session.failure(session.pool():call(function ()
      return 1, { inner = { coroutine.create(print) } }
    end))
    assert.are.equal("transfer", err.kind)
    assert.is_truthy(err.message:find('result 2, field "inner[1]"', 1, true),
      err.message)
  end)

  it("leaves the pool as it was", function ()
    local pool = session.pool()
    for _ = 1, 100 do
      local n, bad = 1, io.stdout
      pcall(pool.call, pool, function () return n, bad end, { 1, { 2 } })
    end
    assert.are.equal(3, pool:call(math.max, 1, 3):await(session.limit))
    assert.are.equal(1, pool:stats().submitted)
  end)
end)

describe("the ways to call", function ()
  after_each(session.finish)

  it("include call_many", function ()
    local pool, list, n = session.pool { workers = 2 }, {}, 10
    for i = 1, 500 do
      list[i] = { i, nil, n = 2 }
    end
    local futures = pool:call_many(function (i, ...)
      return i + n, select("#", ...)
    end, list)
    assert.are.equal(500, #futures)
    for i, future in ipairs(futures) do
      assert.are.same({ i + 10, 1 }, { future:await(session.limit) })
    end
    assert.are.same({}, pool:call_many(function () end, {}))
  end)

  it("include try_call", function ()
    local pool = session.pool { workers = 1, queue = 1 }
    local gate = session.block(pool)
    local future = pool:try_call(function (x) return x end, 1)
    assert.is_truthy(future)
    local none, why = pool:try_call(function (x) return x end, 2)
    assert.is_nil(none)
    assert.are.equal("full", why)
    testmod.open(gate)
    assert.are.equal(1, future:await(session.limit))
  end)

  it("have the options of the pool wherever it is", function ()
    local pool = session.pool { workers = 1, queue = 1, full = "fail" }
    session.block(pool, 1)
    local queued = pool:call("test.add", 1, 2)
    local function try(there)
      return select(2, pcall(there.call, there, "test.add", 1, 1)).kind
    end
    assert.are.equal("full", run(try, pool))
    local view = pool:with { full = "wait", timeout = 0.02 }
    assert.are.equal("full", run(try, view))
    assert.is_truthy(queued)
    local own = session.pool { workers = 1, queue = 1, full = "fail" }
    assert.are.equal("full", own:call(function (gate)
      local here = require "tidepool".current()
      here:call("test.add", 1, 1)
      return select(2, pcall(here.call, here, "test.gate", gate)).kind
    end, session.gate()):await(session.limit))
  end)

  it("include views with a priority", function ()
    local pool = session.pool { workers = 1, queue = 20 }
    local gate = session.block(pool)
    local order = function ()
      local n = (rawget(_G, "served") or 0) + 1
      rawset(_G, "served", n)
      return n
    end
    local low = pool:with({ priority = "low" }):call(order)
    local high = pool:with({ priority = "high" }):call(order)
    testmod.open(gate)
    assert.are.equal(1, high:await(session.limit))
    assert.are.equal(2, low:await(session.limit))
  end)

  it("include views with a timeout", function ()
    local pool = session.pool()
    local err = session.failure(pool:with({ timeout = 0.05 }):call(
      function () while true do end end))
    assert.are.equal("timeout", err.kind)
    assert.are.equal("next", pool:call(function ()
      return "next"
    end):await(session.limit))
    assert.are.equal(1, pool:with({ timeout = session.limit }):call(
      function () return 1 end):await(session.limit))
  end)

  it("include views with a timeout, of queued calls", function ()
    local pool = session.pool()
    local gate = session.block(pool)
    local err = session.failure(pool:with({ timeout = 0.01 }):call(
      function () rawset(_G, "ran", true) end))
    assert.are.equal("timeout", err.kind)
    testmod.open(gate)
    assert.is_nil(pool:call(function ()
      return rawget(_G, "ran")
    end):await(session.limit))
  end)

  it("include tidepool.call", function ()
    local n = 40
    assert.are.equal(42, tidepool.call(function (m)
      return n + m
    end, 2):await(session.limit))
    assert.is_true(tidepool.call(function ()
      return tidepool.current() == tidepool.default()
    end):await(session.limit))
  end)

  it("fail for a pool that was shut down", function ()
    local pool = session.pool()
    pool:shutdown()
    local ok, err = pcall(pool.call, pool, function () end)
    assert.is_false(ok)
    assert.are.equal("closed", err.kind)
  end)

  it("fail for a full queue when told to", function ()
    local pool = session.pool { workers = 1, queue = 1, full = "fail" }
    session.block(pool)
    pool:call(function () end)
    local ok, err = pcall(pool.call, pool, function () end)
    assert.is_false(ok)
    assert.are.equal("full", err.kind)
  end)

  it("count in stats", function ()
    local pool, futures = session.pool { workers = 2 }, {}
    for i = 1, 30 do
      futures[i] = pool:call(function (n)
        if n % 3 == 0 then
          error "a third"
        end
      end, i)
    end
    session.settle(futures)
    for _, future in ipairs(futures) do
      future:pawait()
    end
    local stats = pool:stats()
    assert.are.equal(30, stats.submitted)
    assert.are.equal(20, stats.completed)
    assert.are.equal(10, stats.failed)
  end)
end)

describe("__tidepool", function ()
  after_each(session.finish)

  it("rebuilds an object of a class of tables", function ()
    local p = point.new(3, 4)
    assert.are.same({ true, 7, "thread" }, { run(function (other)
      local class = require "spec.support.point"
      return class.is(other), other:sum(), type(other.secret)
    end, p) })
    assert.are.same({ true, 7 }, { run(function (t)
      return require("spec.support.point").is(t.list[1]), t.list[1]:sum()
    end, { list = { p } }) })
    assert.are.equal(7, run(function () return p:sum() end))
  end)

  it("is asked in the worker for what comes back", function ()
    local p = run(function (a, b)
      return { at = require("spec.support.point").new(a, b) }
    end, 1, 2).at
    assert.is_true(point.is(p))
    assert.are.equal(3, p:sum())
  end)

  it("rebuilds one object once", function ()
    local p = point.new(1, 1)
    assert.is_true(run(function (a, t)
      return a == t[1] and a == t.again
    end, p, { p, again = p }))
  end)

  it("may answer a light C function", function ()
    local packed = setmetatable({}, {
      __tidepool = function () return table.pack, 1, nil, "three" end,
    })
    assert.are.same({ 3, 1, "three" }, { run(function (t)
      return t.n, t[1], t[3]
    end, packed) })
  end)

  it("may answer other objects that have it", function ()
    local line = setmetatable({ point.new(1, 2), point.new(3, 4) }, {
      __tidepool = function (self)
        return function (a, b) return { from = a, to = b } end,
          self[1], self[2]
      end,
    })
    assert.are.same({ 3, 7 }, { run(function (l)
      return l.from:sum(), l.to:sum()
    end, line) })
  end)

  it("rebuilds a userdata", function ()
    local path = os.tmpname()
    local file = io.open(path, "w")
    file:write "through a file\n"
    file:flush()
    local metatable = getmetatable(file)
    metatable.__tidepool = function (self)
      if self ~= file then
        error "a file that has no name"
      end
      return io.open, path, "r"
    end
    local pool = session.pool()
    local ok, text, kind = pcall(function ()
      return pool:call(function (t)
        return t.file:read "l", io.type(t.file)
      end, { file = file }):await(session.limit)
    end)
    local refusal = table.pack(pcall(pool.call, pool, function () end,
      io.stdout))
    metatable.__tidepool = nil
    file:close()
    os.remove(path)
    assert.is_true(ok, text)
    assert.are.equal("through a file", text)
    assert.are.equal("file", kind)
    assert.is_false(refusal[1])
    assert.is_truthy(tostring(refusal[2]):find("has no name", 1, true))
    assert.are.equal(1, pool:stats().submitted)
  end)

  it("is refused when it answers no function", function ()
    for _, answer in ipairs { 1, "text", {} } do
      local odd = setmetatable({}, { __tidepool = function ()
        return answer
      end })
      refused({ 'argument 1, field "odd"' }, function () end, { odd = odd })
    end
    refused({ "argument 1" }, function () end,
      setmetatable({}, { __tidepool = function () end }))
    refused({ "argument 1" }, function () end,
      setmetatable({}, { __tidepool = function ()
        return function () end, io.stdout
      end }))
  end)

  it("is refused when it is no function", function ()
    for _, wrong in ipairs { 5, "name", {}, false } do
      refused({ "argument 1", "made", "its __tidepool is no function" }, type,
        { made = setmetatable({}, { __tidepool = wrong }) })
    end
  end)

  it("is refused when it answers the object itself", function ()
    local metatable = {}
    local object, other = setmetatable({}, metatable), nil
    for _, answer in ipairs {
      function (self) return print, self end,
      function (self) return print, { deep = { self } } end,
      function (self) return function () return self end end,
      function (self)
        other = other or setmetatable({}, { __tidepool = function ()
          return print, self
        end })
        return print, other
      end,
    } do
      metatable.__tidepool = answer
      refused({ "argument 1", "__tidepool" }, function () end, object)
    end
  end)

  it("may answer the table that the object stands in", function ()
    local list = { n = 5 }
    list[1] = setmetatable({}, { __tidepool = function ()
      return function (t) return { list = t } end, list
    end })
    assert.are.same({ 5, true }, { run(function (t)
      return t.n, t[1].list == t
    end, list) })
  end)

  it("may call and await", function ()
    local pool = session.pool()
    local object = setmetatable({}, { __tidepool = function ()
      return function (n, t) return { n = n, t = t } end,
        pool:call(function (t) return t end, { 5 }):await(session.limit)[1],
        { 6 }
    end })
    local shared = { "shared" }
    assert.are.same({ 5, 6, true }, { pool:call(function (a, o, b)
      return o.n, o.t[1], a == b and a[1] == "shared"
    end, shared, object, shared):await(session.limit) })
  end)

  it("makes the task fail when rebuilding raises", function ()
    local odd = setmetatable({}, { __tidepool = function ()
      return function () error "cannot be rebuilt" end
    end })
    local pool = session.pool()
    local err = session.failure(pool:call(function () end, odd))
    assert.is_truthy(tostring(err):find("cannot be rebuilt", 1, true))
    assert.are.equal(1, pool:call(function ()
      return 1
    end):await(session.limit))
  end)

  it("leaves tables with other metatables without them", function ()
    assert.are.same({ 5, false }, { run(function (t)
      return t.x, getmetatable(t) ~= nil
    end, setmetatable({ x = 5 }, { __index = function () return 1 end })) })
  end)

  it("gets the module, its functions and objects that come twice", function ()
    local pool = session.pool()
    assert.is_true(pool:call(function (a, b)
      return a == b and type(b.spawn) == "function"
        and rawequal(b, require "tidepool")
    end, tidepool, tidepool):await(session.limit))
    assert.is_true(pool:call(function (list)
      return list[1] == list[2] and type(list[2]) == "function"
        and list[2] == require "tidepool".all
    end, { tidepool.all, tidepool.all }):await(session.limit))
    local object = setmetatable({ 7 }, { __tidepool = function (self)
      return function (x) return { x = x } end, self[1]
    end })
    assert.is_true(pool:call(function (a, b)
      return a == b and b.x == 7
    end, object, object):await(session.limit))
  end)
end)
