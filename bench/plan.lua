-- What is measured, and what is asked of it.
--
-- A group is a list of contestants that run in turn, A B C A B C; a group
-- shows one figure of theirs, times `scale`. `ring` runs the C program,
-- any other `who` is a case of bench/cases.

local plan = { groups = {} }

local FLOOD = "tasks=100000 passes=5"
local LARGE = "queue=131072"

local function group(g)
  g.runs = {}
  plan.groups[#plan.groups + 1] = g
  return function(label, who, case, options, environment)
    g.runs[#g.runs + 1] = {
      label = label,
      who = who,
      case = case,
      options = options,
      environment = environment or "",
    }
  end
end

-- Another figure of the runs of the last group; it begins with the same word.
local function also(g)
  g.runs = plan.groups[#plan.groups].runs
  g.again = true
  plan.groups[#plan.groups + 1] = g
end

local function workers(n)
  return n == 1 and "1 worker" or n .. " workers"
end

local function threads(n)
  return "UV_THREADPOOL_SIZE=" .. n
end

local run = group {
  name = "flood",
  title = "100,000 trivial calls submitted, then all awaited",
  figure = "rate", scale = 1e-6, unit = "M tasks/s", higher = true,
}
for _, n in ipairs { 1, 2, 4, 8 } do
  local w = ("workers=%d "):format(n)
  run("tidepool, " .. workers(n), "tidepool", "flood", w .. LARGE .. " "
    .. FLOOD)
  run("tidepool, " .. workers(n) .. ", default queue", "tidepool", "flood",
    w .. FLOOD)
  run("tidepool, " .. workers(n) .. ", spin 0", "tidepool", "flood",
    w .. LARGE .. " spin=0 " .. FLOOD)
  run("tidepool, " .. workers(n) .. ", call_many", "tidepool", "batch",
    w .. LARGE .. " " .. FLOOD)
  run("luv, " .. workers(n), "luv", "flood", FLOOD, threads(n))
  run("C ring, " .. workers(n), "ring", "flood", w .. LARGE .. " " .. FLOOD)
  run("C ring, " .. workers(n) .. ", spin 0", "ring", "flood",
    w .. LARGE .. " spin=0 " .. FLOOD)
end
run("Lua alone, no threads", "bare", "flood", FLOOD)

run = group {
  name = "roundtrip",
  title = "One trivial call at a time",
  figure = "us", scale = 1, unit = "us",
}
for _, n in ipairs { 1, 4, 8 } do
  local w = ("workers=%d "):format(n)
  local spinning, sleeping = "tasks=50000 passes=5", "tasks=5000 passes=5"
  run("tidepool, " .. workers(n), "tidepool", "roundtrip", w .. spinning)
  run("C ring, " .. workers(n), "ring", "roundtrip", w .. spinning)
  run("tidepool, " .. workers(n) .. ", spin 0", "tidepool", "roundtrip",
    w .. "spin=0 " .. sleeping)
  run("C ring, " .. workers(n) .. ", spin 0", "ring", "roundtrip",
    w .. "spin=0 " .. sleeping)
  run("luv, " .. workers(n), "luv", "roundtrip", sleeping, threads(n))
end
run("Lua alone, no threads", "bare", "roundtrip", "tasks=50000 passes=5")

run = group {
  name = "echo",
  title = "A string of 1 MiB there and back",
  figure = "rate", scale = 1, unit = "GB/s", higher = true,
}
run("tidepool", "tidepool", "echo", "workers=1 tasks=500 passes=5")
run("tidepool, with cleanup", "cleanup", "echo",
  "workers=1 tasks=500 passes=5")
run("luv", "luv", "echo", "tasks=500 passes=5", threads(1))

run = group {
  name = "records",
  title = "1,000 records {id, name, v} there and back",
  figure = "rate", scale = 1e-6, unit = "M records/s", higher = true,
}
local RECORDS = "records=1000 tasks=100 passes=5"
run("tidepool, moved", "tidepool", "records", "workers=1 " .. RECORDS)
run("tidepool, rebuilt", "copy", "records", "workers=1 " .. RECORDS)
run("luv, serializer for any table", "luvany", "records", RECORDS,
  threads(1))
run("luv, serializer for these records", "luv", "records", RECORDS,
  threads(1))
run("luv, the same, unread in the worker", "luvblind", "records", RECORDS,
  threads(1))
run("Lua alone, the list built once", "bare", "records", RECORDS)

-- Lua functions; luv has no others.
run = group {
  name = "lua flood",
  title = "100,000 hoisted Lua functions submitted, then all awaited",
  figure = "rate", scale = 1e-6, unit = "M tasks/s", higher = true,
}
for _, n in ipairs { 1, 4 } do
  local w = ("workers=%d "):format(n)
  run("tidepool, " .. workers(n), "hoisted", "tasks", w .. LARGE .. " "
    .. FLOOD)
  run("tidepool, " .. workers(n) .. ", a literal in the loop", "literal",
    "tasks", w .. LARGE .. " " .. FLOOD)
  run("tidepool, " .. workers(n) .. ", with an upvalue", "upvalue", "tasks",
    w .. LARGE .. " " .. FLOOD)
  run("tidepool, " .. workers(n) .. ", origin = true", "origin", "tasks",
    w .. LARGE .. " " .. FLOOD)
  run("luv, " .. workers(n), "luv", "flood", FLOOD, threads(n))
end

run = group {
  name = "lua roundtrip",
  title = "One trivial Lua function at a time",
  figure = "us", scale = 1, unit = "us",
}
for _, n in ipairs { 1, 4 } do
  local w = ("workers=%d "):format(n)
  run("tidepool, " .. workers(n), "roundtrip", "tasks",
    w .. "tasks=50000 passes=5")
  run("luv, " .. workers(n), "luv", "roundtrip", "tasks=5000 passes=5",
    threads(n))
end

run = group {
  name = "lua fib",
  title = "64 times fib(25) in Lua",
  figure = "ms", scale = 1, unit = "ms",
}
for _, n in ipairs { 1, 2, 4 } do
  local w = ("workers=%d tasks=64 passes=5"):format(n)
  run("tidepool, " .. workers(n), "fib", "tasks", w)
  run("processes, " .. n, "processes", "tasks", w)
end

run = group {
  name = "lua echo",
  title = "A string of 1 MiB to a Lua function and back",
  figure = "rate", scale = 1, unit = "GB/s", higher = true,
}
run("tidepool", "echo", "tasks", "workers=1 tasks=500 passes=5")
run("luv", "luv", "echo", "tasks=500 passes=5", threads(1))

run = group {
  name = "lua records",
  title = "1,000 records to a Lua function and back",
  figure = "rate", scale = 1e-6, unit = "M records/s", higher = true,
}
run("tidepool", "records", "tasks", "workers=1 " .. RECORDS)
run("luv, serializer for any table", "luvany", "records", RECORDS,
  threads(1))
run("luv, serializer for these records", "luv", "records", RECORDS,
  threads(1))

run = group {
  name = "lua memory",
  title = "Memory of Lua tasks",
  figure = "bytes", scale = 1, unit = "bytes",
}
run("a worker's Lua state", "state", "tasks", "workers=64 queue=1000")
run("a suspended task", "suspended", "tasks",
  "workers=1 queue=131072 tasks=50000")

run = group {
  name = "memory",
  title = "Memory of a queued call, its Lua side included",
  figure = "bytes", scale = 1, unit = "bytes",
}
run("tidepool", "tidepool", "memory", "workers=1 queue=262144 tasks=250000")
run("luv", "luv", "memory", "tasks=250000", threads(1))

run = group {
  name = "pool",
  title = "A pool of 4 workers made and closed",
  figure = "us", scale = 1, unit = "us",
}
run("tidepool", "tidepool", "pool", "workers=4 passes=200")
run("tidepool, after 4 calls", "used", "pool", "workers=4 passes=200")
run("C ring", "ring", "pool", "workers=4 passes=200 queue=64 tasks=1")

run = group {
  name = "load",
  title = "require in a fresh process",
  figure = "us", scale = 1, unit = "us",
}
run("tidepool", "tidepool", "load", "")
run("luv", "luv", "load", "")

run = group {
  name = "idle",
  title = "4 idle workers for 2 seconds: times a thread of theirs ran",
  figure = "switches", scale = 1, unit = "switches",
}
run("tidepool", "tidepool", "idle", "workers=4 seconds=2")

run = group {
  name = "crowd work",
  title = "400 tasks that compute, 8 workers",
  figure = "ms", scale = 1, unit = "ms",
}
local WORK = "workers=8 tasks=400 steps=500000 passes=3"
run("tidepool", "work", "crowd", WORK)
run("tidepool, spin 0", "work", "crowd", WORK .. " spin=0")

run = group {
  name = "crowd flood",
  title = "The flood at 8 workers while a thread a core computes",
  figure = "rate", scale = 1e-6, unit = "M tasks/s", higher = true,
}
run("tidepool", "flood", "crowd", "workers=8 " .. LARGE .. " " .. FLOOD)
run("tidepool, spin 0", "flood", "crowd", "workers=8 spin=0 " .. LARGE .. " "
  .. FLOOD)

run = group {
  name = "crowd trickle",
  title = "What those threads compute in 1 s of a call every 0.5 ms",
  figure = "steps", scale = 1, unit = "M steps", higher = true,
}
run("tidepool", "trickle", "crowd", "workers=8")
run("tidepool, spin 0", "trickle", "crowd", "workers=8 spin=0")

-- Coroutines

run = group {
  name = "spawn",
  title = "An empty coroutine started and awaited",
  figure = "us", scale = 1, unit = "us",
}
local SPAWN = "tasks=100000 passes=5"
run("a bare coroutine.wrap", "bare", "spawn", SPAWN)
run("tidepool", "tidepool", "spawn", SPAWN)
run("cqueues, wrap and loop", "cqueues", "spawn", SPAWN)
run("tidepool, from a coroutine", "within", "spawn", SPAWN)
run("cqueues, from a coroutine, by a promise", "cqueueswithin", "spawn", SPAWN)
run("tidepool, 1,000, then all awaited", "many", "spawn",
  SPAWN .. " batch=1000")
run("cqueues, 1,000 promises", "cqueuespromises", "spawn",
  SPAWN .. " batch=1000")
run("cqueues, 1,000, then loop, no results", "cqueuesmany", "spawn",
  SPAWN .. " batch=1000")

run = group {
  name = "sleep",
  title = "100,000 sleeping coroutines, processor time of each",
  figure = "us", scale = 1, unit = "us",
}
run("tidepool", "tidepool", "sleepers", "tasks=100000")
run("cqueues", "cqueues", "sleepers", "tasks=100000")
run("bare coroutines that yield", "bare", "sleepers", "tasks=100000")
also {
  name = "sleep bytes", title = "Memory of each", figure = "bytes",
  scale = 1, unit = "bytes",
}
also {
  name = "sleep late", title = "How late they go on, on average",
  figure = "mean", scale = 1, unit = "ms",
}

run = group {
  name = "all",
  title = "10,000 tasks submitted, then all awaited, for each",
  figure = "us", scale = 1, unit = "us",
}
local ALL = "tasks=10000 passes=5 workers=4 queue=16384"
run("C functions, all", "c", "all", ALL)
run("C functions, one by one", "ceach", "all", ALL)
run("Lua functions, all", "lua", "all", ALL)
run("Lua functions, one by one", "luaeach", "all", ALL)
run("coroutines, all", "coroutines", "all", ALL)
run("coroutines, one by one", "coroutineseach", "all", ALL)

run = group {
  name = "chain",
  title = "A chain of and_then, for each link",
  figure = "us", scale = 1, unit = "us",
}
for _, n in ipairs { "100000", "1000000" } do
  local links = n == "100000" and "100,000" or "1,000,000"
  run(links .. ", awaited at every 1,000th", "loop", "chain",
    "every=1000 tasks=" .. n)
  run(links .. ", each made by the one before", "relay", "chain",
    "tasks=" .. n)
end
run("1,000,000, awaited at the end", "loop", "chain", "every=0 tasks=1000000")
run("100,000, each waits for the next", "followed", "chain", "tasks=100000")
run("1,000,000 awaits instead", "coroutine", "chain", "tasks=1000000")
also {
  name = "chain memory", title = "Memory of the whole chain, at its peak",
  figure = "mb", scale = 1, unit = "MiB",
}

-- Lists

run = group {
  name = "imap",
  title = "imap over 100,000 numbers, 4 workers",
  figure = "rate", scale = 1e-6, unit = "M calls/s", higher = true,
}
local IMAP = "workers=4 queue=2000 tasks=100000 passes=5 ahead="
for _, ahead in ipairs { 8, 1000 } do
  for _, what in ipairs { "C", "Lua" } do
    local function title(text)
      return ("%s function, %s, %d ahead"):format(what, text, ahead)
    end
    run(title "imap", "imap" .. what:lower(), "map", IMAP .. ahead)
    run(title "by hand", "window" .. what:lower(), "map", IMAP .. ahead)
  end
end

local MAPS = {
  { "map", "a trivial function over 1,000,000", 0, 1000000 },
  { "map 1 us", "a function of 1 us over 200,000", 1, 200000 },
  { "map 10 us", "a function of 10 us over 20,000", 2, 20000 },
}
for _, m in ipairs(MAPS) do
  run = group {
    name = m[1],
    title = ("map of %s integers, chunk = 'auto'"):format(m[2]),
    figure = "ms", scale = 1, unit = "ms",
  }
  local what = ("passes=5 work=%d tasks=%d"):format(m[3], m[4])
  run("a plain loop", "plain", "map", what)
  for _, n in ipairs { 1, 2, 4 } do
    run(workers(n), "auto", "map", what .. " workers=" .. n)
    if n > 1 and m[3] > 0 then
      run(n .. " processes", "processes", "map", what .. " workers=" .. n)
    end
  end
end

-- Other loops

run = group {
  name = "ticks",
  title = "Longest gap of a 5 ms timer while 10,000 tasks are awaited",
  figure = "ms", scale = 1, unit = "ms",
}
for _, loop in ipairs { "tidepool", "luv", "cqueues", "copas" } do
  run(loop, loop, "ticks", "tasks=10000 workers=2 queue=20000")
  run(loop .. ", nothing awaited", loop, "ticks",
    "tasks=0 workers=2 queue=20000")
end

return plan
