-- Strings with zeros in them, wherever C would take the zero for their end:
-- they go through whole, or are refused.

local process = require "spec.support.process"
local session = require "spec.support.session"
local tidepool = require "tidepool"

require "testmod"

-- What was raised.
local function refused(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return tostring(err)
end

local function shows(text, what)
  assert.is_truthy(text:find(what, 1, true), ("%q"):format(text))
end

describe("a string with zeros", function ()
  local pool

  before_each(function () pool = session.pool { workers = 1 } end)
  after_each(session.finish)

  it("is whole in an Error, and where that is shown", function ()
    local err = session.failure(pool:call(error, "before\0after", 0))
    assert.are.equal("before\0after", err.message)
    shows(tostring(err), "before\0after")
    err = tidepool.error { name = "na\0me", kind = "cancelled",
      value = "v", message = "me\0ssage", traceback = "tra\0ce" }
    assert.are.equal("na\0me: cancelled: me\0ssage\ntra\0ce", tostring(err))
  end)

  it("is whole in a failure that nobody read", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      tidepool.spawn(error, "before\0after", 0)
      tidepool.sleep(0)
    ]]
    shows(result.err, "before\0after")
  end)

  it("is whole in what could not be rebuilt", function ()
    local err = session.failure(pool:call(function ()
      return setmetatable({}, { __tidepool = function ()
        return function () error("be\0hind", 0) end
      end })
    end))
    shows(err.message, "be\0hind")
  end)

  it("is whole in the way to what cannot be sent", function ()
    local fields = { ["a\0b"] = coroutine.create(print) }
    shows(refused(pool.call, pool, print, fields),
      '"a\0b": a coroutine cannot be sent')
  end)

  it("is shown in what init has raised", function ()
    local bad = session.pool {
      workers = 1, init = function () error("no\0base", 0) end,
    }
    shows(session.failure(bad:call(print)).message, "no\\0base")
  end)

  it("is no note of progress", function ()
    local future, promise = tidepool.promise()
    shows(refused(promise.progress, promise, 0.5, "a\0b"), "no zeros")
    assert.are.same({ 0.0 }, { future:progress() })
    promise:resolve()
  end)

  it("is no option, nor one of the values of any", function ()
    local new = tidepool.AsyncManager.new
    shows(refused(pool.with, pool, { ["timeout\0x"] = 1 }),
      "unknown option 'timeout\0x'")
    shows(refused(pool.with, pool, { priority = "high\0x" }), "got high\0x)")
    shows(refused(pool.with, pool, { full = "fail\0x" }), "got fail\0x)")
    shows(refused(new, { init = "string\0x" }), "got string\0x)")
    refused(new, { name = "name\0x" })
  end)

  it("is no kind of an Error", function ()
    shows(refused(tidepool.error, { kind = "error\0x" }), "no zeros")
  end)

  it("is no name of a function or a manager", function ()
    shows(refused(pool.call, pool, "test.add\0x", 1, 2),
      "no function named 'test.add\0x' is registered")
    shows(refused(tidepool.attach, "tides\0x"),
      "no manager named 'tides\0x' is open")
  end)

  it("is no field of a task", function ()
    assert.is_nil(pool:call(function ()
      return require("tidepool").task()["id\0x"]
    end):await(session.limit))
  end)
end)
