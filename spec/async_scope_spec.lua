-- Scopes: what is started together ends together. Both forms, in every place.

local async = require "spec.support.async"
local places = require "spec.support.places"
local process = require "spec.support.process"
local session = require "spec.support.session"
local tidepool = require "tidepool"

local expect = assert

local limit = session.limit
local children = session.check and 500 or 10000

local failure, gate, at_end = async.failure, async.gate, async.at_end

-- Since 5.4.3 a __close can yield; before, it holds up what is below.
local closing = coroutine.create(function ()
  local _ <close> = at_end(coroutine.yield)
end)
local yields = coroutine.resume(closing)
  and coroutine.status(closing) == "suspended"

for _, place in ipairs(places) do
  describe("a scope with a function " .. place.name, function ()
    after_each(session.finish)

    it("answers what the function answers", function ()
      place.run(function ()
        local got = table.pack(tidepool.scope(function (_, ...)
          return select("#", ...), ...
        end, nil, "two", nil))
        assert(got.n == 4 and got[1] == 3 and got[3] == "two")
        assert(select("#", tidepool.scope(function () end)) == 0)
        local list = { print }
        assert(tidepool.scope(function (_, t) return t end, list) == list)
      end)
    end)

    it("runs it as a coroutine", function ()
      place.run(function ()
        local outside = tidepool.task() and tidepool.task().id
        local inside = tidepool.scope(function ()
          return tidepool.task().id
        end)
        assert(math.type(inside) == "integer" and inside ~= outside)
      end)
    end)

    it("is left when all children have ended", function ()
      place.run(function ()
        local go, log = gate(), {}
        tidepool.scope(function (s)
          s:spawn(function ()
            go[1]:await()
            log[#log + 1] = "first"
          end)
          s:spawn(function ()
            tidepool.sleep(0)
            log[#log + 1] = "second"
            go[2]:resolve()
          end)
          log[#log + 1] = "body"
        end)
        assert(table.concat(log, " ") == "body second first")
      end)
    end)

    it("takes children of children, also after its function", function ()
      place.run(function ()
        local ended = 0
        local function grow(s, depth)
          tidepool.sleep(0)
          if depth > 0 then
            s:spawn(grow, s, depth - 1)
            s:spawn(grow, s, depth - 1)
          end
          ended = ended + 1
        end
        tidepool.scope(function (s) s:spawn(grow, s, 5) end)
        assert(ended == 63)
      end)
    end)

    it("hands arguments and results on by reference", function ()
      place.run(function ()
        local list, co = { print }, coroutine.create(print)
        tidepool.scope(function (s)
          local child = s:spawn(function (...)
            return select("#", ...), ...
          end, nil, list, co, io.stdout, nil)
          local got = table.pack(child:await())
          assert(got.n == 6 and got[1] == 5 and got[2] == nil)
          assert(got[3] == list and got[4] == co and got[5] == io.stdout)
          assert(select("#", s:spawn(function () end):await()) == 0)
        end)
      end)
    end)

    it("runs calls of the default manager", function ()
      place.run(function ()
        local futures = {}
        tidepool.scope(function (s)
          futures[1] = s:call("tidepool.sleep", 0.001)
          futures[2] = s:call(function (n) return n + 1 end, 41)
        end)
        assert(futures[1]:state() == "completed")
        assert(futures[2]:get() == 42)
        local ok, err = pcall(tidepool.scope, function (s)
          s:call(error, { code = 7 })
        end)
        assert(not ok and err.kind == "error" and err.value.code == 7)
      end)
    end)

    it("waits for any future that was added", function ()
      place.run(function ()
        local go = gate()
        local future = tidepool.scope(function (s)
          s:spawn(function ()
            tidepool.sleep(0)
            go[2]:resolve "late"
          end)
          assert(s:add(go[1]) == go[1])
          return go[1]
        end)
        assert(future:get() == "late")
      end)
    end)

    it("takes futures that have settled", function ()
      place.run(function ()
        local done = tidepool.spawn(function () return 1 end)
        local failed = tidepool.spawn(error, "lost", 0)
        local stopped = tidepool.spawn(error)
        stopped:cancel()
        done:wait()
        failed:wait()
        assert(tidepool.scope(function (s)
          return s:add(done):get(), s:add(stopped), s:add(done)
        end) == 1)
        local err = failure(tidepool.scope, function (s)
          s:add(done)
          s:add(failed)
        end)
        assert(err == select(2, failed:pawait()) and err.message == "lost")
      end)
    end)

    it("cancels the others when one fails, and raises the Error", function ()
      place.run(function ()
        local stay, more, futures, body = gate(), gate(), {}, "goes on"
        local err = failure(tidepool.scope, function (s)
          futures[1] = s:spawn(stay[1].await, stay[1])
          futures[2] = s:spawn(function ()
            tidepool.sleep(0)
            error { code = 7 }
          end)
          futures[3] = s:call("tidepool.sleep", 3600)
          futures[4] = s:add(more[1])
          local _ <close> = at_end(function (e) body = e.kind end)
          stay[1]:await()
        end)
        assert(err.kind == "error" and err.value.code == 7)
        assert(err == select(2, futures[2]:pawait()))
        assert(futures[1]:state() == "cancelled" and body == "cancelled")
        assert(futures[3]:state() == "cancelled")
        assert(futures[4]:state() == "cancelled")
        assert(#err.others == 0)
        assert(not stay[1]:is_ready())
      end)
    end)

    it("cancels the children when its function fails", function ()
      place.run(function ()
        local stay, more, futures, ended = gate(), gate(), {}, 0
        local err = failure(tidepool.scope, function (s)
          for i = 1, 3 do
            futures[i] = s:spawn(function ()
              local _ <close> = at_end(function () ended = ended + 1 end)
              stay[1]:await()
            end)
          end
          futures[4] = s:add(more[1])
          tidepool.sleep(0)
          error("from the body", 0)
        end)
        assert(err.value == "from the body" and err.traceback)
        for i = 1, 4 do
          assert(futures[i]:state() == "cancelled")
        end
        assert(ended == 3) -- before the scope raised
      end)
    end)

    it("raises the first in time and lists the others in time", function ()
      place.run(function ()
        local a, b, c, d = gate(), gate(), gate(), gate()
        local stay = gate()
        local err = failure(tidepool.scope, function (s)
          for _, g in ipairs { a, b, c, d } do
            s:add(g[1])
          end
          c[2]:reject "c"
          a[2]:reject "a"
          d[1]:cancel "not a failure"
          b[2]:reject "b"
          stay[1]:await()
        end)
        assert(err.message == "c" and #err.others == 2)
        assert(err.others[1].message == "a" and err.others[2].message == "b")
      end)
    end)

    it("lists an Error once, however many hand it on", function ()
      place.run(function ()
        local go = gate()
        local first
        local err = failure(tidepool.scope, function (s)
          first = s:spawn(function ()
            go[1]:await()
            error("once", 0)
          end)
          for _ = 1, 3 do
            s:spawn(first.await, first)
          end
          go[2]:resolve()
          first:await()
        end)
        assert(err == select(2, first:pawait()) and #err.others == 0)
      end)
    end)

    it("raises what was raised, of any type", function ()
      place.run(function ()
        local values = { false, 42, "text", {}, io.stdout, print,
          coroutine.create(print), n = 8 }
        for i = 1, values.n do -- the last is nil
          local err = failure(tidepool.scope, function (s)
            s:spawn(function () error(values[i], 0) end)
          end)
          assert(rawequal(err.value, values[i]) and err.kind == "error")
          assert(type(err.message) == "string")
          err = failure(tidepool.scope, function () error(values[i], 0) end)
          assert(rawequal(err.value, values[i]))
        end
      end)
    end)

    it("goes on when a child is cancelled alone", function ()
      place.run(function ()
        local stay = gate()
        local child, other
        assert(tidepool.scope(function (s)
          child = s:spawn(stay[1].await, stay[1])
          other = s:spawn(function () tidepool.sleep(0) return "fine" end)
          tidepool.sleep(0)
          assert(child:cancel())
          return other:await()
        end) == "fine")
        assert(child:state() == "cancelled")
      end)
    end)

    it("fails when its function awaits a cancelled child", function ()
      place.run(function ()
        local err = failure(tidepool.scope, function (s)
          local child = s:spawn(print)
          child:cancel "on purpose"
          child:await()
        end)
        assert(err.kind == "cancelled" and err.value == "on purpose")
      end)
    end)

    it("does not see failures that were caught", function ()
      place.run(function ()
        assert(tidepool.scope(function (s)
          s:spawn(function ()
            local inner = tidepool.spawn(error, "caught", 0)
            assert(not inner:pawait())
            pcall(tidepool.scope, function (t) t:spawn(error, "caught") end)
          end):await()
          return "fine"
        end) == "fine")
      end)
    end)

    it("nests, and hands the Error on with all others", function ()
      place.run(function ()
        local inner
        local err = failure(tidepool.scope, function (s)
          local a, b, c = gate(), gate(), gate()
          inner = failure(tidepool.scope, function (t)
            t:add(a[1])
            t:add(b[1])
            a[2]:reject "a"
            b[2]:reject "b"
          end)
          assert(inner.message == "a" and #inner.others == 1)
          local again = tidepool.spawn(error, inner)
          again:wait()
          s:add(again)
          s:add(c[1])
          c[2]:reject "c"
        end)
        assert(err == inner and #err.others == 2)
        assert(err.others[1].message == "b" and err.others[2].message == "c")
      end)
    end)

    it("cancels the scopes within", function ()
      place.run(function ()
        local stay, go, ended = gate(), gate(), {}
        local function level(n)
          local _ <close> = at_end(function () ended[#ended + 1] = n end)
          tidepool.scope(function (s)
            if n == 0 then
              go[2]:resolve()
              stay[1]:await()
            end
            s:spawn(level, n - 1)
          end)
        end
        local err = failure(tidepool.scope, function (s)
          s:spawn(level, 4)
          go[1]:await()
          error("now", 0)
        end)
        assert(err.message == "now" and #err.others == 0)
        assert(#ended == 5)
      end)
    end)

    it("is cancelled with who called it, to the last leaf", function ()
      place.run(function ()
        local stay, begun, ended = gate(), gate(), gate()
        local open, leaves, gates = 0, {}, {}
        local function leaf()
          open = open + 1
          local _ <close> = at_end(function ()
            open = open - 1
            if open == 0 then ended[2]:resolve() end
          end)
          if open == 9 then begun[2]:resolve() end
          stay[1]:await()
        end
        local function branch(depth)
          tidepool.scope(function (s)
            for _ = 1, 3 do
              if depth == 0 then
                leaves[#leaves + 1] = s:spawn(leaf)
                gates[#gates + 1] = gate()
                leaves[#leaves + 1] = s:add(gates[#gates][1])
              else
                leaves[#leaves + 1] = s:spawn(branch, depth - 1)
              end
            end
          end)
        end
        local caller = tidepool.spawn(branch, 1)
        begun[1]:await()
        assert(caller:cancel "enough")
        ended[1]:await()
        tidepool.sleep(0)
        for _, future in ipairs(leaves) do
          assert(future:state() == "cancelled")
        end
        assert(#leaves == 21 and caller:state() == "cancelled")
        assert(not stay[1]:is_ready())
      end)
    end)

    it("fails when its time is over", function ()
      place.run(function ()
        local stay, more = gate(), gate()
        local child, added
        local err = failure(tidepool.scope, function (s)
          child = s:spawn(stay[1].await, stay[1])
          added = s:add(more[1])
          s:timeout(0.01)
        end)
        assert(err.kind == "timeout" and err.message:find "0.01 s")
        assert(child:state() == "cancelled" and added:state() == "cancelled")
        err = failure(tidepool.scope, function (s)
          s:timeout(0)
          tidepool.scope(function () stay[1]:await() end)
        end)
        assert(err.kind == "timeout")
      end)
    end)

    it("has the last of its times", function ()
      place.run(function ()
        assert(tidepool.scope(function (s)
          s:timeout(0)
          s:timeout(3600)
          tidepool.sleep(0.02)
          return "in time"
        end) == "in time")
        local stay = gate()
        local err = failure(tidepool.scope, function (s)
          s:timeout(3600)
          s:timeout(0.01)
          stay[1]:await()
        end)
        assert(err.kind == "timeout")
      end)
    end)

    it("does not wait for its time", function ()
      place.run(function ()
        local s = tidepool.scope(function (s)
          s:timeout(3600)
          return s
        end)
        assert(tostring(s) == "tidepool.Scope: left, 0 unsettled")
      end)
    end)

    it("is cancelled from within and from outside", function ()
      place.run(function ()
        local stay, more = gate(), {}
        local child
        local err = failure(tidepool.scope, function (s)
          child = s:spawn(stay[1].await, stay[1])
          for i = 1, 100 do
            more[i] = gate()
            s:add(more[i][1])
          end
          s:cancel "enough" -- in a worker this may not return
          assert(s:cancel "again" == false)
          stay[1]:await()
        end)
        assert(err.kind == "cancelled" and err.value == "enough")
        assert(tostring(err):find "enough" and #err.others == 0)
        assert(child:state() == "cancelled")
        for i = 1, 100 do
          assert(more[i][1]:state() == "cancelled")
        end
        err = failure(tidepool.scope, function (s)
          s:spawn(function () s:cancel() end)
          stay[1]:await()
        end)
        assert(err.kind == "cancelled" and err.value == nil)
        err = failure(tidepool.scope, function (s)
          tidepool.spawn(s.cancel, s, "by a stranger"):detach()
          stay[1]:await()
        end)
        assert(err.kind == "cancelled" and err.value == "by a stranger")
      end)
    end)

    it("drops the results of a function that cancelled it", function ()
      place.run(function ()
        local err = failure(tidepool.scope, function (s)
          s:cancel()
          return "too late"
        end)
        assert(err.kind == "cancelled")
      end)
    end)

    it("begins nothing once it has failed", function ()
      place.run(function ()
        local stay, more, opened = gate(), gate(), gate()
        local late, raised, scope = false, {}, nil
        local function begin() late = true end
        local stranger = tidepool.spawn(function ()
          opened[1]:await()
          scope:cancel "over"
          raised[1] = failure(scope.spawn, scope, begin)
          raised[2] = failure(scope.call, scope, begin)
          raised[3] = failure(scope.add, scope, more[1])
          scope:timeout(0)
        end)
        local err = failure(tidepool.scope, function (s)
          scope = s
          opened[2]:resolve()
          stay[1]:await()
        end)
        stranger:await()
        assert(#raised == 3 and not late and err.value == "over")
        for i = 1, 3 do
          assert(raised[i] == err)
        end
        assert(more[1]:state() == "cancelled")
      end)
    end)

    it("can do nothing once it was left", function ()
      place.run(function ()
        local more = gate()
        local s = tidepool.scope(function (s) return s end)
        local ways = { spawn = print, call = print, add = more[1],
          timeout = 1 }
        ways.cancel = "reason"
        for name, argument in pairs(ways) do
          local err = failure(function ()
            s[name](s, argument)
          end)
          assert(err:find "^spec/async_scope_spec.lua:%d+: the scope was left")
        end
        assert(not more[1]:is_ready())
      end)
    end)

    it("tells misuse, and where", function ()
      place.run(function ()
        local function told(text, f, ...)
          local args = table.pack(...)
          local err = failure(function ()
            f(table.unpack(args, 1, args.n))
          end)
          assert(type(err) == "string", err)
          assert(err:find(text, 1, true), err)
          assert(err:find "^spec/async_scope_spec.lua:%d+: ", err)
        end
        told("'scope' (function expected, got nil)", tidepool.scope, nil)
        told("'scope' (function expected, got string)", tidepool.scope, "f")
        tidepool.scope(function (s)
          told("'spawn' (function expected, got table)", s.spawn, s, {})
          told("(tidepool.Scope expected, got function)", s.spawn, print)
          told("'add' (Future expected, got number)", s.add, s, 42)
          told("'timeout' (seconds expected, got nil)", s.timeout, s)
          told("(seconds expected, got number)", s.timeout, s, -1)
          told("(seconds expected, got number)", s.timeout, s, 0 / 0)
        end)
      end)
    end)

    it("stands children that are cancelled more than once", function ()
      place.run(function ()
        local stay, tries = gate(), 0
        local MOST = 100 -- well within the grace, on any machine
        local err = failure(tidepool.scope, function (s)
          s:spawn(function ()
            while tries < MOST do
              pcall(stay[1].await, stay[1])
              tries = tries + 1
            end
          end)
          tidepool.sleep(0)
          error("now", 0)
        end)
        assert(err.message == "now" and tries == MOST)
      end)
    end)

    it("stands children that never give in", function ()
      place.run(function ()
        local stay, begun = gate(), gate()
        local err = failure(tidepool.scope, function (s)
          s:spawn(function ()
            begun[2]:resolve()
            while true do
              pcall(stay[1].await, stay[1])
            end
          end)
          begun[1]:await()
          error("now", 0)
        end)
        assert(err.message == "now")
        assert(tidepool.spawn(tostring, 1):await() == "1")
      end)
    end)

    it("works where Lua cannot yield, and in other coroutines", function ()
      place.run(function ()
        local function sum(a, b)
          return tidepool.scope(function (s)
            local x = s:spawn(function () tidepool.sleep(0) return a end)
            local y = s:spawn(function () tidepool.sleep(0) return b end)
            return x:await() + y:await()
          end)
        end
        assert(("x"):gsub("x", function () return sum(1, 2) end) == "3")
        assert(coroutine.wrap(sum)(3, 4) == 7)
        local err = failure(string.gsub, "x", "x", function ()
          tidepool.scope(function (s) s:spawn(error, "within", 0) end)
        end)
        assert(err.message == "within")
        err = failure(coroutine.wrap(function ()
          local s <close> = tidepool.scope()
          s:spawn(error, "within", 0)
        end))
        assert(err.message == "within")
      end)
    end)

    it("stands errors in <close> variables", function ()
      place.run(function ()
        local stay = gate()
        local function clumsy()
          local _ <close> = at_end(function () error("in close", 0) end)
          stay[1]:await()
        end
        local err = failure(tidepool.scope, function (s)
          s:spawn(clumsy)
          s:spawn(function ()
            tidepool.sleep(0)
            error("first", 0)
          end)
          clumsy()
        end)
        assert(err.message == "first")
        err = failure(tidepool.scope, function (s)
          s:spawn(function ()
            local _ <close> = at_end(function () error("in close", 0) end)
          end)
          stay[1]:await()
        end)
        assert(err.message == "in close")
      end)
    end)

    it("raises at once in a coroutine that was cancelled", function ()
      place.run(function ()
        local stay, told, child = gate(), gate(), nil
        local late = false
        local victim = tidepool.spawn(function ()
          pcall(stay[1].await, stay[1])
          local err = failure(tidepool.scope, function (s)
            child = s:spawn(function () late = true end)
            late = true
          end)
          told[2]:resolve(err.kind)
        end)
        tidepool.sleep(0)
        victim:cancel()
        assert(told[1]:await() == "cancelled" and not child)
        tidepool.sleep(0)
        assert(not late)
      end)
    end)

    it("goes on with children of a child that was cancelled", function ()
      place.run(function ()
        local go, stay = gate(), gate()
        local child
        tidepool.scope(function (s)
          local starter = s:spawn(function ()
            child = s:spawn(function () go[1]:await() return "done" end)
            stay[1]:await()
          end)
          tidepool.sleep(0)
          starter:cancel()
          tidepool.sleep(0)
          go[2]:resolve()
        end)
        assert(child:get() == "done")
      end)
    end)

    it("has as many children as one likes", function ()
      place.run(function (n)
        local sum = 0
        tidepool.scope(function (s)
          for i = 1, n do
            s:spawn(function ()
              tidepool.sleep(0)
              sum = sum + i
            end)
          end
        end)
        assert(sum == n * (n + 1) // 2)
      end, children)
    end)

    it("cancels as many children as one likes", function ()
      place.run(function (n)
        local stay, open = gate(), 0
        local err = failure(tidepool.scope, function (s)
          for _ = 1, n do
            s:spawn(function ()
              open = open + 1
              local _ <close> = at_end(function () open = open - 1 end)
              stay[1]:await()
            end)
          end
          tidepool.sleep(0)
          assert(open == n)
          error("all of you", 0)
        end)
        assert(err.message == "all of you" and open == 0)
      end, children)
    end)

    it("lists as many others as there are", function ()
      place.run(function (n)
        local gates = {}
        local err = failure(tidepool.scope, function (s)
          for i = 1, n do
            gates[i] = gate()
            s:add(gates[i][1])
          end
          for i = n, 1, -1 do
            gates[i][2]:reject(i)
          end
        end)
        assert(err.value == n and #err.others == n - 1)
        for i, other in ipairs(err.others) do
          assert(other.value == n - i)
        end
      end, children)
    end)

    it("nests as deep as one likes", function ()
      place.run(function ()
        local function level(n)
          if n == 0 then
            return "deep"
          end
          return tidepool.scope(function (s)
            return s:spawn(level, n - 1):await()
          end)
        end
        assert(level(300) == "deep")
        local stay, begun, ended = gate(), gate(), gate()
        local function held(n)
          if n == 0 then
            local _ <close> = at_end(function () ended[2]:resolve() end)
            begun[2]:resolve()
            stay[1]:await()
          end
          tidepool.scope(function (s) s:spawn(held, n - 1) end)
        end
        local tree = tidepool.spawn(held, 300)
        begun[1]:await()
        tree:cancel()
        ended[1]:await()
      end)
    end)
  end)

  describe("a scope in a variable " .. place.name, function ()
    after_each(session.finish)

    it("is left when all children have ended", function ()
      place.run(function ()
        local ended = 0
        do
          local s <close> = tidepool.scope()
          for _ = 1, 3 do
            s:spawn(function ()
              tidepool.sleep(0)
              s:spawn(function () ended = ended + 1 end)
              ended = ended + 1
            end)
          end
          s:call("tidepool.sleep", 0.001)
          assert(ended == 0)
        end
        assert(ended == 6)
        do
          local _ <close> = tidepool.scope()
        end
      end)
    end)

    it("lets the results of the block pass", function ()
      place.run(function ()
        local function block()
          local s <close> = tidepool.scope()
          s:spawn(tidepool.sleep, 0)
          return 1, nil, s
        end
        local got = table.pack(block())
        assert(got.n == 3 and got[1] == 1 and got[2] == nil)
        assert(tostring(got[3]):find "left")
        assert(not pcall(got[3].spawn, got[3], print))
      end)
    end)

    it("raises the first error with the others", function ()
      place.run(function ()
        local a, b, ended = gate(), gate(), false
        local err = failure(function ()
          local s <close> = tidepool.scope()
          s:add(a[1])
          s:add(b[1])
          b[2]:reject "b"
          a[2]:reject "a"
          ended = true
        end)
        assert(ended and err.message == "b")
        assert(#err.others == 1 and err.others[1].message == "a")
      end)
    end)

    it("cancels the siblings while the block goes on", function ()
      place.run(function ()
        local stay, sibling, log = gate(), nil, {}
        local err = failure(function ()
          local s <close> = tidepool.scope()
          sibling = s:spawn(function ()
            local _ <close> = at_end(function () log[1] = "ended" end)
            stay[1]:await()
          end)
          s:spawn(function ()
            tidepool.sleep(0)
            error("first", 0)
          end)
          local ok, e = sibling:pawait()
          log[2] = not ok and e.kind
          log[3] = failure(s.spawn, s, print)
          tidepool.sleep(0)
          log[4] = "left"
        end)
        assert(log[1] == "ended" and log[2] == "cancelled")
        assert(log[3] == err and log[4] == "left")
        assert(err.message == "first")
      end)
    end)

    it("is left by an error, which goes on", function ()
      place.run(function ()
        local stay, more, value, ended = gate(), gate(), {}, false
        local child, added
        local err = failure(function ()
          local s <close> = tidepool.scope()
          child = s:spawn(function ()
            local _ <close> = at_end(function () ended = true end)
            stay[1]:await()
          end)
          added = s:add(more[1])
          tidepool.sleep(0)
          error(value)
        end)
        assert(rawequal(err, value) and (ended or not yields))
        assert(child:state() == "cancelled" and added:state() == "cancelled")
        assert(failure(function ()
          local s <close> = tidepool.scope()
          s:spawn(tidepool.sleep, 0)
          error() -- to a __close nil is no error: this waits
        end) == nil)
      end)
    end)

    it("raises the Error of a child that the block awaits", function ()
      place.run(function ()
        local child
        local err = failure(function ()
          local s <close> = tidepool.scope()
          child = s:spawn(error, "once", 0)
          child:await()
        end)
        assert(err.message == "once" and err == select(2, child:pawait()))
      end)
    end)

    it("is cancelled with the coroutine that has it", function ()
      place.run(function (ways)
        for _, way in ipairs(ways) do
          local stay, more, begun, ended = gate(), gate(), gate(), gate()
          local left, child, added
          local owner = tidepool.spawn(function ()
            local _ <close> = at_end(function (e)
              left = e.kind
              ended[2]:resolve()
            end)
            local s <close> = tidepool.scope()
            child = s:spawn(function ()
              begun[2]:resolve()
              stay[1]:await()
            end)
            added = s:add(more[1])
            if way == "in the block" then
              stay[1]:await()
            end
          end)
          begun[1]:await()
          owner:cancel()
          assert(child:state() == "cancelled")
          ended[1]:await()
          assert(left == "cancelled" and added:state() == "cancelled")
        end
      end, { "in the block", yields and "leaving it" or nil })
    end)

    it("leaves no child to the coroutine that has it", function ()
      place.run(function ()
        local function work()
          for _ = 1, 100 do
            local s <close> = tidepool.scope()
            s:spawn(tostring, 1)
            s:timeout(3600)
          end
          tidepool.scope(function (s) s:timeout(3600) end)
          tidepool.sleep(0)
          assert(not tidepool.private.child())
        end
        tidepool.spawn(work):await()
        work()
      end)
    end)

    it("fails when its time is over, or when it is cancelled", function ()
      place.run(function ()
        local stay = gate()
        local err = failure(function ()
          local s <close> = tidepool.scope()
          s:spawn(stay[1].await, stay[1])
          s:timeout(0.01)
        end)
        assert(err.kind == "timeout")
        err = failure(function ()
          local s <close> = tidepool.scope()
          s:spawn(stay[1].await, stay[1])
          assert(s:cancel "enough" and not s:cancel())
        end)
        assert(err.kind == "cancelled" and err.value == "enough")
        err = failure(function ()
          local s <close> = tidepool.scope()
          s:cancel() -- with nothing in it
        end)
        assert(err.kind == "cancelled")
      end)
    end)

    it("can be left twice", function ()
      place.run(function ()
        local ended
        do
          local s <close> = tidepool.scope()
          local t <close> = s
          t:spawn(function () ended = true end)
        end
        assert(ended)
        local err = failure(function ()
          local s <close> = tidepool.scope()
          local t <close> = s
          t:spawn(error, "once", 0)
        end)
        assert(err.message == "once")
        ended = nil
        tidepool.scope(function (s)
          do
            local t <close> = s -- it is left when its function ends
            t:spawn(function () ended = true end)
          end
          assert(not ended)
        end)
        assert(ended)
      end)
    end)

    it("nests in others of both forms", function ()
      place.run(function ()
        local log = {}
        local function note(text)
          tidepool.sleep(0)
          log[#log + 1] = text
        end
        do
          local s <close> = tidepool.scope()
          s:spawn(note, "outer")
          do
            local t <close> = tidepool.scope()
            t:spawn(note, "inner")
            tidepool.scope(function (u) u:spawn(note, "innermost") end)
          end
          assert(#log == 3)
        end
        local more = gate()
        local err = failure(function ()
          local s <close> = tidepool.scope()
          s:add(more[1])
          local t <close> = tidepool.scope()
          t:spawn(error, "from within", 0)
        end)
        assert(err.message == "from within")
      end)
    end)
  end)
end

-- A tree of both forms, with failures, cancels and limits at random. Every
-- child has settled when its scope was left; in the end nothing runs.
local function grow_trees(count, seed)
  local open, unsure = {}, {}
  tidepool.on_unhandled(function () end) -- for there are some
  math.randomseed(seed)
  local random = math.random
  local body

  local function fill(s, kids, depth)
    for _ = 1, random(0, 4) do
      local what = random(1, 9)
      if what <= 5 then
        kids[#kids + 1] = s:spawn(body, depth - 1)
      elseif what == 6 then
        kids[#kids + 1] = s:call("tidepool.sleep", random() * 1e-3)
      elseif what == 7 then
        local child = tidepool.spawn(body, depth - 1):detach()
        unsure[#unsure + 1] = child
        kids[#kids + 1] = s:add(child)
      elseif what == 8 then
        s:timeout(random() * 3e-3)
      elseif #kids > 0 then
        kids[random(#kids)]:cancel()
      end
    end
    if random(8) == 1 then s:cancel "enough" end
    if random(8) == 1 then error "in the block" end
    if random(4) == 1 then tidepool.sleep(0) end
  end

  local function in_scope(depth)
    local kids = {}
    if random(2) == 1 or not yields then
      pcall(tidepool.scope, fill, kids, depth)
    else
      pcall(function ()
        local s <close> = tidepool.scope()
        fill(s, kids, depth)
      end)
    end
    if not tidepool.task().cancelled then
      for _, child in ipairs(kids) do
        assert(child:is_ready(), "left alone")
      end
    end
  end

  function body(depth)
    local token = {}
    local mark = at_end(function () open[token] = nil end)
    local _ <close> = mark
    local _ <close> = mark -- an interrupt of a worker may come in the first
    open[token] = true
    for _ = 1, random(0, 3) do
      local what = random(1, 6)
      if what == 1 then
        tidepool.sleep(random() * 2e-3)
      elseif what == 2 then
        pcall(tidepool.sleep, 0)
      elseif what == 3 and random(3) == 1 then
        error { depth }
      elseif what == 4 and depth > 0 then
        pcall(tidepool.with_timeout, random() * 3e-3, body, depth - 1)
      elseif depth > 0 then
        in_scope(depth)
      end
    end
  end

  for _ = 1, count do
    local tree = tidepool.spawn(body, 4)
    if random(3) == 1 then
      for _ = 1, random(0, 10) do
        tidepool.sleep(0)
      end
      tree:cancel()
    end
    tree:pawait()
    while next(open) do
      tidepool.sleep(0)
    end
    for i, child in ipairs(unsure) do
      child:pawait()
      unsure[i] = nil
    end
  end
  collectgarbage()
  collectgarbage()
  tidepool.sleep(0)
end

describe("scopes at random", function ()
  after_each(session.finish)

  for _, place in ipairs(places) do
    it("leave nothing behind " .. place.name, function ()
      local count = session.count(3000, session.check and 30 or 300)
      local seed = tonumber(os.getenv "TIDEPOOL_SEED") or os.time()
      local ok, err = pcall(place.run, grow_trees, count, seed)
      expect.is_true(ok, ("TIDEPOOL_SEED=%d: %s"):format(seed, tostring(err)))
    end)
  end
end)

describe("a scope of the program", function ()
  after_each(session.finish)

  -- Has told what nobody has read.
  local function unread()
    collectgarbage()
    collectgarbage()
    tidepool.poll()
  end

  local function listen()
    local told = {}
    unread() -- of other tests
    tidepool.on_unhandled(function (err) told[#told + 1] = err.message end)
    return told
  end

  it("that is never closed has its failure told", function ()
    local told = listen()
    do
      local s = tidepool.scope()
      s:spawn(error, "of a child", 0)
      tidepool.sleep(0.01)
    end
    unread()
    expect.are.same({ "of a child" }, told)
  end)

  it("that is left by an error has a failure of before told", function ()
    local told = listen()
    local err = failure(function ()
      local s <close> = tidepool.scope()
      s:spawn(error, "of a child", 0):wait()
      error("of the block", 0)
    end)
    expect.are.equal("of the block", err)
    unread()
    expect.are.same({ "of a child" }, told)
  end)

  it("that was cancelled and left by an error has none told", function ()
    local told = listen()
    failure(function ()
      local s <close> = tidepool.scope()
      s:spawn(tidepool.sleep, 3600)
      s:cancel()
      tidepool.sleep(0)
      error("of the block", 0)
    end)
    unread()
    expect.are.same({}, told)
  end)

  it("that raised a failure has none told", function ()
    local told = listen()
    failure(function ()
      local s <close> = tidepool.scope()
      s:spawn(error, "of a child", 0):wait()
    end)
    failure(function ()
      local s <close> = tidepool.scope()
      s:spawn(error, "of a child", 0):await()
    end)
    failure(tidepool.scope, function (s) s:spawn(error, "of a child", 0) end)
    unread()
    expect.are.same({}, told)
  end)

  it("does not cross", function ()
    local err = failure(tidepool.scope, function (s)
      s:call(function () s:spawn(print) end)
    end)
    expect.is_truthy(err.message:find "upvalue \"s.group\": a userdata",
      err.message)
    expect.is_truthy(err.message:find "^spec/async_scope_spec.lua:%d+: ",
      err.message)
  end)

  it("is left by Ctrl-C, with what was in it", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      local pipe = io.popen "echo $PPID"
      local own = pipe:read "n"
      pipe:close()
      tidepool.scope(function (s)
        s:spawn(function ()
          local _ <close> = setmetatable({}, { __close = function ()
            print "closed"
          end })
          tidepool.sleep(3600)
        end)
        tidepool.sleep(0) -- so that it has begun
        s:call(os.execute, "kill -INT " .. own)
      end)
    ]]
    expect.are.equal("closed\n", result.out)
    expect.is_truthy(result.err:find "interrupted!", result.err)
    expect.are.equal(1, result.code)
  end)
end)

for _, place in ipairs(places) do
  describe("in a scope " .. place.name, function ()
    after_each(session.finish)

    it("what loses a race is cancelled, and not waited for", function ()
      place.run(function ()
        local never, held = tidepool.promise()
        tidepool.scope(function (s)
          local loser = s:spawn(never.await, never)
          assert(tidepool.race { s:spawn(tidepool.sleep, 0), loser }:pawait())
        end)
        assert(not never:is_ready() and held)
      end)
    end)

    it("what is detached is let go of", function ()
      place.run(function ()
        local opened, child = gate(), nil
        local err = failure(tidepool.scope, function (s)
          child = s:spawn(opened[1].await, opened[1]):detach()
          error { code = 7 }
        end)
        assert(err.value.code == 7 and not child:is_ready())
        local kept
        do
          local s <close> = tidepool.scope()
          kept = s:spawn(opened[1].await, opened[1])
          kept:detach()
        end
        assert(not kept:is_ready())
        opened[2]:resolve(1)
        assert(child:await() == 1 and kept:await() == 1)
      end)
    end)

    it("a reason has to be a text", function ()
      place.run(function ()
        tidepool.scope(function (s)
          for _, reason in ipairs { {}, true, print, "a\0b" } do
            local err = failure(s.cancel, s, reason)
            assert(type(err) == "string", err)
          end
        end)
      end)
    end)
  end)
end

describe("a scope of a task", function ()
  after_each(session.finish)

  -- Says what it has begun, and what a child of it was closed with.
  local function work(form, begin, finish, added)
    local stay = gate()
    local function fill(s)
      local called = s:call("tidepool.sleep", 3600)
      s:add(added[1])
      s:spawn(function ()
        local _ <close> = at_end(function (err) finish:resolve(err.kind) end)
        begin:resolve { called }
        stay[1]:await()
      end)
      if form == "a loop" then
        tidepool.sleep(0)
        while true do end
      end
      stay[1]:await()
    end
    if form == "a variable" then
      local s <close> = tidepool.scope()
      fill(s)
    else
      tidepool.scope(fill)
    end
  end

  for _, form in ipairs { "a function", "a variable", "a loop" } do
    it("with " .. form .. " is cancelled with the task", function ()
      local begun, ended, more = gate(), gate(), gate()
      local pool = session.pool()
      local task = pool:call(work, form, begun[2], ended[2], { more[1] })
      local called = begun[1]:await(limit)[1]
      expect.is_false(called:is_ready())
      task:cancel()
      expect.are.equal("cancelled", ended[1]:await(limit))
      expect.is_true(called:wait(limit) and more[1]:wait(limit))
      expect.are.equal("cancelled", called:state())
      expect.are.equal("cancelled", more[1]:state())
      expect.are.equal("1", pool:call(tostring, 1):await(limit))
    end)
  end

  it("hands its Error on with the others", function ()
    local err = session.failure(session.pool():call(function ()
      tidepool.scope(function (s)
        local a, b = gate(), gate()
        s:add(a[1])
        s:add(b[1])
        b[2]:reject { code = 7 }
        a[2]:reject "a"
      end)
    end))
    expect.are.equal(7, err.value.code)
    expect.are.equal(1, #err.others)
    expect.are.equal("a", err.others[1].message)
    expect.are.equal("tidepool.Error", getmetatable(err.others[1]).__name)
  end)
end)
