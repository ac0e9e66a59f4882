-- Misuse that is told in words that help: what may have been meant, what is
-- known, what to write instead.

local async = require "spec.support.async"
local places = require "spec.support.places"
local session = require "spec.support.session"
local tidepool = require "tidepool"

local failure = async.failure

-- luacheck: globals known_spec_work
function known_spec_work() end

-- Raised where it was called.
local function refuses(text, f)
  local err = failure(f)
  assert(type(err) == "string" and err:find(text, 1, true), tostring(err))
  assert(err:find "^spec/known_spec.lua:%d+: ", err)
end

for _, place in ipairs(places) do
  describe("a list " .. place.name, function ()
    after_each(session.finish)

    it("has no keys", function ()
      place.run(function ()
        local future = tidepool.spawn(print)
        future:cancel()
        for _, name in ipairs { "all", "race", "any", "all_settled",
          "as_completed", "wait" } do
          local f = tidepool[name]
          refuses(("bad argument #1 to '%s' (a list expected, got key 'a')")
            :format(name), function () return (f { a = future }) end)
          refuses("(a list expected, got key 'last')", function ()
            return (f { future, last = future })
          end)
          refuses("(a list expected, got key '1.5')", function ()
            return (f { future, [1.5] = future })
          end)
          refuses("(a list expected, got a table as a key)", function ()
            return (f { future, [{}] = future })
          end)
        end
        local settled = tidepool.all_settled { future, n = 1 }:await()
        assert(settled[1].state == "cancelled")
        local proxy = setmetatable({ secret = 1 },
          { __index = function (_, i) return i == 1 and future or nil end,
            __len = function () return 1 end })
        assert(tidepool.all_settled(proxy):await().n == 1)
      end)
    end)

    it("has none for map and its kin, if it has no elements", function ()
      place.run(function ()
        local pool <close> = tidepool.AsyncManager.new { workers = 1 }
        for _, name in ipairs { "map", "each", "reduce", "imap" } do
          refuses(("bad argument #2 to '%s' (a list expected, got key 'a')")
            :format(name), function () pool[name](pool, print, { a = 1 }) end)
        end
        assert(pool:map(print, {}).n == 0)
        assert(pool:map(print, { n = 0 }).n == 0)
        assert(pool:map(type, { 1, a = 1 }).n == 1)
      end)
    end)
  end)

  describe("a name that is not known " .. place.name, function ()
    after_each(session.finish)

    it("is one of an option", function ()
      place.run(function ()
        local pool <close> = tidepool.AsyncManager.new { workers = 1 }
        refuses("unknown option 'wrokers' (did you mean 'workers'? Known are "
          .. "workers, queue, name, full, spin, init, memory_limit, origin, "
          .. "profile, strict)", function ()
            return (tidepool.AsyncManager.new { wrokers = 1 })
          end)
        refuses("unknown option 'zzzzzzz' (known are timeout, priority, full",
          function () return (pool:with { zzzzzzz = 1 }) end)
        refuses("unknown option 'drian' (did you mean 'drain'? Known are "
          .. "drain, timeout)", function ()
            return (pool:shutdown { drian = true })
          end)
        refuses("unknown option 'cancle' (did you mean 'cancel'? Known are "
          .. "cancel)", function ()
            return (tidepool.all({}, { cancle = true }))
          end)
        refuses("unknown option 'chunks' (did you mean 'chunk'? Known are "
          .. "chunk, concurrency)", function ()
            return (pool:map(print, {}, { chunks = 1 }))
          end)
      end)
    end)

    it("is one of a kind", function ()
      place.run(function ()
        refuses("unknown kind 'cancled' (did you mean 'cancelled'? Known are "
          .. "error, cancelled, timeout, closed, broken, transfer, full)",
          function () return (tidepool.error { kind = "cancled" }) end)
        refuses("string expected, got table", function ()
          return (tidepool.error { kind = {} })
        end)
      end)
    end)

    it("is one of a function", function ()
      place.run(function ()
        local pool <close> = tidepool.AsyncManager.new { workers = 1 }
        rawset(_G, "known_spec_work", known_spec_work or print)
        local text = "no function named 'known_spec_work' is registered; "
          .. "pass the function itself"
        for _, name in ipairs { "call", "try_call", "map", "each", "reduce",
          "imap" } do
          refuses(text, function ()
            return (pool[name](pool, "known_spec_work", {}))
          end)
        end
        refuses("'string.rep' is registered; pass the function itself",
          function () return (pool:call("string.rep", "x", 2)) end)
        refuses("no function named 'string.nothing' is registered", function ()
          return (pool:call("string.nothing"))
        end)
        refuses("is registered (did you mean 'tidepool.sleep'?)",
          function () return (pool:map("tidepool.slep", {})) end)
        assert(not failure(pool.call, pool, "math.pi"):find "itself")
      end)
    end)

    it("does not ask metatables", function ()
      place.run(function ()
        local pool <close> = tidepool.AsyncManager.new { workers = 1 }
        local before = getmetatable(_G)
        setmetatable(_G, { __index = function () error "strict" end })
        local err = failure(pool.call, pool, "nothing.like.it")
        setmetatable(_G, before)
        assert(err:find "no function named 'nothing.like.it' is registered")
      end)
    end)

    it("is that of the class", function ()
      place.run(function ()
        refuses("use a dot: AsyncManager.new { ... }", function ()
          return (tidepool.AsyncManager:new { workers = 1 })
        end)
        refuses("use a dot: AsyncManager.new { ... }", function ()
          return (tidepool.AsyncManager:new())
        end)
      end)
    end)
  end)

  describe("pairs of the module " .. place.name, function ()
    after_each(session.finish)

    it("are all that is public, and nothing else", function ()
      local listed = place.run(function ()
        local names = {}
        for name, value in pairs(require "tidepool") do
          assert(require "tidepool"[name] == value)
          names[name] = type(value)
        end
        return names
      end)
      assert.is_nil(listed.private)
      for _, name in ipairs { "spawn", "all", "wait", "scope", "run",
        "with_timeout", "use_loop", "header", "traceback" } do
        assert.are.equal("function", listed[name], name)
      end
      assert.are.equal("string", listed._VERSION)
      assert.are.equal("table", listed.AsyncManager)
    end)
  end)

  describe("an Error with a table " .. place.name, function ()
    after_each(session.finish)

    local function message(value)
      local _, err = tidepool.spawn(error, value):pawait()
      assert(rawequal(err.value, value))
      return err.message
    end

    it("tells some of its fields", function ()
      place.run(function ()
        assert(message { code = 7 } == "{ code = 7 }")
        assert(message { "a", true, 2.5 } == '{ "a", true, 2.5 }')
        assert(message { 1, why = "low tide" } == '{ why = "low tide", 1 }')
        assert(message { [2.5] = {} } == "{ [2.5] = {...} }")
        assert(message { 1, 2, 3, 4, 5 } == "{ 1, 2, 3, 4, 5 }")
        assert(message { 1, 2, 3, 4, 5, 6, 7 } == "{ 1, 2, 3, 4, 5, ... }")
        local long = message { text = ("tide\n\0"):rep(100) }
        assert(#long < 100 and not long:find "[\n\0]", long)
        assert(message {}:find "^table: ")
        local _, promise = tidepool.promise()
        promise:reject { code = 8 }
        local _, err = promise:future():pawait()
        assert(err.message == "{ code = 8 }")
      end)
    end)

    it("has its own words, if it has any", function ()
      place.run(function ()
        local tide = setmetatable({ code = 7 },
          { __tostring = function () return "tide" end })
        assert(message(tide) == "tide")
        assert(message(setmetatable({ code = 7 }, { __name = "Tide" }))
          :find "^Tide: ")
      end)
    end)
  end)
end

it("an Error of a task prints the fields of a table", function ()
  local pool = session.pool()
  local err = session.failure(pool:call(function () error { code = 7 } end))
  assert.is_truthy(tostring(err):find("{ code = 7 }\nstack traceback", 1, true))
  session.finish()
end)
