-- Only who was cancelled is cancelled. Code that lets the Error of somebody
-- else's cancellation escape has failed, wherever it runs; what merely follows
-- a cancelled future is cancelled with it.

local places = require "spec.support.places"
local session = require "spec.support.session"
local tidepool = require "tidepool"

local expect = assert

local limit = session.limit

local function cancelled()
  local future = tidepool.promise()
  future:cancel "by somebody else"
  return future
end

local function await(list)
  return list[1]:await()
end

-- What it became: its state, and the kind and the value of its Error.
local function became(future)
  local ok, err = future:pawait(limit)
  assert(not ok, "completed, though it had to fail")
  return future:state() .. " " .. err.kind, err.value
end

local function check(future, expected)
  local what, value = became(future)
  assert(what == expected, what)
  assert(value == "by somebody else", value)
end

for _, place in ipairs(places) do
  describe("the Error of somebody else's cancellation " .. place.name,
    function ()
      after_each(session.finish)

      it("fails a coroutine that lets it escape", function ()
        place.run(function ()
          check(tidepool.spawn(await, { cancelled() }), "failed cancelled")
          check(tidepool.spawn(function ()
            error(select(2, cancelled():pawait()), 0)
          end), "failed cancelled")
        end)
      end)

      it("fails its parents, and cancels what they had spawned", function ()
        place.run(function ()
          local stays
          local future = tidepool.spawn(function ()
            stays = tidepool.spawn(tidepool.sleep, 1000)
            await { tidepool.spawn(await, { cancelled() }) }
          end)
          check(future, "failed cancelled")
          stays:wait(limit)
          assert(stays:state() == "cancelled")
        end)
      end)

      it("fails a handler that lets it escape, not what it was called for",
        function ()
          place.run(function ()
            local first, promise = tidepool.promise()
            promise:resolve(cancelled, await)
            for _, method in ipairs { "and_then", "finally" } do
              check(first[method](first, function ()
                return await { cancelled() }, nil
              end), "failed cancelled")
            end
            assert(first:state() == "completed")
          end)
        end)

      it("fails the scope of who lets it escape", function ()
        place.run(function ()
          local sibling
          local ok, err = pcall(tidepool.scope, function (s)
            sibling = s:spawn(tidepool.sleep, 1000)
            s:spawn(await, { cancelled() })
          end)
          assert(not ok and err.kind == "cancelled", tostring(err))
          assert(err.value == "by somebody else")
          assert(sibling:state() == "cancelled")
          assert(not pcall(tidepool.scope, function ()
            await { cancelled() }
          end))
          assert(not pcall(function ()
            local s <close> = tidepool.scope()
            s:spawn(await, { cancelled() })
          end))
        end)
      end)

      it("leaves a scope alone in which the cancelled one itself is",
        function ()
          place.run(function ()
            assert(tidepool.scope(function (s)
              s:add(cancelled())
              s:spawn(tidepool.sleep, 1000):cancel()
              return "done"
            end) == "done")
          end)
        end)

      it("fails all and any, which do not follow", function ()
        place.run(function ()
          check(tidepool.all { cancelled() }, "failed cancelled")
          local future = tidepool.any { cancelled(), cancelled() }
          local what = became(future)
          assert(what == "failed error", what)
          local _, err = future:pawait()
          assert(err.errors[2].kind == "cancelled")
        end)
      end)

      it("cancels what follows: race, links of a chain, promises", function ()
        place.run(function ()
          local first, second = cancelled(), cancelled()
          check(tidepool.race { first, (tidepool.promise()) },
            "cancelled cancelled")
          check(first:and_then(print), "cancelled cancelled")
          check(first:finally(tidepool.now), "cancelled cancelled")
          check(first:and_then(print):catch(function () return second end),
            "cancelled cancelled")
          local future, promise = tidepool.promise()
          promise:resolve(first)
          check(future, "cancelled cancelled")
        end)
      end)

      it("is a failure for what follows who failed with it", function ()
        place.run(function ()
          local failed = tidepool.spawn(await, { cancelled() })
          check(tidepool.race { failed }, "failed cancelled")
          check(failed:and_then(print), "failed cancelled")
          check(failed:finally(tidepool.now), "failed cancelled")
          local future, promise = tidepool.promise()
          promise:resolve(failed)
          check(future, "failed cancelled")
        end)
      end)

      it("is the Error of a time limit that was not one's own", function ()
        place.run(function ()
          local future = tidepool.spawn(function ()
            tidepool.promise():await(0)
          end)
          local what = became(future)
          assert(what == "failed timeout", what)
          future = tidepool.spawn(tidepool.with_timeout, 0.001,
            tidepool.sleep, 1000)
          what = became(future)
          assert(what == "failed timeout", what)
        end)
      end)
    end)
end

describe("the Error of somebody else's cancellation", function ()
  after_each(session.finish)

  it("fails a task as it does a coroutine, and is followed", function ()
    local pool = session.pool()
    check(pool:call(await, { cancelled() }), "failed cancelled")
    check(pool:call(print, cancelled()), "cancelled cancelled")
    local failed = tidepool.spawn(await, { cancelled() })
    failed:wait(limit)
    check(pool:call(print, failed), "failed cancelled")
  end)

  it("fails a C function that gives up because of it", function ()
    local future = session.pool():call("test.await_future", cancelled())
    expect.are.equal("error", session.failure(future).kind)
    expect.are.equal("failed", future:state())
  end)

  it("is reported when nobody reads who failed with it", function ()
    local kinds = {}
    tidepool.on_unhandled(function (err) kinds[#kinds + 1] = err.kind end)
    local pool = session.pool()
    local function fail_all() -- whose stack holds none of them afterwards
      tidepool.spawn(await, { cancelled() }):wait(limit)
      pool:call(await, { cancelled() }):wait(limit)
      tidepool.all { cancelled() }:wait(limit)
      tidepool.spawn(function ()
        local s = tidepool.scope()
        s:spawn(await, { cancelled() }):wait()
      end):wait(limit)
    end
    fail_all()
    session.eventually(function ()
      collectgarbage()
      tidepool.poll()
      return #kinds == 4
    end, "four reports")
    expect.are.equal("cancelled cancelled cancelled cancelled",
      table.concat(kinds, " "))
  end)

  it("is not reported of who was cancelled, or follows", function ()
    local reported = {}
    tidepool.on_unhandled(function (err) reported[#reported + 1] = err end)
    local ended = {}
    for i, future in ipairs {
      tidepool.spawn(tidepool.sleep, 1000), cancelled():and_then(print),
      cancelled():finally(tidepool.now), tidepool.race { cancelled() },
    } do
      if i == 1 then
        future:cancel()
      end
      ended[i] = future:wait(limit)
    end
    local s = tidepool.scope()
    s:spawn(tidepool.sleep, 1000)
    s:cancel()
    s = nil -- luacheck: ignore 311
    for _ = 1, 5 do
      collectgarbage()
      tidepool.poll()
    end
    expect.are.equal(4, #ended)
    expect.are.same({}, reported)
  end)
end)

local function depth_of(links)
  local bottom, promise = tidepool.promise()
  local last = bottom
  for i = 1, links do
    if i % 3 == 0 then
      last = last:finally(tidepool.now)
    else
      last = last:and_then(print, i % 3 == 1 and print or nil)
    end
  end
  return bottom, last, promise
end

for _, place in ipairs(places) do
  describe("cancelling the end of a chain " .. place.name, function ()
    after_each(session.finish)

    it("reaches its beginning at once, however long it is", function ()
      place.run(function (count)
        for _, links in ipairs { 1, 2, 3, 10, count } do
          local bottom, last, promise = depth_of(links)
          last:cancel "enough"
          assert(bottom:state() == "cancelled", links)
          assert(promise:cancelled())
        end
      end, session.count(100000, 10000))
    end)

    it("reaches what a coroutine at the beginning has spawned", function ()
      place.run(function ()
        local inner, bottom
        local first = tidepool.spawn(function ()
          bottom = tidepool.spawn(tidepool.sleep, 1000)
          inner = bottom:and_then(print):and_then(print)
          tidepool.sleep(1000)
        end)
        local last = first:and_then(print)
        repeat tidepool.sleep(0) until inner
        last:cancel()
        assert(first:state() == "cancelled")
        assert(inner:state() == "cancelled" and bottom:state() == "cancelled")
      end)
    end)

    it("stops at the link that somebody else waits for", function ()
      place.run(function ()
        local bottom, promise = tidepool.promise()
        local link = bottom:and_then(function (n) return n + 1 end)
        local last = link:and_then(print):and_then(print)
        local waits = tidepool.spawn(function () return link:await() end)
        tidepool.sleep(0)
        last:cancel()
        assert(not link:is_ready() and not bottom:is_ready())
        promise:resolve(1)
        assert(waits:await(limit) == 2)
      end)
    end)

    it("happens when their parent is cancelled", function ()
      place.run(function ()
        local bottom, promise = tidepool.promise()
        local parent = tidepool.spawn(function ()
          local _ = bottom:and_then(print):and_then(print)
          tidepool.sleep(1000)
        end)
        tidepool.sleep(0)
        assert(not bottom:is_ready())
        parent:cancel()
        assert(bottom:state() == "cancelled")
        promise:resolve() -- kept till here: a dropped one would break
      end)
    end)
  end)
end

describe("cancelling the end of a chain", function ()
  after_each(session.finish)

  it("cancels the task below, whose failure then is no news", function ()
    local reported = 0
    tidepool.on_unhandled(function () reported = reported + 1 end)
    local pool = session.pool()
    local gate = session.block(pool)
    local task = pool:call(error, "nobody cares any more")
    task:and_then(print):and_then(print):cancel()
    expect.are.equal("cancelled", task:state())
    task = nil -- luacheck: ignore 311
    require "testmod".open(gate)
    pool:wait_all()
    for _ = 1, 5 do
      collectgarbage()
      tidepool.poll()
    end
    expect.are.equal(0, reported)
  end)

  it("reaches its beginning from another Lua state", function ()
    local bottom, last = depth_of(100)
    session.pool():call(function (list) list[1]:cancel() end, { last })
      :await(limit)
    expect.are.equal("cancelled", last:state())
    tidepool.poll()
    expect.are.equal("cancelled", bottom:state())
  end)
end)
