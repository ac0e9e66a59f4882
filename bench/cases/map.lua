-- One function over many values: map of a list, imap of what comes.

local sample = require "sample"

local map = {}

local function increment(i)
  return i + 1
end

-- About a microsecond, and ten.
local function short(i)
  local x = i
  for _ = 1, 190 do
    x = x * 3 + 1 & 0xffffff
  end
  return x
end

local function long(i)
  local x = i
  for _ = 1, 1900 do
    x = x * 3 + 1 & 0xffffff
  end
  return x
end

local functions = { [0] = increment, short, long }

local function numbers(n)
  local list = {}
  for i = 1, n do
    list[i] = i
  end
  return list
end

-- Milliseconds for the whole list.
local function milliseconds(o, body)
  local list, fn = numbers(o.tasks), functions[o.work]
  local last = fn(o.tasks)
  return {
    ms = sample.seconds(o, function()
      local results = body(fn, list)
      assert(#results == o.tasks and results[o.tasks] == last)
    end) * 1e3,
  }
end

function map.auto(o)
  local pool <close> = sample.pool(o)
  return milliseconds(o, function(fn, list)
    return pool:map(fn, list, { chunk = "auto" })
  end)
end

function map.plain(o)
  return milliseconds(o, function(fn, list)
    local results = {}
    for i = 1, #list do
      results[i] = fn(list[i])
    end
    return results
  end)
end

-- A part of the list for each of so many processes, which share nothing: what
-- the machine gives at best.
function map.processes(o)
  local command = ("%s bench/case.lua map plain work=%d tasks=%d passes=%d")
    :format(arg[-1], o.work, o.tasks // o.workers, o.passes)
  local pipes, longest = {}, 0
  for i = 1, o.workers do
    pipes[i] = assert(io.popen(command))
  end
  for _, pipe in ipairs(pipes) do
    longest = math.max(longest, tonumber(pipe:read "a":match "ms=(%S+)"))
    pipe:close()
  end
  return { ms = longest }
end

-- Calls in a second.
local function rate(o, body)
  local list, n = numbers(o.tasks), o.tasks
  return {
    rate = n / sample.seconds(o, function()
      assert(body(list) == n * (n + 1) // 2 + n, "wrong results")
    end),
  }
end

local function imap(fn)
  return function(o)
    local pool <close> = sample.pool(o)
    local options = { concurrency = o.ahead }
    return rate(o, function(list)
      local sum = 0
      for _, value in pool:imap(fn, list, options) do
        sum = sum + value
      end
      return sum
    end)
  end
end

map.imapc, map.imaplua = imap "bench.inc", imap(increment)

-- The same by hand: o.ahead futures in a ring.
local function window(fn)
  return function(o)
    local pool <close> = sample.pool(o)
    local ahead = o.ahead
    return rate(o, function(list)
      local futures, sum = {}, 0
      for i = 1, #list + ahead do
        local slot = i % ahead
        local future = futures[slot]
        if future then
          sum = sum + future:await()
        end
        futures[slot] = i <= #list and pool:call(fn, list[i])
      end
      return sum
    end)
  end
end

map.windowc, map.windowlua = window "bench.inc", window(increment)

return map
