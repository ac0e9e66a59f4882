-- Failures that nobody read, where the on_unhandled function fails itself:
-- they are reported all the same, each once.

local process = require "spec.support.process"

-- What a program writes on standard error that fails three times unread, in
-- coroutines whose Futures are gone.
local function reported(handler, ending)
  local result = process.program(([[
    local tidepool = require "tidepool"
    tidepool.on_unhandled(function (err) %s end)
    for i = 1, 3 do
      tidepool.spawn(error, "failure " .. i, 0)
    end
    tidepool.sleep(0)
    collectgarbage()
    tidepool.poll(0)
    %s
  ]]):format(handler, ending or ""))
  assert.is_nil(result.signal)
  return result.err, result
end

local function count(text, what)
  return select(2, text:gsub(what, ""))
end

local function all_told(text)
  for i = 1, 3 do
    assert.are.equal(1, count(text, "nobody read: [^\n]*failure " .. i), text)
  end
end

describe("an on_unhandled function that fails", function ()
  it("loses neither what it was called for nor its own error", function ()
    local text = reported 'error("the log is full", 0)'
    all_told(text)
    assert.are.equal(3,
      count(text, "error in the on_unhandled function: the log is full\n"))
  end)

  it("may raise what is no string", function ()
    local text = reported [[
      error(setmetatable({}, { __tostring = function () return "odd" end }))
    ]]
    all_told(text)
    assert.are.equal(3, count(text, "on_unhandled function: odd\n"))
  end)

  it("may raise what raises when it is shown", function ()
    all_told((reported [[
      error(setmetatable({}, { __tostring = function () error "again" end }))
    ]]))
  end)

  it("may make failures of its own", function ()
    local text = reported [[
      tidepool.spawn(error, "of the handler", 0)
      error("the log is full", 0)
    ]]
    all_told(text)
  end)

  it("may end the program, and what is left is reported", function ()
    local text, result = reported(
      'io.stderr:write("last: ", err.message, "\\n") os.exit(7, true)')
    assert.are.equal(7, result.code)
    for i = 1, 3 do
      assert.are.equal(1, count(text, "failure " .. i), text)
    end
  end)

  it("loses none while the Lua state closes", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      tidepool.on_unhandled(function () error "the log is closed" end)
      tidepool.spawn(error, "the last", 0)
      tidepool.sleep(0)
    ]]
    assert.are.equal(1, count(result.err, "nobody read: [^\n]*the last"))
  end)
end)

describe("a failure that nobody read", function ()
  it("is shown if its Error cannot be", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      getmetatable(tidepool.error {}).__tostring = function () error "no" end
      tidepool.spawn(error, "the disk is full", 0)
      tidepool.sleep(0)
    ]]
    assert.is_truthy(result.err:find("nobody read: the disk is full", 1, true))
  end)
end)
