-- A loop of luv in a worker. What is raised in one of its callbacks, by the
-- program or by an interrupt, would end the process there.

local process = require "spec.support.process"

local describe, it = describe, it
local pending = pending
local expect = assert

local has_luv = pcall(require, "luv")

-- Runs `body` in a task that is cancelled once it calls `promise:resolve()`;
-- prints the kind of its end, that it cleaned up, and what the next task
-- returns.
local program = [[
local tidepool = require "tidepool"
local pool = tidepool.AsyncManager.new { workers = 1 }
local began, promise = tidepool.promise()
local cleaned, cleans = tidepool.promise()
local task = pool:call(function (promise, cleans)
  local uv = require "luv"
  local tidepool = require "tidepool"
  local _ <close> = setmetatable({}, { __close = function ()
    cleans:resolve "cleaned up"
  end })
  %s
end, promise, cleans)
if began:wait(60) then task:cancel() end
local _, err = task:pawait()
print(err.kind, cleaned:wait(60) and cleaned:get())
print(pool:call(function () return "the next one" end):await())
]]

local bodies = {
  ["between callbacks"] = [[
    local timer = uv.new_timer()
    timer:start(1, 1, function () promise:resolve() end)
    uv.run()]],
  ["in a callback that returns"] = [[
    local timer = uv.new_timer()
    timer:start(1, 1, function ()
      promise:resolve()
      for _ = 1, 20000 do end
    end)
    uv.run()]],
  ["in a callback that goes on for ever"] = [[
    local timer = uv.new_timer()
    timer:start(1, 0, function ()
      promise:resolve()
      while true do end
    end)
    uv.run()]],
  ["in a callback that catches errors"] = [[
    local timer = uv.new_timer()
    timer:start(1, 0, function ()
      promise:resolve()
      while true do pcall(function () while true do end end) end
    end)
    uv.run()]],
  ["in a coroutine that a callback goes on with"] = [[
    local timer = uv.new_timer()
    timer:start(1, 0, function ()
      assert(coroutine.resume(coroutine.create(function ()
        promise:resolve()
        while true do end
      end)))
    end)
    uv.run()]],
  ["in a callback that awaits"] = [[
    local timer = uv.new_timer()
    timer:start(1, 0, function ()
      promise:resolve()
      never = { tidepool.promise() }
      never[1]:await()
    end)
    uv.run()]],
  ["in callbacks of one loop after the other"] = [[
    while true do
      local timer = uv.new_timer()
      timer:start(1, 0, function ()
        promise:resolve()
        while true do end
      end)
      pcall(uv.run)
      timer:close()
    end]],
  ["in a coroutine of the task that runs the loop"] = [[
    local timer = uv.new_timer()
    timer:start(1, 0, function ()
      promise:resolve()
      while true do end
    end)
    coroutine.wrap(function () uv.run() end)()]],
}

local function lines_of(source)
  local result = process.program(source)
  expect.are.equal("", result.err)
  expect.are.equal(0, result.code)
  return result.out
end

describe("a loop of luv in a worker", function ()
  if not has_luv then
    pending "there is no luv here"
    return
  end

  for where, body in pairs(bodies) do
    it("is stopped by an interrupt " .. where, function ()
      expect.are.equal("cancelled\tcleaned up\nthe next one\n",
        lines_of(program:format(body)))
    end)
  end

  it("raises an error of a callback where it was run", function ()
    expect.are.equal("false\toops\ttrue\t7\n", lines_of [[
      local tidepool = require "tidepool"
      local pool = tidepool.AsyncManager.new { workers = 1 }
      print(pool:call(function ()
        local uv = require "luv"
        local timer = uv.new_timer()
        timer:start(1, 1, function () error("oops", 0) end)
        local ok, err = pcall(uv.run)
        timer:close()
        local seven
        local second = uv.new_timer()
        second:start(1, 0, function () seven = 7 second:close() end)
        return ok, err, pcall(uv.run) and seven == 7, seven
      end):await())
    ]])
  end)

  it("calls back though the task that has loaded luv waits", function ()
    expect.are.equal("called back\twaited\n", lines_of [[
      local tidepool = require "tidepool"
      local pool = tidepool.AsyncManager.new { workers = 1 }
      local future, promise = tidepool.promise()
      local first = pool:call(function (box)
        require "luv"
        return box[1]:await()
      end, { future })
      local second = pool:call(function ()
        local uv = require "luv"
        local answer
        local timer = uv.new_timer()
        timer:start(1, 0, function () answer = "called back" timer:close() end)
        uv.run()
        return answer
      end)
      local answer = second:await()
      promise:resolve "waited"
      print(answer, (first:await()))
    ]])
  end)

  it("is looked for as any module is", function ()
    expect.are.equal("true\n", lines_of [[
      local tidepool = require "tidepool"
      local pool = tidepool.AsyncManager.new {
        workers = 1, init = function () package.cpath = "./nowhere/?.so" end,
      }
      print(pool:call(function ()
        local ok, err = pcall(require, "luv")
        return not ok and err:find("not found", 1, true) ~= nil
          and err:find("./nowhere/luv.so", 1, true) ~= nil
      end):await())
    ]])
  end)
end)
