-- Managers that go out of sight: <close>, and collection.

local session = require "spec.support.session"
local process = require "spec.support.process"
local testmod = require "testmod"
local tidepool = require "tidepool"

local new = tidepool.AsyncManager.new

local function collect()
  collectgarbage()
  collectgarbage()
end

describe("a manager declared <close>", function ()
  before_each(function () testmod.runs(true) end)
  after_each(session.finish)

  it("drains at the end of its block", function ()
    local futures = {}
    do
      local pool <close> = new { workers = 2, queue = 100 }
      for i = 1, 100 do
        futures[i] = pool:call "test.count"
      end
    end
    assert.are.equal(100, testmod.runs())
    for _, future in ipairs(futures) do
      assert.are.equal("completed", future:state())
    end
  end)

  it("drains when the block is left by return or break", function ()
    local function leave()
      local pool <close> = new { workers = 1, queue = 20 }
      for _ = 1, 20 do
        pool:call "test.count"
      end
      return "left"
    end
    assert.are.equal("left", leave())
    for round = 1, 2 do
      local pool <close> = new { workers = 1, queue = 20 }
      for _ = 1, 20 do
        pool:call "test.count"
      end
      if round == 1 then
        break
      end
    end
    assert.are.equal(40, testmod.runs())
  end)

  it("cancels when the block is left by an error", function ()
    local futures, before, kept = {}, testmod.noticed(), nil
    local ok, err = pcall(function ()
      local pool <close> = new { workers = 1, queue = 20 }
      kept = pool
      futures[1] = pool:call "test.until_cancelled"
      session.eventually(function ()
        return pool:stats().running == 1
      end)
      for i = 2, 21 do
        futures[i] = pool:call "test.count"
      end
      error { "mine" }
    end)
    assert.is_false(ok)
    assert.are.same({ "mine" }, err)
    assert.are.equal(0, testmod.runs())
    assert.are.equal(before + 1, testmod.noticed())
    for _, future in ipairs(futures) do
      assert.are.equal("cancelled", session.failure(future).kind)
    end
    assert.are.equal(21, kept:stats().cancelled)
  end)

  it("may have been shut down before", function ()
    local pool <close> = new { workers = 1 }
    pool:call "test.count"
    pool:shutdown()
    assert.are.equal(1, testmod.runs())
  end)

  it("closes when a coroutine is closed", function ()
    local kept
    local co = coroutine.create(function ()
      local pool <close> = new { workers = 1, queue = 20 }
      kept = pool
      for _ = 1, 20 do
        pool:call "test.count"
      end
      coroutine.yield()
    end)
    assert(coroutine.resume(co))
    assert.is_true(coroutine.close(co))
    assert.are.equal(20, testmod.runs())
    assert.is_false(pcall(kept.call, kept, "test.count"))
  end)
end)

describe("a collected manager", function ()
  before_each(function () testmod.runs(true) end)
  after_each(session.finish)

  it("drains, and its futures settle", function ()
    local gate, futures = session.gate(), {}
    do
      local pool = new { workers = 1, queue = 100 }
      futures[1] = pool:call("test.gate", gate)
      for i = 2, 101 do
        futures[i] = pool:call "test.count"
      end
    end
    collect() -- would hang here if it waited: the gate is closed
    assert.is_false(futures[1]:is_ready())
    testmod.open(gate)
    session.settle(futures)
    assert.are.equal(100, testmod.runs())
    for _, future in ipairs(futures) do
      assert.are.equal("completed", future:state())
    end
  end)

  it("drains though nobody holds a future", function ()
    local gate = session.gate()
    do
      local pool = new { workers = 2, queue = 100 }
      pool:call("test.gate", gate)
      for _ = 1, 100 do
        pool:call "test.count"
      end
    end
    collect()
    testmod.open(gate)
    session.eventually(function () return testmod.runs() == 100 end)
  end)

  it("is not closed while a view of it is held", function ()
    local view
    do
      local pool = new { workers = 1 }
      view = pool:with { priority = "low" }
    end
    collect()
    assert.are.equal(3, view:call("test.add", 1, 2):await(session.limit))
    view:shutdown()
  end)

  it("gives its threads back", function ()
    if not process.threads() then
      pending "no /proc here"
      return
    end
    local warm = new { workers = 1 }
    warm:call("test.add", 1, 1):await()
    warm:shutdown()
    local before = process.threads()
    for _ = 1, 20 do
      local pool = new { workers = 8 }
      pool:call "test.count"
    end
    collect()
    session.eventually(function ()
      return process.threads() <= before
    end, "the threads end")
    assert.are.equal(20, testmod.runs())
  end)

  it("gives its memory back", function ()
    if session.check or not process.resident() then
      pending "memory cannot be measured here"
      return
    end
    local function round()
      for _ = 1, 50 do
        local pool = new { workers = 2, queue = 1000 }
        for i = 1, 20 do
          pool:call("test.echo", i, ("x"):rep(1000))
        end
      end
      collect()
    end
    for _ = 1, 4 do
      round()
    end
    local before = process.resident()
    for _ = 1, 20 do
      round()
    end
    assert.is_true(process.resident() - before < 32 * 2 ^ 20)
  end)

  it("has no name any more", function ()
    do
      local pool = new { workers = 1, name = "close-spec-name" }
      pool:call "test.count"
    end
    collect()
    session.eventually(function ()
      return not pcall(tidepool.attach, "close-spec-name")
    end)
  end)
end)
