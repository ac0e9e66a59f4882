-- Signatures: what a call checks, worded as Lua words it.

local session = require "spec.support.session"
local tidepool = require "tidepool"

-- Asserts that f raises a plain string that holds `text` and a position.
local function refuses(text, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.are.equal("string", type(err))
  assert.is_truthy(err:find(text, 1, true),
    ("%q is not in %q"):format(text, err))
end

describe("a signature", function ()
  after_each(session.finish)

  -- What luaL_check* of Lua's own library says for the same mistake.
  local function like(expected, name, ...)
    local pool = session.pool()
    refuses(expected, pool.call, pool, name, ...)
    refuses(expected, pool.try_call, pool, name, ...)
    assert.are.equal(0, pool:stats().submitted)
  end

  it("names argument, function and types", function ()
    like("bad argument #1 to 'test.add' (number expected, got no value)",
      "test.add")
    like("bad argument #2 to 'test.add' (number expected, got no value)",
      "test.add", 1)
    like("bad argument #2 to 'test.add' (number expected, got nil)",
      "test.add", 1, nil)
    like("bad argument #1 to 'test.add' (number expected, got string)",
      "test.add", "ten", 1)
    like("bad argument #1 to 'test.add' (number expected, got table)",
      "test.add", {}, 1)
    like("bad argument #2 to 'test.add' (number expected, got boolean)",
      "test.add", 1, true)
    like("bad argument #1 to 'test.gate' (string expected, got nil)",
      "test.gate", nil)
    like("bad argument #1 to 'test.gate' (string expected, got no value)",
      "test.gate")
    like("bad argument #1 to 'test.gate' (string expected, got boolean)",
      "test.gate", false)
  end)

  it("uses the name in a metatable, as Lua does", function ()
    like("bad argument #1 to 'test.add' (number expected, got FILE*)",
      "test.add", io.stdout, 1)
    like("bad argument #1 to 'test.add' (number expected, got Named)",
      "test.add", setmetatable({}, { __name = "Named" }), 1)
  end)

  it("says at what position the call stands", function ()
    local pool = session.pool()
    local _, err = pcall(function () pool:call("test.add", {}) end)
    assert.is_truthy(err:find "^%S*signature_spec%.lua:%d+: bad argument #1")
  end)

  it("takes strings and floats for integers as Lua does", function ()
    local pool = session.pool()
    local function sum(a, b)
      return pool:call("test.add", a, b):await(session.limit)
    end
    assert.are.equal(11, sum("10", 1))
    assert.are.equal("integer", math.type(sum("10", 1)))
    assert.are.equal(17, sum(" 0x10 ", 1))
    assert.are.equal(4, sum(3.0, 1))
    assert.are.equal("integer", math.type(sum(3.0, 1)))
    assert.are.equal(6, sum("5.0", "1"))
    like("bad argument #1 to 'test.add' "
      .. "(number has no integer representation)", "test.add", 1.5, 1)
    like("bad argument #1 to 'test.add' "
      .. "(number has no integer representation)", "test.add", "1.5", 1)
    like("(number has no integer representation)", "test.add", 2.0 ^ 63, 1)
    like("(number has no integer representation)", "test.add", 0 / 0, 1)
    like("(number has no integer representation)", "test.add", 1, math.huge)
  end)

  it("takes strings for numbers as Lua does", function ()
    local pool = session.pool()
    assert.has_no.errors(function ()
      pool:call("tidepool.sleep", "0"):await(session.limit)
      pool:call("tidepool.sleep", 0):await(session.limit)
      pool:call("tidepool.sleep", "0x.001p0"):await(session.limit)
    end)
    like("bad argument #1 to 'tidepool.sleep' "
      .. "(number expected, got string)", "tidepool.sleep", "a while")
    like("bad argument #1 to 'tidepool.sleep' "
      .. "(number expected, got no value)", "tidepool.sleep")
  end)

  it("takes numbers for strings as Lua does", function ()
    local pool = session.pool()
    local function message(value)
      return session.failure(pool:call("test.fail", value)).message
    end
    assert.are.equal("10", message(10))
    assert.are.equal("1.5", message(1.5))
    assert.are.equal("1.0", message(1.0))
    assert.are.equal("-9223372036854775808", message(math.mininteger))
  end)
end)

describe("functions", function ()
  after_each(session.finish)

  it("lists names and signatures in order", function ()
    local list, seen = tidepool.functions(), {}
    for i, entry in ipairs(list) do
      seen[entry.name] = entry
      assert.is_true(i == 1 or list[i - 1].name < entry.name)
    end
    assert.are.equal("number", seen["tidepool.sleep"].signature)
    assert.are.equal("integer, integer -> integer",
      seen["test.add"].signature)
  end)

  it("is a method as well", function ()
    assert.are.same(tidepool.functions(), session.pool():functions())
  end)
end)
