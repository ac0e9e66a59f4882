-- Combinators: many futures at once, wherever the code runs.

local places = require "spec.support.places"
local process = require "spec.support.process"
local session = require "spec.support.session"
local tidepool = require "tidepool"

local expect = assert

local limit = session.limit

-- Futures and their promises, so many.
local function promises(n)
  local futures, writers = {}, {}
  for i = 1, n do
    futures[i], writers[i] = tidepool.promise()
  end
  return futures, writers
end

-- The Error that a future ends with.
local function failure(future)
  local ok, err = future:pawait(limit)
  assert(not ok, "completed, though it had to fail")
  return err
end

-- Until all the loop has to do now is done.
local function turn()
  tidepool.sleep(0)
end

-- A message with the position of the caller, here.
local function refuses(what, f)
  local ok, err = pcall(f)
  assert(not ok, "not refused: " .. what)
  assert(type(err) == "string" and err:find(what, 1, true), err)
  assert(err:find "^[^:]*async_combine_spec%.lua:%d+: ", err)
end

for _, place in ipairs(places) do
  describe("all " .. place.name, function ()
    after_each(session.finish)

    it("answers the first results in the order of the list", function ()
      place.run(function ()
        local list, writers = promises(4)
        local future = tidepool.all(list)
        writers[3]:resolve "c"
        writers[1]:resolve("a", "dropped")
        writers[4]:resolve()
        turn()
        assert(not future:is_ready())
        writers[2]:resolve { "b" }
        local got = future:await(limit)
        assert(got.n == 4 and got[1] == "a" and got[2][1] == "b")
        assert(got[3] == "c" and got[4] == nil)
      end)
    end)

    it("of nothing is an empty list", function ()
      place.run(function ()
        local got = tidepool.all({}):await(limit)
        assert(next(got) == "n" and got.n == 0 and next(got, "n") == nil)
      end)
    end)

    it("takes futures of any kind, and of any pool", function ()
      place.run(function ()
        local pool <close> = tidepool.AsyncManager.new { workers = 1 }
        local made, promise = tidepool.promise()
        promise:resolve "promised"
        local got = tidepool.all({
          tidepool.call("tidepool.sleep", 0.001),
          pool:call(function (x) return x * 2 end, 21),
          tidepool.spawn(function () return "spawned" end),
          made,
          tidepool.all { made },
          made:and_then(string.upper),
        }):await(limit)
        assert(got.n == 6 and got[1] == nil and got[2] == 42)
        assert(got[3] == "spawned" and got[4] == "promised")
        assert(got[5][1] == "promised" and got[6] == "PROMISED")
      end)
    end)

    it("hands on the results of coroutines as they are", function ()
      place.run(function ()
        local thing = setmetatable({}, { __name = "thing" })
        local got = tidepool.all {
          tidepool.spawn(function () return thing end),
        }:await(limit)
        assert(rawequal(got[1], thing))
      end)
    end)

    it("fails at once with the Error of the first in time", function ()
      place.run(function ()
        local list, writers = promises(4)
        local future = tidepool.all(list)
        writers[1]:resolve(1)
        writers[3]:reject { code = 3 }
        local err = failure(future)
        assert(rawequal(err, failure(list[3])) and err.value.code == 3)
        assert(list[2]:state() == "cancelled" and writers[4]:cancelled())
        assert(list[1]:state() == "completed")
      end)
    end)

    it("fails at once if that happened before", function ()
      place.run(function ()
        local list, writers = promises(3)
        writers[2]:reject "early"
        assert(failure(tidepool.all(list)).value == "early")
        assert(writers[1]:cancelled() and writers[3]:cancelled())
      end)
    end)

    it("fails when one is cancelled", function ()
      place.run(function ()
        local list, writers = promises(2)
        local future = tidepool.all(list)
        list[2]:cancel "enough"
        local err = failure(future)
        assert(err.kind == "cancelled" and err.message == "enough")
        assert(writers[1]:cancelled())
      end)
    end)

    it("leaves the others alone with cancel = false", function ()
      place.run(function ()
        local list, writers = promises(3)
        local future = tidepool.all(list, { cancel = false })
        writers[1]:reject "first"
        assert(failure(future).value == "first")
        assert(not list[2]:is_ready() and writers[2]:resolve "on")
        writers[3]:resolve()
        assert(list[2]:await(limit) == "on")
      end)
    end)

    it("leaves alone what somebody else awaits", function ()
      place.run(function ()
        local list, writers = promises(3)
        local other = tidepool.spawn(function ()
          return list[2]:await()
        end)
        turn()
        local future = tidepool.all(list)
        writers[1]:reject "first"
        assert(failure(future).value == "first")
        assert(not list[2]:is_ready() and writers[3]:cancelled())
        writers[2]:resolve "wanted"
        assert(other:await(limit) == "wanted")
      end)
    end)

    it("leaves alone what another combinator has", function ()
      place.run(function ()
        local list, writers = promises(3)
        local one = tidepool.all { list[1], list[3] }
        local two = tidepool.all { list[2], list[3] }
        turn()
        writers[1]:reject "first"
        assert(failure(one).value == "first")
        assert(not list[3]:is_ready())
        writers[2]:reject "second"
        assert(failure(two).value == "second")
        assert(writers[3]:cancelled())
      end)
    end)

    it("cancels what it waits for when it is cancelled itself", function ()
      place.run(function ()
        local list, writers = promises(2)
        local future = tidepool.all(list)
        turn()
        assert(future:cancel "enough")
        assert(failure(future).kind == "cancelled")
        turn()
        assert(writers[1]:cancelled() and writers[2]:cancelled())
      end)
    end)

    it("does so before it has begun", function ()
      place.run(function ()
        local list, writers = promises(2)
        tidepool.all(list):cancel()
        turn()
        turn()
        assert(writers[1]:cancelled() and writers[2]:cancelled())
        local left, writer = tidepool.promise()
        tidepool.all({ left }, { cancel = false }):cancel()
        turn()
        turn()
        assert(writer:resolve(1))
      end)
    end)

    it("takes the same future twice", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        local both = tidepool.all { future, future, future }
        promise:resolve "once"
        local got = both:await(limit)
        assert(got.n == 3 and got[1] == "once" and got[3] == "once")
        local list, writers = promises(2)
        both = tidepool.all { list[1], list[2], list[1], list[2] }
        writers[2]:reject "no"
        assert(failure(both).value == "no" and writers[1]:cancelled())
      end)
    end)

    it("does not mind what becomes of the list", function ()
      place.run(function ()
        local list, writers = promises(2)
        local future = tidepool.all(list)
        list[1], list[2], list[3] = nil, nil, false
        writers[1]:resolve(1)
        writers[2]:resolve(2)
        local got = future:await(limit)
        assert(got.n == 2 and got[1] == 1 and got[2] == 2)
      end)
    end)

    it("is one of another", function ()
      place.run(function ()
        local list, writers = promises(4)
        local future = tidepool.all {
          tidepool.all { list[1], list[2] }, tidepool.all { list[3], list[4] },
        }
        turn()
        writers[1]:reject "deep"
        assert(failure(future).value == "deep")
        turn()
        for i = 2, 4 do
          assert(writers[i]:cancelled(), i)
        end
      end)
    end)
  end)

  describe("race " .. place.name, function ()
    after_each(session.finish)

    it("answers what the first in time has, not in the list", function ()
      place.run(function ()
        local list, writers = promises(3)
        local future = tidepool.race(list)
        writers[3]:resolve("c", nil, "three", nil)
        writers[1]:resolve "a"
        local got = table.pack(future:await(limit))
        assert(got.n == 4 and got[1] == "c" and got[3] == "three")
        assert(writers[2]:cancelled())
      end)
    end)

    it("takes the first of the list of those that had settled", function ()
      place.run(function ()
        local list, writers = promises(3)
        writers[3]:resolve "c"
        writers[2]:resolve "b"
        assert(tidepool.race(list):await(limit) == "b")
      end)
    end)

    it("fails with the first", function ()
      place.run(function ()
        local list, writers = promises(2)
        local future = tidepool.race(list)
        writers[2]:reject { code = 2 }
        writers[1]:resolve "late"
        local err = failure(future)
        assert(rawequal(err, failure(list[2])) and err.value.code == 2)
      end)
    end)

    it("stops a loser that runs", function ()
      place.run(function ()
        local endless = tidepool.call(function () while true do end end)
        local quick = tidepool.spawn(function () return "quick" end)
        assert(tidepool.race({ endless, quick }):await(limit) == "quick")
        assert(endless:state() == "cancelled")
      end)
    end)

    it("closes the variables of a losing coroutine", function ()
      place.run(function ()
        local closed, begun = false, false
        local slow = tidepool.spawn(function ()
          local _ <close> = setmetatable({}, { __close = function ()
            closed = true
          end })
          begun = true
          tidepool.sleep(1000)
        end)
        local first, promise = tidepool.promise()
        local future = tidepool.race { slow, first }
        turn()
        assert(begun)
        promise:resolve "first"
        assert(future:await(limit) == "first")
        assert(slow:state() == "cancelled")
        turn()
        turn()
        assert(closed)
      end)
    end)

    it("leaves the losers alone with cancel = false", function ()
      place.run(function ()
        local list, writers = promises(2)
        local future = tidepool.race(list, { cancel = false })
        writers[2]:resolve "b"
        assert(future:await(limit) == "b" and writers[1]:resolve "a")
      end)
    end)

    it("of no futures raises at the call", function ()
      place.run(function ()
        refuses("race of no futures", function () tidepool.race {} end)
      end)
    end)

    it("is not told about failures that come too late", function ()
      place.run(function ()
        local list, writers = promises(3)
        local future = tidepool.race(list)
        writers[1]:resolve "first"
        writers[2]:reject "too late"
        assert(future:await(limit) == "first")
        assert(list[2]:state() == "failed" and writers[3]:cancelled())
      end)
    end)
  end)

  describe("any " .. place.name, function ()
    after_each(session.finish)

    it("answers the first that completes", function ()
      place.run(function ()
        local list, writers = promises(4)
        local future = tidepool.any(list)
        writers[2]:reject "b"
        turn()
        assert(not future:is_ready())
        writers[4]:resolve("d", 4)
        local name, number = future:await(limit)
        assert(name == "d" and number == 4)
        assert(writers[1]:cancelled() and writers[3]:cancelled())
      end)
    end)

    it("fails with the Errors of all, in the order of the list", function ()
      place.run(function ()
        local list, writers = promises(3)
        local future = tidepool.any(list)
        writers[3]:reject "c"
        writers[1]:reject "a"
        list[2]:cancel "b"
        local err = failure(future)
        assert(err.kind == "error" and #err.errors == 3)
        assert(err.message:find("all 3 futures failed", 1, true))
        assert(err.errors[1].value == "a" and err.errors[3].value == "c")
        assert(err.errors[2].kind == "cancelled")
        assert(rawequal(err.errors[1], failure(list[1])))
        assert(tostring(err):find "all 3 futures failed")
      end)
    end)

    it("counts a future twice that stands there twice", function ()
      place.run(function ()
        local future, promise = tidepool.promise()
        local none = tidepool.any { future, future }
        promise:reject "both"
        local err = failure(none)
        assert(#err.errors == 2 and err.errors[2].value == "both")
      end)
    end)

    it("of no futures raises at the call", function ()
      place.run(function ()
        refuses("any of no futures", function () tidepool.any {} end)
      end)
    end)
  end)

  describe("all_settled " .. place.name, function ()
    after_each(session.finish)

    it("tells what became of each", function ()
      place.run(function ()
        local list, writers = promises(4)
        list[5] = list[1]
        local future = tidepool.all_settled(list)
        list[3]:cancel "enough"
        writers[2]:reject { code = 2 }
        writers[1]:resolve("a", nil, false, nil)
        turn()
        assert(not future:is_ready())
        writers[4]:resolve()
        local got = future:await(limit)
        assert(got.n == 5 and #got == 5)
        assert(got[1].state == "completed" and got[1].value == "a")
        local values = got[1].values
        assert(values.n == 4 and values[1] == "a" and values[3] == false)
        assert(values[2] == nil and got[1].error == nil)
        assert(got[2].state == "failed" and got[2].error.value.code == 2)
        assert(rawequal(got[2].error, failure(list[2])))
        assert(got[2].value == nil and got[2].values == nil)
        assert(got[3].state == "cancelled")
        assert(got[3].error.kind == "cancelled")
        assert(got[4].value == nil and got[4].values.n == 0)
        assert(got[5].value == "a")
      end)
    end)

    it("of nothing is an empty list", function ()
      place.run(function ()
        assert(tidepool.all_settled({}):await(limit).n == 0)
      end)
    end)

    it("cancels what it waits for when it is cancelled", function ()
      place.run(function ()
        local list, writers = promises(2)
        local future = tidepool.all_settled(list)
        turn()
        future:cancel()
        turn()
        assert(writers[1]:cancelled() and writers[2]:cancelled())
      end)
    end)
  end)

  describe("as_completed " .. place.name, function ()
    after_each(session.finish)

    it("goes over the futures as they settle", function ()
      place.run(function ()
        local list, writers = promises(3)
        local order = { 2, 3, 1 }
        local seen = {}
        writers[order[1]]:resolve "x"
        for i, future in tidepool.as_completed(list) do
          assert(rawequal(future, list[i]) and future:is_ready())
          seen[#seen + 1] = i
          local next_one = order[#seen + 1]
          if next_one then
            writers[next_one]:reject "y"
          end
          future:pawait()
        end
        assert(table.concat(seen, " ") == "2 3 1")
      end)
    end)

    it("waits for each", function ()
      place.run(function ()
        local sum, count = 0, 0
        local list = {}
        for i = 1, 10 do
          list[i] = tidepool.spawn(function ()
            tidepool.sleep(0.002 * (i % 3))
            return i
          end)
        end
        for i, future in tidepool.as_completed(list) do
          assert(future:await() == i)
          sum, count = sum + i, count + 1
        end
        assert(sum == 55 and count == 10)
      end)
    end)

    it("goes over the places of a future that has several", function ()
      place.run(function ()
        local list, writers = promises(2)
        local a, b = list[1], list[2]
        writers[2]:resolve()
        writers[1]:resolve()
        local seen = {}
        for i, future in tidepool.as_completed { a, b, a, b, a } do
          seen[#seen + 1] = i
          assert(future == (i % 2 == 1 and a or b))
        end
        assert(table.concat(seen, " ") == "1 3 5 2 4")
      end)
    end)

    it("of nothing ends at once", function ()
      place.run(function ()
        for _ in tidepool.as_completed {} do
          error "there is something"
        end
        for _ in tidepool.as_completed({}, { timeout = 0 }) do
          error "there is something"
        end
      end)
    end)

    it("raises when the time is over, and cancels nothing", function ()
      place.run(function ()
        local list, writers = promises(3)
        writers[2]:resolve "in time"
        local seen = {}
        local ok, err = pcall(function ()
          for i in tidepool.as_completed(list, { timeout = 0.01 }) do
            seen[#seen + 1] = i
          end
        end)
        assert(not ok and err.kind == "timeout", tostring(err))
        assert(err.message:find "2 of 3 futures not settled")
        assert(#seen == 1 and seen[1] == 2)
        assert(writers[1]:resolve() and writers[3]:resolve())
      end)
    end)

    it("ends in time", function ()
      place.run(function ()
        local list, writers = promises(3)
        for i = 1, 3 do
          writers[i]:resolve(i)
        end
        local count = 0
        for _ in tidepool.as_completed(list, { timeout = limit }) do
          count = count + 1
        end
        assert(count == 3)
      end)
    end)

    it("leaves the rest alone when the loop is left", function ()
      place.run(function ()
        local list, writers = promises(2)
        writers[2]:resolve()
        for i in tidepool.as_completed(list, { timeout = limit }) do
          if i == 2 then
            break
          end
        end
        assert(writers[1]:resolve())
      end)
    end)
  end)

  describe("wait " .. place.name, function ()
    after_each(session.finish)

    it("waits for all", function ()
      place.run(function ()
        local list, writers = promises(3)
        writers[1]:resolve()
        writers[2]:reject "no"
        tidepool.spawn(function ()
          tidepool.sleep(0.001)
          writers[3]:resolve()
        end)
        local done, pending = tidepool.wait(list)
        assert(#done == 3 and #pending == 0)
        for i = 1, 3 do
          assert(rawequal(done[i], list[i]))
        end
        failure(list[2])
      end)
    end)

    it("waits for the first", function ()
      place.run(function ()
        local list, writers = promises(3)
        writers[2]:resolve()
        local done, pending = tidepool.wait(list, { when = "first" })
        assert(#done == 1 and done[1] == list[2])
        assert(#pending == 2 and pending[1] == list[1])
        assert(pending[2] == list[3] and writers[3]:resolve())
      end)
    end)

    it("waits for the first error", function ()
      place.run(function ()
        local list, writers = promises(4)
        writers[2]:resolve()
        tidepool.spawn(function ()
          tidepool.sleep(0.001)
          writers[4]:reject "no"
        end)
        local done, pending = tidepool.wait(list, { when = "first_error" })
        assert(#done == 2 and done[1] == list[2] and done[2] == list[4])
        assert(#pending == 2 and writers[1]:resolve())
        failure(list[4])
        writers[3]:resolve()
        list[4] = nil
        done, pending = tidepool.wait(list, { when = "first_error" })
        assert(#done == 3 and #pending == 0)
      end)
    end)

    it("ends when the time is over, and cancels nothing", function ()
      place.run(function ()
        local list, writers = promises(3)
        writers[2]:resolve()
        for _, when in ipairs { "first_error", "all" } do
          for _, timeout in ipairs { 0, 0.005 } do
            local done, pending = tidepool.wait(list, {
              when = when, timeout = timeout,
            })
            assert(#done == 1 and #pending == 2)
          end
        end
        assert(writers[1]:resolve() and writers[3]:resolve())
        local done = tidepool.wait(list, { timeout = limit })
        assert(#done == 3)
      end)
    end)

    it("takes nothing, and the same future twice", function ()
      place.run(function ()
        local done, pending = tidepool.wait {}
        assert(#done == 0 and #pending == 0)
        local list, writers = promises(2)
        writers[1]:resolve()
        done, pending = tidepool.wait({ list[1], list[2], list[1], list[2] },
          { when = "first" })
        assert(#done == 2 and #pending == 2)
        list[2]:cancel()
      end)
    end)
  end)

  describe("a combinator " .. place.name, function ()
    after_each(session.finish)

    it("names what is wrong", function ()
      place.run(function ()
        local list = { tidepool.spawn(math.abs, 1) }
        for _, name in ipairs {
          "all", "race", "any", "all_settled", "as_completed", "wait",
        } do
          local f = tidepool[name]
          refuses(("bad argument #1 to '%s' (table expected, got nil)")
            :format(name), function () f() end)
          refuses(("bad argument #1 to '%s' (table expected, got tidepool."
            .. "Future)"):format(name), function () f(list[1]) end)
          refuses(("bad argument #1 to '%s' (Future expected at index 2, "
            .. "got number)"):format(name), function ()
            f { list[1], 2 }
          end)
          refuses(("bad argument #1 to '%s' (Future expected at index 2, "
            .. "got nil)"):format(name), function ()
            f { list[1], n = 2 }
          end)
          refuses(("bad argument #2 to '%s' (table expected, got number)")
            :format(name), function () f(list, 3) end)
          refuses("unknown option 'cancle'", function ()
            f(list, { cancle = true })
          end)
          refuses("unknown option (a number as a key)", function ()
            f(list, { true })
          end)
        end
        refuses("bad option 'cancel' (boolean expected, got 0)", function ()
          tidepool.all(list, { cancel = 0 })
        end)
        refuses("bad option 'when' ('first', 'first_error' or 'all' expected"
          .. ", got last)", function ()
          tidepool.wait(list, { when = "last" })
        end)
        for _, name in ipairs { "wait", "as_completed" } do
          refuses("bad option 'timeout' (seconds expected, got -1)",
            function () tidepool[name](list, { timeout = -1 }) end)
          refuses("bad option 'timeout' (seconds expected, got boolean)",
            function () tidepool[name](list, { timeout = true }) end)
        end
      end)
    end)

    it("refuses a future that was cleaned up", function ()
      place.run(function ()
        local future = tidepool.spawn(math.abs, 1)
        future:cleanup()
        refuses("future was cleaned up", function ()
          tidepool.all { future }
        end)
      end)
    end)
  end)
end

describe("combinators in the program", function ()
  after_each(session.finish)

  it("report no failure that somebody has looked at", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      local function failing()
        local future, promise = tidepool.promise()
        promise:reject "seen"
        return future
      end
      for _, name in ipairs { "all", "race", "any", "all_settled" } do
        print(name, (tidepool[name] { failing(), failing() }:pawait()))
      end
      collectgarbage()
      collectgarbage()
    ]]
    expect.are.equal("all\tfalse\nrace\tfalse\nany\tfalse\n"
      .. "all_settled\ttrue\n", result.out)
    expect.are.equal("", result.err)
  end)

  it("report their own when nobody has", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      local future, promise = tidepool.promise()
      promise:reject "nobody looks"
      local all = tidepool.all { future }
      all:wait()
      all, future, promise = nil
      collectgarbage()
      collectgarbage()
    ]]
    local _, count = result.err:gsub("nobody looks", "")
    expect.are.equal(1, count, result.err)
  end)

  it("take thousands of tasks", function ()
    local pool = session.pool { workers = 4, queue = 1000 }
    local list, n = {}, session.check and 1000 or 10000
    for i = 1, n do
      list[i] = pool:call(math.max, i, 0)
    end
    local got = tidepool.all(list):await(limit)
    for i = 1, n do
      expect.is_true(got[i] == i)
    end
    expect.are.equal(n, got.n)
  end)

  it("go on beside each other", function ()
    local count = 0
    local ticking = tidepool.spawn(function ()
      while true do
        tidepool.sleep(0)
        count = count + 1
      end
    end)
    local nap = tidepool.call("tidepool.sleep", 0.02)
    tidepool.all({ nap }):await(limit)
    expect.is_true(count > 0)
    ticking:cancel()
  end)
end)

-- ------------------------------------------------------------------
-- Random programs over a model
-- ------------------------------------------------------------------

-- Promises are settled one after the other in a random order, each in a random
-- way; the model knows what has to come out of it.

local MOST = 8

local function random_case(random)
  local case = { n = random(1, MOST), order = {}, ways = {}, list = {} }
  for i = 1, case.n do
    table.insert(case.order, random(1, i), i)
    local way = random(1, 10)
    case.ways[i] = way <= 6 and "resolve" or way <= 9 and "reject" or "cancel"
  end
  for i = 1, case.n do
    case.list[i] = i
  end
  for _ = 1, random(0, 2) do -- again, somewhere
    table.insert(case.list, random(1, #case.list + 1), random(1, case.n))
  end
  case.before = random(0, case.n) -- so many have settled at the call
  if random(1, 2) == 1 then
    case.before = 0
  end
  case.awaits = random(1, 2) == 1 -- turns of the loop in between
  return case
end

-- In which order a combinator hears of them: what had settled comes in the
-- order of the list.
local function heard(case)
  local order, early = {}, {}
  for k = 1, case.before do
    early[case.order[k]] = true
  end
  for _, i in ipairs(case.list) do
    if early[i] then
      order[#order + 1] = i
      early[i] = nil
    end
  end
  for k = case.before + 1, case.n do
    order[#order + 1] = case.order[k]
  end
  return order
end

local expected = {}

function expected.all(case)
  for _, i in ipairs(heard(case)) do
    if case.ways[i] ~= "resolve" then
      return "failed", i
    end
  end
  return "completed"
end

function expected.race(case)
  local i = heard(case)[1]
  return case.ways[i] == "resolve" and "completed" or "failed", i
end

function expected.any(case)
  for _, i in ipairs(heard(case)) do
    if case.ways[i] == "resolve" then
      return "completed", i
    end
  end
  return "failed"
end

function expected.all_settled()
  return "completed"
end

local function settle(case, futures, writers, from, to)
  for k = from, to do
    local i = case.order[k]
    local way = case.ways[i]
    if way == "cancel" then
      futures[i]:cancel("reason " .. i)
    else
      writers[i][way](writers[i], "value " .. i)
    end
    if case.awaits then
      turn()
    end
  end
end

local function check_error(case, i, err)
  if case.ways[i] == "cancel" then
    assert(err.kind == "cancelled" and err.message == "reason " .. i)
  else
    assert(err.kind == "error" and err.value == "value " .. i)
  end
end

-- What a combinator answered against the model.
local function check(case, name, ok, value)
  local state, i = expected[name](case)
  assert(ok == (state == "completed"), name .. " should have " .. state)
  if name == "any" and not ok then
    assert(#value.errors == #case.list)
    for k, which in ipairs(case.list) do
      check_error(case, which, value.errors[k])
    end
  elseif not ok then
    check_error(case, i, value)
  elseif name == "all" then
    assert(value.n == #case.list)
    for k, which in ipairs(case.list) do
      assert(value[k] == "value " .. which)
    end
  elseif name == "all_settled" then
    assert(value.n == #case.list)
    for k, which in ipairs(case.list) do
      if case.ways[which] == "resolve" then
        assert(value[k].value == "value " .. which)
      else
        check_error(case, which, value[k].error)
      end
    end
  else
    assert(value == "value " .. i)
  end
end

-- Without cancelling, so that all settle as they are meant to.
local function run_case(case, name)
  local futures, writers = promises(case.n)
  local list = {}
  for k, i in ipairs(case.list) do
    list[k] = futures[i]
  end
  settle(case, futures, writers, 1, case.before)
  local answer = tidepool[name](list, { cancel = false })
  settle(case, futures, writers, case.before + 1, case.n)
  check(case, name, answer:pawait(limit))
  for _, future in ipairs(futures) do
    future:pawait(limit) -- so that their failures were read
  end
end

-- In order of completion, each place once.
local function run_iteration(case)
  local futures, writers = promises(case.n)
  local list, stands = {}, {}
  for k, i in ipairs(case.list) do
    list[k] = futures[i]
    stands[i] = stands[i] or {}
    table.insert(stands[i], k)
  end
  settle(case, futures, writers, 1, case.before)
  local iterator = table.pack(tidepool.as_completed(list))
  settle(case, futures, writers, case.before + 1, case.n)
  local wanted = {}
  for _, i in ipairs(heard(case)) do
    table.move(stands[i], 1, #stands[i], #wanted + 1, wanted)
  end
  local count = 0
  for k in table.unpack(iterator, 1, iterator.n) do
    count = count + 1
    assert(wanted[count] == k)
  end
  assert(count == #list)
  for _, future in ipairs(futures) do
    future:pawait(limit)
  end
end

-- Coroutines and tasks that sleep and then succeed or fail. Nobody knows who
-- comes first; but that the answer fits what the futures themselves tell.
local function run_naps(random)
  local list, fails = {}, false
  for i = 1, random(1, MOST) do
    local nap, wrong = random(0, 3) / 1000, random(1, 5) == 1
    fails = fails or wrong
    local start = random(1, 2) == 1 and tidepool.spawn or tidepool.call
    list[i] = start(function (seconds, number, fail)
      require "tidepool".sleep(seconds)
      if fail then
        error({ number = number }, 0)
      end
      return number
    end, nap, i, wrong)
  end
  local ok, got = tidepool.all(list):pawait(limit)
  assert(ok == not fails)
  if ok then
    for i = 1, #list do
      assert(got[i] == i)
    end
    return
  end
  assert(rawequal(got, failure(list[got.value.number])))
  for i, future in ipairs(list) do
    local done, value = future:pawait(limit)
    assert(done and value == i or not done
      and (value.kind == "cancelled" or value.value.number == i))
  end
end

-- Runs f(random, round) many times; tells the seed when it fails.
local function property(rounds, f)
  local seed = tonumber(os.getenv "TIDEPOOL_SEED") or os.time()
  for round = 1, rounds do
    math.randomseed(seed, round)
    local ok, err = pcall(f, math.random, round)
    if not ok then
      error(("TIDEPOOL_SEED=%d, round %d: %s"):format(seed, round,
        tostring(err)), 0)
    end
  end
end

for _, place in ipairs(places) do
  describe("random programs " .. place.name, function ()
    after_each(session.finish)

    for _, name in ipairs { "all", "race", "any", "all_settled" } do
      it("answer for " .. name .. " what the model says", function ()
        place.run(function (rounds)
          property(rounds, function (random)
            run_case(random_case(random), name)
          end)
        end, session.count(5000, session.check and 50 or 300))
      end)
    end

    it("iterate as the model says", function ()
      place.run(function (rounds)
        property(rounds, function (random)
          run_iteration(random_case(random))
        end)
      end, session.count(5000, session.check and 50 or 300))
    end)

    it("with naps fit what the futures tell", function ()
      place.run(function (rounds)
        property(rounds, run_naps)
      end, session.count(500, session.check and 10 or 40))
    end)
  end)
end
