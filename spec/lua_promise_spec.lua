-- Promises in Lua: futures that Lua code settles, in any Lua state.

local session = require "spec.support.session"
local process = require "spec.support.process"
local testmod = require "testmod"
local tidepool = require "tidepool"

local expect = assert

local limit = session.limit

-- Each test runs in the program and in a task.
local here = { { name = "in the program", run = function (f, ...)
  f(...)
end }, { name = "in a task", run = function (f, ...)
  session.pool():call(f, ...):await(limit)
end } }

for _, place in ipairs(here) do
  describe("a promise " .. place.name, function ()
    after_each(session.finish)

    it("is resolved with values", function ()
      place.run(function ()
        local future, promise = require "tidepool".promise()
        assert(not future:is_ready() and future:state() == "pending")
        assert(promise:resolve(1, nil, "three", { 4 }, nil) == true)
        local got = table.pack(future:await())
        assert(got.n == 5 and got[1] == 1 and got[2] == nil)
        assert(got[3] == "three" and got[4][1] == 4 and got[5] == nil)
        assert(future:state() == "completed")
      end)
    end)

    it("is resolved with nothing, and with nil", function ()
      place.run(function ()
        local promised = require "tidepool".promise
        local future, promise = promised()
        promise:resolve()
        assert(select("#", future:await()) == 0)
        future, promise = promised()
        promise:resolve(nil)
        assert(select("#", future:await()) == 1)
      end)
    end)

    it("settles once, and later tries answer so", function ()
      place.run(function ()
        local promised = require "tidepool".promise
        local future, promise = promised()
        assert(promise:resolve "first" == true)
        assert(promise:resolve "second" == false)
        assert(promise:reject "third" == false)
        assert(promise:resolve(future) == false)
        assert(future:cancel() == false and not promise:cancelled())
        assert(future:await() == "first")
      end)
    end)

    it("is rejected with any value", function ()
      place.run(function ()
        local promised = require "tidepool".promise
        for _, value in ipairs { "text", 42, false, { code = 7 } } do
          local future, promise = promised()
          assert(promise:reject(value) == true)
          local ok, err = future:pawait()
          assert(ok == false and err.kind == "error")
          assert(future:state() == "failed" and err.id == future:id())
          assert(err.value == value or err.value.code == value.code)
          assert(type(value) == "table" or err.message == tostring(value))
        end
        local future, promise = promised()
        promise:reject()
        local _, err = future:pawait()
        assert(err.value == nil and err.message == "nil")
      end)
    end)

    it("is rejected with an Error as it is", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        local failed = tidepool.call(error, { code = 7 })
        local _, err = failed:pawait()
        promise:reject(err)
        local _, again = future:pawait()
        assert(again.value.code == 7 and again.kind == "error")
        assert(again.traceback == err.traceback)
        assert(again.traceback:find "in function 'error'")
      end)
    end)

    it("is rejected with the text of what cannot cross", function ()
      place.run(function ()
        local future, promise = require "tidepool".promise()
        promise:reject(io.stdout)
        local _, err = future:pawait()
        assert(err.message:find "^file" and err.value == err.message)
      end)
    end)

    it("raises for values that cannot cross, and stays unsettled", function ()
      place.run(function ()
        local future, promise = require "tidepool".promise()
        local ok, err = pcall(promise.resolve, promise, 1, { io.stdout })
        assert(not ok and err:find "value 2, field", err)
        assert(not future:is_ready())
        assert(promise:resolve(1) and future:await() == 1)
      end)
    end)

    it("follows a future", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        local inner, inside = tidepool.promise()
        assert(promise:resolve(inner) == true)
        assert(promise:resolve "late" == false)
        assert(not future:is_ready())
        inside:resolve("a", { 1 }, nil)
        local got = table.pack(future:await())
        assert(got.n == 3 and got[1] == "a" and got[2][1] == 1)
        local same = inner:get() -- each has values of its own
        assert(same == "a" and select(2, inner:get()) ~= got[2])
      end)
    end)

    it("follows one that has settled, however it did", function ()
      place.run(function ()
        local call = tidepool.call
        local done = call(math.max, 3, 4)
        done:await()
        local future, promise = tidepool.promise()
        promise:resolve(done)
        assert(future:await() == 4)
        local failed = call(error, { code = 7 })
        failed:wait()
        future, promise = tidepool.promise()
        promise:resolve(failed)
        local _, err = future:pawait()
        assert(err.value.code == 7 and err.traceback)
        local cancelled = tidepool.promise()
        cancelled:cancel "enough"
        future, promise = tidepool.promise()
        promise:resolve(cancelled)
        _, err = future:pawait()
        assert(err.kind == "cancelled" and err.message == "enough")
        assert(promise:cancelled())
        local late = tidepool.default():with { timeout = 0.01 }
          :call("tidepool.sleep", 10)
        future, promise = tidepool.promise()
        promise:resolve(late)
        _, err = future:pawait()
        assert(err.kind == "timeout" and err.message:find "timed out")
      end)
    end)

    it("does not follow itself, however long the way", function ()
      place.run(function ()
        local promised = require "tidepool".promise
        local a, pa = promised()
        local ok, err = pcall(pa.resolve, pa, a)
        assert(not ok and err:find "would wait for itself")
        local b, pb = promised()
        local c, pc = promised()
        assert(pa:resolve(b) and pb:resolve(c))
        ok, err = pcall(pc.resolve, pc, a)
        assert(not ok and err:find "would wait for itself")
        assert(pc:resolve "end" and a:await() == "end")
      end)
    end)

    it("breaks when it is dropped", function ()
      place.run(function ()
        local future = require "tidepool".promise()
        collectgarbage()
        collectgarbage()
        local _, err = future:pawait()
        assert(err.kind == "broken" and err.message:find "dropped")
      end)
    end)

    it("may be dropped once it follows", function ()
      place.run(function ()
        local promised = require "tidepool".promise
        local inner, inside = promised()
        local future
        do
          local promise
          future, promise = promised()
          promise:resolve(inner)
        end
        collectgarbage()
        collectgarbage()
        assert(not future:is_ready())
        inside:resolve "kept"
        assert(future:await() == "kept")
      end)
    end)

    it("is told when its future is cancelled", function ()
      place.run(function ()
        local future, promise = require "tidepool".promise()
        assert(promise:cancelled() == false)
        assert(future:cancel "enough" == true)
        assert(promise:cancelled() == true)
        assert(promise:resolve(1) == false and promise:reject(1) == false)
      end)
    end)

    it("tells how far it is", function ()
      place.run(function ()
        local future, promise = require "tidepool".promise()
        promise:progress(0.5, "half")
        local fraction, note = future:progress()
        assert(fraction == 0.5 and note == "half")
        assert(not pcall(promise.progress, promise, 2))
        assert(not pcall(promise.progress, promise))
      end)
    end)

    it("shows what it is", function ()
      place.run(function ()
        local future, promise = require "tidepool".promise()
        assert(tostring(promise):find "^tidepool.Promise: %d+ %(pending%)$")
        assert(tostring(future):find "promise")
        assert(tostring(promise):match "%d+" == tostring(future:id()))
        for _, method in ipairs { "resolve", "reject", "cancelled" } do
          local ok, err = pcall(promise[method], {})
          assert(not ok and err:find "Promise expected", err)
        end
      end)
    end)

    it("is awaited by tidepool.await, which leaves others alone", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        local list = {}
        assert(tidepool.await(list) == list and tidepool.await(false) == false)
        assert(tidepool.await() == nil and tidepool.await("x", 0) == "x")
        local ok, err = pcall(tidepool.await, future, 0)
        assert(not ok and err.kind == "timeout")
        promise:resolve(1, 2)
        assert(select("#", tidepool.await(future)) == 2)
      end)
    end)
  end)
end

describe("a promise that crosses", function ()
  after_each(session.finish)

  it("is settled by a worker", function ()
    local future, promise = tidepool.promise()
    local task = session.pool():call(function (p) return p:resolve "there" end,
      promise)
    expect.are.equal("there", future:await(limit))
    expect.is_true(task:await(limit))
    expect.is_false(promise:resolve "here")
  end)

  it("is one promise wherever it is", function ()
    local _, promise = tidepool.promise()
    local back, list = session.pool():call(function (p, t)
      return p, { t[1] == p }
    end, promise, { promise }):await(limit)
    expect.are.equal(promise, back)
    expect.are.same({ true }, list)
  end)

  it("goes on where the program has dropped it", function ()
    local pool, gate = session.pool(), session.gate()
    local future
    do
      local promise
      future, promise = tidepool.promise()
      pool:call("test.gate", gate)
      pool:call(function (p) p:resolve "kept" end, promise)
    end
    collectgarbage()
    collectgarbage()
    expect.is_false(future:is_ready())
    testmod.open(gate)
    expect.are.equal("kept", future:await(limit))
  end)

  it("breaks with the task that had it", function ()
    local pool = session.pool()
    session.block(pool, 1)
    local future, promise = tidepool.promise()
    local task = pool:call(function (p) p:resolve(1) end, promise)
    promise = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    expect.is_false(future:is_ready())
    task:cancel()
    expect.are.equal("broken", session.failure(future).kind)
  end)

  it("is awaited by tasks of many workers", function ()
    local pool, futures = session.pool { workers = 4, queue = 100 }, {}
    local future, promise = tidepool.promise()
    for i = 1, 50 do
      futures[i] = pool:call(function (box, n)
        return box[1]:await() + n
      end, { future }, i)
    end
    promise:resolve(100)
    for i = 1, 50 do
      expect.are.equal(100 + i, futures[i]:await(limit))
    end
  end)

  it("has one winner", function ()
    local pool = session.pool { workers = 4, queue = 100 }
    for _ = 1, session.count(3000, session.check and 100 or 500) do
      local future, promise = tidepool.promise()
      local tries = {}
      for i = 1, 3 do
        tries[i] = pool:call(function (p, n)
          return p:resolve(n, { n })
        end, promise, i)
      end
      local winner, list = future:await(limit)
      local won = 0
      for i = 1, 3 do
        if tries[i]:await(limit) then
          won = won + 1
          expect.are.equal(i, winner)
        end
      end
      expect.are.equal(1, won)
      expect.are.equal(winner, list[1])
    end
  end)
end)

describe("promises that follow each other", function ()
  after_each(session.finish)

  it("settle in chains as long as one likes", function ()
    local length = session.check and 3000 or 200000
    for _, how in ipairs { "resolve", "reject" } do
      local first, promise = tidepool.promise()
      local last = first
      for _ = 1, length do
        local future, follower = tidepool.promise()
        follower:resolve(last)
        last = future
      end
      promise[how](promise, "told")
      local ok, value = last:pawait()
      expect.are.equal(how == "resolve", ok)
      expect.are.equal("told", ok and value or value.value)
    end
    collectgarbage()
  end)

  it("leave nothing unread behind them", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      local inner, inside = tidepool.promise()
      local future, promise = tidepool.promise()
      promise:resolve(inner)
      inside:reject "read once"
      print((future:pawait()))
      inner, inside, future, promise = nil
      collectgarbage()
      collectgarbage()
    ]]
    expect.are.equal("false\n", result.out)
    expect.are.equal("", result.err)
  end)
end)
