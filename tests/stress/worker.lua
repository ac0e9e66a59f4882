-- One session of the stress run, in a Lua state of its own: random things to
-- random managers until its time is over. The state is closed after that,
-- with whatever is in flight. Arguments: the number of the thread, a seed,
-- the seconds to go on. The host gives tick(n), which counts calls.

local number, seed, seconds = ...
local tick = tick -- luacheck: ignore

local tidepool = require "tidepool"
local testmod = require "testmod"

math.randomseed(seed)
local random = math.random
local deadline = testmod.now() + seconds

tidepool.on_unhandled(function (err)
  assert(getmetatable(err).__name == "tidepool.Error")
end)

local kinds = {
  error = true, cancelled = true, timeout = true, closed = true,
  broken = true, full = true, transfer = true,
}

-- An Error that may happen to anybody here; anything else ends the run.
local function check_error(err)
  if type(err) ~= "table" or not kinds[err.kind] then
    error("not an Error of a task: " .. tostring(err), 0)
  end
  assert(#tostring(err) > 0)
  return err.kind
end

------------------------------------------------------------------- managers

local mine = {}

local function options(name)
  return {
    workers = tonumber(os.getenv "STRESS_WORKERS") or random(1, 4),
    queue = random(1, 40),
    name = name,
    full = random(1, 4) == 1 and "fail" or "wait",
    spin = tonumber(os.getenv "STRESS_SPIN")
      or (random(1, 3) == 1 and 0 or nil),
  }
end

local function shared()
  local name = "stress-" .. random(1, 3)
  local ok, pool = pcall(tidepool.attach, name)
  if not ok then
    assert(pool:find "manager", pool)
    ok, pool = pcall(tidepool.AsyncManager.new, options(name))
  end
  return ok and pool or tidepool.default()
end

local function any_manager()
  local dice = random(1, 10)
  if dice <= 3 and #mine > 0 then
    return mine[random(1, #mine)]
  elseif dice <= 7 then
    return shared()
  end
  return tidepool.default()
end

local priorities = { "high", "normal", "low" }

local function any_view()
  local pool = any_manager()
  if random(1, 2) == 1 then
    return pool
  end
  return pool:with {
    priority = priorities[random(1, 3)],
    timeout = random(1, 4) == 1 and random() / 100 + 1e-6 or nil,
    full = random(1, 4) == 1 and "fail" or nil,
  }
end

-------------------------------------------------------------------- futures

-- Each entry: future, check (of the results, or nil), cancelled (by us).
local live = {}

local function keep(future, check)
  local entry = { future = future, check = check }
  if #live < 64 then
    live[#live + 1] = entry
  else
    live[random(1, #live)] = entry -- drops another one unread
  end
  return entry
end

local function any_entry()
  return live[random(1, math.max(#live, 1))]
end

local function expect(value)
  return function (got) assert(got == value, "a wrong result") end
end

-- What can be called: answers name, check and arguments.
local samples = {
  function ()
    local a, b = random(-1000, 1000), random(1000)
    return "test.add", expect(a + b), a, b
  end,
  function ()
    local text = ("\0x"):rep(random(0, 2000))
    return "test.echo", expect(text), text
  end,
  function ()
    local t = { id = random(100), list = { 1, 2.5, "three" } }
    t.self = t
    return "test.echo", function (got)
      assert(got.self == got and got.id == t.id and got.list[2] == 2.5)
    end, t
  end,
  function () return "test.count", nil end,
  function () return "test.fail", nil, "on purpose" end,
  function () return "test.code", nil, random(0, 20) end,
  function () return "tidepool.sleep", nil, random() / 200 end,
  function () return "test.spin", nil, random() / 2000 end,
  function () return "test.big", nil, random(0, 200000) end,
  function () return "test.table", nil end,
  function () return "test.userdata", nil, random(0, 5), random(2) == 1 end,
  function () return "test.progress", nil, random(), "a note" end,
  function () return "test.fib", expect(55), 10 end,
  function ()
    return "test.await", nil, "test.echo", random(100), { "x" }
  end,
  function ()
    local entry = any_entry()
    if not entry or entry.cleaned then
      return "test.add", expect(3), 1, 2
    end
    return "test.await_future", nil, entry.future
  end,
}

local functions = dofile(os.getenv "TIDEPOOL" .. "/tests/stress/functions.lua")

local function any_call()
  if random(1, 3) == 1 then
    return functions[random(1, #functions - 1)]()
  end
  return samples[random(1, #samples)]()
end

-- Reads a future that was just waited for; `ok` and what came with it.
local function examine(entry, ok, ...)
  if ok then
    assert(not entry.cancelled, "completed and cancelled")
    if entry.check then
      entry.check(...)
    end
    assert(entry.future:state() == "completed")
    return
  end
  local kind = check_error((...))
  if entry.cancelled then
    assert(kind == "cancelled", "cancelled, and then something else")
  end
end

-------------------------------------------------------------------- actions

local function submit(method, view, name, check, ...)
  local ok, future, why = pcall(view[method], view, name, ...)
  if not ok then
    local kind = check_error(future)
    assert(kind == "closed" or kind == "full")
  elseif future then
    tick(1)
    keep(future, check)
  else
    assert(why == "full")
  end
end

local actions = {
  function () submit("call", any_view(), any_call()) end,
  function () submit("call", any_view(), any_call()) end,
  function () submit("call", any_view(), any_call()) end,
  function () submit("try_call", any_view(), any_call()) end,
  function () -- what never ends, but for its time
    submit("call", any_manager():with { timeout = random() / 50 + 1e-6 },
      functions[#functions]())
  end,
  function () -- one that follows another
    local entry = any_entry()
    if entry and not entry.cleaned then
      submit("call", any_view(), "test.echo", nil, random(9), entry.future)
    end
  end,
  function () -- a batch
    local batch = {}
    for i = 1, random(0, 30) do
      batch[i] = { i, number }
    end
    local pool = any_view()
    local ok, futures = pcall(pool.call_many, pool, "test.add", batch)
    if not ok then
      check_error(futures)
      return
    end
    tick(#futures)
    for i, future in ipairs(futures) do
      keep(future, expect(i + number))
    end
  end,
  function () -- cancel
    local entry = any_entry()
    if entry and not entry.cleaned then
      local won = entry.future:cancel(random(2) == 1 and "stress" or nil)
      assert(not (won and entry.cancelled), "cancelled twice")
      entry.cancelled = entry.cancelled or won
    end
  end,
  function () -- await for long
    local entry = any_entry()
    if entry and not entry.cleaned then
      assert(entry.future:wait(60), "never settled")
      examine(entry, entry.future:pawait())
      examine(entry, pcall(entry.future.get, entry.future))
    end
  end,
  function () -- await for a moment, in a coroutine at times
    local entry = any_entry()
    if not entry or entry.cleaned then
      return
    end
    local function look()
      local ready = entry.future:wait(random() / 1000)
      if ready then
        examine(entry, entry.future:pawait())
      end
    end
    if random(2) == 1 then
      look = coroutine.wrap(look)
    end
    look()
  end,
  function () -- clean up
    local entry = any_entry()
    if entry then
      entry.future:cleanup()
      entry.cleaned = true
    end
  end,
  function () -- drop
    if #live > 0 then
      table.remove(live, random(1, #live))
    end
  end,
  function () collectgarbage "step" end,
  function () tidepool.poll(random(3) == 1 and random() / 1000 or nil) end,
  function () tidepool.fd() end,
  function () any_manager():wait_all(random() / 500) end,
  function () -- look at numbers
    local entry, stats = any_entry(), any_manager():stats()
    assert(stats.completed + stats.failed + stats.cancelled
      <= stats.submitted)
    if entry and not entry.cleaned then
      tostring(entry.future)
      entry.future:progress()
      entry.future:is_ready()
    end
  end,
  function () -- a promise, settled by another thread
    local future, promise = testmod.promise()
    local entry = keep(future, expect "kept")
    local way = random(1, 4)
    if way == 1 then
      testmod.resolve(promise, random() / 500, "kept")
    elseif way == 2 then
      testmod.reject(promise, "on purpose", random() / 500)
    elseif way == 3 then
      testmod.drop(promise)
    else
      assert(testmod.promise_race(promise, random(1, 4), future) == 1)
      entry.check = nil
    end
  end,
  function () -- a manager of one's own
    if #mine < 3 and random(1, 4) == 1 then
      mine[#mine + 1] = tidepool.AsyncManager.new(options())
    end
  end,
  function () -- one less, shut down or only dropped
    if #mine == 0 or random(1, 6) > 1 then
      return
    end
    local pool = table.remove(mine, random(1, #mine))
    if random(2) == 1 then
      assert(pool:shutdown { drain = random(2) == 1 })
      local stats = pool:stats()
      assert(stats.submitted
        == stats.completed + stats.failed + stats.cancelled,
        "the numbers do not add up")
      assert(stats.running == 0 and stats.queued.total == 0)
    end
  end,
  function () -- now and then, what everybody uses is shut down
    if random(1, 200) == 1 then
      local name = "stress-" .. random(1, 3)
      local ok, pool = pcall(tidepool.attach, name)
      if ok then
        pool:shutdown { drain = random(2) == 1, timeout = random() / 50 }
      end
    end
  end,
}

repeat
  for _ = 1, 20 do
    actions[random(1, #actions)]()
  end
until testmod.now() >= deadline

-------------------------------------------------------------------- the end

local way = random(1, 4)
if way == 1 then -- wait for all
  for _, entry in ipairs(live) do
    if not entry.cleaned then
      assert(entry.future:wait(60), "never settled")
      examine(entry, entry.future:pawait())
    end
  end
elseif way == 2 then
  for _, pool in ipairs(mine) do
    assert(pool:shutdown { drain = false })
  end
  for _, entry in ipairs(live) do
    if not entry.cleaned then
      entry.future:cancel()
    end
  end
elseif way == 3 then
  live, mine = nil, nil
  collectgarbage()
end
-- Else the state is closed as it is.
