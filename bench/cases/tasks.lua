-- Lua functions on the workers.

local benchmod = require "benchmod"
local sample = require "sample"

local tasks = {}

local function inc(n)
  return n + 1
end

local function check(sum, n)
  assert(sum == n * (n + 1) // 2 + n, "wrong results")
end

-- n calls submitted, then all awaited; `make(i)` answers the function.
local function flood(o, make, options)
  local pool <close> = options or sample.pool(o)
  local n = o.tasks
  return {
    rate = n / sample.seconds(o, function()
      local futures, sum = {}, 0
      for i = 1, n do
        futures[i] = pool:call(make(i), i)
      end
      for i = 1, n do
        sum = sum + futures[i]:await()
      end
      check(sum, n)
    end),
  }
end

-- One function for all.
function tasks.hoisted(o)
  return flood(o, function() return inc end)
end

-- A function literal in the loop, with nothing of its own.
function tasks.literal(o)
  return flood(o, function()
    return function(n) return n + 1 end
  end)
end

-- One function with an upvalue of its own.
function tasks.upvalue(o)
  local one = 1
  local function add(n)
    return n + one
  end
  return flood(o, function() return add end)
end

-- With the traceback of each call.
function tasks.origin(o)
  local pool = require "tidepool".AsyncManager.new {
    workers = o.workers, queue = o.queue, origin = true,
  }
  return flood(o, function() return inc end, pool)
end

function tasks.roundtrip(o)
  local pool <close> = sample.pool(o)
  return {
    us = sample.seconds(o, function()
      for i = 1, o.tasks do
        assert(pool:call(inc, i):await() == i + 1)
      end
    end) * 1e6 / o.tasks,
  }
end

local function fib(n)
  if n < 2 then
    return n
  end
  return fib(n - 1) + fib(n - 2)
end

-- Milliseconds for all of them; fib has itself as an upvalue.
function tasks.fib(o)
  local pool <close> = sample.pool(o)
  return {
    ms = sample.seconds(o, function()
      local futures = {}
      for i = 1, o.tasks do
        futures[i] = pool:call(fib, 25)
      end
      for i = 1, o.tasks do
        assert(futures[i]:await() == 75025)
      end
    end) * 1e3,
  }
end

local PROCESS = [[%s -e 'local function fib(n) if n < 2 then return n end
return fib(n - 1) + fib(n - 2) end
for _ = 1, %d do fib(25) end' & ]]

-- The same in so many processes, without the time that starting them takes.
function tasks.processes(o)
  local function run(each)
    local command = PROCESS:format(os.getenv "LUA" or "lua5.4", each)
    return sample.seconds(o, function()
      assert(os.execute(command:rep(o.workers) .. "wait"))
    end)
  end
  return { ms = (run(o.tasks // o.workers) - run(0)) * 1e3 }
end

function tasks.echo(o)
  local pool <close> = sample.pool(o)
  local text = ("tidepool"):rep(1 << 17)
  local function same(s)
    return s
  end
  return {
    rate = o.tasks * #text / 1e9 / sample.seconds(o, function()
      for _ = 1, o.tasks do
        assert(#pool:call(same, text):await() == #text)
      end
    end),
  }
end

function tasks.records(o)
  local pool <close> = sample.pool(o)
  local sent = {}
  for i = 1, o.records do
    sent[i] = { id = i, name = "record " .. i, v = i * 0.5 }
  end
  local function same(list)
    return list
  end
  return {
    rate = o.tasks * o.records / sample.seconds(o, function()
      for _ = 1, o.tasks do
        local got = pool:call(same, sent):await()
        assert(#got == o.records and got[o.records].id == o.records)
      end
    end),
  }
end

-- Bytes of a worker's Lua state, once it has run a task.
function tasks.state(o)
  local pool <close> = sample.pool(o)
  local function each(what)
    local futures = {}
    for i = 1, o.workers do
      futures[i] = pool:call(what, 0.2)
    end
    for i = 1, o.workers do
      futures[i]:await()
    end
  end
  each "tidepool.sleep" -- the threads have their stacks
  collectgarbage()
  local before = benchmod.resident()
  local tidepool = require "tidepool"
  each(function(seconds)
    tidepool.invoke("tidepool.sleep", seconds)
  end)
  return { bytes = (benchmod.resident() - before) / o.workers }
end

-- Bytes of a task that waits, its Future included.
function tasks.suspended(o)
  local pool <close> = sample.pool(o)
  local tidepool = require "tidepool"
  local gate = tidepool.call("tidepool.sleep", 100)
  pool:call(function(list)
    rawset(_G, "gate", list[1])
  end, { gate }):await()
  local function wait()
    return rawget(_G, "gate"):wait()
  end
  local futures = {}
  for i = 1, o.tasks do
    futures[i] = false
  end
  collectgarbage()
  local before = benchmod.resident()
  for i = 1, o.tasks do
    futures[i] = pool:call(wait)
  end
  while pool:stats().suspended < o.tasks do
    benchmod.sleep(0.01)
  end
  local bytes = (benchmod.resident() - before) / o.tasks
  gate:cancel()
  for i = 1, o.tasks do
    futures[i]:await()
  end
  return { bytes = bytes }
end

return tasks
