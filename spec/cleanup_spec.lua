-- cleanup: frees a result now; collection does it later.

local session = require "spec.support.session"
local process = require "spec.support.process"
local testmod = require "testmod"

local function refuses(text, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.are.equal("string", type(err))
  assert.is_truthy(err:find(text, 1, true), err)
end

describe("cleanup", function ()
  before_each(function () testmod.runs(true) end)
  after_each(session.finish)

  it("makes later reads raise", function ()
    local future = session.pool():call("test.echo", "gone")
    assert.are.equal("gone", future:await(session.limit))
    future:cleanup()
    refuses("future was cleaned up", future.await, future)
    refuses("future was cleaned up", future.await, future, 0)
    refuses("future was cleaned up", future.get, future)
    refuses("future was cleaned up", future.pawait, future)
    local _, err = pcall(function () future:get() end)
    assert.is_truthy(err:find "^%S*cleanup_spec%.lua:%d+: future was")
  end)

  it("leaves tostring", function ()
    local future = session.pool():call("test.echo", "gone")
    future:wait(session.limit)
    future:cleanup()
    assert.is_truthy(tostring(future):find "^tidepool%.Future")
  end)

  it("twice is once", function ()
    local future = session.pool():call("test.echo", "gone")
    future:wait(session.limit)
    future:cleanup()
    future:cleanup()
    refuses("future was cleaned up", future.get, future)
  end)

  it("detaches a pending future, whose task still runs", function ()
    local pool = session.pool()
    local gate = session.block(pool, 1)
    local future = pool:call "test.count"
    future:cleanup()
    refuses("future was cleaned up", future.await, future)
    assert.are.equal(0, testmod.runs())
    testmod.open(gate)
    session.eventually(function () return testmod.runs() == 1 end)
    assert.is_true(pool:wait_all(session.limit))
    assert.are.equal(2, pool:stats().completed)
    refuses("future was cleaned up", future.await, future)
  end)

  it("detaches a running future, whose task goes on", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    held[1]:cleanup()
    refuses("future was cleaned up", held[1].await, held[1])
    testmod.open(gate)
    assert.is_true(pool:wait_all(session.limit))
    assert.are.equal(1, pool:stats().completed)
  end)

  it("leaves tables that were read before alone", function ()
    local future = session.pool():call("test.echo", { 1, { 2 } })
    local list = future:await(session.limit)
    future:cleanup()
    collectgarbage()
    assert.are.same({ 1, { 2 } }, list)
  end)

  it("of one future leaves another of the same task alone", function ()
    local pool = session.pool()
    local future = pool:call("test.echo", "shared")
    local same = pool:call("test.echo", { future }):await(session.limit)[1]
    assert.is_false(rawequal(same, future))
    future:cleanup()
    assert.are.equal("shared", same:await(session.limit))
  end)

  it("frees the result at once", function ()
    if session.check or not process.resident() then
      pending "memory cannot be measured here"
      return
    end
    local size = 256 * 2 ^ 20 // 1 | 0
    local pool = session.pool()
    local future = pool:call("test.big", size)
    assert.is_true(pool:wait_all(session.limit)) -- and the worker let go
    local before = process.resident()
    future:cleanup()
    assert.is_true(before - process.resident() > size // 2)
  end)
end)

-- Runs `f(future)` in finalizers while the body awaits that future.
local function from_finalizers(f, body)
  local current, over
  local function again()
    setmetatable({}, { __gc = function ()
      if current then pcall(f, current) end
      if not over then again() end
    end })
  end
  local before = collectgarbage("incremental", 0, 10000)
  for _ = 1, 20 do again() end
  for _ = 1, session.count(3000, 300) do
    body(function (future) current = future end)
    current = nil
  end
  over = true
  collectgarbage("incremental", 200, 100)
  collectgarbage(before)
end

describe("a finalizer", function ()
  after_each(session.finish)

  it("may clean up the future that is being read", function ()
    local pool = session.pool()
    from_finalizers(function (future) future:cleanup() end, function (watch)
      local future = pool:call("test.echo", "some text", { { 1 } }, "more")
      future:wait(session.limit)
      watch(future)
      local ok, text, list = pcall(future.await, future)
      if ok then
        assert.are.equal("some text", text)
        assert.are.same({ { 1 } }, list)
      else
        assert.is_truthy(text:find "cleaned up")
      end
    end)
  end)

  it("may clean up the failure that is being raised", function ()
    local pool = session.pool()
    from_finalizers(function (future) future:cleanup() end, function (watch)
      local future = pool:call("test.fail", "the reason of it")
      future:wait(session.limit)
      watch(future)
      local ok, err = pcall(future.await, future)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find "the reason of it" or
        tostring(err):find "cleaned up")
    end)
  end)

  it("may await the future that is being read", function ()
    local pool = session.pool()
    local text = ("x"):rep(100000)
    from_finalizers(function (future) future:await() end, function (watch)
      local future = pool:call("test.echo", text, text .. "y")
      future:wait(session.limit)
      watch(future)
      local a, b = future:await()
      assert.is_true(a == text and b == text .. "y")
    end)
  end)
end)
