-- How long what cleans up may take: by what it uses of a processor, and not by
-- the clock, which goes on while the machine is busy or the process stopped.

local process = require "spec.support.process"

local describe, it = describe, it
local expect = assert

-- A task whose __close is called because it was cancelled, or has begun to
-- before that; `work` is what it does.
local program = [[
local tidepool = require "tidepool"
local pool = tidepool.AsyncManager.new { workers = 1 }
local began, promise = tidepool.promise()
local task = pool:call(function (promise, early)
  local function clean_up()
    if early then promise:resolve() end
    -- stopped, as by Ctrl-Z, for longer than it may use a processor
    os.execute "kill -STOP $PPID; sleep 0.3; kill -CONT $PPID"
    local sum = 0
    for i = 1, 20000 do sum = sum + i end
    sum_of_clean_up = sum
  end
  do
    local _ <close> = setmetatable({}, { __close = clean_up })
    if not early then
      promise:resolve()
      while true do end
    end
  end
end, promise, ...)
began:await()
task:cancel()
print(pool:call(function () return sum_of_clean_up end):await())
]]

describe("the time of a clean-up", function ()
  for _, case in ipairs {
    { "that a cancel has begun", "false" },
    { "that had begun when it was cancelled", "true" },
  } do
    it("goes on while the process is stopped, in one " .. case[1], function ()
      local source = "local chunk = assert(load(" .. ("%q"):format(program)
        .. ")) chunk(" .. case[2] .. ")"
      local result = process.program(source)
      expect.are.equal("", result.err)
      expect.are.equal("200010000\n", result.out)
    end)
  end

  it("is bounded by the clock, too, if it does nothing", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      local pool = tidepool.AsyncManager.new { workers = 1 }
      local began, promise = tidepool.promise()
      local task = pool:call(function (promise)
        local sleep = require "socket".sleep
        local _ <close> = setmetatable({}, { __close = function ()
          while true do sleep(0.005) end
        end })
        promise:resolve()
        while true do end
      end, promise)
      began:await()
      task:cancel()
      print(pool:call(function () return "the next one" end):await())
    ]]
    expect.are.equal("", result.err)
    expect.are.equal("the next one\n", result.out)
  end)
end)
