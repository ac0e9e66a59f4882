-- Finalizers of ours: called by hand, which anybody can, in the middle of a
-- method of the same object; and of what is made while a Lua state closes.

local session = require "spec.support.session"
local process = require "spec.support.process"
local testmod = require "testmod"
local tidepool = require "tidepool"

local limit = session.limit


local function by_hand(object)
  getmetatable(object).__gc(object)
end

local function one()
  return 1
end

-- Crosses as 1, and calls f in the middle of that.
local function crossing(f)
  return setmetatable({}, { __tidepool = function ()
    f()
    collectgarbage()
    return one
  end })
end

local function refuses(text, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(err):find(text, 1, true), err)
end

describe("a finalizer that is called by hand", function ()
  after_each(session.finish)

  it("in the middle of resolve", function ()
    local future, promise = tidepool.promise()
    assert.is_true(promise:resolve(crossing(function ()
      by_hand(promise)
    end)))
    assert.are.equal(1, future:await(limit))
  end)

  it("in the middle of reject", function ()
    local future, promise = tidepool.promise()
    local why = setmetatable({}, { __tostring = function ()
      by_hand(promise)
      return "why"
    end })
    assert.is_true(promise:reject(why))
    assert.is_truthy(session.failure(future).message:find "why")
  end)

  it("in the middle of resolving with a future", function ()
    local future, promise = tidepool.promise()
    local other = tidepool.spawn(function ()
      return crossing(function () by_hand(promise) end)
    end)
    other:await(limit)
    assert.is_true(promise:resolve(other))
    assert.are.equal(1, future:await(limit))
  end)

  it("of a future that is lent", function ()
    local future, promise = tidepool.promise()
    local other
    other = tidepool.spawn(function ()
      return crossing(function () by_hand(other) end)
    end)
    other:await(limit)
    refuses("future was cleaned up", promise.resolve, promise, other)
    promise:resolve(2)
    assert.are.equal(2, future:await(limit))
  end)

  for _, name in ipairs { "call", "try_call" } do
    it("in the middle of " .. name, function ()
      local pool = session.pool()
      local future = pool[name](pool, function (x) return x end,
        crossing(function () by_hand(pool) end))
      assert.are.equal(1, future:await(limit))
      assert.are.equal(2, pool:call(function () return 2 end):await(limit))
    end)
  end

  it("in the middle of call_many", function ()
    local pool = session.pool()
    local object = crossing(function () by_hand(pool) end)
    local futures = pool:call_many(function (x) return x end,
      { { object }, { object } })
    assert.are.equal(1, futures[1]:await(limit))
    assert.are.equal(1, futures[2]:await(limit))
  end)

  it("while a call waits for a slot", function ()
    local pool = session.pool { workers = 1, queue = 1 }
    local gate = session.block(pool, 1)
    pool:call "test.count"
    tidepool.spawn(function ()
      by_hand(pool)
      require "testmod".open(gate)
    end)
    assert.is_true(pool:call("test.count"):wait(limit))
  end)

  for _, name in ipairs { "wait_all", "shutdown" } do
    it("while the program is in " .. name, function ()
      local pool = session.pool()
      local gate = session.block(pool, 1)
      tidepool.spawn(function ()
        by_hand(pool)
        require "testmod".open(gate)
      end)
      assert.is_true(pool[name](pool))
    end)
  end

  it("while results are rebuilt", function ()
    local future = session.pool():call(function ()
      local rebuilt = setmetatable({}, { __tidepool = function ()
        return function ()
          local future = package.loaded["finalizer_spec"]
          getmetatable(future).__gc(future)
          return { "rebuilt" }
        end
      end })
      return rebuilt, { 2 }, ("z"):rep(3000)
    end)
    package.loaded["finalizer_spec"] = future
    future:wait(limit)
    local first, second, third = future:get()
    assert.are.same({ { "rebuilt" }, { 2 }, ("z"):rep(3000) },
      { first, second, third })
    refuses("future was cleaned up", future.get, future)
    package.loaded["finalizer_spec"] = nil
  end)

  it("while its future is awaited", function ()
    local future, promise = tidepool.promise()
    local awaits = tidepool.spawn(function () return future:await() end)
    tidepool.poll()
    by_hand(future)
    promise:resolve(1)
    refuses("future was cleaned up", awaits.await, awaits)
  end)

  it("while a group is waited for", function ()
    local group = tidepool.group()
    local future, promise = tidepool.promise()
    group:add(future)
    tidepool.spawn(function ()
      by_hand(group)
      promise:resolve(1)
    end)
    assert.are.equal(future, (group:next(limit)))
  end)

  it("is not taken for one that the collector calls from within a hook",
    function ()
      local run = process.program [[
        local tidepool = require "tidepool"
        local futures = {}
        debug.sethook(function () end, "", 1)
        for i = 1, 2000 do
          futures[i] = tidepool.promise()
          local t = {}
          for k = 1, 20 do
            t[k] = k -- allocates, and the collector runs in the next hook
          end
        end
        debug.sethook()
        collectgarbage()
        for _, future in ipairs(futures) do
          assert(future:is_ready())
        end
      ]]
      assert.are.same({ 0, "" }, { run.code, run.err })
    end)

  it("of a task", function ()
    assert.is_true(session.pool():call(function ()
      local task = require "tidepool".task()
      getmetatable(task).__gc(task)
      return task.id ~= nil
    end):await(limit))
  end)

  it("and those that clean up a future that is about to be followed",
    function ()
      local future = tidepool.promise()
      tidepool.on_unhandled(function () future:cleanup() end)
      tidepool.spawn(error, "unread")
      tidepool.sleep(0)
      collectgarbage()
      refuses("future was cleaned up", tidepool.after, future, print)
    end)
end)

describe("a finalizer that the collector calls", function ()
  after_each(session.finish)

  -- Lua has a copy by then, but C code may be reading them.
  it("lends results that are about to be freed", function ()
    local future = session.pool():call(string.rep, "x", 200000)
    future:wait(limit)
    collectgarbage "generational"
    collectgarbage "stop"
    setmetatable({}, { __gc = function () testmod.borrow(future) end })
    collectgarbage "restart"
    local kept = future:get()
    collectgarbage "incremental"
    assert.are.equal(200000, #kept)
    assert.are.equal(200000, testmod.borrowed())
  end)
end)

describe("what a finalizer makes while its Lua state closes", function ()
  after_each(session.finish)

  it("is given back", function ()
    local pool = session.pool { workers = 1, name = "finalizer" }
    local future, promise = tidepool.promise()
    pool:call(function (given) _G.kept = given end, promise):await(limit)
    promise = nil -- luacheck: ignore
    session.state [[
      local tidepool = require "tidepool"
      given = tidepool.attach("finalizer"):call(function ()
        local given = kept
        kept = nil
        return given
      end):await()
      keep = setmetatable({}, { __gc = function ()
        local late, promise = tidepool.promise()
        promise:resolve(given)
        later = { late, promise, tidepool.spawn(print), tidepool.group() }
        later[1]:and_then(print)
        tidepool.group():add(late)
      end })
    ]].join()
    pool:shutdown()
    collectgarbage()
    assert.are.equal("broken", session.failure(future).kind)
  end)

  it("threads included", function ()
    if not process.threads() then
      return -- nobody can say how many there are
    end
    local function run()
      session.state [[
        local tidepool = require "tidepool"
        keep = setmetatable({}, { __gc = function ()
          late = tidepool.AsyncManager.new { workers = 3 }
          assert(late:call(function () return 1 end):await() == 1)
        end })
      ]].join()
    end
    run()
    local before
    session.eventually(function ()
      local n = process.threads()
      before, n = n, before
      return n == before
    end)
    for _ = 1, 5 do
      run()
    end
    session.eventually(function () return process.threads() <= before end)
  end)

  it("in a finalizer that runs after ours is refused", function ()
    local run = process.program [[
      last = setmetatable({}, { __gc = function ()
        for _, name in ipairs { "promise", "spawn", "group" } do
          io.write(tostring(pcall(tidepool[name], print)), "\n")
        end
        io.write(tostring(pcall(tidepool.AsyncManager.new)), "\n")
      end })
      tidepool = require "tidepool"
    ]]
    assert.are.same({ 0, ("false\n"):rep(4), "" },
      { run.code, run.out, run.err })
  end)
end)

describe("what a finalizer makes", function ()
  it("is used, and collected, like anything else", function ()
    local made
    setmetatable({}, { __gc = function () made = { tidepool.promise() } end })
    collectgarbage()
    made[2]:resolve(1)
    assert.are.equal(1, made[1]:await(limit))
    local future = tidepool.promise()
    setmetatable({}, { __gc = function ()
      made = tidepool.AsyncManager.new { workers = 1 }
      made:call(function () return 1 end):await(limit)
    end })
    collectgarbage()
    assert.are.equal(1, made:stats().completed)
    local weak = setmetatable({ made, future }, { __mode = "v" })
    made = nil
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end)
end)
