-- Coroutines of tidepool's loop, in every place: spawn, sleep, after, group,
-- ownership, cancelling.

local async = require "spec.support.async"
local places = require "spec.support.places"
local session = require "spec.support.session"
local socket = require "socket"
local tidepool = require "tidepool"

local expect = assert

local limit = session.limit
local many = session.check and 500 or 10000

local failure, gate, at_end = async.failure, async.gate, async.at_end

-- Turns of the loop in which something wrong would come.
local function turns()
  for _ = 1, 10 do
    tidepool.sleep(0)
  end
end

for _, place in ipairs(places) do
  describe("a spawned coroutine " .. place.name, function ()
    after_each(session.finish)

    it("begins when the loop runs", function ()
      place.run(function ()
        local begun = false
        local future = tidepool.spawn(function () begun = true end)
        assert(not begun and future:state() == "pending")
        assert(tidepool.is_future(future) and not future:is_ready())
        future:await()
        assert(begun and future:state() == "completed")
      end)
    end)

    it("gets and answers values of any type, by reference", function ()
      place.run(function ()
        local values = table.pack(nil, {}, coroutine.create(print), io.stdout,
          print, function () end, setmetatable({}, { __index = error }), nil)
        local future = tidepool.spawn(function (...)
          assert(select("#", ...) == 8)
          return ...
        end, table.unpack(values, 1, values.n))
        for _ = 1, 2 do -- again and again the same
          local got = table.pack(future:await())
          assert(got.n == 8)
          for i = 1, 8 do
            assert(rawequal(got[i], values[i]))
          end
        end
        local got = table.pack(future:get())
        assert(got.n == 8 and got[2] == values[2])
        got = table.pack(future:pawait())
        assert(got.n == 9 and got[1] == true and got[3] == values[2])
        assert(select("#", tidepool.spawn(function () end):await()) == 0)
        assert(select("#", tidepool.spawn(rawget, {}, 1):await()) == 1)
      end)
    end)

    it("answers as many values as a function can", function ()
      place.run(function ()
        local list = {}
        for i = 1, 200 do
          list[i] = i
        end
        local future = tidepool.spawn(table.unpack, list)
        assert(select("#", future:await()) == 200)
        assert(select(200, future:await()) == 200)
      end)
    end)

    it("takes a Future as a value, not for what it answers", function ()
      place.run(function ()
        local inner = tidepool.spawn(function () return 1 end)
        local future = tidepool.spawn(function (f) return f end, inner)
        assert(future:await() == inner and inner:await() == 1)
      end)
    end)

    it("shows its state", function ()
      place.run(function ()
        local stay, future, inside = gate(), nil, nil
        future = tidepool.spawn(function ()
          inside = future:state()
          stay[1]:await()
        end)
        assert(tostring(future):find "^tidepool.Future: %d+ %(pending")
        assert(math.type(future:id()) == "integer")
        assert(not pcall(future.get, future))
        turns()
        assert(inside == "running" and future:state() == "suspended")
        stay[2]:resolve()
        assert(future:wait() and future:state() == "completed")
      end)
    end)

    it("runs by turns with others, in the order of spawning", function ()
      place.run(function ()
        local log, futures = {}, {}
        for i = 1, 3 do
          futures[i] = tidepool.spawn(function ()
            for _ = 1, 2 do
              log[#log + 1] = i
              tidepool.sleep(0)
            end
          end)
        end
        for i = 1, 3 do
          futures[i]:await()
        end
        assert(table.concat(log) == "123123")
      end)
    end)

    it("awaits others", function ()
      place.run(function ()
        local function fib(n)
          if n < 2 then return n end
          local a = tidepool.spawn(fib, n - 1)
          return a:await() + tidepool.spawn(fib, n - 2):await()
        end
        assert(tidepool.spawn(fib, 10):await() == 55)
      end)
    end)

    it("is awaited by many", function ()
      place.run(function ()
        local go = gate()
        local list = {}
        local one = tidepool.spawn(function () go[1]:await() return list end)
        local waiting = {}
        for i = 1, 100 do
          waiting[i] = tidepool.spawn(one.await, one)
        end
        tidepool.sleep(0)
        go[2]:resolve()
        for i = 1, 100 do
          assert(waiting[i]:await() == list)
        end
      end)
    end)

    it("awaits tasks of a pool, with the others going on", function ()
      place.run(function ()
        local turn, done = 0, false
        local ticking = tidepool.spawn(function ()
          repeat
            turn = turn + 1
            tidepool.sleep(0)
          until done
        end)
        local sum = tidepool.spawn(function ()
          local task = tidepool.call("tidepool.sleep", 0.01)
          task:await()
          return tidepool.call(function (n) return n + 1 end, 41):await()
        end):await()
        done = true
        ticking:await()
        assert(sum == 42 and turn > 2)
      end)
    end)

    it("awaits through whatever Lua calls", function ()
      place.run(function ()
        local function value(x)
          tidepool.sleep(0)
          return x
        end
        local object = setmetatable({}, {
          __index = function (_, key) return value(key) end,
          __add = function (_, n) return value(n) end,
          __call = function (_, n) return value(n) end,
        })
        local function work()
          assert(object.field == "field" and object + 1 == 1)
          assert(object(2) == 2)
          assert(select(2, pcall(value, 3)) == 3)
          assert(select(2, xpcall(value, print, 4)) == 4)
          local sum = 0
          for i in function (_, i) return value(i < 3 and i + 1 or nil) end,
            nil, 0 do
            sum = sum + i
          end
          assert(sum == 6)
          local generator = coroutine.wrap(function ()
            coroutine.yield(value(5))
            coroutine.yield(coroutine.wrap(value)(6))
          end)
          assert(generator() == 5 and generator() == 6)
          local future = tidepool.spawn(value, 7)
          local ok, seven = pcall(future.await, future)
          assert(ok and seven == 7)
        end
        local both = { tidepool.spawn(work), tidepool.spawn(work) }
        both[1]:await()
        both[2]:await()
      end)
    end)

    it("awaits also where Lua cannot yield", function ()
      place.run(function ()
        local function less(a, b)
          tidepool.sleep(0)
          return tidepool.spawn(function () return a < b end):await()
        end
        local function work()
          local list = { 3, 1, 2 }
          table.sort(list, less)
          assert(table.concat(list) == "123")
          return (("ab"):gsub(".", function (c)
            return tidepool.spawn(string.upper, c):await()
          end))
        end
        local both = { tidepool.spawn(work), tidepool.spawn(work) }
        assert(both[1]:await() == "AB" and both[2]:await() == "AB")
      end)
    end)

    it("may not wait for itself", function ()
      place.run(function ()
        local me
        me = tidepool.spawn(function () return me:await() end)
        local ok, err = me:pawait(60)
        assert(not ok and err.kind == "error", err)
        assert(err.message:find "wait", err)
      end)
    end)

    it("waits as long as it was told, and no longer", function ()
      place.run(function ()
        local go = gate()
        local waiting = tidepool.spawn(function ()
          local one = tidepool.spawn(go[1].await, go[1])
          local err = failure(one.await, one, 0.001)
          assert(err.kind == "timeout")
          local ok, again = one:pawait(0)
          assert(not ok and again.kind == "timeout")
          assert(one:wait(0.001) == false and not one:is_ready())
          go[2]:resolve "late"
          return one:await(3600)
        end)
        assert(waiting:await() == "late")
      end)
    end)
  end)

  describe("the failure of a coroutine " .. place.name, function ()
    after_each(session.finish)

    it("is an Error with what was raised, of any type", function ()
      place.run(function ()
        local values = table.pack(false, 42, "text", {}, io.stdout, print,
          coroutine.create(print), nil)
        for i = 1, values.n do
          local future = tidepool.spawn(function () error(values[i], 0) end)
          local ok, err = future:pawait()
          assert(not ok and future:state() == "failed")
          assert(getmetatable(err).__name == "tidepool.Error")
          assert(err.kind == "error" and rawequal(err.value, values[i]))
          assert(err.message == tostring(values[i]))
          assert(err.id == future:id())
          assert(rawequal(err, failure(future.await, future)))
          assert(rawequal(err, failure(future.get, future)))
        end
      end)
    end)

    it("has the traceback of where it was raised", function ()
      place.run(function ()
        local function inner() error "oops" end
        local function outer() inner() end
        local _, err = tidepool.spawn(outer):pawait()
        assert(err.message:find "^spec/async_spawn_spec.lua:%d+: oops$")
        assert(err.value == err.message)
        assert(err.traceback:find "^stack traceback:")
        assert(err.traceback:find "in upvalue 'inner'"
          or err.traceback:find "in function 'inner'"
          or err.traceback:find "in local 'inner'", err.traceback)
        local _, lines = err.traceback:gsub("async_spawn_spec.lua:%d+: in", "")
        assert(lines >= 2, err.traceback)
        assert(tostring(err):find("oops\nstack traceback:", 1, true))
      end)
    end)

    it("has the traceback of an error that Lua raised", function ()
      place.run(function ()
        local _, err = tidepool.spawn(function (t)
          tidepool.sleep(0)
          return t.field.other
        end, {}):pawait()
        assert(err.message:find("attempt to index a nil value (field 'field')",
          1, true))
        assert(err.traceback:find "async_spawn_spec.lua")
      end)
    end)

    it("passes through others as the same Error", function ()
      place.run(function ()
        local first = tidepool.spawn(error, {})
        local second = tidepool.spawn(function () first:await() end)
        local third = tidepool.spawn(second.await, second)
        local _, err = third:pawait()
        assert(rawequal(err, select(2, first:pawait())))
        assert(rawequal(err, select(2, second:pawait())))
      end)
    end)

    it("comes from a <close> variable, too", function ()
      place.run(function ()
        local _, err = tidepool.spawn(function ()
          local _ <close> = at_end(function () error("in close", 0) end)
        end):pawait()
        assert(err.message == "in close")
        local function both()
          local _ <close> = at_end(function () error("in close", 0) end)
          error("before", 0)
        end
        _, err = tidepool.spawn(both):pawait()
        assert(err.message == failure(both)) -- until 5.4.2 the first of them
      end)
    end)

    it("stands objects whose tostring fails", function ()
      place.run(function ()
        local value = setmetatable({}, { __tostring = function ()
          error "no text"
        end })
        local _, err = tidepool.spawn(error, value):pawait()
        assert(err.kind == "error" and type(err.message) == "string")
      end)
    end)

    it("leaves the loop as it was", function ()
      place.run(function ()
        local futures = {}
        for i = 1, 100 do
          futures[i] = tidepool.spawn(i % 2 == 0 and error or tostring, i)
        end
        for i = 1, 100 do
          assert(futures[i]:pawait() == (i % 2 == 1))
        end
      end)
    end)

    it("is a stack overflow as any other", function ()
      place.run(function ()
        local function deeper() return 1 + deeper() end
        local _, err = tidepool.spawn(deeper):pawait()
        assert(err.message:find "stack overflow")
        assert(tidepool.spawn(tostring, 1):await() == "1")
      end)
    end)
  end)

  describe("tidepool.sleep " .. place.name, function ()
    after_each(session.finish)

    it("lets who sleeps less go on first", function ()
      place.run(function ()
        local log, futures = {}, {}
        for i, seconds in ipairs { 0.6, 0.2, 0, 0.4 } do
          futures[i] = tidepool.spawn(function ()
            tidepool.sleep(seconds)
            log[#log + 1] = i
          end)
        end
        for i = 1, 4 do
          futures[i]:await()
        end
        assert(table.concat(log) == "3241")
      end)
    end)

    it("runs others meanwhile", function ()
      place.run(function ()
        local ended
        tidepool.spawn(function ()
          tidepool.sleep(0.001)
          ended = true
        end)
        repeat
          tidepool.sleep(0.05)
        until ended
      end)
    end)

    it("is one turn when it is 0", function ()
      place.run(function ()
        local log = {}
        tidepool.spawn(function () log[#log + 1] = "first" end)
        tidepool.spawn(function () log[#log + 1] = "second" end)
        tidepool.sleep(0)
        assert(table.concat(log, " ") == "first second")
      end)
    end)

    it("is for as many as one likes", function ()
      place.run(function (n)
        local futures, ended = {}, 0
        for i = 1, n do
          futures[i] = tidepool.spawn(function ()
            tidepool.sleep(0.001 * (i % 10))
            ended = ended + 1
          end)
        end
        for i = 1, n do
          futures[i]:await()
        end
        assert(ended == n)
      end, many)
    end)

    it("refuses what is no time", function ()
      place.run(function ()
        for _, wrong in ipairs { "x", {}, true } do
          assert(not pcall(tidepool.sleep, wrong))
        end
        assert(not pcall(tidepool.sleep))
      end)
    end)
  end)

  describe("a coroutine that is cancelled " .. place.name, function ()
    after_each(session.finish)

    it("never runs if it had not begun", function ()
      place.run(function ()
        local begun = false
        local future = tidepool.spawn(function () begun = true end)
        assert(future:cancel "enough" and not future:cancel "again")
        assert(future:state() == "cancelled")
        local ok, err = future:pawait()
        assert(not ok and err.kind == "cancelled")
        assert(err.value == "enough" and err.message == "enough")
        turns()
        assert(not begun)
      end)
    end)

    it("settles at once, and is told when the loop runs", function ()
      place.run(function ()
        local stay, begun, ended = gate(), gate(), gate()
        local raised, closed
        local future = tidepool.spawn(function ()
          local _ <close> = at_end(function (err)
            closed = err
            ended[2]:resolve()
          end)
          begun[2]:resolve()
          raised = failure(stay[1].await, stay[1])
          error(raised, 0)
        end)
        begun[1]:await()
        assert(not future:is_ready() and future:cancel "enough")
        assert(future:state() == "cancelled" and not closed)
        ended[1]:await()
        assert(raised.kind == "cancelled" and raised.value == "enough")
        assert(rawequal(raised, closed))
        assert(not stay[1]:is_ready())
      end)
    end)

    it("is told wherever it waits", function ()
      place.run(function (worker)
        local stay, call = gate(), nil
        local ways = {
          function () tidepool.sleep(3600) end,
          function () stay[1]:await() end,
          function () stay[1]:await(3600) end,
          function () assert(stay[1]:wait()) end,
          function () tidepool.group():add(stay[1]):next() end,
          function ()
            call = tidepool.call("tidepool.sleep", 3600)
            call:await()
          end,
          function ()
            tidepool.scope(function () tidepool.sleep(3600) end)
          end,
        }
        if worker then -- in a program this one holds up what is below
          ways[#ways + 1] = function ()
            coroutine.wrap(tidepool.sleep)(3600)
          end
        end
        for i, way in ipairs(ways) do
          local begun, ended = gate(), gate()
          local future = tidepool.spawn(function ()
            local _ <close> = at_end(function (err)
              ended[2]:resolve(type(err) == "table" and err.kind or err)
            end)
            begun[2]:resolve()
            way()
          end)
          begun[1]:await()
          assert(future:cancel(), i)
          assert(ended[1]:await() == "cancelled", i)
        end
        assert(call:cancel()) -- it had been left alone
      end, place.worker)
    end)

    it("is told where it cannot yield", function ()
      place.run(function ()
        local stay = gate()
        for _, way in ipairs {
          function () coroutine.wrap(tidepool.sleep)(3600) end,
          function () table.sort({ 1, 2 }, function () stay[1]:await() end) end,
          function () ("a"):gsub(".", function () tidepool.sleep(3600) end) end,
        } do
          local begun, ended = gate(), gate()
          local future = tidepool.spawn(function ()
            local _ <close> = at_end(function (err)
              ended[2]:resolve(type(err) == "table" and err.kind or err)
            end)
            begun[2]:resolve()
            way()
          end)
          tidepool.spawn(function ()
            begun[1]:await()
            tidepool.sleep(0)
            future:cancel()
          end)
          assert(ended[1]:await() == "cancelled")
        end
      end)
    end)

    it("can await nothing any more", function ()
      place.run(function ()
        local stay, begun, ended = gate(), gate(), gate()
        local kinds, done = {}, tidepool.spawn(tostring, 1)
        done:await()
        local future = tidepool.spawn(function ()
          begun[2]:resolve()
          local function try(f, ...)
            local ok, err = pcall(f, ...)
            kinds[#kinds + 1] = not ok and err.kind
          end
          try(stay[1].await, stay[1])
          try(stay[1].await, stay[1])
          try(stay[1].wait, stay[1])
          try(tidepool.sleep, 0)
          try(tidepool.sleep, 3600)
          local group = tidepool.group():add(stay[1])
          try(group.next, group)
          ended[2]:resolve()
        end)
        begun[1]:await()
        future:cancel()
        ended[1]:await()
        assert(#kinds == 6)
        for i = 1, 6 do
          assert(kinds[i] == "cancelled", i)
        end
      end)
    end)

    it("answers nothing any more", function ()
      place.run(function ()
        for _, finish in ipairs { tostring, error } do
          local stay, begun = gate(), gate()
          local future = tidepool.spawn(function ()
            begun[2]:resolve()
            pcall(stay[1].await, stay[1])
            return finish "too late"
          end)
          begun[1]:await()
          future:cancel()
          turns()
          assert(future:state() == "cancelled")
          assert(select(2, future:pawait()).kind == "cancelled")
        end
      end)
    end)

    it("may cancel itself", function ()
      place.run(function ()
        local me, raised, seen
        local ended = gate()
        me = tidepool.spawn(function ()
          assert(not tidepool.task().cancelled)
          local _ <close> = at_end(function (err)
            raised, seen = err, tidepool.task().cancelled
            ended[2]:resolve()
          end)
          me:cancel "myself" -- in a worker this may not return
          assert(not me:cancel())
          tidepool.sleep(0)
        end)
        local ok, err = me:pawait()
        assert(not ok and err.kind == "cancelled" and err.value == "myself")
        ended[1]:await()
        assert(raised.kind == "cancelled" and raised.value == "myself")
        assert(seen == true)
      end)
    end)

    it("cannot be kept from ending", function ()
      place.run(function ()
        local stay, begun, ended = gate(), gate(), gate()
        local future = tidepool.spawn(function ()
          local _ <close> = at_end(function () ended[2]:resolve() end)
          begun[2]:resolve()
          while true do
            pcall(stay[1].await, stay[1])
          end
        end)
        begun[1]:await()
        future:cancel()
        ended[1]:await()
        assert(tidepool.spawn(tostring, 1):await() == "1")
      end)
    end)

    it("cannot be cancelled when it has settled", function ()
      place.run(function ()
        local done = tidepool.spawn(tostring, 1)
        local failed = tidepool.spawn(error, "lost")
        done:wait()
        failed:wait()
        assert(not done:cancel() and not failed:cancel())
        assert(done:await() == "1" and not failed:pawait())
      end)
    end)

    it("leaves what it awaited alone", function ()
      place.run(function ()
        local go, begun = gate(), gate()
        local other = tidepool.spawn(go[1].await, go[1])
        local future = tidepool.spawn(function ()
          begun[2]:resolve()
          other:await()
        end)
        begun[1]:await()
        future:cancel()
        turns()
        go[2]:resolve "fine"
        assert(other:await() == "fine")
      end)
    end)
  end)

  describe("what a coroutine spawned " .. place.name, function ()
    after_each(session.finish)

    it("is cancelled with it, all of it, at once", function ()
      place.run(function ()
        local stay, begun, ended = gate(), gate(), gate()
        local all, open = {}, 0
        local function grow(depth)
          open = open + 1
          local _ <close> = at_end(function ()
            open = open - 1
            if open == 0 then ended[2]:resolve() end
          end)
          if depth > 0 then
            all[#all + 1] = tidepool.spawn(grow, depth - 1)
            all[#all + 1] = tidepool.spawn(grow, depth - 1)
          end
          if open == 31 then begun[2]:resolve() end
          stay[1]:await()
        end
        local parent = tidepool.spawn(grow, 4)
        begun[1]:await()
        parent:cancel()
        assert(#all == 30)
        for _, future in ipairs(all) do
          assert(future:state() == "cancelled")
        end
        ended[1]:await()
      end)
    end)

    it("is cancelled when it fails", function ()
      place.run(function ()
        local stay, child = gate(), nil
        local parent = tidepool.spawn(function ()
          child = tidepool.spawn(stay[1].await, stay[1])
          tidepool.sleep(0)
          error("lost", 0)
        end)
        assert(not parent:pawait())
        assert(child:state() == "cancelled" and not stay[1]:is_ready())
      end)
    end)

    it("goes on when it returns", function ()
      place.run(function ()
        local go = gate()
        local parent = tidepool.spawn(function ()
          return tidepool.spawn(go[1].await, go[1])
        end)
        local child = parent:await()
        turns()
        assert(not child:is_ready())
        go[2]:resolve "went on"
        assert(child:await() == "went on")
      end)
    end)

    it("is then its parent's", function ()
      place.run(function ()
        local stay, ready = gate(), gate()
        local first, second
        local grandparent = tidepool.spawn(function ()
          tidepool.spawn(function ()
            tidepool.spawn(function ()
              first = tidepool.spawn(stay[1].await, stay[1])
              second = tidepool.spawn(stay[1].await, stay[1])
            end):await()
          end):await()
          ready[2]:resolve()
          stay[1]:await()
        end)
        ready[1]:await()
        assert(not first:is_ready() and not second:is_ready())
        grandparent:cancel()
        assert(first:state() == "cancelled" and second:state() == "cancelled")
      end)
    end)

    it("is nobody's once it was detached", function ()
      place.run(function ()
        local go, ready = gate(), gate()
        local free, late, bound
        local parent = tidepool.spawn(function ()
          free = tidepool.spawn(go[1].await, go[1]):detach()
          late = tidepool.spawn(go[1].await, go[1])
          bound = tidepool.spawn(go[1].await, go[1])
          ready[2]:resolve()
          go[1]:await()
        end)
        ready[1]:await()
        assert(late:detach() == late and late:detach() == late)
        parent:cancel()
        assert(bound:state() == "cancelled")
        assert(not free:is_ready() and not late:is_ready())
        go[2]:resolve "free"
        assert(free:await() == "free" and late:await() == "free")
        assert(free:detach() == free)
      end)
    end)

    it("does not begin after it was cancelled", function ()
      place.run(function ()
        local stay, begun, ended = gate(), gate(), gate()
        local late = false
        local parent = tidepool.spawn(function ()
          begun[2]:resolve()
          pcall(stay[1].await, stay[1])
          local ok, child = pcall(tidepool.spawn, function () late = true end)
          ended[2]:resolve(not ok or child:state() == "cancelled")
        end)
        begun[1]:await()
        parent:cancel()
        assert(ended[1]:await() == true)
        turns()
        assert(not late)
      end)
    end)

    it("is as deep as one likes", function ()
      place.run(function (n)
        local stay, begun, ended = gate(), gate(), gate()
        local last
        local function chain(left)
          if left > 0 then
            last = tidepool.spawn(chain, left - 1)
          else
            begun[2]:resolve()
          end
          local _ <close> = at_end(function ()
            if left == 0 then ended[2]:resolve() end
          end)
          stay[1]:await()
        end
        local first = tidepool.spawn(chain, n)
        begun[1]:await()
        first:cancel()
        assert(last:state() == "cancelled")
        ended[1]:await()
      end, many)
    end)
  end)

  describe("tidepool.task " .. place.name, function ()
    after_each(session.finish)

    it("is that of the coroutine", function ()
      place.run(function ()
        local outside = tidepool.task()
        local future = tidepool.spawn(function ()
          local task = tidepool.task()
          assert(task.cancelled == false)
          assert(task.name == nil or type(task.name) == "string")
          local within = coroutine.wrap(function ()
            return tidepool.task().id
          end)()
          assert(within == task.id)
          tidepool.sleep(0)
          return tidepool.task().id
        end)
        assert(future:await() == future:id())
        local again = tidepool.task()
        assert((outside and outside.id) == (again and again.id))
      end)
    end)

    it("tells how far it is", function ()
      place.run(function ()
        local stay, half = gate(), gate()
        local future = tidepool.spawn(function ()
          tidepool.task():progress(0.5, "half")
          half[2]:resolve()
          stay[1]:await()
        end)
        half[1]:await()
        local fraction, note = future:progress()
        assert(fraction == 0.5 and note == "half")
        stay[2]:resolve()
        future:await()
        assert(future:progress() == 1)
      end)
    end)
  end)

  describe("tidepool.after " .. place.name, function ()
    after_each(session.finish)

    it("calls once the future has settled, in any way", function ()
      place.run(function ()
        local ways = {
          function (future, promise) promise:resolve(1) return future end,
          function (future, promise) promise:reject "lost" return future end,
          function (future) future:cancel() return future end,
        }
        for _, way in ipairs(ways) do
          local future, promise = tidepool.promise()
          local list, called = {}, false
          local later = tidepool.after(future, function (...)
            called = true
            return select("#", ...), ...
          end, nil, list, nil)
          turns()
          assert(not called and later:state() == "pending")
          way(future, promise)
          assert(not called) -- in the loop
          local got = table.pack(later:await())
          assert(got.n == 4 and got[1] == 3 and got[3] == list)
          pcall(future.get, future)
        end
      end)
    end)

    it("calls after one that has settled", function ()
      place.run(function ()
        local done = tidepool.spawn(tostring, 1)
        done:await()
        local called = false
        local later = tidepool.after(done, function () called = true end)
        assert(not called)
        later:await()
        assert(called)
      end)
    end)

    it("calls after coroutines and tasks, and awaits in it", function ()
      place.run(function ()
        local task = tidepool.call(function () return 1 end)
        local future = tidepool.spawn(tidepool.sleep, 0.001)
        assert(tidepool.after(task, function ()
          future:await()
          tidepool.sleep(0)
          return task:get() + 1
        end):await() == 2)
        assert(tidepool.after(future, tostring, 3):await() == "3")
      end)
    end)

    it("calls in the order in which it was asked to", function ()
      place.run(function ()
        local go, log, last = gate(), {}, nil
        for i = 1, 5 do
          last = tidepool.after(go[1], function () log[i] = #log + 1 end)
        end
        go[2]:resolve()
        last:await()
        assert(table.concat(log) == "12345")
      end)
    end)

    it("fails as the function does", function ()
      place.run(function ()
        local value = {}
        local _, err = tidepool.after(tidepool.spawn(print, ""), error, value)
          :pawait()
        assert(rawequal(err.value, value) and err.kind == "error")
      end)
    end)

    it("never calls if it was cancelled before", function ()
      place.run(function ()
        local go, called = gate(), false
        local later = tidepool.after(go[1], function () called = true end)
        assert(later:cancel "not now" and later:state() == "cancelled")
        go[2]:resolve()
        turns()
        assert(not called and not go[1]:cancel())
        go = gate()
        later = tidepool.after(go[1], function () called = true end)
        go[2]:resolve()
        later:cancel()
        turns()
        assert(not called)
      end)
    end)

    it("is cancelled while it runs", function ()
      place.run(function ()
        local stay, begun, ended = gate(), gate(), gate()
        local later = tidepool.after(tidepool.spawn(tostring, 1), function ()
          local _ <close> = at_end(function () ended[2]:resolve() end)
          begun[2]:resolve()
          stay[1]:await()
        end)
        begun[1]:await()
        later:cancel()
        ended[1]:await()
      end)
    end)

    it("makes chains as long as one likes", function ()
      place.run(function (n)
        local go, count = gate(), 0
        local last = go[1]
        for _ = 1, n do
          last = tidepool.after(last, function () count = count + 1 end)
        end
        go[2]:resolve()
        last:await()
        assert(count == n)
      end, many)
    end)

    it("refuses what is no future or no function", function ()
      place.run(function ()
        local future = tidepool.spawn(tostring, 1)
        assert(not pcall(tidepool.after, 1, print))
        assert(not pcall(tidepool.after, future))
        assert(not pcall(tidepool.after, future, "print"))
        assert(not pcall(tidepool.after))
        assert(not pcall(tidepool.spawn))
        assert(not pcall(tidepool.spawn, {}))
        future:await()
      end)
    end)
  end)

  describe("a group " .. place.name, function ()
    after_each(session.finish)

    it("is gone through by a for", function ()
      place.run(function ()
        local group, got = tidepool.group(), {}
        for i = 1, 3 do
          group:add(tidepool.spawn(function ()
            for _ = i, 3 do
              tidepool.sleep(0)
            end
            return i
          end), "key " .. i)
        end
        for key, future in group do
          got[#got + 1] = key .. " " .. future:get()
        end
        assert(table.concat(got, ", ") == "key 3 3, key 2 2, key 1 1")
        for _ in group do
          error "there is nothing left"
        end
      end)
    end)

    it("answers futures in the order in which they settle", function ()
      place.run(function ()
        local a, b, c = gate(), gate(), gate()
        local group = tidepool.group()
        assert(#group == 0 and group:next() == nil)
        assert(group:add(a[1], "a") == group)
        group:add(b[1], "b"):add(c[1], "c")
        assert(#group == 3)
        c[2]:resolve(1)
        a[1]:cancel()
        b[2]:reject "lost"
        local key, future = group:next()
        assert(key == "c" and future == c[1] and future:get() == 1)
        assert(#group == 2)
        key, future = group:next()
        assert(key == "a" and future:state() == "cancelled")
        key, future = group:next()
        assert(key == "b" and not future:pawait())
        assert(#group == 0)
        local got = table.pack(group:next())
        assert(got.n >= 1 and got[1] == nil and got[2] == nil)
      end)
    end)

    it("has keys of any type, by reference", function ()
      place.run(function ()
        local list = {}
        local keys = { list, false, 0, 1.5, "k", print, coroutine.create(print),
          io.stdout, true }
        local group = tidepool.group()
        for _, key in ipairs(keys) do
          group:add(tidepool.spawn(tostring, 1), key)
        end
        local own = tidepool.spawn(tostring, 1)
        group:add(own)
        for _, key in ipairs(keys) do
          assert(rawequal(group:next(), key))
        end
        local key, future = group:next()
        assert(key == own and future == own)
      end)
    end)

    it("begins with those that had settled", function ()
      place.run(function ()
        local futures = {}
        for i = 1, 3 do
          futures[i] = tidepool.spawn(tostring, i)
          futures[i]:await()
        end
        local stay = gate()
        local group = tidepool.group():add(stay[1], "stay")
        for i = 3, 1, -1 do
          group:add(futures[i], i)
        end
        for i = 3, 1, -1 do
          assert(group:next(0) == i)
        end
        local key, why = group:next(0)
        assert(key == nil and why == "timeout")
      end)
    end)

    it("waits as long as it was told", function ()
      place.run(function ()
        local go = gate()
        local group = tidepool.group():add(go[1], "go")
        local key, why = group:next(0.001)
        assert(key == nil and why == "timeout" and #group == 1)
        go[2]:resolve()
        assert(group:next(3600) == "go")
        assert(select(2, group:next(0)) == nil) -- none are left
      end)
    end)

    it("lets go of futures", function ()
      place.run(function ()
        local a, b, c = gate(), gate(), gate()
        local group = tidepool.group():add(a[1], "a"):add(b[1], "b")
        assert(group:remove(a[1]) == true and group:remove(a[1]) == false)
        assert(group:remove(c[1]) == false and #group == 1)
        a[2]:resolve()
        b[2]:resolve()
        b[1]:await()
        assert(group:remove(b[1]) == true and #group == 0)
        assert(group:next() == nil)
        group:add(c[1], "c")
        c[2]:resolve()
        assert(group:next() == "c" and group:remove(c[1]) == false)
      end)
    end)

    it("has futures of all kinds", function ()
      place.run(function ()
        local group, seen = tidepool.group(), {}
        local promised, promise = tidepool.promise()
        group:add(tidepool.spawn(tidepool.sleep, 0.001), "coroutine")
        group:add(tidepool.call("tidepool.sleep", 0.001), "C")
        group:add(tidepool.call(function () return 1 end), "Lua")
        group:add(promised, "promise")
        group:add(tidepool.after(promised, tostring, 1), "after")
        tidepool.spawn(promise.resolve, promise)
        for _ = 1, 5 do
          local key, future = group:next()
          assert(future:is_ready() and not seen[key])
          seen[key] = true
        end
        assert(seen.coroutine and seen.C and seen.Lua and seen.after)
        assert(seen.promise and group:next() == nil)
      end)
    end)

    it("takes more while somebody waits", function ()
      place.run(function ()
        local stay, begun = gate(), gate()
        local group = tidepool.group():add(stay[1], "stay")
        local waiting = tidepool.spawn(function ()
          begun[2]:resolve()
          return group:next()
        end)
        begun[1]:await()
        turns()
        group:add(tidepool.spawn(tostring, 1), "added")
        assert(waiting:await() == "added" and #group == 1)
      end)
    end)

    it("serves others when one who waited is cancelled", function ()
      place.run(function ()
        local go, begun = gate(), gate()
        local group = tidepool.group():add(go[1], "go")
        local victim = tidepool.spawn(function ()
          begun[2]:resolve()
          return group:next()
        end)
        begun[1]:await()
        turns()
        victim:cancel()
        turns()
        go[2]:resolve()
        assert(group:next() == "go")
      end)
    end)

    it("has as many as one likes", function ()
      place.run(function (n)
        local group, gates = tidepool.group(), {}
        for i = 1, n do
          gates[i] = gate()
          group:add(gates[i][1], i)
        end
        for i = n, 1, -1 do
          gates[i][2]:resolve()
        end
        for i = n, 1, -1 do
          assert(group:next() == i)
        end
        assert(#group == 0)
      end, many)
    end)

    it("can be dropped with all in it", function ()
      place.run(function ()
        local go = gate()
        do
          local group = tidepool.group()
          for _ = 1, 10 do
            group:add(go[1]):add(tidepool.spawn(go[1].await, go[1]))
          end
        end
        collectgarbage()
        collectgarbage()
        go[2]:resolve()
        turns()
        assert(go[1]:is_ready())
      end)
    end)

    it("refuses what is no future", function ()
      place.run(function ()
        local group = tidepool.group()
        for _, wrong in ipairs { 1, "f", {}, false } do
          local ok, err = pcall(group.add, group, wrong)
          assert(not ok and err:find "Future expected", err)
        end
        assert(not pcall(group.add, group) and #group == 0)
      end)
    end)
  end)
end

describe("coroutines of the program", function ()
  after_each(session.finish)

  it("run in poll, as far as they are ready", function ()
    local log = {}
    local stay = gate()
    for i = 1, 3 do
      tidepool.spawn(function ()
        log[#log + 1] = i
        stay[1]:await()
        log[#log + 1] = i
      end)
    end
    session.eventually(function ()
      tidepool.poll()
      return #log == 3
    end)
    stay[2]:resolve()
    session.eventually(function ()
      tidepool.poll(0)
      return #log == 6
    end)
    expect.are.equal("123123", table.concat(log))
  end)

  it("are what poll waits for", function ()
    local ended
    tidepool.spawn(function ()
      tidepool.sleep(0.01)
      ended = true
    end)
    local polls = 0
    while not ended do
      tidepool.poll(limit)
      polls = polls + 1
      assert(polls < 1000)
    end
  end)

  it("make the descriptor readable when there is something to do", function ()
    local handle = { getfd = tidepool.fd }
    local function readable()
      return #socket.select({ handle }, nil, limit) == 1
    end
    local ended = {}
    tidepool.spawn(function ()
      ended[1] = true
      tidepool.sleep(0.01)
      ended[2] = true
      tidepool.call("tidepool.sleep", 0.01):await()
      ended[3] = true
    end)
    local rounds = 0
    while not ended[3] do
      expect.is_true(readable())
      tidepool.poll()
      rounds = rounds + 1
      assert(rounds < 1000)
    end
  end)

  it("end where nobody awaits them, with their failures told", function ()
    local told
    tidepool.on_unhandled(function (err) told = err end)
    local failing = tidepool.spawn(function () error { code = 7 } end)
    failing:wait()
    failing = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    tidepool.poll()
    expect.are.equal("error", told.kind)
    expect.are.equal(7, told.value.code)
    expect.is_truthy(told.traceback:find "async_spawn_spec.lua")
  end)

  it("answer tasks that follow them", function ()
    local sum = session.pool():call(function (a, b) return a + b end,
      tidepool.spawn(function () return 40 end),
      tidepool.spawn(function () tidepool.sleep(0) return 2 end))
    expect.are.equal(42, sum:await(limit))
  end)

  it("answer promises that follow them", function ()
    local future, promise = tidepool.promise()
    promise:resolve(tidepool.spawn(function () return { "done" } end))
    expect.are.same({ "done" }, future:await(limit))
  end)

  it("are cancelled by a task", function ()
    local stay = gate()
    local future = tidepool.spawn(stay[1].await, stay[1])
    tidepool.sleep(0)
    expect.is_true(session.pool():call(function (box)
      return box[1]:cancel "from there"
    end, { future }):await(limit))
    expect.are.equal("from there", session.failure(future).value)
  end)

  it("are awaited by a task", function ()
    local go = gate()
    local future = tidepool.spawn(function ()
      return go[1]:await() .. " here"
    end)
    local task = session.pool():call(function (box)
      return box[1]:await()
    end, { future })
    go[2]:resolve "from"
    expect.are.equal("from here", task:await(limit))
  end)
end)

describe("coroutines of a task", function ()
  after_each(session.finish)

  it("are cancelled with the task", function ()
    local begun, ended = gate(), gate()
    local task = session.pool():call(function (begin, finish)
      local stay = { tidepool.promise() }
      tidepool.spawn(function ()
        local _ <close> = at_end(function (err) finish:resolve(err.kind) end)
        begin:resolve()
        stay[1]:await()
      end):await()
    end, begun[2], ended[2])
    begun[1]:await(limit)
    task:cancel()
    expect.are.equal("cancelled", ended[1]:await(limit))
  end)

  it("are cancelled when the task fails, or is over its time", function ()
    local pool = session.pool()
    local function work(finish, how)
      local stay = { tidepool.promise() }
      tidepool.spawn(function ()
        local _ <close> = at_end(function (err) finish:resolve(err.kind) end)
        stay[1]:await()
      end)
      tidepool.sleep(0)
      if how == "fail" then error "on purpose" end
      while true do end
    end
    local ended = gate()
    local task = pool:call(work, ended[2], "fail")
    expect.are.equal("cancelled", ended[1]:await(limit))
    expect.are.equal("error", session.failure(task).kind)
    ended = gate()
    task = pool:with { timeout = 0.05 }:call(work, ended[2], "loop")
    expect.are.equal("timeout", session.failure(task).kind)
    expect.is_string(ended[1]:await(limit))
  end)

  it("go on when the task returns", function ()
    local go, ended = gate(), gate()
    local pool = session.pool()
    pool:call(function (finish, box)
      tidepool.spawn(function ()
        finish:resolve(box[1]:await())
      end)
    end, ended[2], { go[1] }):await(limit)
    expect.are.equal(1, pool:call(function () return 1 end):await(limit))
    go[2]:resolve "later"
    expect.are.equal("later", ended[1]:await(limit))
  end)

  it("end with the pool", function ()
    local begun, ended = gate(), gate()
    local pool = session.pool()
    pool:call(function (begin, finish)
      local stay = { tidepool.promise() }
      tidepool.spawn(function ()
        local _ <close> = at_end(function () finish:resolve "closed" end)
        begin:resolve()
        stay[1]:await()
      end)
    end, begun[2], ended[2]):await(limit)
    begun[1]:await(limit)
    pool:shutdown { drain = false, timeout = limit }
    expect.are.equal("closed", ended[1]:await(limit))
  end)
end)
