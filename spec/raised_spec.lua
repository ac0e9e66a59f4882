-- What the function of run, scope and with_timeout raises, and where it did.

local async = require "spec.support.async"
local places = require "spec.support.places"
local session = require "spec.support.session"
local tidepool = require "tidepool"

local failure = async.failure

-- Each calls f as a coroutine.
local callers = {
  run = tidepool.run,
  scope = function (f, ...)
    return tidepool.scope(function (_, ...) return f(...) end, ...)
  end,
  with_timeout = function (...) return tidepool.with_timeout(3600, ...) end,
}

for _, place in ipairs(places) do
  for name, call in pairs(callers) do
    describe("what the function of " .. name .. " raises " .. place.name,
      function ()
        after_each(session.finish)

        it("comes out as it was", function ()
          place.run(function ()
            local values = { false, 42, "text", {}, io.stdout, print,
              coroutine.create(print), n = 8 }
            for i = 1, values.n do -- the last is nil
              local got = table.pack(pcall(call, function ()
                tidepool.sleep(0)
                error(values[i], 0)
              end))
              assert(got.n == 2 and got[1] == false)
              assert(rawequal(got[2], values[i]))
            end
            local err = failure(call, function () error "here" end)
            assert(err:find "^spec/raised_spec.lua:%d+: here$", err)
          end)
        end)

        it("comes out of several at once", function ()
          place.run(function ()
            local thrown = {}
            local function deepest(value) error(value, 0) end
            for _, value in ipairs { thrown, "thrown" } do
              local err = failure(call, call, function ()
                tidepool.run(function () deepest(value) end)
              end)
              assert(err == value)
              local text = tidepool.traceback(err)
              assert(text:find("in upvalue 'deepest'", 1, true), text)
            end
          end)
        end)

        it("is an Error if a child or a future failed", function ()
          place.run(function ()
            local lost = tidepool.spawn(error, "lost", 0)
            local err = failure(call, function () lost:await() end)
            assert(err.kind == "error" and err.value == "lost")
            assert(err == select(2, lost:pawait()))
            local mine = tidepool.error { message = "mine", value = "not this" }
            assert(rawequal(failure(call, error, mine), mine))
          end)
        end)

        it("is an Error if it was cancelled", function ()
          place.run(function ()
            local err = failure(call, function ()
              local child = tidepool.spawn(tidepool.sleep, 3600)
              child:cancel "enough"
              child:await()
            end)
            assert(err.kind == "cancelled" and err.value == "enough")
          end)
        end)
      end)
  end

  describe("tidepool.traceback " .. place.name, function ()
    after_each(session.finish)

    it("tells where in the coroutine it was raised", function ()
      place.run(function ()
        local function culprit(value) error(value, 0) end
        local object = setmetatable({}, {
          __tostring = function () return "an object" end,
        })
        for _, value in ipairs { "a string", 42, object } do
          local err = failure(tidepool.run, function () culprit(value) end)
          local text = tidepool.traceback(err)
          assert(text:find(tostring(value) .. "\nstack traceback:", 1, true)
            == 1, text)
          assert(text:find("in upvalue 'culprit'", 1, true), text)
        end
      end)
    end)

    it("is that of the last one for a string", function ()
      place.run(function ()
        local function first() error("same", 0) end
        local function second() error("same", 0) end
        failure(tidepool.run, function () first() end)
        local text = tidepool.traceback(failure(tidepool.run, function ()
          second()
        end))
        assert(text:find("'second'", 1, true) and not text:find "'first'")
        failure(tidepool.run, error, "another", 0)
        assert(not tidepool.traceback "same":find "'second'")
      end)
    end)

    it("prints an Error with its own", function ()
      place.run(function ()
        local err = failure(function ()
          tidepool.spawn(error, "of a child", 0):await()
        end)
        assert(tidepool.traceback(err) == tostring(err))
        local _, count = tostring(err):gsub("stack traceback:", "")
        assert(count == 1)
      end)
    end)

    it("serves as a message handler", function ()
      place.run(function ()
        local function culprit() error("oh", 0) end
        for _, call in pairs { tidepool.run, pcall and function (f) f() end } do
          local ok, text = xpcall(call, tidepool.traceback, function ()
            culprit()
          end)
          assert(not ok and text:find "^oh\nstack traceback:")
          assert(text:find("in upvalue 'culprit'", 1, true), text)
        end
        local timeout = tidepool.error { kind = "timeout", message = "late" }
        local text = tidepool.traceback(timeout)
        assert(text:find "^late\nstack traceback:\n" and
          text:find "raised_spec.lua", text)
      end)
    end)

    it("takes anything", function ()
      place.run(function ()
        for _, value in pairs { true, 1.5, print, {}, io.stdout } do
          local text = tidepool.traceback(value)
          assert(text:find(tostring(value) .. "\nstack traceback:", 1, true)
            == 1)
        end
        assert(tidepool.traceback(nil):find "^nil\nstack traceback:")
        local bad = setmetatable({}, { __tostring = error })
        assert(tidepool.traceback(bad):find "whose __tostring raises\nstack")
        assert(not pcall(tidepool.traceback))
      end)
    end)

    it("keeps nothing alive", function ()
      place.run(function ()
        local kept = setmetatable({}, { __mode = "k" })
        kept[failure(tidepool.run, error, {})] = true
        collectgarbage()
        collectgarbage()
        assert(next(kept) == nil)
      end)
    end)
  end)
end

describe("busted in a coroutine", function ()
  for name, call in pairs(callers) do
    it("sees its failures and pending specs: " .. name, function ()
      local told = failure(call, function () assert.are.equal(1, 2) end)
      assert.is_nil(told.kind)
      local plain = failure(function () assert.are.equal(1, 2) end)
      assert.are.equal(getmetatable(plain), getmetatable(told))
      local later = failure(call, function () pending "not yet" end)
      plain = failure(function () pending "not yet" end)
      assert.are.same(plain, later)
      assert.are.equal(getmetatable(plain), getmetatable(later))
    end)
  end
end)

describe("a scope whose function raises no Error", function ()
  after_each(session.finish)

  it("reports what failed besides", function ()
    local told = {}
    tidepool.on_unhandled(function (err) told[#told + 1] = err.value end)
    local err = tidepool.spawn(failure, tidepool.scope, function (s)
      for _, value in ipairs { "besides", "again" } do
        local future, promise = tidepool.promise()
        s:add(future)
        tidepool.spawn(promise.reject, promise, value):detach()
      end
      error("first", 0) -- they fail before the scope hears of this
    end):await()
    tidepool.sleep(0)
    collectgarbage()
    tidepool.poll()
    assert.are.equal("first", err)
    table.sort(told)
    assert.are.same({ "again", "besides" }, told)
  end)
end)

describe("a traceback", function ()
  after_each(session.finish)

  it("shows no line of our own files", function ()
    local function boom() error "boom" end
    local texts = {
      tidepool.traceback(failure(tidepool.run, function ()
        tidepool.run(function () tidepool.scope(function () boom() end) end)
      end)),
      failure(function ()
        tidepool.all { tidepool.spawn(boom) }:await()
      end).traceback,
      failure(function () session.pool():map(function () boom() end, { 1 }) end)
        .traceback,
      session.failure(session.pool { workers = 1, origin = true }
        :call(function () boom() end)).traceback,
    }
    for _, text in ipairs(texts) do
      assert.is_truthy(text:find("raised_spec.lua", 1, true))
      assert.is_nil(text:find("tidepool/%a+%.lua:"))
    end
  end)
end)
