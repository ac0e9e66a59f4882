-- One function over many values: map, each, reduce, imap.

local places = require "spec.support.places"
local process = require "spec.support.process"
local samples = require "spec.support.samples"
local session = require "spec.support.session"
local tidepool = require "tidepool"
require "testmod" -- its functions

local expect = assert

local limit = session.limit

local function new_pool(workers, queue)
  return tidepool.AsyncManager.new { workers = workers, queue = queue }
end

local function numbers(n)
  local list = {}
  for i = 1, n do
    list[i] = i
  end
  return list
end

local function double(n)
  return 2 * n, "dropped"
end

local function refuses(what, f)
  local ok, err = pcall(f)
  assert(not ok, "not refused: " .. what)
  assert(type(err) == "string" and err:find(what, 1, true), tostring(err))
  assert(err:find "^[^:]*async_map_spec%.lua:%d+: ", err)
end

-- Lets the loop run until something holds.
local function eventually(condition)
  local deadline = tidepool.now() + limit
  while not condition() do
    assert(tidepool.now() < deadline, "it never came")
    tidepool.sleep(0.001)
  end
end

for _, place in ipairs(places) do
  describe("map " .. place.name, function ()
    after_each(session.finish)

    it("answers the first results in order, whatever the chunks", function ()
      place.run(function ()
        local pool <close> = new_pool(3)
        for _, n in ipairs { 1, 2, 10, 1000 } do
          for _, chunk in ipairs { 1, 3, 7, 1000, "auto", false } do
            local got = pool:map(double, numbers(n), {
              chunk = chunk or nil, concurrency = n % 3 + 1,
            })
            assert(got.n == n and #got == n)
            for i = 1, n do
              assert(got[i] == 2 * i)
            end
          end
        end
      end)
    end)

    it("of nothing is an empty list", function ()
      place.run(function ()
        local pool <close> = new_pool(1)
        local got = pool:map(double, {})
        assert(next(got) == "n" and got.n == 0)
        assert(pool:stats().submitted == 0)
      end)
    end)

    it("keeps holes, in the list and in the results", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        for _, chunk in ipairs { 1, 2, 3, "auto" } do
          local got = pool:map(function (value)
            if value ~= 3 then
              return value == nil and "hole" or value
            end
          end, { 1, nil, 3, nil, 5, nil, n = 6 }, { chunk = chunk })
          assert(got.n == 6 and got[1] == 1 and got[2] == "hole")
          assert(got[3] == nil and got[4] == "hole" and got[5] == 5)
          assert(got[6] == "hole")
        end
      end)
    end)

    it("takes functions of Lua, of C, and names", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        local factor = 3
        local got = pool:map(function (n) return n * factor end, { 1, 2 })
        assert(got[1] == 3 and got[2] == 6)
        got = pool:map(string.upper, { "a", "b", "c" }, { chunk = 2 })
        assert(table.concat(got) == "ABC")
        for _, chunk in ipairs { 1, 2, "auto" } do
          got = pool:map("test.echo", { "a", "b", "c" }, { chunk = chunk })
          assert(table.concat(got) == "abc" and got.n == 3)
        end
      end)
    end)

    it("copies elements and upvalues", function ()
      place.run(function ()
        local pool <close> = new_pool(1)
        local count = 0
        local list = { { 1 }, { 2 } }
        local got = pool:map(function (t)
          count = count + 1
          t[1] = t[1] * 10
          return t
        end, list)
        assert(count == 0 and list[1][1] == 1)
        assert(got[1][1] == 10 and got[2][1] == 20)
      end)
    end)

    it("hands a Future on as a Future", function ()
      place.run(function ()
        local pool <close> = new_pool(1)
        local future, promise = tidepool.promise()
        promise:resolve(7)
        for _, chunk in ipairs { 1, 2 } do
          local got = pool:map(function (f) return f:await() end,
            { future, future }, { chunk = chunk })
          assert(got[1] == 7 and got[2] == 7)
        end
      end)
    end)

    it("may await in its function, with one worker", function ()
      place.run(function ()
        local pool <close> = new_pool(1, 1)
        local got = pool:map(function (n)
          local here = require "tidepool".current()
          return here:call(math.max, n, 3):await()
        end, numbers(5), { chunk = 2 })
        assert(table.concat(got, " ") == "3 3 3 4 5")
      end)
    end)

    it("maps in what it maps, with one worker", function ()
      place.run(function ()
        local pool <close> = new_pool(1, 1)
        local got = pool:map(function (n)
          local list = {}
          for i = 1, n do
            list[i] = i
          end
          local here = require "tidepool".current()
          return #here:map(math.abs, list, { chunk = 2 })
        end, numbers(6))
        assert(table.concat(got, " ") == "1 2 3 4 5 6")
      end)
    end)

    it("raises the first failure, and cancels what is left", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        local ok, err = pcall(pool.map, pool, function (n)
          if n == 2 then
            error { code = 7 }
          end
          while true do end
        end, numbers(100), { chunk = 1, concurrency = 4 })
        assert(not ok and err.kind == "error" and err.value.code == 7)
        assert(err.name:find "async_map_spec", err.name)
        assert(err.traceback:find "async_map_spec", err.traceback)
        eventually(function ()
          local stats = pool:stats()
          return stats.running + stats.queued.total + stats.stopping == 0
        end)
        local stats = pool:stats()
        assert(stats.submitted <= 4 and stats.failed == 1)
      end)
    end)

    it("raises what a registered function fails with", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        for _, chunk in ipairs { 1, 2, "auto" } do
          local ok, err = pcall(pool.map, pool, "test.fail", { "a", "a" },
            { chunk = chunk })
          assert(not ok and err.kind == "error" and err.message == "a")
          assert(err.name == "test.fail", err.name)
          ok, err = pcall(pool.map, pool, "test.fail", { {} },
            { chunk = chunk })
          assert(not ok and tostring(err):find "string expected, got table")
        end
      end)
    end)

    it("keeps the name of a failure that passes through", function ()
      place.run(function ()
        local pool <close> = new_pool(1)
        local ok, err = pcall(pool.map, pool, function (what)
          require "tidepool".invoke("test.fail", what)
        end, { "deep" })
        assert(not ok and err.name == "test.fail" and err.message == "deep")
      end)
    end)

    it("raises for what cannot cross, and cancels what is left", function ()
      place.run(function ()
        local pool <close> = new_pool(1)
        local list = numbers(10)
        list[7] = io.stdout
        refuses("a userdata cannot be sent", function ()
          pool:map(function (n)
            while n > 3 do end
            return n
          end, list, { chunk = 3, concurrency = 2 })
        end)
        refuses("a userdata cannot be sent", function ()
          pool:each(double, list, { chunk = 3 })
        end)
        refuses("a userdata cannot be sent", function ()
          pool:reduce(double, list)
        end)
        refuses("a userdata cannot be sent", function ()
          for _ in pool:imap(double, list) do
            list.n = nil
          end
        end)
        local ok, err = pcall(pool.map, pool, function ()
          return io.stdout
        end, { 1 })
        assert(not ok and err.kind == "transfer")
        pool:wait_all(limit)
        assert(pool:stats().running == 0)
      end)
    end)

    it("names the element that cannot cross by its place", function ()
      place.run(function ()
        local pool <close> = new_pool(1)
        local list = numbers(100)
        list[77] = { { io.stdout } }
        for _, chunk in ipairs { 1, 10, 100 } do
          refuses('argument 2, field "[77][1][1]": a userdata cannot be sent',
            function () pool:map(double, list, { chunk = chunk }) end)
        end
      end)
    end)

    it("asks the metamethods of a list", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        local list = setmetatable({}, {
          __index = function (_, i) return i ~= "n" and 10 * i or nil end,
          __len = function () return 20 end,
        })
        for _, chunk in ipairs { 1, 7, "auto" } do
          local got = pool:map(math.abs, list, { chunk = chunk })
          assert(got.n == 20)
          for i = 1, 20 do
            assert(got[i] == 10 * i)
          end
        end
      end)
    end)

    it("keeps all sorts of numbers apart", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        local list = {
          1, 1.0, -0.0, 0, math.huge, -math.huge, math.mininteger,
          math.maxinteger, 2.0 ^ 53, 5e-324, 1 << 53, "7", false, 0 / 0,
        }
        for _, chunk in ipairs { 1, 9, 20 } do
          local got = pool:map(function (x) return x end, list,
            { chunk = chunk })
          for i = 1, #list - 1 do
            assert(got[i] == list[i])
            assert(math.type(got[i]) == math.type(list[i]))
          end
          assert(1 / got[3] == -math.huge and got[#list] ~= got[#list])
        end
      end)
    end)

    it("has no more chunks under way than asked for", function ()
      place.run(function ()
        local pool <close> = new_pool(1)
        local gate, promise = tidepool.promise()
        local mapping = tidepool.spawn(function ()
          return pool:map(function (n)
            gate:await()
            return n
          end, numbers(20), { chunk = 2, concurrency = 3 })
        end)
        eventually(function () return pool:stats().suspended == 3 end)
        tidepool.sleep(0.01)
        assert(pool:stats().submitted == 3)
        promise:resolve()
        local got = mapping:await(limit)
        assert(got.n == 20 and got[20] == 20)
        assert(pool:stats().submitted == 10)
      end)
    end)

    it("cancels its chunks when it is cancelled", function ()
      place.run(function ()
        local pool <close> = new_pool(1)
        local mapping = tidepool.spawn(function ()
          return pool:map(function () while true do end end, numbers(20),
            { chunk = 2 })
        end)
        eventually(function () return pool:stats().running == 1 end)
        mapping:cancel()
        eventually(function ()
          local stats = pool:stats()
          return stats.running + stats.queued.total + stats.stopping == 0
        end)
        assert(pool:stats().completed == 0)
      end)
    end)

    it("waits for room in a full pool", function ()
      place.run(function ()
        local pool <close> = new_pool(1, 1)
        local got = pool:map(double, numbers(50),
          { chunk = 1, concurrency = 20 })
        assert(got.n == 50 and got[50] == 100)
        local ok, err = pcall(function ()
          local full = pool:with { full = "fail" }
          full:map(double, numbers(50), { chunk = 1, concurrency = 20 })
        end)
        assert(not ok and err.kind == "full")
      end)
    end)

    it("has the options of a view", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        local brief = pool:with { timeout = 0.01 }
        local ok, err = pcall(brief.map, brief, function ()
          while true do end
        end, { 1 })
        assert(not ok and err.kind == "timeout", tostring(err))
      end)
    end)

    it("adapts the chunks to what they cost", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        local n = 20000
        local got = pool:map(double, numbers(n))
        for i = 1, n do
          assert(got[i] == 2 * i)
        end
        assert(pool:stats().submitted < n / 4)
        local before = pool:stats().submitted
        pool:map(function (seconds)
          require "tidepool".invoke("tidepool.sleep", seconds)
        end, { 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01 })
        assert(pool:stats().submitted == before + 8)
      end)
    end)
  end)

  describe("each " .. place.name, function ()
    after_each(session.finish)

    it("calls for what it does there, and answers nothing", function ()
      place.run(function ()
        local pool <close> = new_pool(1)
        for _, chunk in ipairs { 1, 3, "auto" } do
          pool:call(function () rawset(_G, "sum", 0) end):await(limit)
          assert(select("#", pool:each(function (n)
            rawset(_G, "sum", rawget(_G, "sum") + n)
            return n
          end, numbers(10), { chunk = chunk })) == 0)
          assert(pool:call(function ()
            return rawget(_G, "sum")
          end):await(limit) == 55)
        end
        pool:each("test.progress", { 0.5, 1 })
        pool:each(error, {})
      end)
    end)

    it("raises the first failure", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        local ok, err = pcall(pool.each, pool, function (n)
          if n == 50 then
            error("at fifty", 0)
          end
        end, numbers(100), { chunk = 7 })
        assert(not ok and err.value == "at fifty")
        assert(err.name:find "async_map_spec", err.name)
      end)
    end)
  end)

  describe("reduce " .. place.name, function ()
    after_each(session.finish)

    it("keeps the order, whatever the chunks", function ()
      place.run(function ()
        local pool <close> = new_pool(3)
        for _, n in ipairs { 0, 1, 2, 10, 300 } do
          local wanted = table.concat(numbers(n), " ")
          local list = {}
          for i = 1, n do
            list[i] = tostring(i)
          end
          for _, chunk in ipairs { 1, 3, 1000, "auto" } do
            local function join(a, b) return a .. " " .. b end
            local got = pool:reduce(join, list, nil, { chunk = chunk })
            assert(got == (n > 0 and wanted or nil), got)
            got = pool:reduce(join, list, ">", { chunk = chunk })
            assert(got == (n > 0 and "> " .. wanted or ">"), got)
          end
        end
      end)
    end)

    it("takes names and functions of C", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        for _, chunk in ipairs { 1, 4, "auto" } do
          local options = { chunk = chunk }
          assert(pool:reduce("test.add", numbers(10), nil, options) == 55)
          assert(pool:reduce("test.add", numbers(10), 100, options) == 155)
          assert(pool:reduce(math.max, { 3, 9, 4 }, 5, options) == 9)
        end
      end)
    end)

    it("raises the first failure", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        for _, chunk in ipairs { 1, 3, "auto" } do
          local ok, err = pcall(pool.reduce, pool, function (a, b)
            if b >= 50 then
              error("at fifty", 0)
            end
            return a < b and b or a
          end, numbers(60), nil, { chunk = chunk })
          assert(not ok and err.value == "at fifty", tostring(err))
          assert(err.name:find "async_map_spec", err.name)
        end
      end)
    end)
  end)

  describe("imap " .. place.name, function ()
    after_each(session.finish)

    it("goes over the results in order", function ()
      place.run(function ()
        local pool <close> = new_pool(3)
        local count = 0
        for i, value, word in pool:imap(double, numbers(50)) do
          count = count + 1
          assert(i == count and value == 2 * i and word == "dropped")
        end
        assert(count == 50)
        for _ in pool:imap(double, {}) do
          error "there is something"
        end
      end)
    end)

    it("goes over any iterator", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        local seen = {}
        for i, word in pool:imap(string.upper, ("a b c"):gmatch "%a") do
          seen[i] = word
        end
        assert(table.concat(seen) == "ABC")
        seen = {}
        for _, pair in pool:imap(function (k, v)
          return k .. "=" .. v
        end, next, { state = { x = 1, y = 2 } }) do
          seen[#seen + 1] = pair
        end
        table.sort(seen)
        assert(table.concat(seen, " ") == "x=1 y=2")
        local iterate, state, control = ipairs { "a", "b" }
        local count = 0
        for i, k, v in pool:imap(function (...) return ... end, iterate,
          { state = state, control = control }) do
          count = count + 1
          assert(i == count and k == i and v == state[i])
        end
        assert(count == 2)
        local made = coroutine.wrap(function ()
          for i = 1, 5 do
            coroutine.yield(i)
          end
        end)
        count = 0
        for i, value in pool:imap(double, made, { concurrency = 2 }) do
          count = count + 1
          assert(value == 2 * i)
        end
        assert(count == 5)
      end)
    end)

    it("takes an iterator that awaits", function ()
      place.run(function ()
        local pool <close> = new_pool(1)
        local n = 0
        local function source()
          tidepool.sleep(0.0001)
          n = n + 1
          return n <= 10 and pool:call(math.max, n, 5):await() or nil
        end
        local sum = 0
        for _, value in pool:imap(double, source) do
          sum = sum + value
        end
        assert(sum == 2 * (5 * 5 + 6 + 7 + 8 + 9 + 10))
      end)
    end)

    it("keeps holes, and results that are nil", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        local count = 0
        for i, value in pool:imap(function (value)
          return value
        end, { 1, nil, 3, nil, n = 4 }) do
          count = count + 1
          assert(i == count and value == (i % 2 == 1 and i or nil))
        end
        assert(count == 4)
      end)
    end)

    it("asks for no more than it may be ahead", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        for _, ahead in ipairs { 1, 2, 5, false } do
          local asked, most = 0, ahead or 4
          local function endless()
            asked = asked + 1
            return asked
          end
          local seen = 0
          for i, value in pool:imap(double, endless,
            { concurrency = ahead or nil }) do
            assert(value == 2 * i)
            assert(asked - seen <= most, asked - seen)
            seen = i
            if i == 100 then
              break
            end
          end
          assert(seen == 100 and asked < 100 + most)
        end
      end)
    end)

    it("asks for nothing before it is asked", function ()
      place.run(function ()
        local pool <close> = new_pool(1)
        pool:imap(double, function () error "asked" end)
        assert(pool:stats().submitted == 0)
      end)
    end)

    it("cancels what is under way when the loop is left", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        local closed = 0
        local closing = setmetatable({}, { __close = function ()
          closed = closed + 1
        end })
        local n = 0
        local function source()
          n = n + 1
          return n
        end
        local function work(value)
          while value > 1 do end
          return value
        end
        for i in pool:imap(work, source, { closing = closing }) do
          if i == 1 then
            break
          end
        end
        assert(closed == 1)
        eventually(function ()
          local stats = pool:stats()
          return stats.running + stats.queued.total + stats.stopping == 0
        end)
        assert(pool:stats().completed == 1)
      end)
    end)

    it("closes what the iterator wants closed, once", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        local closed = 0
        local closing = setmetatable({}, { __close = function ()
          closed = closed + 1
        end })
        local n = 0
        local function source()
          n = n + 1
          return n <= 3 and n or nil
        end
        for _ in pool:imap(double, source, { closing = closing }) do
          assert(closed == 0)
        end
        assert(closed == 1)
        n = 0
        pcall(function ()
          for _ in pool:imap(error, source, { closing = closing }) do
            error "not reached"
          end
        end)
        assert(closed == 2)
      end)
    end)

    it("raises a failure when it is its turn", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        local seen = {}
        local ok, err = pcall(function ()
          for i, value in pool:imap(function (n)
            if n == 4 then
              error { code = 4 }
            end
            return n
          end, numbers(100), { concurrency = 10 }) do
            assert(i == value)
            seen[i] = value
          end
        end)
        assert(not ok and err.value.code == 4 and #seen == 3)
      end)
    end)

    it("lets errors of the iterator through", function ()
      place.run(function ()
        local pool <close> = new_pool(2)
        local n = 0
        local ok, err = pcall(function ()
          for _ in pool:imap(double, function ()
            n = n + 1
            if n == 3 then
              error("no third", 0)
            end
            return n
          end, { concurrency = 2 }) do
            n = n + 0
          end
        end)
        assert(not ok and err == "no third")
      end)
    end)
  end)

  describe("what is mapped " .. place.name, function ()
    after_each(session.finish)

    it("is checked first", function ()
      place.run(function ()
        local pool <close> = new_pool(1)
        for _, name in ipairs { "map", "each", "reduce", "imap" } do
          local f = pool[name]
          local options = name == "reduce" and 4 or 3
          local function call(value, list, opts)
            if name == "reduce" then
              f(pool, value, list, nil, opts)
            else
              f(pool, value, list, opts)
            end
          end
          refuses(("bad argument #1 to '%s' (name or function expected, got "
            .. "nil)"):format(name), function () call() end)
          refuses("no function named 'test.none' is registered",
            function () call("test.none", {}) end)
          refuses(("bad argument #1 to '%s' (tidepool.AsyncManager expected, "
            .. "got table)"):format(name), function () f {} end)
          refuses(("bad argument #%d to '%s' (table expected, got string)")
            :format(options, name), function () call(print, {}, "x") end)
          refuses("unknown option 'chunks'", function ()
            call(print, {}, { chunks = 1 })
          end)
          refuses(("bad argument #2 to '%s' (its field 'n' is no length)")
            :format(name), function () call(print, { n = -1 }) end)
          for _, wrong in ipairs { 0, 1.5 } do
            refuses(("bad option 'concurrency' (positive integer expected, "
              .. "got %s)"):format(wrong), function ()
              call(print, {}, { concurrency = wrong })
            end)
          end
          if name ~= "imap" then
            refuses(("bad argument #2 to '%s' (table expected, got number)")
              :format(name), function () call(print, 1) end)
            refuses("bad option 'chunk' (positive integer or 'auto' expected"
              .. ", got all)", function ()
              call(print, {}, { chunk = "all" })
            end)
          end
        end
        refuses("bad argument #2 to 'imap' (table or function expected, got "
          .. "number)", function () pool:imap(print, 1) end)
        assert(pool:stats().submitted == 0)
      end)
    end)

    it("is refused by a pool that is closed", function ()
      place.run(function ()
        local pool = new_pool(1)
        pool:shutdown()
        local ok, err = pcall(pool.map, pool, double, { 1 })
        assert(not ok and err.kind == "closed")
      end)
    end)
  end)
end

describe("mapping in the program", function ()
  after_each(session.finish)

  it("reports nothing that came too late", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      local pool <close> = tidepool.AsyncManager.new { workers = 4 }
      local list = {}
      for i = 1, 100 do
        list[i] = i
      end
      print((pcall(pool.map, pool, error, list, { chunk = 1 })))
      for _ in pool:imap(function (n)
        if n > 1 then error "not asked for" end
      end, list) do
        break
      end
      collectgarbage()
      collectgarbage()
    ]]
    expect.are.equal("false\n", result.out)
    expect.are.equal("", result.err)
  end)

  it("goes on beside coroutines", function ()
    local pool = session.pool { workers = 2 }
    local count, over = 0, false
    local ticking = tidepool.spawn(function ()
      while not over do
        tidepool.sleep(0)
        count = count + 1
      end
    end)
    pool:each("tidepool.sleep", { 0.005, 0.005, 0.005 }, { chunk = 1 })
    over = true
    ticking:await(limit)
    expect.is_true(count > 0)
  end)

  it("takes a million elements", function ()
    local pool = session.pool { workers = 4 }
    local n = session.check and 20000 or 1000000
    local list = numbers(n)
    local got = pool:map(double, list)
    for i = 1, n do
      expect.is_true(got[i] == 2 * i)
    end
    expect.are.equal(n * (n + 1) // 2, pool:reduce(function (a, b)
      return a + b
    end, list))
  end)
end)

-- ------------------------------------------------------------------
-- Random lists against a plain loop
-- ------------------------------------------------------------------

local function random_list(random)
  local list = { n = random(0, 40) }
  for i = 1, list.n do
    if random(1, 8) > 1 then
      list[i] = samples.value(random, 2)
    end
  end
  return list
end

local function random_options(random)
  return {
    chunk = random(1, 3) == 1 and "auto" or random(1, 12),
    concurrency = random(1, 2) == 1 and random(1, 6) or nil,
  }
end

local function same(wanted, got)
  local ok, where = samples.same(wanted, got)
  assert(ok, where)
end

-- Each element on its own: what elements share they share no more.
local function map_case(pool, random)
  local list = random_list(random)
  local got = pool:map(function (value) return value end, list,
    random_options(random))
  assert(got.n == list.n)
  for i = 1, list.n do
    same(list[i], got[i])
  end
end

local function failing_case(pool, random)
  local n, wrong = random(1, 60), random(1, 60)
  local ok, got = pcall(pool.map, pool, function (i)
    if i == wrong then
      error({ at = i }, 0)
    end
    return -i
  end, numbers(n), random_options(random))
  assert(ok == (wrong > n))
  if ok then
    for i = 1, n do
      assert(got[i] == -i)
    end
  else
    assert(got.value.at == wrong)
  end
end

local function reduce_case(pool, random)
  local list, wanted = {}, random(1, 2) == 1 and "0" or nil
  local init = wanted
  for i = 1, random(0, 60) do
    list[i] = tostring(random(0, 99))
    wanted = wanted and wanted .. "," .. list[i] or list[i]
  end
  local got = pool:reduce(function (a, b) return a .. "," .. b end, list,
    init, random_options(random))
  assert(got == wanted)
end

local function imap_case(pool, random)
  local list, ends = random_list(random), random(1, 60)
  local count = 0
  for i, value in pool:imap(function (value) return value end, list,
    { concurrency = random(1, 6) }) do
    count = count + 1
    assert(i == count)
    same(list[i], value)
    if i == ends then
      break
    end
  end
  assert(count == math.min(list.n, ends))
end

local function each_case(pool, random)
  local n = random(0, 60)
  local key = "each " .. random(0)
  pool:each(function (i)
    local sums = rawget(_G, "sums") or {}
    rawset(_G, "sums", sums)
    sums[key] = (sums[key] or 0) + i
  end, numbers(n), random_options(random))
  local sum = pool:call(function ()
    return (rawget(_G, "sums") or {})[key]
  end):await(limit)
  assert((sum or 0) == n * (n + 1) // 2)
end

-- Runs f many times on a pool of one to four workers; tells the seed when it
-- fails.
local function property(rounds, f, most)
  local seed = tonumber(os.getenv "TIDEPOOL_SEED") or os.time()
  for workers = 1, most or 4 do
    local pool <close> = new_pool(workers, 2 * workers)
    for round = 1, rounds do
      math.randomseed(seed, round)
      local ok, err = pcall(f, pool, math.random)
      if not ok then
        error(("TIDEPOOL_SEED=%d, %d workers, round %d: %s"):format(seed,
          workers, round, tostring(err)), 0)
      end
    end
  end
end

for _, place in ipairs(places) do
  describe("random lists " .. place.name, function ()
    after_each(session.finish)

    local rounds = session.count(1000, session.check and 10 or 50)
    for name, case in pairs {
      map = map_case, ["a map that fails"] = failing_case,
      reduce = reduce_case, imap = imap_case,
    } do
      it("give with " .. name .. " what a loop gives", function ()
        place.run(function () property(rounds, case) end)
      end)
    end

    it("are gone over once by each", function ()
      place.run(function () property(rounds, each_case, 1) end)
    end)
  end)
end
