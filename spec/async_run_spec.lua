-- run, with_timeout and shield, in every place.

local async = require "spec.support.async"
local places = require "spec.support.places"
local session = require "spec.support.session"
local tidepool = require "tidepool"


local generations = session.check and 300 or 10000

local failure, gate, at_end = async.failure, async.gate, async.at_end

-- Calling f is misuse, told where it happened.
local function misuse(text, f, ...)
  local args = table.pack(...)
  local err = failure(function ()
    f(table.unpack(args, 1, args.n))
  end)
  assert(type(err) == "string" and err:find(text, 1, true), err)
  assert(err:find "^spec/async_run_spec.lua:%d+: ", err)
end

for _, place in ipairs(places) do
  describe("tidepool.run " .. place.name, function ()
    after_each(session.finish)

    it("answers what the function answers", function ()
      place.run(function ()
        local list = { print }
        local got = table.pack(tidepool.run(function (...)
          return select("#", ...), ...
        end, nil, list, nil))
        assert(got.n == 4 and got[1] == 3 and got[3] == list)
        assert(select("#", tidepool.run(function () end)) == 0)
      end)
    end)

    it("ends when all that was spawned has ended", function ()
      place.run(function ()
        local go, ended = gate(), 0
        local function grow(depth)
          tidepool.sleep(0)
          if depth > 0 then
            tidepool.spawn(grow, depth - 1)
            tidepool.spawn(grow, depth - 1)
          end
          ended = ended + 1
        end
        assert(tidepool.run(function ()
          tidepool.spawn(grow, 4)
          tidepool.spawn(function ()
            go[1]:await()
            ended = ended + 1
          end)
          tidepool.spawn(function ()
            tidepool.spawn(function ()
              tidepool.sleep(0.001)
              go[2]:resolve()
            end)
          end)
          return "first"
        end) == "first")
        assert(ended == 32)
      end)
    end)

    it("follows generations as long as they go on", function ()
      place.run(function (n)
        local ended = 0
        local function generation(left)
          ended = ended + 1
          if left > 1 then
            tidepool.spawn(generation, left - 1)
          end
        end
        tidepool.run(generation, n)
        assert(ended == n)
      end, generations)
    end)

    it("raises the Error of its function, whose children end", function ()
      place.run(function ()
        local stay, begun, ended, value = gate(), gate(), 0, {}
        local function child(depth)
          local _ <close> = at_end(function () ended = ended + 1 end)
          if depth > 0 then
            tidepool.spawn(child, depth - 1)
          else
            begun[2]:resolve()
          end
          stay[1]:await()
        end
        local err = failure(tidepool.run, function ()
          tidepool.spawn(child, 3)
          begun[1]:await()
          error(value)
        end)
        assert(err.kind == "error" and err.value == value)
        assert(err.traceback:find "async_run_spec.lua")
        assert(ended == 4 and not stay[1]:is_ready())
      end)
    end)

    it("ends the others when a child has failed", function ()
      place.run(function ()
        local ended, failed = false, nil
        assert(tidepool.run(function ()
          failed = tidepool.spawn(error, "alone", 0)
          tidepool.spawn(function ()
            failed:wait()
            tidepool.sleep(0)
            ended = true
          end)
          return "fine"
        end) == "fine")
        assert(ended and failed:state() == "failed")
        assert(select(2, failed:pawait()).message == "alone")
      end)
    end)

    it("waits for what is in scopes, not for a scope left open", function ()
      place.run(function ()
        local ended = 0
        local function work()
          tidepool.sleep(0)
          ended = ended + 1
        end
        local open
        tidepool.run(function ()
          tidepool.scope(function (s) s:spawn(work) end)
          local s <close> = tidepool.scope()
          s:spawn(work)
          open = tidepool.scope()
          open:spawn(work)
        end)
        assert(ended == 3 and tostring(open):find "open, 0 unsettled")
        open:spawn(work):await()
      end)
    end)

    it("does not wait for what was detached", function ()
      place.run(function ()
        local stay = gate()
        local future = tidepool.run(function ()
          return tidepool.spawn(stay[1].await, stay[1]):detach()
        end)
        assert(not future:is_ready())
        stay[2]:resolve "later"
        assert(future:await() == "later")
      end)
    end)

    it("is cancelled with who called it", function ()
      place.run(function ()
        local stay, begun, ended = gate(), gate(), gate()
        local child
        local caller = tidepool.spawn(tidepool.run, function ()
          tidepool.spawn(function ()
            child = tidepool.spawn(function ()
              local _ <close> = at_end(function () ended[2]:resolve() end)
              begun[2]:resolve()
              stay[1]:await()
            end)
          end)
        end)
        begun[1]:await()
        tidepool.sleep(0) -- its parents have ended
        caller:cancel()
        assert(child:state() == "cancelled")
        ended[1]:await()
      end)
    end)

    it("nests", function ()
      place.run(function ()
        local log = {}
        tidepool.run(function ()
          tidepool.spawn(function ()
            tidepool.run(function ()
              tidepool.spawn(function () log[#log + 1] = "inner" end)
            end)
            log[#log + 1] = "middle"
          end)
        end)
        assert(table.concat(log, " ") == "inner middle")
      end)
    end)

    it("tells misuse, and where", function ()
      place.run(function ()
        misuse("'run' (function expected, got nil)", tidepool.run)
        misuse("'run' (function expected, got table)", tidepool.run, {})
      end)
    end)
  end)

  describe("tidepool.with_timeout " .. place.name, function ()
    after_each(session.finish)

    it("answers what the function answers in time", function ()
      place.run(function ()
        local list = { print }
        local got = table.pack(tidepool.with_timeout(3600, function (...)
          tidepool.sleep(0)
          return select("#", ...), ...
        end, nil, list, nil))
        assert(got.n == 4 and got[1] == 3 and got[3] == list)
        local none = tidepool.with_timeout(3600, function () end)
        assert(none == nil)
      end)
    end)

    it("raises the Error of the function", function ()
      place.run(function ()
        local value = {}
        local err = failure(tidepool.with_timeout, 3600, error, value)
        assert(err.kind == "error" and err.value == value)
      end)
    end)

    it("cancels the function and its children", function ()
      place.run(function ()
        local stay, kinds = gate(), {}
        local child
        local err = failure(tidepool.with_timeout, 0.01, function ()
          child = tidepool.spawn(function ()
            local _ <close> = at_end(function (e) kinds[2] = e.kind end)
            stay[1]:await()
          end)
          local _ <close> = at_end(function (e) kinds[1] = e.kind end)
          stay[1]:await()
        end)
        assert(err.kind == "timeout" and err.message:find "timed out")
        assert(child:state() == "cancelled")
        assert(kinds[1] == "timeout" and kinds[2] == "cancelled")
      end)
    end)

    it("drops what comes too late", function ()
      place.run(function ()
        local stay = gate()
        local err = failure(tidepool.with_timeout, 0.01, function ()
          pcall(stay[1].await, stay[1])
          return "too late"
        end)
        assert(err.kind == "timeout")
      end)
    end)

    it("nests: the shorter one ends both", function ()
      place.run(function ()
        local stay = gate()
        for _, times in ipairs { { 0.01, 3600 }, { 3600, 0.01 } } do
          local err = failure(tidepool.with_timeout, times[1], function ()
            tidepool.with_timeout(times[2], stay[1].await, stay[1])
          end)
          assert(err.kind == "timeout")
        end
        tidepool.with_timeout(3600, function ()
          local err = failure(tidepool.with_timeout, 0.01,
            stay[1].await, stay[1])
          assert(err.kind == "timeout")
          tidepool.sleep(0) -- who called it goes on
        end)
      end)
    end)

    it("is cancelled with who called it", function ()
      place.run(function ()
        local stay, begun, ended = gate(), gate(), gate()
        local caller = tidepool.spawn(tidepool.with_timeout, 3600, function ()
          local _ <close> = at_end(function () ended[2]:resolve() end)
          begun[2]:resolve()
          stay[1]:await()
        end)
        begun[1]:await()
        caller:cancel()
        ended[1]:await()
        assert(caller:state() == "cancelled")
      end)
    end)

    if place.worker then
      it("stops a loop that never awaits", function ()
        place.run(function ()
          local err = failure(tidepool.with_timeout, 0.01, function ()
            while true do end
          end)
          assert(err.kind == "timeout")
          err = failure(tidepool.with_timeout, 0.01, function ()
            while true do
              pcall(function () while true do end end)
            end
          end)
          assert(err.kind == "timeout")
          assert(tidepool.spawn(function () return "goes on" end):await()
            == "goes on")
        end)
      end)
    end

    it("tells misuse, and where", function ()
      place.run(function ()
        local timed = tidepool.with_timeout
        misuse("'with_timeout' (seconds expected, got nil)", timed)
        misuse("(seconds expected, got number)", timed, -1, print)
        misuse("#2 to 'with_timeout' (function expected", timed, 1, "print")
      end)
    end)
  end)

  describe("tidepool.shield " .. place.name, function ()
    after_each(session.finish)

    it("awaits as await does", function ()
      place.run(function ()
        local list = { print }
        local got = table.pack(tidepool.shield(tidepool.spawn(function ()
          return nil, list, nil
        end)))
        assert(got.n == 3 and got[2] == list)
        local failed = tidepool.spawn(error, "lost", 0)
        local err = failure(tidepool.shield, failed)
        assert(err.message == "lost")
        assert(err == select(2, failed:pawait()))
        assert(tidepool.shield(tidepool.call(math.max, 3, 4)) == 4)
      end)
    end)

    it("lets the future go on when who awaits is cancelled", function ()
      place.run(function ()
        local go = gate()
        local child, other, raised
        local caller = tidepool.spawn(function ()
          child = tidepool.spawn(go[1].await, go[1])
          other = tidepool.spawn(go[1].await, go[1])
          raised = failure(tidepool.shield, child)
        end)
        tidepool.sleep(0)
        while not (child and child:state() == "suspended") do
          tidepool.sleep(0)
        end
        caller:cancel "enough"
        assert(other:state() == "cancelled" and not child:is_ready())
        go[2]:resolve "shielded"
        assert(child:await() == "shielded")
        assert(raised.kind == "cancelled" and raised.value == "enough")
      end)
    end)

    it("detaches, also when the time is over first", function ()
      place.run(function ()
        local go, stay, shielded = gate(), gate(), gate()
        local child
        local caller = tidepool.spawn(function ()
          child = tidepool.spawn(go[1].await, go[1])
          local err = failure(tidepool.shield, child, 0.001)
          assert(err.kind == "timeout")
          shielded[2]:resolve()
          stay[1]:await()
        end)
        shielded[1]:await()
        caller:cancel()
        go[2]:resolve "went on"
        assert(child:await() == "went on")
      end)
    end)

    it("does not guard against others", function ()
      place.run(function ()
        local stay = gate()
        local child
        local err = failure(tidepool.scope, function (s)
          child = s:spawn(stay[1].await, stay[1])
          s:spawn(function () tidepool.shield(child) end)
          tidepool.sleep(0)
          error("over", 0)
        end)
        assert(err.message == "over" and child:state() == "cancelled")
        child = tidepool.spawn(stay[1].await, stay[1])
        tidepool.spawn(child.cancel, child, "directly")
        err = failure(tidepool.shield, child)
        assert(err.kind == "cancelled" and err.value == "directly")
      end)
    end)

    it("tells misuse, and where", function ()
      place.run(function ()
        misuse("'shield' (Future expected, got nil)", tidepool.shield)
        misuse("'shield' (Future expected, got number)", tidepool.shield, 42)
      end)
    end)
  end)
end

describe("a child of tidepool.run", function ()
  after_each(session.finish)

  it("that fails unseen is reported", function ()
    local reported = {}
    tidepool.on_unhandled(function (err)
      reported[#reported + 1] = err.message
    end)
    assert(tidepool.run(function ()
      tidepool.spawn(error, "unseen", 0)
      return "fine"
    end) == "fine")
    collectgarbage()
    collectgarbage()
    tidepool.poll()
    assert(#reported == 1 and reported[1] == "unseen")
  end)
end)
