-- Bytes that a queued call takes, in the process and in Lua's share of it.
-- One worker is held up; the queue, and the table that keeps the futures,
-- are made before the first reading.

local benchmod = require "benchmod"
local sample = require "sample"

local memory = {}

local function measure(n, submit)
  collectgarbage()
  collectgarbage()
  local resident, lua = benchmod.resident(), collectgarbage("count")
  submit()
  local figures = {
    bytes = (benchmod.resident() - resident) / n,
    lua = (collectgarbage("count") - lua) * 1024 / n,
  }
  return figures
end

-- A table of n places, and the bytes that each takes.
local function places(n)
  local before = collectgarbage("count")
  local list = {}
  for i = 1, n do
    list[i] = false
  end
  return list, (collectgarbage("count") - before) * 1024 / n
end

function memory.tidepool(o)
  local pool <close> = sample.pool(o)
  local list, place = places(o.tasks)
  local held = pool:call "bench.gate"
  while held:state() == "pending" do
    benchmod.sleep(0.001)
  end
  local figures = measure(o.tasks, function()
    for i = 1, o.tasks do
      list[i] = pool:call("bench.inc", i)
    end
  end)
  figures.table = place
  benchmod.opengate()
  return figures
end

function memory.luv(o)
  local uv = require "luv"
  local ignore = function() end
  local hold = uv.new_work(function()
    require("luv").sleep(2000)
  end, ignore)
  local work = uv.new_work(function(i)
    return i + 1
  end, ignore)
  hold:queue()
  uv.sleep(100)
  local figures = measure(o.tasks, function()
    for i = 1, o.tasks do
      work:queue(i)
    end
  end)
  uv.run()
  return figures
end

return memory
