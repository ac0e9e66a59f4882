-- Lua tasks that are cancelled, out of time, or left behind stop: wherever
-- they loop or wait, with their clean-up done, and the worker goes on.

local session = require "spec.support.session"
local paths = require "spec.support.paths"
local process = require "spec.support.process"
local testmod = require "testmod"
local tidepool = require "tidepool"

local expect = assert

local limit = session.limit

-- Runs `f` in a task with a <close> variable around it. The task opens the
-- gate `began` when it begins. Cleaning up opens `closed`, and `expected` if
-- that is for an Error of the kind.
local function guarded(gates, f, ...)
  local testmod = require "testmod" -- luacheck: ignore
  local _ <close> = setmetatable({}, { __close = function (_, err)
    if type(err) == "table" and err.kind == gates.kind then
      testmod.open(gates.expected)
    end
    testmod.open(gates.closed)
  end })
  testmod.open(gates.began)
  return f(...)
end

-- Gates for that, and futures that complete once they are open.
local function watch(kind)
  local gates, opened = { kind = kind }, {}
  for _, name in ipairs { "began", "closed", "expected" } do
    gates[name] = session.gate()
    opened[name] = session.pool():call("test.gate", gates[name])
  end
  return gates, opened
end

local function idle(pool)
  session.eventually(function () return pool:stats().stopping == 0 end,
    "nothing is stopping")
end

-- Begins f on a pool, stops it by `how`, and expects its clean-up and the
-- next task of the pool. Answers a future that completes if the clean-up was
-- told the reason.
local function stops(how, f, ...)
  local pool = session.pool { workers = 1 }
  local kind = how == "cancel" and "cancelled" or "timeout"
  local gates, opened = watch(kind)
  local view = how == "deadline" and pool:with { timeout = 0.1 } or pool
  local future = view:call(guarded, gates, f, ...)
  opened.began:await(limit)
  if how == "cancel" then
    expect.is_true(future:cancel "enough")
  end
  expect.are.equal(kind, session.failure(future).kind)
  opened.closed:await(limit)
  expect.are.equal(2, pool:call(function () return 2 end):await(limit))
  idle(pool)
  return opened.expected
end

local loops = {
  ["while true do end"] = function ()
    while true do end
  end,
  ["a goto"] = function ()
    ::again::
    goto again
  end,
  ["a numeric for"] = function ()
    for _ = 1, math.maxinteger do end
  end,
  ["an endless iterator"] = function ()
    for _ in function () return 1 end do end
  end,
  ["tail calls"] = function ()
    local function f() return f() end
    f()
  end,
  ["repeat until false in a nested coroutine"] = function ()
    coroutine.wrap(function ()
      coroutine.wrap(function ()
        repeat until false
      end)()
    end)()
  end,
  ["a coroutine that yields for ever"] = function ()
    local co = coroutine.wrap(function ()
      while true do coroutine.yield() end
    end)
    while true do co() end
  end,
  ["string.rep and gsub"] = function ()
    while true do
      local s = ("x"):rep(1000)
      s = s:gsub("x", "y") -- luacheck: ignore
    end
  end,
  ["a loop in a gsub callback"] = function ()
    local _ = ("x"):gsub("x", function () while true do end end)
  end,
  ["a loop in a comparator"] = function ()
    table.sort({ 3, 2, 1 }, function () while true do end end)
  end,
  ["a loop in a metamethod"] = function ()
    local _ = setmetatable({}, {
      __index = function () while true do end end,
    }).x
  end,
  ["a loop in __tostring"] = function ()
    tostring(setmetatable({}, {
      __tostring = function () while true do end end,
    }))
  end,
  ["a loop in a coroutine below a gsub callback"] = function ()
    local _ = ("x"):gsub("x", function ()
      coroutine.wrap(function () while true do end end)()
    end)
  end,
  ["a C function that is called again and again"] = function ()
    while true do
      require "tidepool".invoke("test.add", 1, 2)
    end
  end,
  ["a hook that is taken away again and again"] = function ()
    while true do debug.sethook() end
  end,
  ["awaiting what has settled"] = function ()
    local done = require "tidepool".current():call("test.add", 1, 2)
    while true do done:await() end
  end,
  ["awaiting one after the other"] = function ()
    local pool = require "tidepool".current()
    while true do pool:call("test.add", 1, 2):await() end
  end,
  ["making garbage"] = function ()
    local t
    while true do t = { t and #t } end
  end,
}

-- Those that go on after the first error.
local stubborn = {
  ["coroutines made for ever"] = function ()
    while true do
      coroutine.resume(coroutine.create(function () end))
    end
  end,
  ["a pcall in a loop"] = function ()
    while true do
      pcall(function () while true do end end)
    end
  end,
  ["an xpcall in a loop"] = function ()
    while true do
      xpcall(function () while true do end end, function (e) return e end)
    end
  end,
  ["pcalls in pcalls"] = function ()
    local function f(n)
      while true do
        pcall(n > 0 and f or function () while true do end end, n - 1)
      end
    end
    f(20)
  end,
  ["a pcall in a coroutine"] = function ()
    local function f()
      while true do
        pcall(function () while true do end end)
      end
    end
    while true do
      pcall(coroutine.wrap(function () coroutine.wrap(f)() end))
    end
  end,
  ["coroutines closed for ever"] = function ()
    while true do
      pcall(function () coroutine.close(coroutine.create(print)) end)
    end
  end,
  ["coroutines that fail for ever"] = function ()
    while true do
      pcall(coroutine.wrap(error))
    end
  end,
  ["a __close that closes coroutines for ever"] = function ()
    local function loop()
      while true do
        pcall(function () coroutine.close(coroutine.create(print)) end)
        pcall(coroutine.wrap(error))
      end
    end
    local _ <close> = setmetatable({}, { __close = loop })
    loop()
  end,
  ["a resume in a loop"] = function ()
    while true do
      coroutine.resume(coroutine.create(function ()
        while true do end
      end))
    end
  end,
  ["a pcall below a gsub callback"] = function ()
    while true do
      pcall(string.gsub, "x", "x", function ()
        while true do
          pcall(function () while true do end end)
        end
      end)
    end
  end,
  ["a pcall around awaits"] = function ()
    local tidepool = require "tidepool" -- luacheck: ignore
    local never, promise = tidepool.promise()
    local _ <close> = setmetatable({}, {
      __close = function () promise:resolve() end,
    })
    while true do
      pcall(never.await, never, 0)
      never:pawait(0)
      pcall(never.wait, never, 0)
    end
  end,
  ["a pcall around calls"] = function ()
    local tidepool = require "tidepool" -- luacheck: ignore
    while true do
      pcall(function () tidepool.current():call("test.add", 1, 2):await() end)
    end
  end,
  ["a __close that loops"] = function ()
    local _ <close> = setmetatable({}, {
      __close = function () while true do end end,
    })
    while true do end
  end,
  ["__close handlers that loop, each with pcall"] = function ()
    local function close()
      while true do
        pcall(function () while true do end end)
      end
    end
    local meta = { __close = close }
    local _ <close> = setmetatable({}, meta)
    local _ <close> = setmetatable({}, meta)
    while true do
      pcall(close)
    end
  end,
}

-- ThreadSanitizer sees no longjmp of a Lua library that was built with
-- fortified ones: it takes the functions that it leaves for still active, and
-- tens of thousands of them are too many.
if session.check == "thread" then
  loops["a coroutine that yields for ever"] = nil
  stubborn["coroutines that fail for ever"] = nil
  stubborn["a __close that closes coroutines for ever"] = nil
end

describe("a task that loops", function ()
  after_each(session.finish)

  for name, f in pairs(loops) do
    it("is stopped by cancel: " .. name, function ()
      stops("cancel", f):await(limit)
    end)

    it("is stopped by its deadline: " .. name, function ()
      stops("deadline", f):await(limit)
    end)
  end

  for name, f in pairs(stubborn) do
    it("is stopped by cancel though it resists: " .. name, function ()
      stops("cancel", f)
    end)

    it("is stopped by its deadline though it resists: " .. name, function ()
      stops("deadline", f)
    end)
  end

  it("is stopped in every worker at once", function ()
    local pool, futures = session.pool { workers = 4 }, {}
    for i = 1, 4 do
      futures[i] = pool:call(loops["while true do end"])
    end
    session.eventually(function () return pool:stats().running == 4 end)
    for _, future in ipairs(futures) do
      future:cancel()
    end
    for i = 1, 8 do
      expect.are.equal(i, pool:call(function (n) return n end, i):await(limit))
    end
    idle(pool)
  end)

  it("is stopped again and again", function ()
    local pool = session.pool { workers = 1 }
    for i = 1, session.count(1000, 50) do
      local future = pool:call(function (n)
        while n % 2 == 0 do end
        local function spin() while true do end end
        coroutine.wrap(spin)()
      end, i)
      if i % 3 > 0 then
        session.eventually(function ()
          return future:state() == "running"
        end)
      end
      future:cancel()
    end
    expect.are.equal(3, pool:call(function () return 3 end):await(limit))
    idle(pool)
  end)

  it("may clean up for a while after the first error", function ()
    local pool = session.pool { workers = 1 }
    local gates, opened = watch()
    local future = pool:call(guarded, gates, function (inside)
      local ok, err = pcall(function ()
        require "testmod".open(inside)
        while true do end
      end)
      local sum = 0
      for i = 1, 10000 do
        sum = sum + i
      end
      _G.caught = { ok, err.kind, err.message, sum }
      return "dropped"
    end, gates.expected)
    opened.expected:await(limit)
    future:cancel "the reason"
    local caught = pool:call(function ()
      return _G.caught
    end):await(limit)
    expect.are.same({ false, "cancelled", "the reason", 50005000 }, caught)
    expect.are.equal("cancelled", future:state())
  end)

  it("sees that it is cancelled, and the next one is not", function ()
    local pool = session.pool { workers = 1 }
    local gates, opened = watch()
    local future = pool:call(guarded, gates, function (inside)
      local tidepool = require "tidepool" -- luacheck: ignore
      local before = tidepool.task().cancelled
      pcall(function ()
        require "testmod".open(inside)
        while true do end
      end)
      _G.seen = { before, tidepool.task().cancelled }
    end, gates.expected)
    opened.expected:await(limit)
    future:cancel()
    local seen, now = pool:call(function ()
      return _G.seen, require "tidepool".task().cancelled
    end):await(limit)
    expect.are.same({ false, true }, seen)
    expect.is_false(now)
  end)

  it("ends the __close that it is in for another reason", function ()
    local pool = session.pool { workers = 1 }
    for _ = 1, session.count(200, 20) do
      local begun, begin = tidepool.promise()
      local ended, finish = tidepool.promise()
      local future = pool:call(function (first, last)
        do
          local _ <close> = setmetatable({}, { __close = function ()
            local task = require "tidepool".task()
            first:resolve()
            repeat until task.cancelled
            for _ = 1, 10000 do end -- more than enough to be interrupted in
            last:resolve "whole"
          end })
        end
        while true do end
      end, begin, finish)
      begun:await(limit)
      future:cancel()
      expect.are.equal("whole", ended:await(limit))
    end
    idle(pool)
  end)

  it("does not stay in a __close for ever", function ()
    local pool = session.pool { workers = 1 }
    local begun, begin = tidepool.promise()
    local future = pool:call(function (first)
      do
        local _ <close> = setmetatable({}, { __close = function ()
          first:resolve()
          while true do end
        end })
      end
    end, begin)
    begun:await(limit)
    future:cancel()
    expect.are.equal(2, pool:call(function () return 2 end):await(limit))
    idle(pool)
  end)

  it("is stopped with what spawned what spawned it", function ()
    local pool = session.pool { workers = 1 }
    for _ = 1, session.count(500, 50) do
      local future = pool:call(function ()
        local spawn = require "tidepool".spawn
        return spawn(function ()
          spawn(function () while true do end end)
          return spawn(function () while true do end end):await()
        end):await()
      end)
      future:wait(math.random() / 500)
      future:cancel()
    end
    expect.are.equal(2, pool:call(function () return 2 end):await(limit))
    idle(pool)
  end)

  it("is stopped in the words of an error", function ()
    local pool = session.pool { workers = 1 }
    local err = session.failure(pool:with { timeout = 0.05 }:call(function ()
      error(setmetatable({}, { __tostring = function ()
        while true do end
      end }))
    end))
    expect.are.equal("timeout", err.kind)
    expect.are.equal(2, pool:call(function () return 2 end):await(limit))
    idle(pool)
  end)

  it("does without the words of an error that raise", function ()
    local pool = session.pool { workers = 1 }
    local err = session.failure(pool:call(function ()
      error(setmetatable({ code = 7 }, { __tostring = function ()
        error "no words"
      end }))
    end))
    expect.are.equal("error", err.kind)
    expect.are.equal(7, err.value.code)
    expect.is_truthy(err.message:find("__tostring raises", 1, true))
    idle(pool)
  end)

  it("leaves no hook behind for the tasks after it", function ()
    local pool = session.pool { workers = 1 }
    for name, f in pairs(loops) do
      local future = pool:call(f)
      session.eventually(function ()
        return future:state() == "running"
          or future:state() == "suspended"
      end, name)
      future:cancel()
      expect.is_nil((pool:call(function ()
        return (debug.gethook())
      end):await(limit)))
    end
  end)

  it("is stopped while another one waits in the same worker", function ()
    local pool = session.pool { workers = 1 }
    local promised, number = testmod.promise()
    local waits = pool:call(function (box) return box[1]:await() end,
      { promised })
    session.eventually(function () return pool:stats().suspended == 1 end)
    local future = pool:call(stubborn["a pcall in a loop"])
    session.eventually(function () return future:state() == "running" end)
    future:cancel()
    testmod.resolve(number, nil, "unharmed")
    expect.are.equal("unharmed", waits:await(limit))
  end)
end)

describe("a suspended task that is cancelled", function ()
  after_each(session.finish)

  local ways = {
    ["await"] = function (box) box[1]:await() end,
    ["await with a timeout"] = function (box) box[1]:await(1000) end,
    ["wait"] = function (box) box[1]:wait() end,
    ["pawait"] = function (box) error((select(2, box[1]:pawait())), 0) end,
    ["await in nested coroutines"] = function (box)
      coroutine.wrap(function ()
        coroutine.wrap(function () box[1]:await() end)()
      end)()
    end,
    ["await in a gsub callback"] = function (box)
      local _ = ("x"):gsub("x", function () box[1]:await() end)
    end,
    ["await below cqueues"] = function (box)
      local loop, why = require "cqueues".new(), nil
      loop:wrap(function ()
        local ok, err = pcall(box[1].await, box[1])
        why = not ok and err
      end)
      loop:loop()
      error(why, 0)
    end,
    ["awaiting another Lua task"] = function (box)
      require "tidepool".current():call(function (inner)
        return inner[1]:await()
      end, box):await()
    end,
    ["await again and again"] = function (box)
      while true do
        pcall(box[1].await, box[1])
      end
    end,
  }

  for name, f in pairs(ways) do
    for _, how in ipairs { "cancel", "deadline" } do
      it(("cleans up, by %s: %s"):format(how, name), function ()
        local promised, number = testmod.promise()
        local reason = stops(how, f, { promised })
        if name ~= "await again and again" then
          reason:await(limit)
        end
        testmod.resolve(number)
      end)
    end
  end

  for _, how in ipairs { "cancel", "deadline" } do
    it("cleans up at the door of a full pool, by " .. how, function ()
      local other = session.pool { workers = 1, queue = 1 }
      session.block(other, 1)
      local queued = other:call("test.add", 1, 2)
      stops(how, function (there)
        there:call("test.add", 1, 2)
      end, other):await(limit)
      expect.are.equal(2, other:stats().submitted)
      expect.are.equal("pending", queued:state())
    end)
  end

  for _, how in ipairs { "cancel", "deadline" } do
    it("cleans up at a door where it cannot yield, by " .. how, function ()
      local other = session.pool { workers = 1, queue = 1 }
      session.block(other, 1)
      local queued = other:call("test.add", 1, 2)
      stops(how, function (there)
        return (("x"):gsub("x", function () there:call("test.add", 1, 2) end))
      end, other):await(limit)
      expect.are.equal(2, other:stats().submitted)
      expect.are.equal("pending", queued:state())
    end)

    -- It was left in the queue, for the worker that was to tell of it was busy.
    it("takes back what of a batch has come in meanwhile, by " .. how,
      function ()
        local here = session.pool { workers = 1 }
        local there = session.pool { workers = 1, queue = 1 }
        local gates = { session.gate(), session.gate(), session.gate() }
        local first = there:call("test.gate", gates[1])
        session.entered(gates[1], 1)
        local second = there:call("test.gate", gates[2])
        local view = how == "deadline" and here:with { timeout = 0.1 } or here
        local future = view:call(function (pool)
          return pool:call_many("test.count", { {}, {}, {} })
        end, there)
        session.eventually(function ()
          return future:state() ~= "pending" and future:state() ~= "running"
        end)
        local busy = here:call("test.gate", gates[3])
        session.entered(gates[3], 1)
        testmod.runs(true)
        testmod.open(gates[1])
        first:await(limit)
        session.entered(gates[2], 1)
        if how == "cancel" then
          future:cancel()
        end
        expect.is_true(future:wait(limit))
        testmod.open(gates[3])
        busy:await(limit)
        idle(here)
        testmod.open(gates[2])
        second:await(limit)
        expect.is_true(there:wait_all(limit))
        expect.are.equal(0, testmod.runs())
      end)

    for where, f in pairs {
      ["yields"] = function (there)
        there:call_many("test.add", { { 1, 1 }, { 2, 2 }, { 3, 3 } })
      end,
      ["cannot yield"] = function (there)
        return (("x"):gsub("x", function ()
          there:call_many("test.add", { { 1, 1 }, { 2, 2 }, { 3, 3 } })
        end))
      end,
    } do
      it(("breaks off a batch where it %s, by %s"):format(where, how),
        function ()
          local other = session.pool { workers = 1, queue = 1 }
          session.block(other, 1)
          stops(how, f, other):await(limit)
          expect.are.equal(other:stats().submitted - 1,
            other:stats().cancelled)
        end)
    end
  end

  it("closes the variables of its coroutines as well", function ()
    local pool = session.pool { workers = 1 }
    local promised, number = testmod.promise()
    local future = pool:call(function (box)
      _G.log = {}
      local function guard(name)
        return setmetatable({}, { __close = function ()
          _G.log[#_G.log + 1] = name
        end })
      end
      local _ <close> = guard "outer"
      coroutine.wrap(function ()
        local _ <close> = guard "inner"
        box[1]:await()
      end)()
    end, { promised })
    session.eventually(function () return pool:stats().suspended == 1 end)
    future:cancel()
    expect.are.same({ "inner", "outer" }, (pool:call(function ()
      return _G.log
    end):await(limit)))
    testmod.resolve(number)
  end)

  it("does so among a thousand", function ()
    local pool, futures = session.pool { workers = 1 }, {}
    local promised, number = testmod.promise()
    pool:call(function () _G.closed = 0 end):await(limit)
    for i = 1, 1000 do
      futures[i] = pool:call(function (box)
        local _ <close> = setmetatable({}, { __close = function ()
          _G.closed = _G.closed + 1
        end })
        return box[1]:await()
      end, { promised })
    end
    session.eventually(function () return pool:stats().suspended == 1000 end)
    for i = 1, 1000, 2 do
      futures[i]:cancel()
    end
    testmod.resolve(number, nil, "rest")
    for i = 2, 1000, 2 do
      expect.are.equal("rest", futures[i]:await(limit))
    end
    session.eventually(function ()
      return pool:call(function ()
        return _G.closed
      end):await(limit) == 1000
    end)
    idle(pool)
    expect.are.equal(500, pool:stats().cancelled)
  end)
end)

describe("what cannot stop", function ()
  after_each(session.finish)

  -- Each stands at the gate until it is opened, whatever happens.
  local ways = {
    ["a C call"] = function (name)
      require "tidepool".invoke("test.gate", name)
    end,
    ["a finalizer"] = function (name)
      local invoke = require "tidepool".invoke
      setmetatable({}, { __gc = function () invoke("test.gate", name) end })
      collectgarbage()
    end,
    ["a message handler"] = function (name)
      local invoke = require "tidepool".invoke
      xpcall(error, function () invoke("test.gate", name) end)
    end,
  }

  for name, f in pairs(ways) do
    it("shows as stopping: " .. name, function ()
      local pool, held = session.pool { workers = 1 }, session.gate()
      local future = pool:call(f, held)
      session.entered(held, 1)
      expect.are.equal(0, pool:stats().stopping)
      future:cancel()
      expect.are.equal("cancelled", session.failure(future).kind)
      expect.are.equal(1, pool:stats().stopping)
      expect.are.equal(0, pool:stats().running)
      local next_one = pool:call(function () return "next" end)
      expect.is_false(next_one:wait(0.02))
      testmod.open(held)
      expect.are.equal("next", next_one:await(limit))
      idle(pool)
    end)
  end
end)

describe("shutdown with Lua tasks", function ()
  after_each(session.finish)

  local function crowd(pool)
    local promised, number = testmod.promise()
    local futures, closings = {}, {}
    local function add(f, ...)
      local gates, opened = watch()
      futures[#futures + 1] = pool:call(guarded, gates, f, ...)
      closings[#closings + 1] = opened.closed
      opened.began:await(limit)
    end
    for i = 1, 5 do
      add(function (box) return box[1]:await() end, { promised })
      session.eventually(function () return pool:stats().suspended == i end)
    end
    add(loops["while true do end"])
    add(stubborn["a pcall in a loop"])
    return futures, closings, number
  end

  it("without draining stops running and suspended ones", function ()
    local pool = session.pool { workers = 2 }
    local futures, closings, number = crowd(pool)
    local queued = pool:call(function () return 1 end)
    expect.is_true(pool:shutdown { drain = false })
    for _, future in ipairs(futures) do
      expect.are.equal("cancelled", future:state())
      expect.are.equal("cancelled", session.failure(future).kind)
    end
    for _, over in ipairs(closings) do
      over:await(limit)
    end
    expect.are.equal("cancelled", queued:state())
    testmod.resolve(number)
  end)

  it("with a timeout cancels what is left", function ()
    local pool = session.pool { workers = 2 }
    local futures, closings, number = crowd(pool)
    pool:shutdown { timeout = 0.02 }
    session.settle(futures)
    for _, over in ipairs(closings) do
      over:await(limit)
    end
    expect.is_true(pool:shutdown { timeout = limit })
    testmod.resolve(number)
  end)

  it("that drains lets suspended tasks go on", function ()
    local pool = session.pool { workers = 1 }
    local promised, number = testmod.promise()
    local futures = {}
    for i = 1, 20 do
      futures[i] = pool:call(function (box) return box[1]:await() end,
        { promised })
    end
    session.eventually(function () return pool:stats().suspended == 20 end)
    testmod.resolve(number, 0.05, "drained")
    expect.is_true(pool:shutdown())
    for _, future in ipairs(futures) do
      expect.are.equal("drained", future:get())
    end
    expect.is_true(testmod.answer(number))
  end)

  it("by an error through <close> stops them too", function ()
    local gates, opened = watch()
    local ok, why = pcall(function ()
      local pool <close> = tidepool.AsyncManager.new { workers = 1 }
      pool:call(guarded, gates, stubborn["a pcall in a loop"])
      opened.began:await(limit)
      error("of the program", 0)
    end)
    expect.is_false(ok)
    expect.are.equal("of the program", why)
    opened.closed:await(limit)
  end)

  it("may be left to the collector", function ()
    local promised, number = testmod.promise()
    local future
    do
      local pool = tidepool.AsyncManager.new { workers = 1 }
      future = pool:call(function (box) return box[1]:await() end,
        { promised })
      session.eventually(function () return pool:stats().suspended == 1 end)
    end
    collectgarbage()
    collectgarbage()
    testmod.resolve(number, nil, "after the manager")
    expect.are.equal("after the manager", future:await(limit))
  end)
end)

describe("the end of a program with Lua tasks", function ()
  local function ended(code, result)
    expect.are.equal(code, result.code,
      ("code %s, signal %s, said: %s%s"):format(result.code, result.signal,
        result.out, result.err))
    expect.is_nil(result.err:find "Sanitizer", result.err)
    return result
  end

  local codes = { none = 0, exit = 7, close = 7, error = 1, shutdown = 0 }
  local ways = { "none", "exit", "close", "error", "shutdown" }

  for _, what in ipairs { "looping", "stubborn", "suspended", "all" } do
    for _, way in ipairs(ways) do
      it(("works, tasks: %s, way: %s"):format(what, way), function ()
        local result = ended(codes[way],
          process.script("lua_tasks.lua", what, way))
        local closes = what == "all" and 3 or 2
        local _, count = result.out:gsub("closed\n", "")
        if way ~= "exit" then -- it leaves the Lua states open
          expect.are.equal(closes, count, result.out)
        end
        expect.is_truthy(result.out:find("leaving\n", 1, true))
      end)
    end
  end

  it("keeps and calls a SIGURG handler that was there before", function ()
    local result = ended(0, process.shell(
      ("exec %s/tests/exit/host_urg before"):format(paths.build)))
    expect.are.equal("before\n", result.out)
  end)

  it("works below a SIGURG handler that chains", function ()
    if session.check == "thread" then
      pending "ThreadSanitizer delays the handlers of the program itself"
      return
    end
    local result = ended(0, process.shell(
      ("exec %s/tests/exit/host_urg after"):format(paths.build)))
    expect.are.equal("after\n", result.out)
  end)
end)
