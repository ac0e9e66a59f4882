-- The C API of tidepool.h, through the functions of the test module.

local session = require "spec.support.session"
local testmod = require "testmod"
local tidepool = require "tidepool"

local pool

local function setup()
  pool = session.pool { workers = 2, queue = 100 }
end

-- The results of a call.
local function call(name, ...)
  return pool:call(name, ...):await(session.limit)
end

describe("reading arguments", function ()
  before_each(setup)
  after_each(session.finish)

  it("counts them and tells their types", function ()
    assert.are.equal(0, call "test.argcount")
    assert.are.equal(1, call("test.argcount", nil))
    assert.are.equal(30, call("test.argcount", table.unpack({}, 1, 30)))
  end)

  it("converts as the header says", function ()
    local function read(value)
      return table.pack(call("test.read", value))
    end
    local function check(boolean, integer, number, bytes, value)
      local got = read(value)
      assert.are.equal(boolean, got[1])
      assert.are.equal(integer, got[2])
      assert.are.equal(number, got[3])
      assert.are.equal(bytes, got[4])
    end
    check(false, 0, 0.0, nil, nil)
    check(false, 0, 0.0, nil, false)
    check(true, 0, 0.0, nil, true)
    check(true, 42, 42.0, nil, 42)
    check(true, math.mininteger, -2.0 ^ 63, nil, math.mininteger)
    check(true, 2, 2.9, nil, 2.9)
    check(true, -2, -2.9, nil, -2.9)
    check(true, 0, 1e300, nil, 1e300)
    check(true, 0, 2.0 ^ 63, nil, 2.0 ^ 63)
    check(true, math.mininteger, -2.0 ^ 63, nil, -2.0 ^ 63)
    check(true, 0, math.huge, nil, math.huge)
    check(true, 0, 0.0, "a\0b", "a\0b")
    check(true, 0, 0.0, "", "")
    check(true, 0, 0.0, nil, {})
    assert.are.equal(0, read(0 / 0)[2])
  end)

  it("tells the running task about itself", function ()
    local future = pool:call "test.self"
    local name, id = future:await(session.limit)
    assert.are.equal("test.self", name)
    assert.are.equal(future:id(), id)
  end)
end)

describe("tables", function ()
  before_each(setup)
  after_each(session.finish)

  it("are walked in place", function ()
    local sum, leaves = call("test.walk", { 1, 2, { 3, x = 4 }, y = { { 5 } } })
    assert.are.equal(15, sum)
    assert.are.equal("integer", math.type(sum))
    assert.are.equal(5, leaves)
    assert.are.equal(3.5, (call("test.walk", { 1, 2.5, "text", true })))
    local list = {}
    for i = 1, 100000 do
      list[i] = i
    end
    assert.are.equal(100000 * 100001 // 2, (call("test.walk", list)))
    sum, leaves = call("test.walk", {})
    assert.are.equal(0, sum)
    assert.are.equal(0, leaves)
  end)

  it("may be a cycle, which C sees as one", function ()
    local loop = { 1 }
    loop.self = loop
    assert.are.equal("a cycle",
      session.failure(pool:call("test.walk", loop)).message)
  end)

  it("show their array part and their pairs", function ()
    local array, pairs_ = call("test.sizes", { 1, 2, 3, x = 1, y = 2 })
    assert.are.equal(3, array)
    assert.are.equal(2, pairs_)
    array, pairs_ = call("test.sizes", {})
    assert.are.equal(0, array + pairs_)
    array, pairs_ = call("test.sizes", { x = 1 })
    assert.are.equal(0, array)
    assert.are.equal(1, pairs_)
  end)

  it("are looked up by name and by index", function ()
    local t = { "one", { "two" }, name = "n", [""] = "empty", ["a\0b"] = 0 }
    assert.are.equal("n", call("test.field", t, "name"))
    assert.are.equal("empty", call("test.field", t, ""))
    assert.is_nil((call("test.field", t, "nam")))
    assert.is_nil((call("test.field", t, "names")))
    assert.is_nil((call("test.field", t, "a")))
    assert.are.equal("one", call("test.item", t, 1))
    assert.are.same({ "two" }, call("test.item", t, 2))
    assert.is_nil((call("test.item", t, 0)))
    assert.is_nil((call("test.item", t, 3)))
    assert.is_nil((call("test.item", t, -1)))
    assert.is_nil((call("test.item", t, math.maxinteger)))
  end)

  it("are built in place", function ()
    local t = call "test.table"
    assert.are.same({
      1, 2.5, "a\0b", nil, true, name = "n", [-7] = "integer key",
      [0.5] = "float key", [false] = "boolean key", inner = { x = {} },
    }, t)
    assert.are.equal("integer", math.type(t[1]))
    assert.is_nil(rawget(t, "gone"))
    local list = call("test.list", 100000)
    assert.are.equal(100000, #list)
    assert.are.equal(100000, list[100000])
    assert.are.same({}, call("test.list", 0))
  end)

  it("are built out of arguments, which move", function ()
    local inner = { "inner" }
    local packed = call("test.pack", 1, inner, "text", inner)
    assert.are.same({ 1, { "inner" }, "text", { "inner" } }, packed)
    assert.is_true(rawequal(packed[2], packed[4]))
    assert.are.same({}, call "test.pack")
  end)
end)

describe("results", function ()
  before_each(setup)
  after_each(session.finish)

  it("may be a large buffer that C filled in place", function ()
    for _, size in ipairs { 0, 1, 15, 16, 17, 40, 41, 4096, 2 ^ 24 } do
      size = size // 1 | 0
      local text = call("test.big", size)
      assert.are.equal(size, #text)
      assert.is_nil(text:find "[^x]")
    end
  end)

  it("are dropped by tp_fail", function ()
    local future = pool:call("test.fail_ok", "failed all the same")
    local ok, err = future:pawait(session.limit)
    -- What a function says last is what counts: it returned TP_OK.
    if ok then
      assert.are.equal("string", type(err))
    else
      assert.are.equal("failed all the same", err.message)
    end
  end)

  it("may be a future", function ()
    local inner = call("test.start", "test.add", 4, 5)
    assert.is_true(tidepool.is_future(inner))
    assert.are.equal(9, inner:await(session.limit))
  end)
end)

describe("user data of a call", function ()
  before_each(setup)
  after_each(session.finish)

  it("is destroyed when the function has returned", function ()
    testmod.destroyed(true)
    assert.are.equal(10, call("test.userdata", 10))
    testmod.wait_destroyed(10)
    local destroyed, disordered = testmod.destroyed(true)
    assert.are.equal(10, destroyed)
    assert.are.equal(0, disordered)
  end)

  it("is destroyed when the function has failed", function ()
    testmod.destroyed(true)
    session.failure(pool:call("test.userdata", 7, true))
    testmod.wait_destroyed(7)
    assert.are.equal(7, (testmod.destroyed(true)))
  end)

  it("is destroyed once in every of many calls", function ()
    testmod.destroyed(true)
    local futures = {}
    for i = 1, 500 do
      futures[i] = pool:call("test.userdata", i % 5, i % 7 == 0)
      if i % 3 == 0 then
        futures[i]:cancel()
      end
    end
    local made = 0
    session.settle(futures)
    assert.is_true(pool:wait_all(session.limit))
    for i, future in ipairs(futures) do
      local ok = future:pawait()
      if ok or i % 7 == 0 and future:state() == "failed" then
        made = made + i % 5
      end
    end
    pool:shutdown()
    local destroyed, disordered = testmod.destroyed(true)
    assert.is_true(destroyed >= made) -- a cancelled one may have run
    assert.are.equal(0, disordered)
  end)
end)

describe("progress", function ()
  before_each(setup)
  after_each(session.finish)

  it("is seen while the function runs", function ()
    local gate = session.gate()
    local future = pool:call("test.progress", 0.25, "a quarter", gate)
    session.entered(gate, 1)
    local fraction, note = future:progress()
    assert.are.equal(0.25, fraction)
    assert.are.equal("a quarter", note)
    testmod.open(gate)
    future:await(session.limit)
    assert.are.equal(1, (future:progress()))
  end)

  it("needs no note, and keeps 63 bytes of one", function ()
    local gate = session.gate()
    local none = pool:call("test.progress", 0.5, nil, gate)
    local long = pool:call("test.progress", 0.5, ("n"):rep(1000), gate)
    session.entered(gate, 2)
    local fraction, note = none:progress()
    assert.are.equal(0.5, fraction)
    assert.is_nil(note)
    assert.are.equal(("n"):rep(63), (select(2, long:progress())))
    testmod.open(gate)
  end)

  it("stays where it was when the task fails", function ()
    local future = pool:call("test.fail", "on purpose")
    future:pawait(session.limit)
    local fraction = future:progress()
    assert.is_true(fraction >= 0 and fraction <= 1)
  end)
end)

describe("being cancelled", function ()
  before_each(setup)
  after_each(session.finish)

  for _, name in ipairs { "test.until_cancelled", "test.poll_cancelled" } do
    it("is noticed by " .. name, function ()
      testmod.noticed(true)
      local before = testmod.entered "until_cancelled"
      local future = pool:call(name)
      session.entered("until_cancelled", before + 1)
      assert.are.equal(0, testmod.noticed())
      assert.is_true(future:cancel())
      testmod.wait_noticed(1)
      assert.are.equal("cancelled", future:state())
    end)
  end

  it("is not claimed for a task that nobody cancelled", function ()
    testmod.noticed(true)
    local err = session.failure(pool:call("test.until_cancelled", 0.02))
    assert.are.equal("error", err.kind)
    assert.are.equal(0, testmod.noticed())
  end)
end)

describe("misuse of the C API", function ()
  before_each(setup)
  after_each(session.finish)

  it("ends in a result or in a failure", function ()
    local names = table.pack(call "test.abuses")
    assert.is_true(names.n > 10)
    for _, name in ipairs(names) do
      local future = pool:call("test.abuse", name)
      assert.is_true(future:wait(session.limit), name)
      local ok, err = future:pawait()
      if not ok then
        assert.are.equal("table", type(err), name)
        assert.are.equal("string", type(err.message), name)
        assert.are.equal("string", type(tostring(err)), name)
      end
      assert.are.equal(3, call("test.add", 1, 2)) -- the worker is well
    end
  end)

  it("is not forgotten where a table was left unfinished", function ()
    for _, name in ipairs {
      "close_unopened", "open_unclosed", "key_unfinished", "key_outside",
      "key_nil", "key_nan", "too_deep", "buffer_huge",
    } do
      local err = session.failure(pool:call("test.abuse", name))
      assert.is_true(#err.message > 0, name)
    end
  end)

  it("keeps the first of two failures or the last, but fails", function ()
    for code = 1, 12 do
      session.failure(pool:call("test.code", code))
    end
    session.failure(pool:call("test.code", -1))
    session.failure(pool:call("test.code", 2 ^ 31 - 1))
  end)
end)

describe("the header", function ()
  it("is where tidepool.header says", function ()
    local file = assert(io.open(tidepool.header()))
    local text = file:read "a"
    file:close()
    assert.is_truthy(text:find("#ifndef TIDEPOOL_H", 1, true))
  end)

  it("belongs to the version that runs", function ()
    assert.are.equal("tidepool 0.1.0", tidepool._VERSION)
    assert.are.equal("userdata", type(tidepool.api))
  end)
end)
