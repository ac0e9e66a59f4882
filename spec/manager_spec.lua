-- AsyncManager: how it is made, found and called.

local session = require "spec.support.session"
local tidepool = require "tidepool"

local new = tidepool.AsyncManager.new

-- Asserts that f raises a plain string that holds `text` and a position.
local function refuses(text, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.are.equal("string", type(err))
  assert.is_truthy(err:find(text, 1, true),
    ("%q is not in %q"):format(text, err))
end

describe("AsyncManager.new", function ()
  after_each(session.finish)

  it("has four workers and forty places when nothing is said", function ()
    local pool = session.pool {}
    assert.are.equal(4, pool:stats().workers)
    local gate = session.gate()
    for i = 1, 44 do
      assert.is_truthy(pool:try_call("test.gate", gate), "call " .. i)
    end
    local future, why = pool:try_call("test.gate", gate)
    assert.is_nil(future)
    assert.are.equal("full", why)
  end)

  it("takes the number of workers", function ()
    assert.are.equal(1, session.pool({ workers = 1 }):stats().workers)
    assert.are.equal(9, session.pool({ workers = 9 }):stats().workers)
  end)

  it("takes the limits of workers and queue", function ()
    assert.are.equal(1024, session.pool({ workers = 1024 }):stats().workers)
    session.pool { workers = 1, queue = 1 }
    session.pool { workers = 1, queue = 2 ^ 20 // 1 | 0 }
  end)

  it("names an option that is out of range", function ()
    refuses("bad option 'workers' (integer from 1 to 1024 expected, got 0)",
      new, { workers = 0 })
    refuses("'workers'", new, { workers = 1025 })
    refuses("'workers'", new, { workers = -1 })
    refuses("'workers'", new, { workers = math.mininteger })
    refuses("'workers'", new, { workers = math.maxinteger })
    refuses("'queue'", new, { queue = 0 })
    refuses("'queue'", new, { queue = (1 << 20) + 1 })
    refuses("'spin'", new, { spin = -1 })
    refuses("'full'", new, { full = "drop" })
  end)

  it("names an option of a wrong type", function ()
    refuses("bad option 'workers'", new, { workers = "many" })
    refuses("got string", new, { workers = "many" })
    refuses("'workers'", new, { workers = 1.5 })
    refuses("'workers'", new, { workers = {} })
    refuses("'workers'", new, { workers = 0 / 0 })
    refuses("'queue'", new, { queue = "long" })
    refuses("'queue'", new, { queue = math.huge })
    refuses("'queue'", new, { queue = true })
    refuses("'name'", new, { name = {} })
    refuses("'name'", new, { name = "default" })
    refuses("'full'", new, { full = 1 })
    refuses("'full'", new, { full = true })
  end)

  it("names an option that it does not know", function ()
    refuses("unknown option 'wrokers'", new, { wrokers = 4 })
    refuses("unknown option", new, { 4 })
  end)

  it("wants a table", function ()
    refuses("bad argument #1 to 'new'", function () new(4) end)
    refuses("bad argument #1 to 'new'", function () new "four" end)
  end)

  it("says where it was called wrongly", function ()
    local _, err = pcall(function () new { workers = 0 } end)
    assert.is_truthy(err:find "^%S*manager_spec%.lua:%d+: bad option")
  end)

  it("refuses the name of an open manager", function ()
    local name = "manager-spec-taken"
    local first = session.pool { workers = 1, name = name }
    assert.is_false(pcall(new, { workers = 1, name = name }))
    assert.are.equal(name, first:name())
    first:shutdown()
    assert.are.equal(name, session.pool({ workers = 1, name = name }):name())
  end)

  it("tells what it is", function ()
    local pool = session.pool { workers = 3, name = "manager-spec-shown" }
    assert.is_truthy(tostring(pool):find(
      "tidepool.AsyncManager: manager-spec-shown (3 workers", 1, true))
    assert.are.equal("tidepool.AsyncManager", getmetatable(pool).__name)
  end)
end)

describe("tidepool.attach", function ()
  after_each(session.finish)

  it("finds a manager by its name", function ()
    local pool = session.pool { workers = 1, name = "manager-spec-found" }
    local other = tidepool.attach "manager-spec-found"
    local before = pool:stats().submitted
    assert.are.equal(5, other:call("test.add", 2, 3):await(session.limit))
    assert.are.equal(before + 1, pool:stats().submitted)
  end)

  it("raises for a name that nobody has", function ()
    refuses("no manager named 'manager-spec-nobody'", tidepool.attach,
      "manager-spec-nobody")
  end)

  it("raises for a manager that was shut down", function ()
    local pool = session.pool { workers = 1, name = "manager-spec-gone" }
    pool:shutdown()
    refuses("no manager named 'manager-spec-gone'", tidepool.attach,
      "manager-spec-gone")
  end)

  it("finds it from another Lua state", function ()
    local pool = session.pool { workers = 1, name = "manager-spec-states" }
    local other = session.state [[
      local tidepool = require "tidepool"
      require "testmod"
      local pool = tidepool.attach "manager-spec-states"
      return pool:call("test.add", 20, 22):await(60)
    ]]
    assert.are.equal(42, other:join())
    assert.are.equal(1, pool:stats().submitted)
  end)
end)

describe("tidepool.default", function ()
  after_each(session.finish)

  it("has four workers", function ()
    assert.are.equal(4, tidepool.default():stats().workers)
  end)

  it("is what tidepool.call uses", function ()
    local before = tidepool.default():stats().submitted
    assert.are.equal(3, tidepool.call("test.add", 1, 2):await(session.limit))
    assert.are.equal(before + 1, tidepool.default():stats().submitted)
  end)

  it("is the same in every Lua state", function ()
    local before = tidepool.default():stats().submitted
    local other = session.state [[
      local tidepool = require "tidepool"
      require "testmod"
      return tidepool.call("test.add", 1, 2):await(60)
    ]]
    assert.are.equal(3, other:join())
    assert.are.equal(before + 1, tidepool.default():stats().submitted)
  end)
end)

describe("a call", function ()
  after_each(session.finish)

  it("answers a future at once", function ()
    local pool = session.pool()
    local future = pool:call("test.gate", session.gate())
    assert.is_true(tidepool.is_future(future))
    assert.is_false(future:is_ready())
  end)

  it("runs the function with the arguments", function ()
    local pool = session.pool()
    assert.are.equal(-7, pool:call("test.add", 3, -10):await(session.limit))
  end)

  it("raises for a name that is not registered", function ()
    local pool = session.pool()
    refuses("no function named 'zzzzzzzzzzzz' is registered", pool.call,
      pool, "zzzzzzzzzzzz")
    local _, err = pcall(pool.call, pool, "zzzzzzzzzzzz")
    assert.is_nil(err:find "did you mean")
    assert.are.equal(0, pool:stats().submitted)
  end)

  it("guesses what was meant", function ()
    local pool = session.pool()
    refuses("no function named 'tidepool.slep' is registered "
      .. "(did you mean 'tidepool.sleep'?)", pool.call, pool,
      "tidepool.slep", 1)
    refuses("did you mean 'test.add'?", pool.try_call, pool, "test.ad", 1, 1)
  end)

  it("wants a name", function ()
    local pool = session.pool()
    refuses("bad argument #1 to 'call'", function () pool:call() end)
    refuses("bad argument #1 to 'call'", function () pool:call {} end)
  end)

  it("wants a manager", function ()
    assert.is_false(pcall(session.pool().call, {}, "test.add", 1, 2))
    assert.is_false(pcall(session.pool().call, io.stdout, "test.add", 1, 2))
  end)
end)
