-- The scripted session of check-oom: a bit of everything, in steps that each
-- may end in an error for lack of memory. What it makes it puts into the
-- tables `pools` and `futures`, which the host looks at afterwards. An error
-- that begins with "WRONG" is one of tidepool's; `leave` keeps it all open.

local tidepool = require "tidepool"
local testmod = require "testmod"
local pools, futures, leave = pools, futures, leave -- luacheck: ignore

tidepool.on_unhandled(function (err)
  unhandled = err -- luacheck: ignore
end)

local function check(truth, what)
  if not truth then
    error("WRONG: " .. what, 0)
  end
end

-- The future, remembered. What cannot be remembered is let go.
local function keep(future)
  futures[#futures + 1] = future
  return future
end

-- The results of a future; raises its Error.
local function results(future)
  check(future:wait(60), "a future that never settled")
  return future:await()
end

local function manager(options)
  local pool = tidepool.AsyncManager.new(options)
  pools[#pools + 1] = pool
  return pool
end

-- The manager and what can be asked of it.
local pool = manager { workers = 2, queue = 20, name = "oom" }
local view = pool:with { priority = "high", timeout = 100 }
check(pool:name() == "oom", "the name")
check(#tostring(pool) > 0, "tostring of a manager")
check(#tidepool.functions() > 10, "the list of functions")
pool:stats()
tidepool.attach "oom"
tidepool.fd()

-- Values of every kind.
check(results(keep(pool:call("test.add", 1, 2))) == 3, "a sum")
local text = ("x"):rep(100000)
check(results(keep(view:call("test.echo", text))) == text, "a long string")
local loop = { 1, 2.5, true, "text", { {}, x = { text } } }
loop.self = loop
local back = results(keep(pool:call("test.echo", loop, nil, loop)))
check(back.self == back and back[5].x[1] == text, "a cycle")
local many = { n = 50 }
for i = 1, 50 do
  many[i] = { i, key = tostring(i) }
end
back = table.pack(results(keep(pool:call("test.echo", table.unpack(many)))))
check(back.n == 50 and back[50].key == "50", "many results")
results(keep(pool:call "test.table"))
check(#results(keep(pool:call("test.big", 50000))) == 50000, "a buffer")
results(keep(pool:call("test.list", 1000)))
results(keep(pool:call("test.userdata", 5)))
local other = results(keep(pool:call("test.echo", { futures[1], pool })))
check(results(other[1]) == 3, "a future that was sent")
check(results(keep(pool:call("test.add", futures[1], 1))) == 4,
  "a future that was followed")

-- A batch.
local batch = {}
for i = 1, 30 do
  batch[i] = { i, i }
end
for i, future in ipairs(pool:call_many("test.add", batch)) do
  keep(future)
  check(results(future) == 2 * i, "a sum of the batch")
end

-- Calls that are refused.
local function refused(expected, ...)
  local ok, err = pcall(pool.call, pool, ...)
  check(not ok, "a call that had to be refused")
  if not tostring(err):find(expected, 1, true) then
    error(err, 0)
  end
end
refused("did you mean", "test.ad", 1, 2)
refused("bad argument", "test.add", "one", 2)
refused("cannot be sent", "test.echo", { 1, { x = { io.stdout } } })

-- Failures, read and unread.
local function failure(kind, future)
  local ok, err = future:pawait(60)
  check(not ok, "a completion that had to fail")
  check(type(err) == "table" and #tostring(err) > 0, "the Error")
  if err.kind ~= kind then
    error(err, 0)
  end
end
failure("error", keep(pool:call("test.fail", "on purpose")))
pool:call("test.fail", "unread")
pool:with({ timeout = 0.001 }):call("tidepool.sleep", 100)
failure("timeout", keep(pool:with({ timeout = 0.001 }):call("tidepool.sleep",
  100)))

-- Waiting, cancelling, cleaning up.
local sleeping = keep(pool:call("tidepool.sleep", 100))
check(not sleeping:wait(0.001), "a sleep that ended")
sleeping:progress()
check(sleeping:cancel "enough", "a cancel")
failure("cancelled", sleeping)
local cleaned = pool:call("test.echo", { "cleaned" })
cleaned:cleanup()
tidepool.poll()
coroutine.wrap(function ()
  check(results(keep(pool:call("test.add", 3, 4))) == 7, "in a coroutine")
end)()

-- Functions of Lua: what crosses, awaits, errors, interrupts.
local lua = manager { workers = 1, queue = 4, origin = true,
  init = function () initial = 40 end } -- luacheck: ignore
local two, shared = 2, { "upvalue" }
local sum, same = results(keep(lua:call(function (x)
  return initial + two, x -- luacheck: ignore
end, shared)))
check(sum == 42 and same[1] == "upvalue", "results of a Lua function")
local fork = function (n)
  local here = require "tidepool".current()
  local a, b = here:call("test.add", n, 1), here:call("test.add", n, 2)
  return a:await() + b:await()
end
check(results(keep(lua:call(fork, 10))) == 23, "a fork and join in Lua")
check(results(keep(lua:call(function ()
  local list = { 3, 1, 2 }
  table.sort(list, function (x, y)
    return require "tidepool".current():call(function (a, b)
      return a < b
    end, x, y):await()
  end)
  return coroutine.wrap(function () return list[1] end)()
end))) == 1, "a comparator that awaits")
failure("error", keep(lua:call(function () error { code = 5 } end)))
local env = setmetatable({ io = { 5, io.stdout } }, { __index = _G })
env.list = { 6 }
local sandboxed = load("return list[1], (function () return io ~= nil end)()",
  "=sandboxed", "t", env)
local six, stands_in = results(keep(lua:call(sandboxed)))
check(six == 6 and stands_in, "a function of a sandbox")
failure("error", keep(lua:call(load("io.none()", "=sandboxed", "t", env))))
failure("transfer", keep(lua:call(function () return io.stdout end)))
local looping = keep(lua:call(function () while true do end end))
looping:wait(0.001)
looping:cancel()
failure("cancelled", looping)
local waiting = keep(lua:call(function ()
  return require "tidepool".call("tidepool.sleep", 0.02):await(50)
end))
waiting:wait(0.001)
waiting:cancel()
check(lua:wait_all(60), "Lua tasks that never end")
check(lua:shutdown { timeout = 60 }, "a shutdown after Lua tasks")

-- Tasks that await, a full queue, a second manager.
check(results(keep(pool:call("test.fib", 6))) == 8, "a fork and join")
local small = manager { workers = 1, queue = 1, full = "fail" }
local slow = keep(small:call("tidepool.sleep", 100))
small:try_call("test.add", 1, 2)
local full, why = small:try_call("test.add", 1, 2)
check(full or why == "full", "the answer of a full queue")
pcall(small.call, small, "test.add", 1, 2)
slow:cancel()
check(small:wait_all(60), "tasks that never end")

-- Promises.
local promised, promise = testmod.promise()
keep(promised)
check(testmod.resolve(promise, nil, "kept", { 1 }), "a promise")
check(results(promised) == "kept", "the result of a promise")
local broken, dropped = testmod.promise()
keep(broken)
testmod.drop(dropped)
failure("broken", broken)

local own, mine = tidepool.promise()
keep(own)
local inner, inside = tidepool.promise()
keep(inner)
check(mine:resolve(inner), "a promise that follows")
check(inside:reject { code = 7 }, "a promise that is rejected")
failure("error", own)
local sent, crossing = tidepool.promise()
keep(sent)
results(keep(pool:call(function (p) return p:resolve { 1 } end, crossing)))
check(results(sent)[1] == 1, "the result of a promise that crossed")

-- Coroutines: results by reference, arguments, failures, cancelling.
local private = tidepool.private
local ref = { io.stdout }
check(results(keep(tidepool.spawn(function () return ref end))) == ref,
  "a result by reference")
local a, b, c = results(keep(tidepool.spawn(function (...)
  tidepool.sleep(0)
  return select("#", ...), ...
end, ref, nil)))
check(a == 2 and b == ref and c == nil, "arguments of a coroutine")
failure("error", keep(tidepool.spawn(function () error { code = 1 } end)))
failure("error", keep(tidepool.spawn(function ()
  local guard <close> = setmetatable({}, { -- luacheck: ignore
    __close = function () error "of closing" end,
  })
  error(setmetatable({}, { __tostring = function () error "again" end }))
end)))
tidepool.spawn(error, "unread")
local family = keep(tidepool.spawn(function ()
  local guard <close> = setmetatable({}, { -- luacheck: ignore
    __close = function () closed = (closed or 0) + 1 end, -- luacheck: ignore
  })
  local child = keep(tidepool.spawn(tidepool.sleep, 100))
  keep(tidepool.spawn(tidepool.sleep, 0.001)):detach()
  child:await()
end))
tidepool.poll()
family:wait(0.001)
family:cancel "enough"
failure("cancelled", family)
failure("timeout", keep(private.spawn_within(0.001, tidepool.sleep, 100)))
failure("timeout", keep(private.timer(0.001)))
check(private.timer(0.02):cancel(), "a timer that is forgotten")
check(results(keep(tidepool.after(family, function (n) return n end, 3))) == 3,
  "after a future")
check(keep(tidepool.after(private.timer(0.02), print)):cancel(),
  "after a future, called off")
local lent = keep(tidepool.spawn(function ()
  tidepool.sleep(0.001)
  return { 1 }, "two"
end))
check(results(keep(pool:call("test.echo", lent)))[1] == 1,
  "a result that was lent before")
check(results(results(keep(pool:call("test.echo", { lent })))[1])[1] == 1,
  "a result that was lent after")
failure("transfer", keep(pool:call("test.echo", keep(tidepool.spawn(function ()
  tidepool.sleep(0)
  return ref
end)))))
check(results(keep(tidepool.spawn(function ()
  local list = { 3, 1, 2 }
  table.sort(list, function (x, y)
    return pool:call(function (m, n) return m < n end, x, y):await()
  end)
  return coroutine.wrap(function ()
    return pool:call("test.add", list[1], 1):await()
  end)()
end))) == 2, "awaits of a coroutine that cannot yield")
local line = manager { workers = 1, queue = 1 }
check(results(keep(tidepool.spawn(function ()
  local all = 0
  for i = 1, 6 do
    all = all + line:call("test.add", i, 0):await()
  end
  return all
end))) == 21, "calls of a coroutine")
local crowd = {}
for i = 1, 5 do
  crowd[i] = keep(tidepool.spawn(function ()
    return line:call("test.add", i, 0):await()
  end))
end
for i = 1, 5 do
  check(results(crowd[i]) == i, "a call at the door")
end

-- Groups.
local group = tidepool.group()
local first, second = tidepool.spawn(tidepool.sleep, 0), tidepool.promise()
group:add(keep(first), "first"):add(second, ref):add(second)
check(#group == 3, "the length of a group")
local key, which = group:next(60)
check(key == "first" and which == first, "the first of a group")
local nobody, why_not = group:next(0.001)
check(nobody == nil and why_not == "timeout", "the time limit of a group")
local waits = keep(tidepool.spawn(function () return group:next() end))
tidepool.poll()
second:cancel()
check(results(waits) ~= nil, "a group that is shared")
check(group:remove(second), "removing")
check(group:next() == nil, "an empty group")
group:add(private.timer(0.02)):clear()
tidepool.group():add(private.timer(0.02))

-- The same in a worker.
local there = manager { workers = 1, queue = 4 }
check(results(keep(there:call(function ()
  local t = require "tidepool"
  local g, all = t.group(), 0
  t.on_unhandled(function () end)
  for i = 1, 3 do
    g:add(t.spawn(function (n)
      t.sleep(n / 2000)
      return { n }
    end, i))
  end
  g:add(t.after(t.spawn(error, "on purpose"), function () return { 10 } end))
  for _, future in function () return g:next(60) end do
    all = all + future:await()[1]
  end
  local late = t.private.spawn_within(0.001, t.sleep, 100)
  t.spawn(t.sleep, 100):cancel()
  t.spawn(t.sleep, 0.001)
  if late:pawait(60) then
    all = 0
  end
  local list = { 2, 1 }
  table.sort(list, function (x, y)
    return t.spawn(function () return x < y end):await()
  end)
  t.spawn(t.sleep, 0.001)
  return all + list[1]
end))) == 17, "coroutines of a worker")
local lazy = keep(there:call(function ()
  local t = require "tidepool"
  t.spawn(t.sleep, 100):await(50)
end))
lazy:wait(0.001)
lazy:cancel()
for _ = 1, 2 do
  keep(tidepool.spawn(tidepool.sleep, 0.001))
end

-- The default manager, collection, and the end.
check(results(keep(tidepool.call("test.add", 5, 6))) == 11, "the default")
collectgarbage()
tidepool.poll()
if leave then
  for i = 1, 10 do
    keep(pool:call("test.echo", { i }))
  end
  keep(pool:call("tidepool.sleep", 100))
  pool:call("test.fail", "unread at the end")
  local sleeper = keep(tidepool.spawn(tidepool.sleep, 100))
  keep(tidepool.spawn(sleeper.await, sleeper))
  keep(tidepool.after(sleeper, print))
  keep(tidepool.spawn(group.next, group:add(sleeper)))
  tidepool.poll()
  keep(tidepool.spawn(print))
else
  check(small:shutdown { drain = false, timeout = 60 }, "a shutdown")
  check(pool:shutdown { timeout = 60 }, "a shutdown that drains")
  check(not pcall(pool.call, pool, "test.add", 1, 2), "a closed manager")
end
