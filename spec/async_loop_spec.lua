-- Awaiting in the coroutines of luv, copas and cqueues, by their adapters.

local session = require "spec.support.session"
local process = require "spec.support.process"
local loops = require "spec.support.loops"
local testmod = require "testmod"
local tidepool = require "tidepool"

-- What was attached by loading spec.support.loops shall not reach the specs
-- of other files.
for _, loop in ipairs(loops) do
  if loop.adapter then
    loop.module.detach()
  end
end

-- A number that a gate holds back, and what opens it.
local function held(value)
  local pool = session.pool()
  local gate = session.block(pool)
  return pool:call("test.add", value, 0), function () testmod.open(gate) end
end

-- Is what `make` answered collected by now?
local function collected(weak)
  collectgarbage()
  collectgarbage()
  return next(weak) == nil
end

local function weakly(value)
  return setmetatable({ value }, { __mode = "v" })
end

for _, loop in ipairs(loops) do
  describe("awaiting inside of " .. loop.name, function ()
    if loop.missing then
      it("yields to that loop", function () pending(loop.missing) end)
      return
    end

    setup(function () tidepool.use_loop(loop.adapter) end)
    teardown(function () loop.module.detach() end)
    after_each(session.finish)

    -- The task of the pool waits for what only this loop brings about.
    for name, wait in pairs {
      wait_all = function (pool) return pool:wait_all() end,
      shutdown = function (pool) return pool:shutdown() end,
      ["<close>"] = function (pool)
        local _ <close> = pool
        return true
      end,
    } do
      it("yields to that loop where all of a pool is waited for: " .. name,
        function ()
          local pool = session.pool()
          local answer, promise = tidepool.promise()
          local future = pool:call(function (list) return list[1]:await() end,
            { answer })
          local done
          loop.run(function ()
            done = wait(pool) and future:is_ready()
          end, function ()
            for _ = 1, 3 do loop.turn() end
            promise:resolve()
          end)
          assert.is_true(done)
        end)
    end

    it("lets others go on also if there is nothing to wait for", function ()
      local ready, ended = tidepool.spawn(function () end), false
      ready:await()
      loop.run(function ()
        repeat ready:await() until ended
      end, function ()
        loop.turn()
        ended = true
      end)
      assert.is_true(ended)
    end)

    it("yields to that loop, which goes on meanwhile", function ()
      local future, open = held(42)
      local log = {}
      loop.run(function ()
        log[#log + 1] = "awaits"
        local value = future:await(session.limit)
        log[#log + 1] = value
      end, function ()
        for _ = 1, 20 do
          loop.turn()
        end
        log[#log + 1] = "other"
        open() -- which an await that blocks would never let happen
      end)
      assert.are.same({ "awaits", "other", 42 }, log)
    end)

    it("lets the loop's own timers run", function ()
      local future, open = held(1)
      loop.run(function ()
        assert(future:await(session.limit) == 1)
      end, function ()
        loop.sleep(0.01)
        loop.sleep(0.01)
        open()
      end)
    end)

    it("answers all results, and again", function ()
      local pool = session.pool()
      loop.run(function ()
        local future = pool:call(select, 2, 0, 1, nil, "x")
        local function same(...)
          assert.are.same({ 1, nil, "x", n = 3 }, table.pack(...))
        end
        same(future:await())
        same(future:await())
        same(select(2, future:pawait()))
        assert.is_true(future:wait())
      end)
    end)

    it("raises the Error of a failure", function ()
      local pool = session.pool()
      loop.run(function ()
        local future = pool:call("test.fail", "no tide")
        local ok, err = pcall(future.await, future)
        assert.is_false(ok)
        assert.is_truthy(err.message:find("no tide", 1, true))
        assert.are.equal("error", err.kind)
      end)
    end)

    -- Both go on until the loop has turned, which it would never do if they
    -- held it up.
    it("gives up after its time, in which the loop turns", function ()
      local future, open = held(1)
      local deadline, turns = session.now() + session.limit, 0
      loop.run(function ()
        repeat
          local ok, err = future:pawait(0.001)
          assert.is_false(ok)
          assert.are.equal("timeout", err.kind)
          assert.is_false(future:wait(0.001))
        until turns >= 5 or session.now() > deadline
        assert.is_true(turns >= 5)
        open()
        assert.are.equal(1, future:await(session.limit))
      end, function ()
        for _ = 1, 10 do
          loop.turn()
          turns = turns + 1
        end
      end)
    end)

    it("sleeps without holding up the loop", function ()
      local deadline, turns, awake = session.now() + session.limit, 0, false
      loop.run(function ()
        repeat
          local start = session.now()
          tidepool.sleep(0.002)
          assert.is_true(session.now() - start >= 0.002)
        until turns >= 5 or session.now() > deadline
        assert.is_true(turns >= 5)
        awake = true
      end, function ()
        repeat
          loop.turn()
          turns = turns + 1
        until awake
      end)
    end)

    it("waits at the door of a full pool", function ()
      local pool = session.pool { workers = 1, queue = 1 }
      local gate = session.block(pool)
      local called
      loop.run(function ()
        local first = pool:call("test.add", 1, 2)
        local second = pool:call("test.add", 3, 4)
        called = true
        assert.are.equal(3, first:await(session.limit))
        assert.are.equal(7, second:await(session.limit))
      end, function ()
        for _ = 1, 10 do
          loop.turn()
        end
        assert.is_nil(called)
        testmod.open(gate)
      end)
    end)

    it("hears of a promise that the loop itself resolves", function ()
      local future, promise = tidepool.promise()
      loop.run(function ()
        assert.are.equal("tide", future:await(session.limit))
      end, function ()
        loop.turn()
        promise:resolve "tide"
      end)
    end)

    it("hears of a cancel", function ()
      local future = held(1)
      loop.run(function ()
        local ok, err = future:pawait(session.limit)
        assert.is_false(ok)
        assert.are.equal("cancelled", err.kind)
      end, function ()
        loop.turn()
        future:cancel()
      end)
    end)

    it("serves many coroutines with futures of their own", function ()
      local pool, jobs, sum = session.pool { workers = 4, queue = 100 }, {}, 0
      for i = 1, 20 do
        jobs[i] = function ()
          for k = 1, 20 do
            local value = pool:call("test.add", i, k):await(session.limit)
            sum = sum + value
          end
        end
      end
      loop.run(table.unpack(jobs))
      assert.are.equal(20 * 210 + 20 * 210, sum)
    end)

    it("lets several coroutines wait for one future", function ()
      local future, open = held(7)
      local sum, jobs = 0, {}
      for i = 1, 10 do
        jobs[i] = function ()
          local value = future:await(session.limit)
          sum = sum + value
        end
      end
      jobs[11] = open
      loop.run(table.unpack(jobs))
      assert.are.equal(70, sum)
    end)

    it("works across pcall, metamethods and iterators", function ()
      local pool = session.pool()
      local adder = setmetatable({}, { __add = function (_, n)
        return pool:call("test.add", n, 1):await(session.limit)
      end })
      loop.run(function ()
        assert.are.equal(6, adder + 5)
        assert.is_true(pcall(function () return adder + 5 end))
        local list = {}
        local function upwards(_, n)
          return n < 4 and adder + n or nil
        end
        for n in upwards, nil, 0 do
          list[#list + 1] = n
        end
        assert.are.same({ 1, 2, 3, 4 }, list)
      end)
    end)

    it("drives tidepool where Lua cannot yield", function ()
      local pool = session.pool()
      loop.run(function ()
        local list = { 3, 1, 2 }
        table.sort(list, function (a, b)
          return pool:call("test.add", a, 0):await(session.limit)
            < pool:call("test.add", b, 0):await(session.limit)
        end)
        assert.are.same({ 1, 2, 3 }, list)
      end)
    end)

    -- A yield to the loop would come out of the generator as nil.
    it("never yields through a generator", function ()
      local pool, list = session.pool(), {}
      loop.run(function ()
        local squares = coroutine.wrap(function ()
          for i = 1, 3 do
            coroutine.yield(pool:call("test.add", i * i, 0):await())
          end
          return nil
        end)
        for square in squares do
          list[#list + 1] = square
        end
        list[#list + 1] = coroutine.wrap(function ()
          return pool:call("test.add", 8, 8):await()
        end)()
      end)
      assert.are.same({ 1, 4, 9, 16 }, list)
    end)

    it("runs what was spawned with tidepool", function ()
      local pool = session.pool()
      loop.run(function ()
        local child = tidepool.spawn(function (n)
          tidepool.sleep(0.01)
          local list = {}
          list.sum = pool:call("test.add", n, 1):await()
          return list
        end, 5)
        assert.are.same({ sum = 6 }, child:await(session.limit))
      end)
    end)

    it("takes futures out of a group as they settle", function ()
      loop.run(function ()
        local group = tidepool.group()
        local a, first = tidepool.promise()
        local b, second = tidepool.promise()
        group:add(a, "a"):add(b, "b")
        loop.start(function ()
          loop.turn()
          second:resolve()
          loop.turn()
          loop.turn()
          first:resolve()
        end)
        assert.are.equal("b", (group:next(session.limit)))
        assert.are.equal("a", (group:next(session.limit)))
        assert.is_nil(group:next())
      end)
    end)

    -- Each of them waits for a promise that only the loop can resolve.
    it("lets combinators, scopes and chains wait", function ()
      local function later(value)
        local future, promise = tidepool.promise()
        loop.start(function ()
          loop.turn()
          loop.turn()
          promise:resolve(value)
        end)
        return future
      end

      loop.run(function ()
        local list = tidepool.all { later(1), later(2) }:await(session.limit)
        assert.are.same({ 1, 2, n = 2 }, list)
        assert.are.equal(3, tidepool.race { later(3) }:await(session.limit))
        local sum = 0
        for _, future in tidepool.as_completed { later(4), later(5) } do
          sum = sum + future:get()
        end
        assert.are.equal(9, sum)
        assert.are.equal(6, tidepool.scope(function ()
          return later(6):await(session.limit)
        end))
        assert.are.equal(7, tidepool.with_timeout(session.limit, function ()
          return later(7):await()
        end))
        local doubled = later(4):and_then(function (n) return 2 * n end)
        assert.are.equal(8, doubled:await(session.limit))
        local pool = session.pool()
        local numbers = pool:map(tonumber, { "1", "2" })
        assert.are.same({ 1, 2 }, { numbers[1], numbers[2] })
      end)
    end)

    -- The program's await drains tidepool's descriptor, so the loop would
    -- not have heard.
    it("is not forgotten when the program awaits meanwhile", function ()
      local future, open = held(9)
      local got
      loop.run(function () loop.turn() end)
      loop.start(function ()
        loop.turn()
        got = future:await(session.limit)
      end)
      local begun
      loop.run(function () -- until the other one waits
        for _ = 1, 5 do
          loop.turn()
        end
        begun = true
        open()
        -- As the program would at top level, were it not for the loop.
        loop.module.detach()
        future:await(session.limit)
        tidepool.call("tidepool.sleep", 0.01):await(session.limit)
        tidepool.use_loop(loop.adapter)
        loop.sleep(0.01)
      end)
      loop.run(function ()
        while not got do
          loop.turn()
        end
      end)
      assert.is_true(begun)
      assert.are.equal(9, got)
    end)

    it("does not starve the loop for coroutines of tidepool", function ()
      local restless = tidepool.spawn(function ()
        while true do
          tidepool.sleep(0)
        end
      end)
      local future, open = held(1)
      loop.run(function ()
        future:await(session.limit)
        restless:cancel()
      end, function ()
        for _ = 1, 100 do
          loop.turn()
        end
        open()
      end)
      restless:pawait(session.limit)
    end)

    -- All settle at one moment, so the worst is a single turn of the loop in
    -- which all go on.
    it("keeps the loop turning while 10,000 tasks are awaited", function ()
      local count = session.check and 2000 or 10000
      local pool = session.pool { workers = 2, queue = count + 10 }
      local gate = session.block(pool, 2)
      local jobs, settled, before, most = {}, 0, 0, 0
      for i = 1, count do
        local future = pool:call("test.add", i, 0)
        jobs[i] = function ()
          assert(future:await(session.limit) == i)
          settled = settled + 1
        end
      end
      jobs[count + 1] = function ()
        repeat
          loop.turn()
          most = math.max(most, settled - before)
          before = settled
        until settled == count
      end
      jobs[count + 2] = function ()
        loop.turn()
        assert(settled == 0)
        testmod.open(gate)
        session.eventually(function () -- without a turn of the loop
          local stats = pool:stats()
          return stats.completed == stats.submitted
        end)
        assert(settled == 0)
      end
      loop.run(table.unpack(jobs))
      assert.are.equal(count, settled)
      assert.is_true(most <= count / 10,
        most .. " coroutines went on in one turn of the loop")
    end)

    it("leaves nothing in tidepool once all is done", function ()
      local pool, weak = session.pool(), nil
      loop.run(function ()
        local mark = {}
        weak = weakly(mark)
        local future = pool:call("test.add", 1, 2)
        assert.are.equal(3, future:await(session.limit))
        assert.is_false(pool:call("test.add", 1, 2):pawait(0) == nil)
        assert.is_truthy(mark)
      end)
      tidepool.poll()
      assert.is_true(collected(weak))
    end)
  end)
end

local function adapter_of(name)
  for _, loop in ipairs(loops) do
    if loop.name == name then
      return loop
    end
  end
end

local function with(name, f)
  return function ()
    local loop = adapter_of(name)
    if loop.missing then
      pending(loop.missing)
      return
    end
    tidepool.use_loop(loop.adapter)
    local ok, err = pcall(f, loop, require(name))
    loop.module.detach()
    session.finish()
    if not ok then
      error(err, 0)
    end
  end
end

describe("the adapter of luv", function ()
  it("does not keep the loop running for nothing", with("luv",
    function (_, uv)
      assert.is_false(uv.run())
      local future = tidepool.promise()
      assert.is_false(uv.run "nowait")
      future:cancel()
      assert.is_false(uv.run())
    end))

  it("keeps it running for who waits", with("luv", function (loop, uv)
    local future, open = held(1)
    local awake = false
    loop.start(function ()
      future:await()
      awake = true
    end)
    assert.is_false(awake)
    open()
    uv.run()
    assert.is_true(awake)
  end))

  it("takes a coroutine inside of one if told", with("luv", function (loop)
    local future, open = held(5)
    local got
    loop.run(function ()
      loop.module.wrap(function (n)
        got = n + future:await(session.limit)
      end)(10)
      assert.is_nil(got) -- it waits, and this one goes on
      open()
    end)
    assert.are.equal(15, got)
  end))

  it("hands on what such a coroutine raises at once", with("luv",
    function (loop)
      local ok, err = pcall(loop.module.wrap(function () error "at once" end))
      assert.is_false(ok)
      assert.is_truthy(err:find "at once")
    end))

  it("knows a coroutine again that another one resumes", with("luv",
    function (loop)
      local future, open = held(6)
      local got
      local waits
      local consumer = loop.start(function ()
        tidepool.sleep(0.001)
        waits = true
        coroutine.yield()
        got = future:await(session.limit)
      end)
      loop.run(function ()
        repeat
          loop.turn()
        until waits
        coroutine.resume(consumer)
        assert.is_nil(got)
        open()
      end)
      assert.are.equal(6, got)
    end))

  it("forgets one that is closed while it waits", with("luv",
    function (loop, uv)
      local future, open = held(1)
      local closed, weak = false, nil
      do
        local co = loop.start(function ()
          local mark <close> = setmetatable({}, {
            __close = function () closed = true end,
          })
          weak = weakly(mark)
          future:await()
        end)
        assert.are.equal("suspended", coroutine.status(co))
        assert.is_true(coroutine.close(co))
      end
      assert.is_true(closed)
      assert.is_false(uv.run()) -- nobody waits
      tidepool.poll()
      assert.is_true(collected(weak))
      open()
      future:wait(session.limit)
      assert.is_false(uv.run())
    end))

  it("forgets one that is closed when it was to go on", with("luv",
    function (loop, uv)
      local future, open = held(1)
      local co = loop.start(function () future:await() end)
      open()
      future:wait(session.limit)
      tidepool.poll()
      coroutine.close(co)
      assert.is_false(uv.run())
    end))

  it("says so when tidepool's descriptor is taken", function ()
    if adapter_of "luv".missing then
      pending(adapter_of "luv".missing)
      return
    end
    -- luv leaks the handle that could not be made.
    local result = process.shell(("%s exec %s -e %s"):format(process.leaving,
      process.interpreter, process.quote [[
        local tidepool = require "tidepool"
        local uv = require "luv"
        require "tidepool.loop.luv"
        local poll = uv.new_poll(tidepool.fd())
        poll:start("r", print)
        print(coroutine.wrap(function ()
          return pcall(tidepool.sleep, 0.01)
        end)())
      ]]))
    assert.are.equal(0, result.code, result.err)
    assert.is_truthy(result.out:find("cannot watch tidepool.fd()", 1, true),
      result.out)
  end)

  -- As busted does for each of its files.
  it("may be loaded again while somebody waits", function ()
    if adapter_of "luv".missing then
      pending(adapter_of "luv".missing)
      return
    end
    local result = process.program [[
      local tidepool = require "tidepool"
      local uv = require "luv"
      local first, second = {}, {}
      local function load(copy)
        package.loaded["tidepool.loop.luv"] = nil
        copy.detach = require "tidepool.loop.luv".detach
        local future
        future, copy.promise = tidepool.promise()
        coroutine.wrap(function ()
          copy.got = future:await()
          if copy.on_end then copy.on_end() end
        end)()
      end
      load(first)
      first.detach()
      load(second)
      function first.on_end() -- the second alone keeps the loop running
        tidepool.after(tidepool.call("tidepool.sleep", 0.01), function ()
          second.promise:resolve "second"
        end)
      end
      first.promise:resolve "first"
      uv.run()
      print(first.got, second.got, uv.loop_alive())
    ]]
    assert.are.equal(0, result.code, result.err)
    assert.are.equal("first\tsecond\tfalse\n", result.out)
  end)

  -- As of any callback: luv prints it and ends the program.
  it("lets an error in a coroutine be one of its callback", function ()
    if adapter_of "luv".missing then
      pending(adapter_of "luv".missing)
      return
    end
    local result = process.program [[
      local tidepool = require "tidepool"
      local uv = require "luv"
      require "tidepool.loop.luv"
      local closed <const> = setmetatable({}, {
        __close = function () print "closed" io.stdout:flush() end,
      })
      coroutine.wrap(function ()
        local guard <close> = closed
        tidepool.sleep(0.01)
        error "high water"
      end)()
      uv.run()
      print "not reached"
    ]]
    assert.are_not.equal(0, result.code)
    assert.is_truthy(result.err:find("high water", 1, true))
    assert.are.equal("closed\n", result.out)
  end)
end)

describe("the adapter of cqueues", function ()
  it("lets an error in a coroutine be one of its controller", with("cqueues",
    function (_, cqueues)
      local controller, other = cqueues.new(), false
      local nap = tidepool.call("tidepool.sleep", 0.01)
      controller:wrap(function ()
        nap:await()
        error("high water", 0)
      end)
      controller:wrap(function ()
        nap:await()
        tidepool.sleep(0.01)
        other = true
      end)
      local ok, err = controller:loop(session.limit)
      assert.is_false(ok == true)
      assert.are.equal("high water", err)
      assert(controller:loop(session.limit))
      assert.is_true(other)
      assert.is_true(controller:empty())
    end))

  it("forgets what a controller had when it is closed", with("cqueues",
    function (_, cqueues)
      local future, open = held(1)
      local weak
      do
        local controller = cqueues.new()
        controller:wrap(function ()
          local mark = {}
          weak = weakly(mark)
          future:await()
          error(mark)
        end)
        controller:step(0)
        controller:step(0)
        assert.is_truthy(weak[1])
        controller:close()
      end
      assert.is_true(collected(weak))
      tidepool.poll()
      open()
      future:wait(session.limit)
      tidepool.poll()
    end))

  it("serves several controllers, one inside of another", with("cqueues",
    function (_, cqueues)
      local pool, sum = session.pool(), 0
      local outer, inner = cqueues.new(), cqueues.new()
      local function job()
        for i = 1, 5 do
          local value = pool:call("test.add", i, 0):await(session.limit)
          sum = sum + value
        end
      end
      inner:wrap(job)
      outer:wrap(job)
      outer:wrap(function () assert(inner:loop(session.limit)) end)
      assert(outer:loop(session.limit))
      assert.are.equal(30, sum)
    end))

  it("yields through coroutines that cqueues yields through", with("cqueues",
    function (_, cqueues)
      local auxlib = require "cqueues.auxlib"
      local resume, wrap = coroutine.resume, coroutine.wrap
      local future, open = held(3)
      local controller, got = cqueues.new(), {}
      controller:wrap(function ()
        for n in coroutine.wrap(function ()
          coroutine.yield(future:await(session.limit))
        end) do
          got[#got + 1] = n
        end
      end)
      controller:wrap(function ()
        cqueues.sleep(0.001)
        open()
      end)
      rawset(coroutine, "resume", auxlib.resume)
      rawset(coroutine, "wrap", auxlib.wrap)
      local ok, err = controller:loop(session.limit)
      rawset(coroutine, "resume", resume)
      rawset(coroutine, "wrap", wrap)
      assert.is_true(ok, err)
      assert.are.same({ 3 }, got)
    end))

  it("takes no coroutine that is not its own", with("cqueues", function ()
    local pool = session.pool()
    local co = coroutine.wrap(function ()
      return pool:call("test.add", 1, 2):await(session.limit)
    end)
    assert.are.equal(3, co())
  end))
end)

describe("the adapter of copas", function ()
  it("lets an error in a coroutine be one of copas", with("copas",
    function (loop, copas)
      local seen
      local nap = tidepool.call("tidepool.sleep", 0.01)
      local handler = copas.seterrorhandler or copas.setErrorHandler
      loop.start(function ()
        handler(function (err) seen = err end)
        nap:await()
        error("high water", 0)
      end)
      loop.run(function ()
        nap:await()
        repeat
          loop.turn()
        until seen
      end)
      assert.are.equal("high water", seen)
    end))

  it("forgets a coroutine that is removed", with("copas",
    function (loop, copas)
      if not copas.removethread then
        pending "this copas cannot remove coroutines"
        return
      end
      local future, promise = tidepool.promise()
      local weak
      loop.run(function ()
        local co = copas.addthread(function ()
          local mark = {}
          weak = weakly(mark)
          future:await()
          error(mark)
        end)
        loop.sleep(0.01)
        assert.is_truthy(weak[1])
        copas.removethread(co)
        local major, minor = copas._VERSION:match "(%d+)%.(%d+)"
        if major * 100 + minor < 407 then -- these let go of no sleeper
          promise:resolve()
        end
      end) -- which ends, so nobody waits
      session.eventually(function () return collected(weak) end)
    end))

  it("takes no coroutine that is not its own", with("copas", function ()
    local pool = session.pool()
    local co = coroutine.wrap(function ()
      return pool:call("test.add", 1, 2):await(session.limit)
    end)
    assert.are.equal(3, co())
  end))
end)

describe("several adapters", function ()
  it("serve each its own loop", function ()
    local luv, cqueues = adapter_of "luv", adapter_of "cqueues"
    local copas = adapter_of "copas"
    if luv.missing or cqueues.missing or copas.missing then
      pending "not all three are here"
      return
    end
    for _, loop in ipairs { luv, cqueues, copas } do
      tidepool.use_loop(loop.adapter)
    end
    local sum = 0
    local ok, err = pcall(function ()
      local future, open = held(1)
      local function job()
        local value = future:await(session.limit)
        sum = sum + value
      end
      -- All wait before any of the loops gets to know.
      luv.start(job)
      copas.start(job)
      cqueues.run(job, open)
      copas.run(function ()
        while sum < 2 do
          copas.turn()
        end
      end)
      luv.run(function () end)
    end)
    for _, loop in ipairs { luv, cqueues, copas } do
      loop.module.detach()
    end
    session.finish()
    assert.is_true(ok, err)
    assert.are.equal(3, sum)
  end)
end)

-- What waits then is finalized in any order.
describe("a program that ends while a coroutine of a loop waits", function ()
  local starts = {
    luv = [[
      local uv = require "luv"
      coroutine.wrap(wait)()
      uv.run "nowait"
    ]],
    cqueues = [[
      loop = require "cqueues".new()
      loop:wrap(wait)
      loop:step(0)
    ]],
    copas = [[
      local copas = require "copas"
      copas.addthread(wait)
      copas.step(0)
    ]],
  }

  for _, loop in ipairs(loops) do
    it("ends well, with " .. loop.name, function ()
      if loop.missing then
        pending(loop.missing)
        return
      end
      for _, leave in ipairs { "", "os.exit(0, true)", "os.exit(0)" } do
        local result = process.program(([[
          package.path = package.path .. ";/usr/share/lua/5.1/?.lua"
          local tidepool = require "tidepool"
          require "tidepool.loop.%s"
          future, promise = tidepool.promise()
          local function wait() future:await(60) end
          %s
          io.write "leaves"
          %s
        ]]):format(loop.name, starts[loop.name], leave))
        assert.are.equal(0, result.code, result.err)
        assert.are.equal("leaves", result.out)
        assert.are.equal("tidepool: cancelled at the end: 1 coroutine\n",
          result.err)
      end
    end)
  end
end)

describe("tidepool.use_loop", function ()
  local function nothing() end

  local function adapter(changes)
    local made = {
      running = nothing, pause = nothing, resume = nothing, watch = nothing,
    }
    for name, value in pairs(changes or {}) do
      made[name] = value
    end
    return made
  end

  it("says what is wrong with an adapter", function ()
    local function refused(what, ...)
      local ok, err = pcall(tidepool.use_loop, ...)
      assert.is_false(ok)
      assert.is_truthy(err:find(what, 1, true), err)
    end
    refused("an adapter is a table, not a nil")
    refused("an adapter is a table, not a string", "luv")
    refused("no field 'runing'", adapter { runing = nothing })
    refused("'pause' of an adapter is a function, not a boolean",
      adapter { pause = true })
    refused("an adapter needs a function 'watch'",
      { running = nothing, pause = nothing, resume = nothing })
  end)

  it("asks who was attached first, and those with `last` after them",
    function ()
      local asked = {}
      local function asking(name, last)
        return adapter {
          last = last,
          running = function () asked[#asked + 1] = name end,
        }
      end
      local list = { asking("a", true), asking("b", false), asking "c" }
      local detach = {}
      for i, each in ipairs(list) do
        detach[i] = tidepool.use_loop(each)
      end
      local never, promise = tidepool.promise()
      coroutine.wrap(function () never:wait(0.001) end)()
      promise:resolve()
      for _, each in ipairs(detach) do
        each()
        each()
      end
      assert.are.same({ "b", "c", "a" }, asked)
    end)

  it("hands on an error of an adapter", function ()
    local stopped = 0
    local broken = adapter {
      running = function () return true end,
      watch = function () return function () stopped = stopped + 1 end end,
      pause = function () error("no pause today", 0) end,
    }
    local detach = tidepool.use_loop(broken)
    local future, promise = tidepool.promise()
    local ok, err
    coroutine.wrap(function () ok, err = pcall(future.await, future) end)()
    detach()
    promise:resolve()
    assert.is_false(ok)
    assert.are.equal("no pause today", err)
    assert.are.equal(1, stopped)
    tidepool.poll()
  end)

  it("is for programs", function ()
    local pool = session.pool()
    local err = session.failure(pool:call(load [[
      local function f() end
      require "tidepool".use_loop {
        running = f, pause = f, resume = f, watch = f,
      }
    ]]))
    assert.is_truthy(tostring(err):find("a task just awaits", 1, true))
    session.finish()
  end)
end)
