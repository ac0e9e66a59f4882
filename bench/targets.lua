-- What is asked. `value` computes what was reached from the medians;
-- `at_least` or `at_most` is the goal. nil: a contestant is missing.

local targets = {}

-- The median of a run of a group.
local function figure(group, run)
  return function(get)
    return get(group, run)
  end
end

-- That of one run over that of another one of its group.
local function ratio(group, one, other)
  return function(get)
    local a, b = get(group, one), get(group, other)
    return a and b and a / b
  end
end

local function at_least(goal, text, value)
  targets[#targets + 1] = { text = text, at_least = goal, value = value }
end

local function at_most(goal, text, value)
  targets[#targets + 1] = { text = text, at_most = goal, value = value }
end

-- C functions

for _, queue in ipairs { "", ", default queue" } do
  local one, four = "tidepool, 1 worker" .. queue,
    "tidepool, 4 workers" .. queue
  at_least(1, "flood, 1 worker" .. queue .. ", M tasks/s",
    figure("flood", one))
  at_least(0.9, "flood, 4 workers over 1" .. queue,
    ratio("flood", four, one))
end

for _, n in ipairs { "1 worker", "4 workers" } do
  local tidepool, ring = "tidepool, " .. n, "C ring, " .. n
  local function title(rest)
    return ("round trip, %s, %s"):format(n, rest)
  end
  at_least(10, title "luv over tidepool",
    ratio("roundtrip", "luv, " .. n, tidepool))
  at_most(1.5, title "tidepool over C ring",
    ratio("roundtrip", tidepool, ring))
  at_most(1.5, title "tidepool over C ring + Lua alone", function(get)
    local a, b = get("roundtrip", ring),
      get("roundtrip", "Lua alone, no threads")
    local c = get("roundtrip", tidepool)
    return a and b and c and c / (a + b)
  end)
  at_most(1.3, title "spin 0, tidepool over C ring",
    ratio("roundtrip", tidepool .. ", spin 0", ring .. ", spin 0"))
end

at_least(1.7, "1 MiB string, tidepool over luv",
  ratio("echo", "tidepool", "luv"))
for _, kind in ipairs { "any table", "these records" } do
  at_least(4, "1,000 records over luv, serializer for " .. kind,
    ratio("records", "tidepool, moved", "luv, serializer for " .. kind))
end

-- Lua functions

at_least(0.6, "Lua flood, 1 worker, M tasks/s",
  figure("lua flood", "tidepool, 1 worker"))
at_least(0.9, "Lua flood, 4 workers over 1",
  ratio("lua flood", "tidepool, 4 workers", "tidepool, 1 worker"))
at_least(8, "Lua round trip, 4 workers, luv over tidepool",
  ratio("lua roundtrip", "luv, 4 workers", "tidepool, 4 workers"))
for _, n in ipairs { 1, 2, 4 } do
  local who = n == 1 and "1 worker" or n .. " workers"
  at_least(0.95, "fib(25), " .. who .. ", processes over tidepool",
    ratio("lua fib", "processes, " .. n, "tidepool, " .. who))
end
at_least(1, "1 MiB string to Lua, tidepool over luv",
  ratio("lua echo", "tidepool", "luv"))
for _, kind in ipairs { "any table", "these records" } do
  at_least(3, "1,000 records to Lua over luv, serializer for " .. kind,
    ratio("lua records", "tidepool", "luv, serializer for " .. kind))
end
at_most(60 * 1024, "a worker's Lua state, bytes",
  figure("lua memory", "a worker's Lua state"))
at_most(2048, "a suspended Lua task, bytes",
  figure("lua memory", "a suspended task"))

-- Coroutines

local BARE = "a bare coroutine.wrap"
at_most(3, "spawn and await, over a bare coroutine",
  ratio("spawn", "tidepool", BARE))
for _, pair in ipairs {
  { "", "tidepool", "cqueues, wrap and loop" },
  { " from a coroutine", "tidepool, from a coroutine",
    "cqueues, from a coroutine, by a promise" },
  { ", 1,000", "tidepool, 1,000, then all awaited",
    "cqueues, 1,000 promises" },
  { ", 1,000, no results", "tidepool, 1,000, then all awaited",
    "cqueues, 1,000, then loop, no results" },
} do
  at_least(2, ("spawn and await%s, cqueues over tidepool"):format(pair[1]),
    ratio("spawn", pair[3], pair[2]))
end
at_least(2, "100,000 sleepers, time, cqueues over tidepool",
  ratio("sleep", "cqueues", "tidepool"))
at_most(3, "100,000 sleepers, bytes, over bare coroutines",
  ratio("sleep bytes", "tidepool", "bare coroutines that yield"))
at_most(3, "100,000 sleepers, mean delay, ms", figure("sleep late", "tidepool"))
for _, what in ipairs { "awaited at every 1,000th",
  "each made by the one before" } do
  at_most(1, "chain, " .. what .. ": MiB for 900,000 more", function(get)
    local less = get("chain memory", "100,000, " .. what)
    local more = get("chain memory", "1,000,000, " .. what)
    return less and more and more - less
  end)
end
at_least(1, "map of a trivial function, 4 workers, plain loop over it",
  ratio("map", "a plain loop", "4 workers"))
for _, m in ipairs { "map 1 us", "map 10 us" } do
  for _, n in ipairs { 2, 4 } do
    at_least(0.8, ("%s, %d workers, processes over it"):format(m, n),
      ratio(m, n .. " processes", n .. " workers"))
  end
end
for _, loop in ipairs { "luv", "cqueues", "copas" } do
  at_most(20, ("longest gap of a timer of %s, ms"):format(loop),
    figure("ticks", loop))
end

-- What it costs to be there

at_most(320, "queued call, bytes", figure("memory", "tidepool"))
at_most(300, "pool of 4 made and closed, us", figure("pool", "tidepool"))
at_most(400, "require, us", figure("load", "tidepool"))
at_most(0, "idle workers, times a thread ran in 2 s",
  figure("idle", "tidepool"))
for _, what in ipairs { "flood", "trickle" } do
  at_least(0.9, "8 workers, crowd " .. what .. ", spin over none",
    ratio("crowd " .. what, "tidepool", "tidepool, spin 0"))
end
at_most(1.1, "8 workers, crowd work, time with spin over none",
  ratio("crowd work", "tidepool", "tidepool, spin 0"))

return targets
