-- Values: what crosses, how it comes out on the other side, what is refused.

local session = require "spec.support.session"
local samples = require "spec.support.samples"
local testmod = require "testmod"

local pool

-- There and back: the results of test.echo.
local function echo(...)
  return pool:call("test.echo", ...):await(session.limit)
end

-- Asserts that the arguments are refused with every text of the list.
local function refused(texts, ...)
  local before = pool:stats().submitted
  local ok, err = pcall(pool.call, pool, "test.echo", ...)
  assert.is_false(ok)
  assert.are.equal("string", type(err))
  for _, text in ipairs(texts) do
    assert.is_truthy(err:find(text, 1, true),
      ("%q is not in %q"):format(text, err))
  end
  assert.are.equal(before, pool:stats().submitted)
end

local function nested(depth)
  local t = {}
  for _ = 2, depth do
    t = { t }
  end
  return t
end

local function setup()
  pool = session.pool { workers = 2 }
end

describe("a value", function ()
  before_each(setup)
  after_each(session.finish)

  it("may be nil or a boolean", function ()
    assert.is_nil(echo(nil))
    assert.is_true(echo(true))
    assert.is_false(echo(false))
  end)

  it("stays an integer", function ()
    for _, value in ipairs {
      0, 1, -1, 255, 2 ^ 31 // 1 | 0, 2 ^ 53 // 1 | 0,
      math.maxinteger, math.mininteger,
    } do
      local back = echo(value)
      assert.are.equal("integer", math.type(back))
      assert.are.equal(value, back)
    end
  end)

  it("stays a float", function ()
    for _, value in ipairs {
      0.0, 1.0, -1.0, 0.1, 1e308, 5e-324, 2.0 ^ 53, -2.0 ^ 63, math.pi,
      math.huge, -math.huge,
    } do
      local back = echo(value)
      assert.are.equal("float", math.type(back))
      assert.are.equal(value, back)
    end
    local nan = echo(0 / 0)
    assert.are_not.equal(nan, nan)
    assert.are.equal(-math.huge, 1 / echo(-0.0))
  end)

  it("may be any string", function ()
    local every = {}
    for i = 0, 255 do
      every[i + 1] = string.char(i)
    end
    for _, text in ipairs { "", "a", "\0", "a\0b\0", table.concat(every) } do
      assert.are.equal(text, echo(text))
    end
    for length = 0, 300 do -- inline, short and long ones
      local text = ("y"):rep(length)
      assert.are.equal(text, echo(text))
    end
  end)

  it("may be a long string", function ()
    for _, length in ipairs { 2 ^ 16, 2 ^ 20 + 1, 2 ^ 26 } do
      local text = ("0123456789abcdef"):rep(length // 16 | 0)
      assert.is_true(text == echo(text))
      local list = echo { text, text }
      assert.is_true(list[1] == text and list[2] == text)
    end
  end)

  it("is seen by C as what it is", function ()
    local names = table.pack(pool:call("test.types", nil, true, 1, 1.0, "s",
      {}, pool, pool:call "test.count"):await(session.limit))
    assert.are.equal(8, names.n)
    for i = 1, 7 do
      assert.are_not.equal(names[i], names[i + 1])
    end
    assert.are.equal(3, pool:call("test.argcount", nil, nil, nil):await())
    assert.are.equal(0, pool:call("test.argcount"):await())
  end)
end)

describe("a table", function ()
  before_each(setup)
  after_each(session.finish)

  local function kept(value)
    local ok, where = samples.same(value, echo(value))
    assert.is_true(ok, where)
  end

  it("keeps lists, fields, holes and nesting", function ()
    kept {}
    kept { 1, 2, 3 }
    kept { 1, nil, 3 }
    kept { nil, nil, 3, n = 3 }
    kept { x = 1, y = { 2, z = { 3 } } }
    kept { 1, 2, 3, x = 4, [5.5] = 6, [-1] = 7, [0] = 8, [true] = 9 }
    kept { [math.maxinteger] = 1, [math.mininteger] = 2, [2.0 ^ 53] = 3 }
    kept { [1e300] = 1, [math.huge] = 2, [-math.huge] = 3, [""] = 4 }
    kept { { {}, {} }, { {} }, {} }
    kept { [false] = false, [1] = false }
  end)

  it("takes no length of a table on trust", function ()
    local sparse, seen = {}, 0
    for i = 0, 40 do
      sparse[1 << i] = i
    end
    for key, value in pairs(echo(sparse)) do
      assert.are.equal(key, 1 << value)
      seen = seen + 1
    end
    assert.are.equal(41, seen)
  end)

  it("may stand among many values", function ()
    -- A coroutine starts with a small stack, which has to grow for them.
    for n = 1, 240, 7 do
      local values = { {} }
      for i = 2, n do
        values[i] = i
      end
      local back = coroutine.wrap(function ()
        return table.pack(echo(table.unpack(values)))
      end)()
      values.n = n
      assert.are.same(values, back)
    end
  end)

  it("keeps integers apart from floats", function ()
    local back = echo { 1, 1.0, [2 ^ 53] = 2.0, key = -0.0 }
    assert.are.equal("integer", math.type(back[1]))
    assert.are.equal("float", math.type(back[2]))
    assert.are.equal("float", math.type(back[2 ^ 53]))
    assert.are.equal(-math.huge, 1 / back.key)
  end)

  it("may have tables for keys", function ()
    local key = { "key" }
    local back = echo { [key] = key, again = key }
    assert.are.same({ "key" }, back.again)
    assert.is_true(rawequal(back.again, back[back.again]))
  end)

  it("keeps sharing", function ()
    local shared = { "shared" }
    local back = echo { shared, x = { shared }, y = shared }
    assert.is_true(rawequal(back[1], back.x[1]))
    assert.is_true(rawequal(back[1], back.y))
    local a, b = echo(shared, shared)
    assert.is_true(rawequal(a, b))
    local c, d = echo({ "equal" }, { "equal" })
    assert.is_false(rawequal(c, d))
    a, b = pool:call("test.shared", { 1 }):await(session.limit)
    assert.is_true(rawequal(a, b))
    assert.are.same({ 1 }, a)
  end)

  it("keeps cycles", function ()
    local loop = {}
    loop.self = loop
    local back = echo(loop)
    assert.is_true(rawequal(back, back.self))
    local a, b = {}, {}
    a.b, b.a, a[1], b[b] = b, a, { a, b }, a
    back = echo(a)
    assert.is_true(rawequal(back, back.b.a))
    assert.is_true(rawequal(back, back[1][1]))
    assert.is_true(rawequal(back.b, back[1][2]))
    assert.is_true(rawequal(back, back.b[back.b]))
    local x, y = echo(a, b)
    assert.is_true(rawequal(x.b, y))
    assert.is_true(rawequal(y.a, x))
  end)

  it("keeps a ring of many tables", function ()
    local first = {}
    local list, last = { first }, first
    for i = 2, 100 do
      local t = { number = i }
      list[i], last.next, last = t, t, t
    end
    last.next = first
    local back = echo(list)
    for i = 1, 100 do
      assert.is_true(rawequal(back[i].next, back[i % 100 + 1]))
    end
  end)

  it("leaves its metatable behind and calls none", function ()
    local function never() error "a metamethod was called" end
    local t = setmetatable({ x = 1 }, {
      __index = never, __newindex = never, __pairs = never, __len = never,
      __eq = never, __name = "Odd",
    })
    local back = echo(t)
    assert.is_nil(getmetatable(back))
    assert.are.same({ x = 1 }, back)
  end)

  it("is a copy, made at the call", function ()
    local gate = session.block(pool, 2)
    local t = { 1, inner = { 2 } }
    local future = pool:call("test.echo", t)
    t[1], t.inner[1], t.new = "changed", "changed", true
    testmod.open(gate)
    local back = future:await(session.limit)
    assert.are.same({ 1, inner = { 2 } }, back)
    back[1] = "changed"
    assert.are.equal("changed", t[1])
  end)

  it("may be huge", function ()
    local list, fields = {}, {}
    for i = 1, 300000 do
      list[i] = i
    end
    for i = 1, 100000 do
      fields["key" .. i] = i / 2
    end
    local back = echo(list)
    assert.are.equal(300000, #back)
    for i = 1, 300000, 997 do
      assert.are.equal(i, back[i])
    end
    kept(fields)
  end)

  it("may hold very many tables", function ()
    local records = {}
    for i = 1, 30000 do
      records[i] = { id = i, name = "record " .. i, v = i / 3 }
    end
    kept(records)
  end)
end)

describe("nesting", function ()
  before_each(setup)
  after_each(session.finish)

  it("goes 200 deep", function ()
    local value, depth = echo(nested(200)), 0
    while value do
      value, depth = value[1], depth + 1
    end
    assert.are.equal(200, depth)
  end)

  it("is refused when deeper", function ()
    refused({ "argument 1", "200" }, nested(201))
    refused({ "argument 2", "200" }, 1, nested(201))
    refused({ "argument 1", "200" }, { x = nested(200) })
    refused({ "200" }, nested(100000))
    assert.are.equal("after", echo "after")
  end)

  it("is refused when deeper through keys", function ()
    local t = {}
    for _ = 1, 300 do
      t = { [t] = true }
    end
    refused({ "200" }, t)
  end)

  it("is refused when C moves it into one more table", function ()
    local deep = {}
    for _ = 1, 198 do deep = { deep } end
    local packed = pool:call("test.pack", deep):await(session.limit)
    assert.is_table(packed)
    local again = pool:call("test.pack", packed)
    assert.is_truthy(session.failure(again).message:find "deeper than 200")
  end)

  it("fails the task when C builds it deeper", function ()
    local value, depth = pool:call("test.nest", 200):await(session.limit), 0
    while value do
      value, depth = value[1], depth + 1
    end
    assert.are.equal(200, depth)
    local err = session.failure(pool:call("test.nest", 201))
    assert.is_truthy(tostring(err):find "200", tostring(err))
    session.failure(pool:call("test.nest", 100000))
  end)
end)

describe("a value that cannot cross", function ()
  before_each(setup)
  after_each(session.finish)

  it("is refused with its path", function ()
    refused({ [[argument 2, field "conn.socket": a userdata cannot be sent]] },
      1, { conn = { socket = io.stdout } })
    refused({ [[argument 1, field "x": a userdata cannot be sent]] },
      { x = io.stdout })
  end)

  it("is refused as an argument", function ()
    refused({ "argument 1: a userdata cannot be sent" }, io.stdout)
    refused({ "argument 3: a userdata cannot be sent" }, 1, 2, io.stdout)
    refused({ "argument 1", "cannot be sent" }, coroutine.create(print))
    refused({ "argument 1", "C function with upvalues", "cannot be sent" },
      coroutine.wrap(print))
    refused({ "argument 2, upvalue \"file\": a userdata cannot be sent" }, 1,
      (function (file) return function () return file end end)(io.stdout))
  end)

  it("is refused in a list", function ()
    refused({ "argument 1", "3", "a userdata cannot be sent" },
      { 1, 2, io.stdout })
    refused({ "argument 1", "rows", "2", "name", "a userdata cannot be sent" },
      { rows = { { name = "a" }, { name = io.stdout } } })
  end)

  it("is refused as a key", function ()
    refused({ "argument 1", "a userdata cannot be sent" },
      { [io.stdout] = 1 })
    refused({ "argument 1", "x", "a userdata cannot be sent" },
      { x = { [io.stdout] = 1 } })
  end)

  it("is refused in a cycle, deep down and under odd keys", function ()
    local loop = { x = {} }
    loop.x.loop, loop.x.bad = loop, io.stdout
    refused({ "argument 1", "bad", "a userdata cannot be sent" }, loop)
    refused({ "a userdata cannot be sent" }, { [true] = io.stdout })
    refused({ "a userdata cannot be sent" }, { [1.5] = io.stdout })
    refused({ "a userdata cannot be sent" },
      { [("long "):rep(10000)] = { ["\0\n\"]"] = io.stdout } })
    refused({ "a userdata cannot be sent" }, { [{}] = io.stdout })
    local deep = { io.stdout }
    for _ = 1, 150 do
      deep = { ("key"):rep(20), deep = deep }
    end
    refused({ "a userdata cannot be sent" }, deep)
  end)

  it("names the position of the call", function ()
    local _, err = pcall(function () pool:call("test.echo", io.stdout) end)
    assert.is_truthy(err:find "^%S*values_spec%.lua:%d+: argument 1", err)
  end)

  it("is refused by try_call and call_many", function ()
    for _, f in ipairs {
      function () pool:try_call("test.echo", 1, io.stdout) end,
      function () pool:call_many("test.echo", { { 1, io.stdout } }) end,
    } do
      local ok, err = pcall(f)
      assert.is_false(ok)
      assert.is_truthy(err:find("argument 2: a userdata cannot be sent", 1,
        true), err)
    end
    assert.are.equal(0, pool:stats().submitted)
  end)

  it("leaves nothing behind", function ()
    for i = 1, 1000 do
      pcall(pool.call, pool, "test.echo", { i, { ("x"):rep(i) }, io.stdout })
    end
    assert.are.equal(0, pool:stats().submitted)
    assert.are.same({ 1 }, echo { 1 })
  end)
end)

describe("random values", function ()
  before_each(setup)
  after_each(session.finish)

  it("come back as they were", function ()
    local seed = tonumber(os.getenv "TIDEPOOL_SEED") or os.time()
    math.randomseed(seed)
    for round = 1, session.count(20000, session.check and 200 or 2000) do
      local sent, list = {}, table.pack()
      for i = 1, math.random(0, 4) do
        sent[i] = samples.value(math.random, math.random(0, 5))
        list.n = i
      end
      local back = table.pack(echo(table.unpack(sent, 1, list.n)))
      assert.are.equal(list.n, back.n)
      back.n = nil
      local ok, where = samples.same(sent, back)
      assert.is_true(ok, ("TIDEPOOL_SEED=%d, round %d, %s"):format(seed,
        round, where))
    end
  end)

  it("come back from many calls in flight", function ()
    local seed = tonumber(os.getenv "TIDEPOOL_SEED") or os.time()
    math.randomseed(seed)
    local big, flights = session.pool { workers = 4, queue = 64 }, {}
    for i = 1, session.check and 100 or 1000 do
      local sent = samples.value(math.random, 4)
      flights[i] = { sent, big:call("test.echo", sent) }
    end
    for i, flight in ipairs(flights) do
      local ok, where = samples.same(flight[1],
        flight[2]:await(session.limit))
      assert.is_true(ok, ("TIDEPOOL_SEED=%d, call %d, %s"):format(seed, i,
        where))
    end
  end)
end)
