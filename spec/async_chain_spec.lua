-- What is to be done when a future has settled: and_then, catch, finally.

local places = require "spec.support.places"
local process = require "spec.support.process"
local session = require "spec.support.session"
local tidepool = require "tidepool"

local expect = assert

local limit = session.limit

local function completed(...)
  local future, promise = tidepool.promise()
  promise:resolve(...)
  return future
end

local function failed(value)
  local future, promise = tidepool.promise()
  promise:reject(value)
  return future
end

local function failure(future)
  local ok, err = future:pawait(limit)
  assert(not ok, "completed, though it had to fail")
  return err
end

local function turn()
  tidepool.sleep(0)
end

local function refuses(what, f)
  local ok, err = pcall(f)
  assert(not ok, "not refused: " .. what)
  assert(type(err) == "string" and err:find(what, 1, true), err)
  assert(err:find "^[^:]*async_chain_spec%.lua:%d+: ", err)
end

local function never()
  error "called, though it had not to be"
end

for _, place in ipairs(places) do
  describe("and_then " .. place.name, function ()
    after_each(session.finish)

    it("gets all results, and all of its own are the answer", function ()
      place.run(function ()
        local got = table.pack(completed(1, nil, 3, nil):and_then(
          function (...)
            assert(select("#", ...) == 4)
            local a, b, c = ...
            return c, b, a, nil
          end):await(limit))
        assert(got.n == 4 and got[1] == 3 and got[2] == nil and got[3] == 1)
        assert(select("#", completed():and_then(function (...)
          assert(select("#", ...) == 0)
        end):await(limit)) == 0)
      end)
    end)

    it("hands values on as they are", function ()
      place.run(function ()
        local thing = setmetatable({}, { __name = "thing" })
        local future = tidepool.spawn(function () return thing end)
        local again = future:and_then(function (value)
          assert(rawequal(value, thing))
          return value, print
        end)
        local value, f = again:await(limit)
        assert(rawequal(value, thing) and f == print)
      end)
    end)

    it("is called later, never at once", function ()
      place.run(function ()
        local called = false
        local future = completed(1):and_then(function () called = true end)
        assert(not called)
        future:await(limit)
        assert(called)
      end)
    end)

    it("waits for the future", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        local doubled = future:and_then(function (n) return 2 * n end)
        turn()
        assert(not doubled:is_ready())
        promise:resolve(21)
        assert(doubled:await(limit) == 42)
      end)
    end)

    it("follows a tasks of a worker", function ()
      place.run(function ()
        local future = tidepool.call(function (n) return n, { n } end, 20)
        local n, list = future:and_then(function (m, t)
          t[2] = m + 1
          return m + 2, t
        end):await(limit)
        assert(n == 22 and list[1] == 20 and list[2] == 21)
      end)
    end)

    it("runs in the loop of this Lua state, as a coroutine", function ()
      place.run(function ()
        local here, where = {}, nil
        local future = completed():and_then(function ()
          tidepool.sleep(0.001) -- it may wait
          where = here
          return coroutine.isyieldable()
        end)
        future:await(limit)
        assert(rawequal(where, here))
      end)
    end)

    it("follows a future that is answered", function ()
      place.run(function ()
        local inner, promise = tidepool.promise()
        local future = completed(1):and_then(function () return inner end)
        turn()
        turn()
        assert(not future:is_ready())
        promise:resolve("a", nil, "c")
        local got = table.pack(future:await(limit))
        assert(got.n == 3 and got[1] == "a" and got[3] == "c")
        local err = failure(completed(1):and_then(function ()
          return failed { code = 7 }
        end))
        assert(err.kind == "error" and err.value.code == 7)
        inner = tidepool.promise()
        inner:cancel "enough"
        err = failure(completed(1):and_then(function () return inner end))
        assert(err.kind == "cancelled" and err.message == "enough")
      end)
    end)

    it("does not follow one among others", function ()
      place.run(function ()
        local inner = tidepool.promise()
        local a, b = completed(1):and_then(function ()
          return inner, 2
        end):await(limit)
        assert(rawequal(a, inner) and b == 2)
        inner:cancel()
      end)
    end)

    it("is passed over by a failure", function ()
      place.run(function ()
        local first = failed { code = 7 }
        local err = failure(first:and_then(never):and_then(never))
        assert(rawequal(err, failure(first)) and err.value.code == 7)
        first = tidepool.promise()
        local last = first:and_then(never)
        first:cancel "enough"
        err = failure(last)
        assert(err.kind == "cancelled" and err.message == "enough")
      end)
    end)

    it("calls its second function with the Error", function ()
      place.run(function ()
        local a, b = failed { code = 7 }:and_then(never, function (err)
          return err.value.code, err.kind
        end):await(limit)
        assert(a == 7 and b == "error")
        assert(completed(1):and_then(function (n)
          return n + 1
        end, never):await(limit) == 2)
        -- which is not there for what the first one raises
        local err = failure(completed(1):and_then(function ()
          error("raised", 0)
        end, never))
        assert(err.value == "raised")
      end)
    end)

    it("fails with what the handler raises", function ()
      place.run(function ()
        local err = failure(completed(1):and_then(function ()
          error { code = 7 }
        end))
        assert(err.kind == "error" and err.value.code == 7)
        assert(err.traceback:find "async_chain_spec")
        local first = failed "first"
        err = failure(first:catch(function (e) error(e, 0) end))
        assert(rawequal(err, failure(first)))
      end)
    end)

    it("may be attached many times", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        local seen, list = {}, {}
        for i = 1, 5 do
          list[i] = future:and_then(function (n)
            seen[#seen + 1] = i
            return n + i
          end)
        end
        promise:resolve(10)
        for i = 1, 5 do
          assert(list[i]:await(limit) == 10 + i)
        end
        assert(table.concat(seen) == "12345") -- in order
      end)
    end)

    it("is not called once its own future is cancelled", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        local last = future:and_then(never)
        promise:resolve(1)
        assert(last:cancel "changed my mind")
        turn()
        assert(failure(last).message == "changed my mind")
        assert(future:await(limit) == 1)
      end)
    end)

    it("is interrupted when its own future is cancelled", function ()
      place.run(function ()
        local closed, begun = false, false
        local last = completed():and_then(function ()
          local _ <close> = setmetatable({}, { __close = function ()
            closed = true
          end })
          begun = true
          tidepool.sleep(1000)
        end)
        for _ = 1, 10 do
          turn()
        end
        assert(begun)
        last:cancel()
        turn()
        turn()
        assert(closed)
      end)
    end)
  end)

  describe("catch " .. place.name, function ()
    after_each(session.finish)

    it("gets the Error, and what it answers is the answer", function ()
      place.run(function ()
        local first = failed { code = 7 }
        local a, b = first:catch(function (err)
          return err, err.value.code
        end):await(limit)
        assert(rawequal(a, failure(first)) and b == 7)
        assert(first:catch(function ()
          return completed "instead"
        end):await(limit) == "instead")
      end)
    end)

    it("gets cancellations and broken promises as well", function ()
      place.run(function ()
        local first = tidepool.promise()
        first:cancel "enough"
        assert(first:catch(function (err)
          return err.kind
        end):await(limit) == "cancelled")
        local broken = tidepool.promise()
        collectgarbage()
        collectgarbage()
        assert(broken:catch(function (err)
          return err.kind
        end):await(limit) == "broken")
      end)
    end)

    it("is passed over by results", function ()
      place.run(function ()
        local got = table.pack(completed(1, nil):catch(never):await(limit))
        assert(got.n == 2 and got[1] == 1)
      end)
    end)
  end)

  describe("cancelling a chain " .. place.name, function ()
    after_each(session.finish)

    it("cancels what nobody else waits for, down to the first", function ()
      place.run(function ()
        local first, held = tidepool.promise()
        local told, tell = tidepool.promise()
        held:on_cancel(function () tell:resolve() end)
        local last = first:and_then(print):catch(print):finally(turn)
        last:cancel()
        told:await(limit)
        assert(first:state() == "cancelled")
      end)
    end)

    it("passes as such, and is no failure", function ()
      place.run(function ()
        local first, held = tidepool.promise()
        local links = { first:and_then(turn), first:finally(turn),
          tidepool.race { first } }
        assert(first:cancel "enough" and held:cancelled())
        for _, link in ipairs(links) do
          local err = failure(link)
          assert(err.kind == "cancelled" and err.message == "enough")
          assert(link:state() == "cancelled")
        end
      end)
    end)

    it("leaves alone what somebody else waits for", function ()
      place.run(function ()
        local first, held = tidepool.promise()
        local other = first:and_then(function (n) return n + 1 end)
        local last = first:and_then(print)
        last:cancel()
        for _ = 1, 5 do
          turn()
        end
        assert(first:state() == "pending")
        held:resolve(1)
        assert(other:await(limit) == 2)
      end)
    end)
  end)

  describe("finally " .. place.name, function ()
    after_each(session.finish)

    it("is called without arguments, and lets the outcome pass", function ()
      place.run(function ()
        local count = 0
        local function note(...)
          assert(select("#", ...) == 0)
          count = count + 1
          return "dropped"
        end
        local got = table.pack(completed(1, nil):finally(note):await(limit))
        assert(got.n == 2 and got[1] == 1)
        local first = failed { code = 7 }
        assert(rawequal(failure(first:finally(note)), failure(first)))
        local held
        first, held = tidepool.promise()
        local last = first:finally(note)
        first:cancel "enough"
        assert(failure(last).message == "enough" and count == 3)
        assert(held:cancelled())
      end)
    end)

    it("is called although nobody wants the outcome any more", function ()
      place.run(function ()
        local first, held = tidepool.promise()
        local called = tidepool.group()
        local future, promise = tidepool.promise()
        called:add(future)
        local last = first:finally(function () promise:resolve() end)
        assert(last:cancel "enough")
        assert(called:next(limit) == future)
        assert(held:cancelled() and last:state() == "cancelled")
      end)
    end)

    it("fails when that fails", function ()
      place.run(function ()
        local function wrong() error("in finally", 0) end
        assert(failure(completed(1):finally(wrong)).value == "in finally")
        local first = failed(1)
        assert(failure(first:finally(wrong)).value == "in finally")
        assert(failure(first).value == 1) -- which nobody had read so far
      end)
    end)

    it("awaits a future that is answered", function ()
      place.run(function ()
        local inner, promise = tidepool.promise()
        local future = completed "kept":finally(function () return inner end)
        turn()
        turn()
        assert(not future:is_ready())
        promise:resolve "dropped"
        assert(future:await(limit) == "kept")
        assert(failure(completed(1):finally(function ()
          return failed "inner"
        end)).value == "inner")
      end)
    end)
  end)

  describe("a chain " .. place.name, function ()
    after_each(session.finish)

    it("goes through all its links", function ()
      place.run(function ()
        local trace = {}
        local function note(word)
          return function (...)
            trace[#trace + 1] = word
            return ...
          end
        end
        local answer = completed(1)
          :and_then(note "one"):finally(note "two"):catch(never)
          :and_then(function () error("three", 0) end)
          :and_then(never):finally(note "four")
          :catch(function (err) return err.message end)
          :and_then(note "five"):await(limit)
        assert(answer == "three")
        assert(table.concat(trace, " ") == "one two four five")
      end)
    end)

    it("is as long as one likes", function ()
      place.run(function (length)
        local future, promise = tidepool.promise()
        local function inc(n) return n + 1 end
        for _ = 1, length do
          future = future:and_then(inc)
        end
        promise:resolve(0)
        assert(future:await(limit) == length)
      end, session.count(1000000, session.check and 500 or 20000))
    end)

    it("fails through all its length", function ()
      place.run(function (length)
        local future, promise = tidepool.promise()
        for _ = 1, length do
          future = future:and_then(never)
        end
        promise:reject "first"
        assert(failure(future).value == "first")
      end, session.count(100000, session.check and 500 or 20000))
    end)

    it("takes no more memory for being long", function ()
      place.run(function (length)
        local function inc(n) return n + 1 end
        local function run(links)
          local future = completed(0)
          for i = 1, links do
            future = future:and_then(inc)
            if i % 100 == 0 then
              future:await(limit)
            end
          end
          assert(future:await(limit) == links)
          collectgarbage()
          collectgarbage()
          return collectgarbage "count"
        end
        local before = run(1000)
        assert(run(length) < before + 256)
      end, session.count(200000, session.check and 1000 or 20000))
    end)

    it("names what is wrong", function ()
      place.run(function ()
        local future = completed(1)
        for _, name in ipairs { "and_then", "catch", "finally" } do
          refuses(("bad argument #1 to '%s' (function expected, got nil)")
            :format(name), function () future[name](future) end)
          refuses(("bad argument #1 to '%s' (function expected, got table)")
            :format(name), function () future[name](future, {}) end)
          refuses(("bad argument #1 to '%s' (tidepool.Future expected, got "
            .. "number)"):format(name), function () future[name](1) end)
        end
        refuses("bad argument #2 to 'and_then' (function expected, got string)",
          function () future:and_then(never, "x") end)
      end)
    end)
  end)
end

describe("chains in the program", function ()
  after_each(session.finish)

  it("report a failure once, and only if nobody has caught it", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      local function failing(what)
        local future, promise = tidepool.promise()
        promise:reject(what)
        return future
      end
      local caught = failing "caught":and_then(print):catch(function () end)
      caught:await()
      local lost = failing "lost":and_then(print):finally(function () end)
      lost:wait()
      caught, lost = nil
      collectgarbage()
      collectgarbage()
    ]]
    local _, count = result.err:gsub("lost", "")
    expect.are.equal(1, count, result.err)
    expect.is_nil(result.err:find "caught")
  end)
end)
