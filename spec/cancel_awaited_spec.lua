-- Cancelling who awaits cancels what is awaited, unless somebody else waits for
-- it, or it was to be kept.

local loops = require "spec.support.loops"
local places = require "spec.support.places"
local session = require "spec.support.session"
local testmod = require "testmod"
local tidepool = require "tidepool"

local limit = session.limit

for _, loop in ipairs(loops) do
  if loop.adapter then
    loop.module.detach()
  end
end

local function forever()
  require "tidepool".sleep(1000)
end

local function await(list)
  return list[1]:await()
end

-- A manager, and what cancels all that it has at the end of a block.
local function manager(options)
  local pool = tidepool.AsyncManager.new(options or { workers = 1 })
  return pool, setmetatable({}, { __close = function ()
    pool:shutdown { drain = false }
  end })
end

local function wanted(future)
  repeat tidepool.sleep(0) until future:awaited()
end

-- To wait for it would be in the way of that.
local function is_cancelled(future)
  local late = tidepool.now() + limit
  repeat
    tidepool.sleep(0)
    assert(tidepool.now() < late, tostring(future))
  until future:is_ready()
  assert(future:state() == "cancelled", tostring(future))
end

local function goes_on(future)
  for _ = 1, 3 do tidepool.sleep(0) end
  assert(not future:is_ready(), tostring(future))
end

-- A coroutine that awaits the future.
local function awaits(future)
  local waits = tidepool.spawn(await, { future })
  wanted(future)
  return waits
end

for _, place in ipairs(places) do
  describe("cancelling who awaits " .. place.name, function ()
    after_each(session.finish)

    it("cancels the task of a pool at once", function ()
      place.run(function ()
        local pool, _ <close> = manager()
        local task = pool:call(forever)
        awaits(task):cancel "enough"
        assert(task:state() == "cancelled")
        local _, err = task:pawait()
        assert(err.value == "what awaited it was cancelled", err.value)
      end)
    end)

    it("takes a task that has not begun out of the queue", function ()
      place.run(function ()
        local pool, _ <close> = manager {
          workers = 1, queue = 1,
        }
        local first = pool:call("test.until_cancelled")
        repeat tidepool.sleep(0) until first:state() == "running"
        local queued = pool:call(forever)
        awaits(queued):cancel()
        assert(queued:state() == "cancelled")
        assert(pool:stats().queued.total == 0)
        awaits(first):cancel()
        assert(first:state() == "cancelled")
      end)
    end)

    it("cancels what stands for others, though it is no child", function ()
      place.run(function ()
        local pool, _ <close> = manager()
        local function check(future, ...)
          awaits(future):cancel()
          assert(future:state() == "cancelled", tostring(future))
          for _, member in ipairs { ... } do
            is_cancelled(member)
          end
        end
        for _, name in ipairs { "all", "race", "any", "all_settled" } do
          local a, b = pool:call(forever), pool:call(forever)
          check(tidepool[name] { a, b }, a, b)
        end
        for _, name in ipairs { "and_then", "catch", "finally" } do
          local first = pool:call(forever)
          check(first[name](first, print):and_then(print), first)
        end
      end)
    end)

    it("cancels neither promises nor coroutines that are no children",
      function ()
        place.run(function ()
          local future, promise = tidepool.promise()
          local other = tidepool.spawn(forever)
          local after = tidepool.after(future, print)
          for _, stays in ipairs { future, other, after } do
            awaits(stays):cancel()
            goes_on(stays)
          end
          other:cancel()
          after:cancel()
          promise:resolve()
        end)
      end)

    it("cancels nothing that somebody else waits for, until they are all",
      function ()
        place.run(function ()
          local pool, _ <close> = manager()
          local task = pool:call(forever)
          local first, second = awaits(task), tidepool.spawn(await, { task })
          local third = tidepool.all { task }
          tidepool.sleep(0)
          first:cancel()
          assert(not task:is_ready())
          second:cancel() -- without a turn in between
          goes_on(task)
          third:cancel()
          is_cancelled(task)
        end)
      end)

    it("cancels it when all who wait go at the same time", function ()
      place.run(function ()
        local pool, _ <close> = manager()
        local task, link = pool:call(forever), pool:call(forever)
        local parent = tidepool.spawn(function ()
          for _ = 1, 3 do
            tidepool.spawn(await, { task })
            link:and_then(print)
          end
          forever()
        end)
        wanted(task)
        parent:cancel()
        assert(task:state() == "cancelled")
        is_cancelled(link)
      end)
    end)

    it("leaves alone what who runs the loop waits for", function ()
      place.run(function ()
        local pool, _ <close> = manager()
        local task = pool:call(function ()
          require "tidepool".sleep(0.05)
          return "done"
        end)
        local waits = tidepool.spawn(await, { task })
        tidepool.spawn(function ()
          wanted(task)
          waits:cancel()
        end)
        assert(task:await(limit) == "done")
      end)
    end)

    it("is not what a time limit of the await does", function ()
      place.run(function ()
        local pool, _ <close> = manager()
        local task = pool:call(forever)
        local waits = tidepool.spawn(function ()
          for _, seconds in ipairs { 0, 0.001 } do
            local ok, err = task:pawait(seconds)
            assert(not ok and err.kind == "timeout")
            assert(not task:wait(seconds))
          end
          assert(not task:is_ready())
          forever()
        end)
        waits:wait(0.05)
        waits:cancel()
        goes_on(task)
        task:cancel()
      end)
    end)

    it("cancels what is awaited with a time limit that is not over", function ()
      place.run(function ()
        local pool, _ <close> = manager()
        local task = pool:call(forever)
        local waits = tidepool.spawn(task.await, task, 1000)
        wanted(task)
        waits:cancel()
        assert(task:state() == "cancelled")
      end)
    end)

    it("leaves alone what is shielded or detached", function ()
      place.run(function ()
        local pool, _ <close> = manager()
        for _, make in ipairs {
          function () return pool:call(forever) end,
          function () return pool:call(forever):and_then(print) end,
        } do
          local shielded, detached = make(), make():detach()
          local waits = tidepool.spawn(tidepool.shield, shielded)
          wanted(shielded)
          waits:cancel()
          goes_on(shielded)
          awaits(detached):cancel()
          goes_on(detached)
          detached:and_then(print):cancel()
          goes_on(detached)
          shielded:cancel()
          detached:cancel()
        end
              end)
    end)

    it("happens when a scope does it, or a time limit", function ()
      place.run(function ()
        local pool, _ <close> = manager()
        local task = pool:call(forever)
        local ok, err = pcall(tidepool.scope, function (s)
          s:spawn(await, { task })
          wanted(task)
          error "the block failed"
        end)
        assert(not ok and tostring(err):find "the block failed")
        assert(task:state() == "cancelled")
        -- The time may be over before the await has begun, and the await of
        -- the next try may still see the end of the one before.
        local function ends(within)
          local seconds = 0.01
          task = pool:call(forever)
          repeat
            ok, err = pcall(within, seconds)
            assert(not ok)
            assert(err.kind == "timeout" or err.kind == "cancelled")
            seconds = seconds * 2
            assert(seconds < 100)
          until task:is_ready()
          assert(task:state() == "cancelled")
        end
        ends(function (seconds)
          tidepool.with_timeout(seconds, await, { task })
        end)
        ends(function (seconds)
          local s <close> = tidepool.scope()
          s:timeout(seconds)
          s:spawn(await, { task })
        end)
      end)
    end)

    it("happens where the await cannot yield", function ()
      place.run(function ()
        local pool, _ <close> = manager { workers = 2 }
        local task = pool:call(forever)
        local waits, ok
        waits = tidepool.spawn(function ()
          ("x"):gsub("x", function ()
            ok = pcall(task.await, task)
          end)
        end)
        tidepool.spawn(function ()
          wanted(task)
          waits:cancel()
        end)
        is_cancelled(task)
        is_cancelled(waits)
        assert(not ok)
      end)
    end)

    it("cancels no member of a group, or of a list that is waited for",
      function ()
        place.run(function ()
          local pool, _ <close> = manager()
          local task = pool:call(forever)
          for _, f in ipairs {
            function () tidepool.wait { task } end,
            function () tidepool.group():add(task):next() end,
            function () for _ in tidepool.as_completed { task } do end end,
          } do
            local waits = tidepool.spawn(f)
            wanted(task)
            waits:cancel()
            goes_on(task)
          end
          task:cancel()
        end)
      end)

    it("cancels what a call follows that has not begun", function ()
      place.run(function ()
        local pool, _ <close> = manager()
        local first, second = pool:call(forever), pool:call(forever)
        local call = pool:call(print, first, second)
        local waits = awaits(second)
        call:cancel()
        assert(first:state() == "cancelled")
        goes_on(second)
        waits:cancel()
        assert(second:state() == "cancelled")
      end)
    end)

    it("goes down a chain of calls of any length at once", function ()
      place.run(function (count)
        local pool, _ <close> = manager {
          workers = 1, queue = count + 1,
        }
        local first = pool:call(forever)
        local last = first
        for _ = 1, count do
          last = pool:call(tostring, last)
        end
        last:cancel()
        assert(first:state() == "cancelled")
      end, session.count(100000, 20000))
    end)

    it("ends where what is awaited awaits who awaits it", function ()
      place.run(function ()
        local pool, _ <close> = manager()
        local box, promise = tidepool.promise()
        local task = pool:call(function (list)
          list[1]:await()[1]:await(1000)
        end, { box })
        local waits = tidepool.spawn(function () task:await(1000) end)
        wanted(task)
        promise:resolve { waits }
        wanted(waits)
        waits:cancel()
        assert(task:state() == "cancelled")
      end)
    end)
  end)
end

describe("cancelling a task that awaits", function ()
  after_each(session.finish)

  -- One that awaits another one of the second pool, and this one.
  local function pair(f)
    local pool, second = session.pool(), session.pool()
    local task = second:call("test.until_cancelled")
    local waits = pool:call(f or await, f and task or { task })
    wanted(task)
    return waits, task, pool
  end

  it("cancels what it awaits, in Lua and in C", function ()
    for _, f in ipairs { false, "test.await_future" } do
      local waits, task = pair(f)
      waits:cancel()
      assert.are.equal("cancelled", task:state())
    end
  end)

  it("does so where it cannot yield", function ()
    local waits, task = pair(function (future)
      ("x"):gsub("x", function () future:await() end)
    end)
    waits:cancel()
    assert.are.equal("cancelled", task:state())
  end)

  it("stops what it runs itself while it waits for that", function ()
    local pool = session.pool()
    local waits = pool:call(function ()
      local inner = require "tidepool".current():call("test.until_cancelled")
      require "tidepool".task():progress(0.5)
      ;("x"):gsub("x", function () inner:await() end)
    end)
    session.eventually(function () return waits:progress() == 0.5 end)
    waits:cancel()
    pool:shutdown()
  end)

  it("does so when its own time is over", function ()
    local second = session.pool()
    local task = second:call("test.until_cancelled")
    local pool, seconds = session.pool(), 0.02
    local waits, seen
    repeat -- it may be over before the task has come to its await
      waits, seconds = pool:with { timeout = seconds }:call(await, { task }),
        seconds * 2
      repeat
        tidepool.sleep(0)
        seen = task:awaited()
      until seen or waits:is_ready()
    until seen
    is_cancelled(task)
    assert.are.equal("timeout", session.failure(waits).kind)
  end)

  it("does so when its pool is shut down", function ()
    local _, task, pool = pair()
    pool:shutdown { drain = false }
    assert.are.equal("cancelled", task:state())
  end)

  it("does so from another thread, at once", function ()
    local waits, task = pair()
    session.pool():call(function (list) list[1]:cancel() end, { waits })
      :await(limit)
    assert.are.equal("cancelled", task:state())
  end)

  it("goes down a row of tasks of any length without recursion", function ()
    local pool = session.pool { workers = 1, queue = 4 }
    local count = session.count(20000, 2000)
    local bottom = session.pool():call("test.until_cancelled")
    local last = bottom
    for _ = 1, count do
      local waits = pool:call(await, { last })
      wanted(last)
      last = waits
    end
    last:cancel()
    assert.are.equal("cancelled", bottom:state())
  end)

  it("settles both once when what it awaits settles at that moment", function ()
    local pool, second = session.pool(), session.pool { workers = 2 }
    for i = 1, session.count(20000, 500) do
      local task = second:call(math.abs, -i)
      local waits = pool:call(await, { task })
      waits:cancel()
      local ok, value = task:pawait(limit)
      assert.is_true(ok and value == i or value.kind == "cancelled")
      waits:wait(limit)
    end
    pool:wait_all()
    second:wait_all()
  end)
end)

for _, loop in ipairs(loops) do
  describe("cancelling who awaits inside of " .. loop.name, function ()
    if loop.missing then
      it("cancels what is awaited", function () pending(loop.missing) end)
      return
    end

    setup(function () tidepool.use_loop(loop.adapter) end)
    teardown(function () loop.module.detach() end)
    after_each(session.finish)

    it("cancels what is awaited, not what others of the loop wait for",
      function ()
        local pool = session.pool { workers = 2 }
        local task = pool:call("test.until_cancelled")
        local gate, held = session.block(pool)
        local value
        loop.run(function ()
          value = held[1]:await(limit)
        end, function ()
          awaits(task):cancel()
          assert(task:state() == "cancelled")
          awaits(held[1]):cancel()
          loop.turn()
          assert(not held[1]:is_ready())
          testmod.open(gate)
        end)
        assert.are.equal(gate, value)
      end)

    it("cancels nothing when the time of an await there is over", function ()
      local pool = session.pool()
      local gate, held = session.block(pool)
      loop.run(function ()
        assert(not held[1]:wait(0.01))
      end, function () loop.turn() end)
      for _ = 1, 3 do tidepool.poll() end
      assert.is_false(held[1]:is_ready())
      testmod.open(gate)
      assert.are.equal(gate, held[1]:await(limit))
    end)
  end)
end
