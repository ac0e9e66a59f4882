-- Which element map and its kin have failed at, and that nothing tells of our
-- own files.

local async = require "spec.support.async"
local places = require "spec.support.places"
local session = require "spec.support.session"
local tidepool = require "tidepool"

local failure = async.failure

local OURS = "tidepool/%a+%.lua:%d"

local function numbers(n)
  local list = {}
  for i = 1, n do
    list[i] = i
  end
  return list
end

local function drain(pool, ...)
  for _ in pool:imap(...) do end
end

-- Raises a string that says where it was called, and what.
local function refuses(text, f)
  local err = failure(f)
  assert(type(err) == "string", err)
  assert(err:find(text, 1, true), err)
  assert(err:find "^spec/element_spec.lua:%d+: ", err)
end

-- Each calls f for the elements, in such chunks.
local methods = {
  map = function (pool, ...) return pool:map(...) end,
  each = function (pool, ...) return pool:each(...) end,
  reduce = function (pool, f, list) -- the first of a chunk goes in later
    return pool:reduce(function (_, x) return f(x) end, list, 0,
      { chunk = #list })
  end,
  imap = function (pool, f, list) return drain(pool, f, list) end,
}

for _, place in ipairs(places) do
  for name, call in pairs(methods) do
    describe("a failure of " .. name .. " " .. place.name, function ()
      after_each(session.finish)

      it("has the place of the element", function ()
        place.run(function ()
          local pool <close> = tidepool.AsyncManager.new { workers = 2 }
          for _, chunk in ipairs { 1, 7, 100, "auto" } do
            for _, bad in ipairs { 2, 50, 99 } do
              local err = failure(call, pool, function (n)
                if n == bad then error "wrong" end
              end, numbers(99), { chunk = chunk })
              assert(err.index == bad, err.index)
              assert(err.kind == "error")
              assert(err.value:find "^spec/element_spec.lua:%d+: wrong$")
              assert(err.message == ("element %d: %s"):format(bad, err.value))
              assert(not tostring(err):find(OURS), tostring(err))
            end
          end
        end)
      end)

      it("has it also if an Error came through", function ()
        place.run(function ()
          local pool <close> = tidepool.AsyncManager.new { workers = 1 }
          local err = failure(call, pool, function (n)
            if n == 3 then
              require "tidepool".spawn(error, "within", 0):await()
            end
          end, { 1, 2, 3 })
          assert(err.index == 3 and err.value == "within")
          assert(err.message == "element 3: within", err.message)
        end)
      end)

      it("says what the caller wrote", function ()
        place.run(function ()
          local pool <close> = tidepool.AsyncManager.new { workers = 1 }
          local list, file = { 1, 2, { deep = { io.stdout } } }, io.stdout
          refuses('element 3, field "deep[1]": a userdata cannot be sent',
            function () call(pool, type, list) end)
          refuses('element 3: a userdata cannot be sent', function ()
            call(pool, type, { 1, 2, io.stdout })
          end)
          refuses('element 2, upvalue "file": a userdata cannot be sent',
            function ()
              call(pool, type, { 1, function () return file end })
            end)
          local proxy = setmetatable({}, {
            __index = { 1, 2, 3, 4, print, io.stdout },
            __len = function () return 6 end,
          })
          refuses('element 6: a userdata cannot be sent', function ()
            call(pool, type, proxy, { chunk = 2 })
          end)
        end)
      end)
    end)
  end

  describe("what map and its kin refuse " .. place.name, function ()
    after_each(session.finish)

    it("is the function", function ()
      place.run(function ()
        local pool <close> = tidepool.AsyncManager.new { workers = 1 }
        local file = io.stdout
        local function f() return file end
        local text = 'the function, upvalue "file": a userdata cannot be sent'
        refuses(text, function () pool:map(f, { 1 }) end)
        refuses(text, function () pool:each(f, { 1 }) end)
        refuses(text, function () pool:reduce(f, { 1 }) end)
        refuses(text, function () drain(pool, f, { 1 }) end)
        refuses(text, function () drain(pool, f, string.gmatch("x", "x")) end)
      end)
    end)

    it("is the initial value, or what an iterator returned", function ()
      place.run(function ()
        local pool <close> = tidepool.AsyncManager.new { workers = 1 }
        refuses("the initial value: a userdata cannot be sent", function ()
          pool:reduce(function () end, { 1 }, io.stdout)
        end)
        refuses("call 1, argument 1: a userdata cannot be sent", function ()
          drain(pool, type, function () return io.stdout end)
        end)
        assert(pool:reduce(math.max, {}, io.stdout) == io.stdout)
        assert(pool:reduce(function (a, b) return { a, b } end, { 1 }, {})[2]
          == 1)
        assert(pool:reduce(function () return false end, { 1 }, 2) == false)
      end)
    end)

    it("is a result, with its element", function ()
      place.run(function ()
        local pool <close> = tidepool.AsyncManager.new { workers = 1 }
        for _, chunk in ipairs { 1, 3, 10 } do
          local err = failure(pool.map, pool, function (n)
            return n == 8 and { io.stdout } or { n }
          end, numbers(10), { chunk = chunk })
          assert(err.kind == "transfer" and err.index == 8)
          assert(err.message == 'the result of element 8, field "[1]": '
            .. "a userdata cannot be sent", err.message)
        end
      end)
    end)

    it("is the call, where an iterator makes them", function ()
      place.run(function ()
        local pool <close> = tidepool.AsyncManager.new { workers = 1 }
        local err = failure(drain, pool, function (word)
          if word == "b" then error("oh", 0) end
        end, ("a b c"):gmatch "%a")
        assert(err.index == 2 and err.message == "call 2: oh")
        assert(err.value == "oh")
      end)
    end)

    it("has no index where no element is at fault", function ()
      place.run(function ()
        local pool <close> = tidepool.AsyncManager.new { workers = 1 }
        local err = failure(pool.map, pool:with { timeout = 0.01 }, function ()
          while true do end
        end, { 1, 2 })
        assert(err.kind == "timeout" and err.index == nil)
        err = failure(pool.reduce, pool, function (a, b)
          if a == 0 then error("together", 0) end
          return a + b
        end, { 1, 2 }, 0)
        assert(err.message == "together" and err.index == nil)
        err = select(2, pool:call(function ()
          local element = 3
          error("mine", element - 3)
        end):pawait())
        assert(err.message == "mine" and err.index == nil)
      end)
    end)
  end)

  describe("misuse " .. place.name, function ()
    after_each(session.finish)

    it("is told where it happened, never in our own files", function ()
      place.run(function ()
        local pool <close> = tidepool.AsyncManager.new { workers = 1 }
        local gone = tidepool.spawn(function () end)
        local promise = select(2, tidepool.promise())
        gone:cleanup()
        local cleaned = "future was cleaned up"
        refuses(cleaned, function () return (tidepool.await(gone)) end)
        refuses(cleaned, function () return (tidepool.shield(gone)) end)
        refuses(cleaned, function () return (gone:detach()) end)
        refuses(cleaned, function () return (gone:and_then(print)) end)
        refuses(cleaned, function () return (gone:catch(print)) end)
        refuses(cleaned, function () return (gone:finally(print)) end)
        refuses(cleaned, function ()
          local s <close> = tidepool.scope()
          return (s:add(gone))
        end)
        refuses("number expected, got string", function ()
          return (tidepool.await(tidepool.spawn(print), "soon"))
        end)
        refuses("(tidepool.Future expected, got nil)", function ()
          return (gone.detach())
        end)
        refuses("(tidepool.Promise expected, got nil)", function ()
          return (promise.on_cancel(nil, print))
        end)
        refuses("bad argument #1", function () drain(pool, type, next) end)
      end)
    end)

    it("of a C function that we call has no such position", function ()
      place.run(function ()
        local pool <close> = tidepool.AsyncManager.new { workers = 1 }
        local errors = {
          failure(pool.map, pool, string.upper, { {} }),
          failure(pool.map, pool, "test.fail", { {} }),
          failure(function ()
            tidepool.spawn(function () return {} end)
              :and_then(string.upper):await()
          end),
          failure(tidepool.scope, string.upper),
          failure(tidepool.run, string.upper, {}),
          failure(tidepool.with_timeout, 3600, string.upper, {}),
        }
        for i, err in ipairs(errors) do
          assert(not tostring(err):find(OURS), tostring(err))
          assert(not tostring(err.value or ""):find(OURS), i)
        end
      end)
    end)
  end)
end
