-- What coroutines, groups and their futures withstand. Each case is named
-- after something that once went wrong.

local tidepool = require "tidepool"
local session = require "spec.support.session"

local limit = session.limit

describe("a coroutine that a stranger takes over", function ()
  after_each(session.finish)

  it("fails, and says so, wherever it is closed or resumed", function ()
    for _, seize in ipairs { coroutine.close, coroutine.resume } do
      local co
      local future = tidepool.spawn(function ()
        co = coroutine.running()
        local s <close> = tidepool.scope()
        s:spawn(tidepool.sleep, 0.01)
        pcall(tidepool.sleep, 0.001)
        tidepool.sleep(0.01)
      end)
      tidepool.sleep(0)
      pcall(seize, co)
      local ok, err = future:pawait(session.limit)
      assert.is_false(ok)
      assert.are.equal("error", err.kind)
    end
  end)
end)

describe("a group that two wait for", function ()
  it("is shared without a fight", function ()
    local group, future, promise = tidepool.group(), tidepool.promise()
    group:add(future, "key")
    local keys, ends = 0, 0
    local function take()
      if group:next(limit) == "key" then
        keys = keys + 1
      else
        ends = ends + 1
      end
    end
    local a, b = tidepool.spawn(take), tidepool.spawn(take)
    local cpu = os.clock()
    tidepool.sleep(0.2)
    assert.is_true(os.clock() - cpu < 0.1)
    promise:resolve(1)
    take()
    a:await(limit)
    b:await(limit)
    assert.are.equal(1, keys)
    assert.are.equal(2, ends)
  end)

  it("does not make the time of one last longer", function ()
    local group, slow = tidepool.group(), tidepool.promise()
    group:add(slow)
    for i = 1, 20 do
      group:add(tidepool.spawn(tidepool.sleep, i / 200))
    end
    tidepool.spawn(function ()
      while #group > 1 do
        group:next(limit)
      end
    end)
    tidepool.sleep(0)
    local start, stolen = tidepool.now(), 0
    while group:next(0.05) do
      stolen = stolen + 1
    end
    assert.is_true(tidepool.now() - start < 5)
    group:clear()
  end)

  for _, how in ipairs { "remove", "clear" } do
    it("wakes who waits when nothing is left: " .. how, function ()
      local group, future = tidepool.group(), tidepool.promise()
      group:add(future)
      local waits = tidepool.spawn(function () return group:next(limit) end)
      tidepool.poll()
      group[how](group, future)
      assert.is_true(waits:wait(limit / 2))
      assert.is_nil((waits:await()))
    end)
  end

  it("is cleared in one go", function ()
    local group, done = tidepool.group(), tidepool.spawn(function () end)
    done:await()
    for _ = 1, 50000 do
      group:add(done)
    end
    local cpu = os.clock()
    group:clear()
    assert.is_true(os.clock() - cpu < 1)
    assert.are.equal(0, #group)
  end)
end)

describe("a coroutine that somebody has kept", function ()
  local function kept()
    local co
    tidepool.spawn(function () co = coroutine.running() end):await()
    return co
  end

  it("is dead when its task has ended", function ()
    local co = kept()
    assert.are.equal("dead", coroutine.status(co))
    local ok, why = coroutine.resume(co)
    assert.is_false(ok)
    assert.is_truthy(why:find("dead", 1, true))
    assert.are.equal(1, tidepool.spawn(function () return 1 end):await())
  end)

  it("may be closed, and the next task runs all the same", function ()
    coroutine.close(kept())
    assert.are.equal(1, tidepool.spawn(function () return 1 end):await())
  end)

  it("does not hand out what is below its function", function ()
    local co
    local future = tidepool.spawn(function ()
      co = coroutine.running()
      tidepool.sleep(0.01)
    end)
    tidepool.poll()
    assert.are.equal(1, select("#", coroutine.resume(co)))
    assert.is_false((future:pawait(limit)))
  end)

  it("leaves no hook for the next task", function ()
    tidepool.spawn(function () debug.sethook(function () end, "c") end):await()
    assert.is_nil((tidepool.spawn(function ()
      return (debug.gethook())
    end):await()))
  end)
end)

describe("the results of a coroutine", function ()
  it("cross though a finalizer sends them while they are kept", function ()
    local pool = session.pool { workers = 1 }
    local future, sent
    collectgarbage("incremental", 100, 1000, 40)
    future = tidepool.spawn(function ()
      collectgarbage()
      collectgarbage "stop"
      setmetatable({}, { __gc = function ()
        sent = sent or pool:call(function (...) return ... end, future)
      end })
      local a, b = { 1 }, { 3 }
      collectgarbage "restart"
      return a, "b", b
    end)
    future:await()
    collectgarbage("incremental", 200, 100, 13)
    if sent then -- the collector is free to come earlier, or later
      local a, b, c = sent:await(limit)
      assert.are.same({ { 1 }, "b", { 3 } }, { a, b, c })
    end
  end)
end)
