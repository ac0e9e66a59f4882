-- Future: its states, and every way to read a result.

local session = require "spec.support.session"
local testmod = require "testmod"
local tidepool = require "tidepool"

local function refuses(text, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.are.equal("string", type(err))
  assert.is_truthy(err:find(text, 1, true), err)
end

describe("a future", function ()
  after_each(session.finish)

  it("goes from pending to running to completed", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    local second = pool:call("test.add", 1, 2)
    assert.are.equal("running", held[1]:state())
    assert.are.equal("pending", second:state())
    assert.is_false(held[1]:is_ready())
    assert.is_false(second:is_ready())
    testmod.open(gate)
    second:await(session.limit)
    assert.are.equal("completed", held[1]:state())
    assert.are.equal("completed", second:state())
    assert.is_true(second:is_ready())
  end)

  it("ends as failed or cancelled otherwise", function ()
    local pool = session.pool()
    local failed = pool:call("test.fail", "on purpose")
    failed:pawait(session.limit)
    assert.are.equal("failed", failed:state())
    assert.is_true(failed:is_ready())
    session.block(pool, 1)
    local cancelled = pool:call("test.add", 1, 2)
    cancelled:cancel()
    assert.are.equal("cancelled", cancelled:state())
    assert.is_true(cancelled:is_ready())
  end)

  it("has an integer of its own for an id", function ()
    local pool, seen = session.pool { workers = 2, queue = 100 }, {}
    for i = 1, 100 do
      local future = pool:call("test.add", i, 1)
      local id = future:id()
      assert.are.equal("integer", math.type(id))
      assert.is_nil(seen[id])
      seen[id] = future
      assert.are.equal(id, future:id())
    end
  end)

  it("tells what it is", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    local second = pool:call("test.add", 1, 2)
    assert.are.equal(("tidepool.Future: %d (running, test.gate)"):format(
      held[1]:id()), tostring(held[1]))
    assert.are.equal(("tidepool.Future: %d (pending, test.add)"):format(
      second:id()), tostring(second))
    testmod.open(gate)
    second:await(session.limit)
    assert.are.equal(("tidepool.Future: %d (completed, test.add)"):format(
      second:id()), tostring(second))
    assert.are.equal("tidepool.Future", getmetatable(second).__name)
  end)

  it("is told apart from all else", function ()
    local pool = session.pool()
    assert.is_true(tidepool.is_future(pool:call("test.add", 1, 2)))
    for _, other in ipairs { pool, {}, "future", 1, print, io.stdout, true } do
      assert.is_false(tidepool.is_future(other))
    end
    assert.is_false(tidepool.is_future(nil))
  end)

  it("has methods for futures alone", function ()
    local future = session.pool():call("test.add", 1, 2)
    for _, name in ipairs {
      "await", "pawait", "wait", "get", "is_ready", "state", "id", "cancel",
      "cleanup", "progress", "pollfd", "events", "timeout", "getfd", "dirty",
    } do
      assert.are.equal("function", type(future[name]), name)
      assert.is_false(pcall(future[name], {}), name)
      assert.is_false(pcall(future[name], io.stdout), name)
      assert.is_false(pcall(future[name]), name)
    end
    assert.is_nil(future.no_such_method)
  end)
end)

describe("await", function ()
  after_each(session.finish)

  it("answers the results, again and again", function ()
    local future = session.pool():call("test.echo", 1, "two", { 3 })
    local a1, b1, c1 = future:await(session.limit)
    local a2, b2, c2 = future:await()
    assert.are.equal(1, a1)
    assert.are.equal("two", b1)
    assert.are.same({ 3 }, c1)
    assert.are.equal(a1, a2)
    assert.are.equal(b1, b2)
    assert.is_true(rawequal(c1, c2)) -- the same table, not a copy
    assert.is_true(rawequal(c1, (select(3, future:get()))))
    assert.is_true(rawequal(c1, (select(4, future:pawait()))))
  end)

  it("raises the same failure again and again", function ()
    local future = session.pool():call("test.fail", "on purpose")
    local _, first = pcall(future.await, future, session.limit)
    local _, second = pcall(future.await, future)
    assert.are.equal("on purpose", first.message)
    assert.are.equal("on purpose", second.message)
    assert.are.equal(first.kind, second.kind)
  end)

  it("keeps nil, no result and trailing nils", function ()
    local pool = session.pool()
    local function results(...)
      return table.pack(pool:call("test.echo", ...):await(session.limit))
    end
    assert.are.same({ n = 0 }, results())
    assert.are.same({ n = 1 }, results(nil))
    assert.are.same({ n = 3 }, results(nil, nil, nil))
    assert.are.same({ nil, false, nil, n = 3 }, results(nil, false, nil))
  end)

  it("keeps many results", function ()
    local pool = session.pool()
    for _, count in ipairs { 2, 8, 9, 16, 17, 100, 249, 250 } do
      local list = {}
      for i = 1, count do
        list[i] = i * i
      end
      local got = table.pack(pool:call("test.echo",
        table.unpack(list)):await(session.limit))
      list.n = count
      assert.are.same(list, got)
    end
  end)

  it("keeps embedded zeros", function ()
    local pool = session.pool()
    for _, text in ipairs { "", "\0", "a\0b\0", ("\0"):rep(100000) } do
      assert.are.equal(text,
        pool:call("test.echo", text):await(session.limit))
    end
  end)

  -- Once read, they are Lua's alone, and made anew when they are handed on.
  it("keeps long strings, however they are read", function ()
    local pool, long = session.pool(), ("long \0"):rep(50000)
    local function check(future)
      local got = table.pack(future:await(session.limit))
      assert.are.equal(4, got.n)
      assert.is_true(got[1] == long and got[2] == nil and got[3] == 7
        and got[4] == long)
    end
    local future = pool:call("test.echo", long, nil, 7, long)
    check(future)
    pool:wait_all(session.limit)
    check(future)
    collectgarbage()
    check(future)
    assert.is_true(select(2, future:pawait()) == long)
    assert.is_true(select(4, future:get()) == long)
    local same = pool:call("test.echo", { future }):await(session.limit)[1]
    check(same)
    check(future)
    local outer = pool:call("test.echo", { future }, { same })
    check(outer:await(session.limit)[1])
    future:cleanup()
    check(same)
  end)

  it("works under pcall, with its method alone", function ()
    local pool = session.pool()
    local future = pool:call("tidepool.sleep", 0.01)
    assert.is_true((pcall(future.await, future)))
    local failed = pool:call("test.fail", "on purpose")
    local ok, err = pcall(failed.await, failed)
    assert.is_false(ok)
    assert.are.equal("on purpose", err.message)
  end)

  it("works where nothing can yield", function ()
    local pool = session.pool()
    local function slow(value)
      pool:call("tidepool.sleep", 0.002):await(session.limit)
      return pool:call("test.echo", value):await(session.limit)
    end
    local list = { 3, 1, 2 }
    table.sort(list, function (a, b) return slow(a) < slow(b) end)
    assert.are.same({ 1, 2, 3 }, list)
    assert.are.equal("x=1", (("x=?"):gsub("%?", function ()
      return slow "1"
    end)))
    local meta = setmetatable({}, {
      __index = function (_, key) return slow(key) end,
    })
    assert.are.equal("field", meta.field)
    for value in function (_, last) return not last and slow(7) or nil end do
      assert.are.equal(7, value)
    end
  end)

  it("works inside a coroutine of the program", function ()
    local pool = session.pool()
    local co = coroutine.wrap(function (...)
      local sum = 0
      for _, value in ipairs { ... } do
        local future = pool:call("tidepool.sleep", 0.002)
        assert(pcall(future.await, future))
        sum = sum + pool:call("test.add", value, 0):await(session.limit)
        coroutine.yield(sum)
      end
      return "end"
    end)
    assert.are.equal(1, co(1, 2, 3))
    assert.are.equal(3, co())
    assert.are.equal(6, co())
    assert.are.equal("end", co())
  end)

  it("works in any order, from several coroutines", function ()
    local pool, futures = session.pool { workers = 4, queue = 400 }, {}
    for i = 1, 400 do
      futures[i] = pool:call("test.echo", i, { i })
    end
    for i = 400, 1, -1 do
      local number, list = coroutine.wrap(function ()
        return futures[i]:await(session.limit)
      end)()
      assert.are.equal(i, number)
      assert.are.same({ i }, list)
    end
  end)

  it("waits as long as it takes when nothing is said", function ()
    local pool = session.pool()
    pool:call("tidepool.sleep", 0.05):await()
    pool:call("tidepool.sleep", 0.05):await(nil)
    pool:call("tidepool.sleep", 0.05):await(math.huge)
    assert.are.equal(3, pool:stats().completed)
  end)
end)

describe("pawait", function ()
  after_each(session.finish)

  it("answers true and the results", function ()
    local pool = session.pool()
    local got = table.pack(pool:call("test.echo", nil, 2, nil):pawait())
    assert.are.same({ true, nil, 2, nil, n = 4 }, got)
    assert.are.same({ true, n = 1 },
      table.pack(pool:call("test.echo"):pawait()))
    got = table.pack(pool:call("test.echo", { 1 }, 2):pawait())
    assert.are.same({ n = 3, true, { 1 }, 2 }, got)
  end)

  it("answers false and the Error", function ()
    local future = session.pool():call("test.fail", "on purpose")
    local got = table.pack(future:pawait())
    assert.are.equal(2, got.n)
    assert.is_false(got[1])
    assert.are.equal("error", got[2].kind)
  end)
end)

describe("get", function ()
  after_each(session.finish)

  it("raises before the future is ready", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    local queued = pool:call("test.echo", "later")
    refuses("future not ready", held[1].get, held[1])
    refuses("future not ready", queued.get, queued)
    local _, err = pcall(function () queued:get() end)
    assert.is_truthy(err:find "^%S*future_spec%.lua:%d+: future not ready")
    testmod.open(gate)
    assert.is_true(queued:wait(session.limit))
    assert.are.equal("later", queued:get())
    assert.are.equal("later", queued:get())
  end)

  it("raises the Error of a failed task", function ()
    local future = session.pool():call("test.fail", "on purpose")
    future:wait(session.limit)
    local ok, err = pcall(future.get, future)
    assert.is_false(ok)
    assert.are.equal("error", err.kind)
    assert.are.equal("on purpose", err.message)
  end)
end)

describe("progress", function ()
  after_each(session.finish)

  it("is 0 before anything was told and 1 at the end", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    local queued = pool:call("test.add", 1, 2)
    for _, future in ipairs { held[1], queued } do
      local fraction, note = future:progress()
      assert.are.equal(0, fraction)
      assert.is_nil(note)
    end
    testmod.open(gate)
    queued:await(session.limit)
    assert.are.equal(1, (queued:progress()))
  end)
end)

describe("a future of another", function ()
  after_each(session.finish)

  it("crosses in a table and comes back as itself", function ()
    local pool = session.pool { workers = 2 }
    local inner = pool:call("test.echo", "inside")
    local outer = pool:call("test.echo", { inner, { inner } })
    local list = outer:await(session.limit)
    assert.is_true(tidepool.is_future(list[1]))
    assert.are.equal(inner:id(), list[1]:id())
    assert.are.equal(inner:id(), list[2][1]:id())
    assert.are.equal("inside", list[1]:await(session.limit))
  end)

  it("outlives its manager", function ()
    local pool = session.pool()
    local future = pool:call("test.echo", "kept", { 1 })
    pool:shutdown()
    pool = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    local text, list = future:await()
    assert.are.equal("kept", text)
    assert.are.same({ 1 }, list)
  end)
end)
