-- Errors of tasks, misuse, and failures that nobody read.

local session = require "spec.support.session"
local process = require "spec.support.process"
local testmod = require "testmod"
local tidepool = require "tidepool"

describe("the Error of a failed task", function ()
  after_each(session.finish)

  it("has kind, message, value, name and id", function ()
    local future = session.pool():call("test.fail", "cannot open 'x'")
    local err = session.failure(future)
    assert.are.equal("table", type(err))
    assert.are.equal("tidepool.Error", getmetatable(err).__name)
    assert.are.equal("error", err.kind)
    assert.are.equal("cannot open 'x'", err.message)
    assert.are.equal("cannot open 'x'", err.value)
    assert.are.equal("test.fail", err.name)
    assert.are.equal(future:id(), err.id)
  end)

  it("reads well", function ()
    local err = session.failure(session.pool():call("test.fail", "no disk"))
    assert.are.equal("test.fail: no disk", tostring(err))
  end)

  it("keeps long messages and zeros", function ()
    local pool = session.pool()
    local long = ("long "):rep(5000)
    assert.are.equal(long,
      session.failure(pool:call("test.fail", long)).message)
    assert.are.equal("", session.failure(pool:call("test.fail", "")).message)
  end)

  it("tells a return code that is none of tidepool's", function ()
    local err = session.failure(session.pool():call("test.code", 77))
    assert.are.equal("error", err.kind)
    assert.is_truthy(err.message:find "77", err.message)
  end)

  it("tells TP_FAILED without tp_fail", function ()
    local err = session.failure(session.pool():call("test.code", 1))
    assert.are.equal("error", err.kind)
    assert.are.equal("string", type(err.message))
  end)

  it("completes for the code 0", function ()
    assert.is_true((session.pool():call("test.code", 0):pawait()))
  end)

  it("has a kind for every other end", function ()
    local pool = session.pool { workers = 1, queue = 1, full = "fail" }
    local gate, held = session.block(pool, 1)
    local queued = pool:call("test.add", 1, 2)
    local ok, err = pcall(pool.call, pool, "test.add", 1, 2)
    assert.is_false(ok)
    assert.are.equal("full", err.kind)
    assert.are.equal("test.add", err.name)
    queued:cancel "unwanted"
    assert.are.equal("cancelled", session.failure(queued).kind)
    ok, err = held[1]:pawait(0)
    assert.is_false(ok)
    assert.are.equal("timeout", err.kind)
    testmod.open(gate)
    pool:shutdown()
    ok, err = pcall(pool.call, pool, "test.add", 1, 2)
    assert.is_false(ok)
    assert.are.equal("closed", err.kind)
    for _, each in ipairs { err } do
      assert.are.equal("string", type(each.message))
      assert.are.equal("string", type(tostring(each)))
    end
  end)

  it("goes through error and pcall like any table", function ()
    local future = session.pool():call("test.fail", "on purpose")
    local ok, err = pcall(function ()
      local good, inner = pcall(future.await, future)
      assert(not good)
      error(inner)
    end)
    assert.is_false(ok)
    assert.are.equal("on purpose", err.message)
    assert.are.equal("on purpose", err.value)
  end)
end)

describe("misuse", function ()
  after_each(session.finish)

  it("raises plain strings with a position", function ()
    local pool = session.pool()
    session.block(pool, 1)
    local future = pool:call("test.add", 1, 2)
    local cleaned = pool:call("test.add", 1, 2)
    cleaned:cleanup()
    for what, f in pairs {
      ["future not ready"] = function () future:get() end,
      ["future was cleaned up"] = function () cleaned:get() end,
      ["no function named 'test.ad'"] = function ()
        pool:call("test.ad", 1, 2)
      end,
      ["bad argument #1 to 'test.add'"] = function ()
        pool:call("test.add", {}, 2)
      end,
      ["bad argument #1 to 'await'"] = function () future:await {} end,
      ["argument 1"] = function () pool:call("test.echo", io.stdout) end,
    } do
      local ok, err = pcall(f)
      assert.is_false(ok, what)
      assert.are.equal("string", type(err), what)
      assert.is_truthy(err:find(what, 1, true), err)
      assert.is_truthy(err:find "^%S*error_spec%.lua:%d+: ", err)
    end
  end)
end)

-- Drops a failure unread, and lets the collector find it.
local function drop(pool, message)
  do
    local future = pool:call("test.fail", message)
    assert.is_true(future:wait(session.limit))
  end
  assert.is_true(pool:wait_all(session.limit)) -- the worker has let go of it
  collectgarbage()
  collectgarbage()
end

describe("a failure that nobody read", function ()
  local reports

  before_each(function ()
    collectgarbage()
    collectgarbage()
    tidepool.poll()
    reports = {}
    tidepool.on_unhandled(function (err)
      reports[#reports + 1] = err
    end)
  end)
  after_each(session.finish)

  it("is reported once, at the next poll", function ()
    drop(session.pool(), "unread")
    tidepool.poll()
    tidepool.poll()
    collectgarbage()
    tidepool.poll()
    assert.are.equal(1, #reports)
    assert.are.equal("error", reports[1].kind)
    assert.are.equal("unread", reports[1].message)
    assert.are.equal("test.fail", reports[1].name)
  end)

  it("is reported at the next call", function ()
    local pool = session.pool()
    drop(pool, "unread")
    pool:call("test.add", 1, 2)
    assert.are.equal(1, #reports)
  end)

  it("is reported at the next await", function ()
    local pool = session.pool()
    local future = pool:call("test.add", 1, 2)
    drop(pool, "unread")
    future:await(session.limit)
    assert.are.equal(1, #reports)
  end)

  it("is reported by no one but these", function ()
    drop(session.pool(), "unread")
    assert.are.equal(0, #reports) -- collection runs no Lua
    tidepool.poll()
    assert.are.equal(1, #reports)
  end)

  it("is reported for a task that failed after its future went",
    function ()
      local pool = session.pool()
      local gate = session.block(pool, 1)
      do
        pool:call("test.fail", "late")
      end
      collectgarbage()
      collectgarbage()
      testmod.open(gate)
      assert.is_true(pool:wait_all(session.limit))
      session.eventually(function ()
        tidepool.poll()
        return #reports > 0
      end)
      assert.are.equal("late", reports[1].message)
    end)

  it("is none when it was read", function ()
    local pool = session.pool()
    local readers = {
      function (future) pcall(future.await, future, session.limit) end,
      function (future) future:pawait(session.limit) end,
      function (future)
        future:wait(session.limit)
        pcall(future.get, future)
      end,
    }
    for _, read in ipairs(readers) do
      read(pool:call("test.fail", "read"))
    end
    collectgarbage()
    collectgarbage()
    tidepool.poll()
    assert.are.equal(0, #reports)
  end)

  it("is none when it was cancelled by the program", function ()
    local pool = session.pool()
    session.block(pool, 1)
    pool:call("test.add", 1, 2):cancel()
    collectgarbage()
    collectgarbage()
    tidepool.poll()
    assert.are.equal(0, #reports)
  end)

  it("is reported each, when there are many", function ()
    local pool, seen = session.pool { workers = 4, queue = 1000 }, {}
    for i = 1, 1000 do
      pool:call("test.fail", "unread " .. i)
    end
    assert.is_true(pool:wait_all(session.limit))
    collectgarbage()
    collectgarbage()
    tidepool.poll()
    assert.are.equal(1000, #reports)
    for _, err in ipairs(reports) do
      assert.is_nil(seen[err.message])
      seen[err.message] = true
    end
  end)
end)

describe("on_unhandled", function ()
  after_each(session.finish)

  it("answers the reporter before", function ()
    local function first() end
    local function second() end
    assert.is_nil((tidepool.on_unhandled(first)))
    assert.are.equal(first, tidepool.on_unhandled(second))
    assert.are.equal(second, tidepool.on_unhandled(nil))
    assert.is_nil((tidepool.on_unhandled(nil)))
  end)

  it("wants a function", function ()
    assert.is_false(pcall(tidepool.on_unhandled, 1))
    assert.is_false(pcall(tidepool.on_unhandled, {}))
  end)

  it("may call and poll from the reporter", function ()
    local pool, count = session.pool(), 0
    tidepool.on_unhandled(function ()
      count = count + 1
      tidepool.poll()
      pool:call("test.add", 1, 2):await(session.limit)
    end)
    drop(pool, "unread")
    tidepool.poll()
    assert.are.equal(1, count)
  end)

  it("loses no state when the reporter raises", function ()
    local pool = session.pool()
    tidepool.on_unhandled(function () error "in the reporter" end)
    drop(pool, "unread")
    pcall(tidepool.poll)
    tidepool.on_unhandled(nil)
    tidepool.poll()
    assert.are.equal(3, pool:call("test.add", 1, 2):await(session.limit))
  end)
end)

describe("standard error", function ()
  local function count(text, what)
    return select(2, text:gsub(what, ""))
  end

  it("gets a line for an unread failure at the next poll", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      require "testmod"
      tidepool.call("test.fail", "on purpose"):wait()
      tidepool.default():wait_all() -- the worker has let go of it
      collectgarbage() collectgarbage()
      tidepool.poll()
      io.stderr:write "after\n"
      tidepool.poll()
    ]]
    assert.are.equal(0, result.code, result.err)
    assert.are.equal("", result.out)
    assert.are.equal(1, count(result.err, "on purpose"))
    assert.is_truthy(result.err:find("tidepool: a failure that nobody read: "
      .. "test.fail: on purpose\nafter\n", 1, true), result.err)
  end)

  it("gets it on closing at the latest", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      require "testmod"
      future = tidepool.call("test.fail", "on purpose")
      future:wait()
    ]]
    assert.are.equal(0, result.code, result.err)
    assert.are.equal(1, count(result.err, "on purpose"), result.err)
  end)

  it("gets it when warnings are off, as they are", function ()
    local result = process.program [[
      warn "@off"
      local tidepool = require "tidepool"
      require "testmod"
      do tidepool.call("test.fail", "on purpose"):wait() end
    ]]
    assert.are.equal(1, count(result.err, "on purpose"), result.err)
  end)

  it("gets nothing for a failure that was read", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      require "testmod"
      tidepool.call("test.fail", "on purpose"):pawait()
    ]]
    assert.are.equal(0, result.code)
    assert.are.equal("", result.err)
  end)
end)
