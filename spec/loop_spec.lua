-- Waiting beside other things: poll, fd, and the loops of others.

local session = require "spec.support.session"
local process = require "spec.support.process"
local testmod = require "testmod"
local tidepool = require "tidepool"
local cqueues = require "cqueues"
local socket = require "socket"

-- The descriptor as LuaSocket's select wants it.
local descriptor = {
  getfd = function () return tidepool.fd() end,
}

-- Is the descriptor readable within so many seconds?
local function readable(seconds)
  local ready = socket.select({ descriptor }, nil, seconds or 0)
  return ready[1] == descriptor
end

-- Nothing unsettled, nothing to tell.
local function quiet()
  tidepool.poll()
  while tidepool.poll() do -- luacheck: ignore
  end
end

describe("tidepool.poll", function ()
  before_each(quiet)
  after_each(session.finish)

  it("tells whether a future has settled since", function ()
    local pool = session.pool()
    assert.is_false(tidepool.poll())
    local gate, held = session.block(pool, 1)
    assert.is_false(tidepool.poll())
    testmod.open(gate)
    session.eventually(function () return held[1]:is_ready() end)
    assert.is_true(tidepool.poll(session.limit))
    assert.is_false(tidepool.poll())
  end)

  it("waits for one to settle", function ()
    local pool = session.pool()
    local future = pool:call("tidepool.sleep", 0.05)
    assert.is_true(tidepool.poll(session.limit))
    assert.is_true(future:is_ready())
  end)

  it("waits no longer than told", function ()
    local pool = session.pool()
    session.block(pool, 1)
    local start = session.now()
    assert.is_false(tidepool.poll(0.05))
    assert.is_true(session.now() - start >= 0.05)
    assert.is_false(tidepool.poll(0))
  end)

  it("wants a number of seconds", function ()
    assert.is_false(pcall(tidepool.poll, "soon"))
    assert.is_false(pcall(tidepool.poll, {}))
  end)

  it("sees futures of this Lua state only", function ()
    local other = session.state [[
      local tidepool = require "tidepool"
      require "testmod"
      return tidepool.call("test.add", 1, 2):await(60)
    ]]
    assert.are.equal(3, other:join())
    assert.is_false(tidepool.poll())
  end)

  it("collects many in a loop", function ()
    local pool, futures, left = session.pool { workers = 4, queue = 500 }, {}
    for i = 1, 500 do
      futures[i] = pool:call("test.add", i, 1)
    end
    left = #futures
    while left > 0 do
      for i = #futures, 1, -1 do
        if futures[i]:is_ready() then
          table.remove(futures, i):get()
          left = left - 1
        end
      end
      if left > 0 then
        assert.is_true(tidepool.poll(session.limit))
      end
    end
  end)
end)

describe("tidepool.fd", function ()
  before_each(quiet)
  after_each(session.finish)

  it("is one descriptor for ever", function ()
    local fd = tidepool.fd()
    assert.are.equal("integer", math.type(fd))
    assert.is_true(fd > 2)
    assert.are.equal(fd, tidepool.fd())
  end)

  it("is closed on exec and never blocks", function ()
    local info = io.open("/proc/self/fdinfo/" .. tidepool.fd())
    if not info then
      pending "no /proc here"
      return
    end
    local flags = tonumber(info:read("a"):match "flags:%s*(%d+)", 8)
    info:close()
    assert.are_not.equal(0, flags & tonumber("2000000", 8)) -- O_CLOEXEC
    assert.are_not.equal(0, flags & tonumber("4000", 8)) -- O_NONBLOCK
  end)

  it("is readable when a future has settled, until a poll", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    assert.is_false(readable())
    testmod.open(gate)
    assert.is_true(readable(session.limit))
    assert.is_true(held[1]:wait(0) or readable(session.limit))
    quiet()
    assert.is_false(readable())
    assert.are.equal("completed", held[1]:state())
  end)

  it("hears of futures that were made elsewhere", function ()
    local gate = session.gate()
    local outer = session.pool():call("test.start", "test.gate", gate)
    local inner = outer:await(session.limit) -- a call that C made
    session.entered(gate, 1)
    quiet()
    assert.is_false(readable())
    testmod.open(gate)
    assert.is_true(readable(session.limit))
    assert.is_true(inner:is_ready())
    assert.is_true(tidepool.poll())
  end)

  it("is readable once for many", function ()
    local pool, futures = session.pool { workers = 2, queue = 100 }, {}
    for i = 1, 100 do
      futures[i] = pool:call("test.add", i, 1)
    end
    session.eventually(function ()
      for _, future in ipairs(futures) do
        if not future:is_ready() then
          return false
        end
      end
      return true
    end)
    assert.is_true(readable(session.limit))
    session.eventually(function () return pool:stats().running == 0 end)
    assert.is_true(tidepool.poll())
    assert.is_false(readable())
  end)

  it("is cleared by an await", function ()
    local pool = session.pool()
    local future = pool:call("test.add", 1, 2)
    assert.is_true(readable(session.limit))
    session.eventually(function () return pool:stats().running == 0 end)
    assert.are.equal(3, future:await())
    assert.is_false(readable())
    future = pool:call("tidepool.sleep", 0.02)
    future:await(session.limit)
    session.eventually(function () return pool:stats().running == 0 end)
    assert.is_false(readable())
  end)

  it("stays quiet while nothing settles", function ()
    local pool = session.pool()
    session.block(pool, 1)
    pool:call("test.add", 1, 2)
    assert.is_false(readable(0.05))
  end)

  it("turns readable for a cancel, a timeout and a failure", function ()
    local pool = session.pool()
    session.block(pool, 1)
    pool:call("test.add", 1, 2):cancel()
    assert.is_true(readable(session.limit))
    quiet()
    local slow = pool:with({ timeout = 0.02 }):call("test.add", 1, 2)
    assert.is_true(readable(session.limit))
    quiet()
    assert.are.equal("timeout", session.failure(slow).kind)
    local other = session.pool()
    local failed = other:call("test.fail", "on purpose")
    assert.is_true(readable(session.limit))
    failed:pawait()
  end)

  it("misses none of many rounds", function ()
    local pool = session.pool { workers = 2 }
    for i = 1, session.check and 500 or 5000 do
      local future = pool:call("test.add", i, 1)
      while not future:is_ready() do
        assert.is_true(readable(session.limit))
        tidepool.poll()
      end
      assert.are.equal(i + 1, future:get())
    end
  end)

  it("costs a program that never asks or blocks nothing", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      require "testmod"
      local function count()
        local n = 0
        for fd = 0, 255 do
          local file = io.open("/proc/self/fdinfo/" .. fd)
          if file then
            n = n + 1
            file:close()
          end
        end
        return n
      end
      local before = count()
      local future = tidepool.call("test.add", 1, 2)
      while not future:is_ready() do end
      future:await()
      local after = count()
      tidepool.fd()
      print(after - before, count() - after <= 2)
    ]]
    assert.are.equal("0\ttrue\n", result.out, result.err)
  end)

  -- A ring for news that came while the bell was being hushed was hushed as
  -- well, and no other one rang: a caller at the full queue slept for ever.
  it("takes no wake-up from a call that waits", function ()
    for _, spin in ipairs { 0, 1000 } do
      local result = process.program(([[
        local tidepool = require "tidepool"
        require "testmod"
        tidepool.fd()
        local pool = tidepool.AsyncManager.new {
          workers = 2, queue = 1, spin = %d,
        }
        for i = 1, %d do
          pool:call("test.add", i, 1)
        end
        assert(pool:wait_all(60))
      ]]):format(spin, session.check and 20000 or 300000))
      assert.are.equal(0, result.code, result.err)
    end
  end)
end)

describe("the protocol of cqueues", function ()
  before_each(quiet)
  after_each(session.finish)

  -- Runs functions as coroutines of one loop; raises what they raise.
  local function run(...)
    local loop = cqueues.new()
    for _, f in ipairs { ... } do
      loop:wrap(f)
    end
    local start = session.now()
    repeat
      assert(loop:step(session.limit))
      assert.is_true(session.now() - start < session.limit)
    until loop:empty()
  end

  local function wait(future)
    while not future:is_ready() do
      cqueues.poll(future)
      tidepool.poll()
    end
  end

  it("is three methods", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    assert.are.equal("integer", math.type(held[1]:pollfd()))
    assert.are.equal("r", held[1]:events())
    assert.is_nil(held[1]:timeout())
    testmod.open(gate)
    held[1]:wait(session.limit)
    assert.are.equal(0, held[1]:timeout())
  end)

  it("makes cqueues.poll wait for a future", function ()
    local pool = session.pool()
    local future, got = pool:call("tidepool.sleep", 0.05), nil
    run(function ()
      local ready = cqueues.poll(future, session.limit)
      assert(ready == future)
      assert(future:is_ready())
      got = true
    end)
    assert.is_true(got)
  end)

  it("returns at once for a settled future", function ()
    local pool = session.pool()
    local future = pool:call("test.add", 1, 2)
    future:wait(session.limit)
    quiet()
    run(function ()
      assert(cqueues.poll(future, session.limit) == future)
      assert(future:get() == 3)
    end)
  end)

  it("lets other coroutines run meanwhile", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    local ticks = 0
    run(function ()
      wait(held[1])
      held[1]:get()
    end, function ()
      for _ = 1, 20 do
        cqueues.sleep(0.001)
        ticks = ticks + 1
      end
      testmod.open(gate)
    end)
    assert.are.equal(20, ticks)
  end)

  it("serves many coroutines, each with futures of its own", function ()
    local pool, jobs, sum = session.pool { workers = 4, queue = 100 }, {}, 0
    for i = 1, 20 do
      jobs[i] = function ()
        for k = 1, 10 do
          local future = pool:call("test.add", i, k)
          wait(future)
          sum = sum + future:get()
          local pause = pool:call("tidepool.sleep", 0.001)
          wait(pause)
        end
      end
    end
    run(table.unpack(jobs))
    assert.are.equal(10 * 210 + 20 * 55, sum)
  end)

  it("gives up with the time of cqueues.poll", function ()
    local pool = session.pool()
    local _, held = session.block(pool, 1)
    run(function ()
      assert(cqueues.poll(held[1], 0.02) ~= held[1])
      assert(not held[1]:is_ready())
    end)
  end)
end)

describe("the protocol of LuaSocket", function ()
  before_each(quiet)
  after_each(session.finish)

  it("is two methods", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    assert.are.equal(tidepool.fd(), held[1]:getfd())
    assert.is_false(held[1]:dirty())
    testmod.open(gate)
    held[1]:wait(session.limit)
    assert.is_true(held[1]:dirty())
  end)

  it("makes select wait for a future", function ()
    local pool = session.pool()
    local future = pool:call("tidepool.sleep", 0.05)
    local ready = socket.select({ future }, nil, session.limit)
    assert.are.equal(future, ready[1])
    assert.is_true(future:is_ready())
  end)

  it("makes select return at once for a settled one", function ()
    local pool = session.pool()
    local future = pool:call("test.add", 1, 2)
    future:wait(session.limit)
    quiet()
    local ready = socket.select({ future }, nil, session.limit)
    assert.are.equal(future, ready[1])
  end)

  it("makes select wait for a future beside a socket", function ()
    local pool = session.pool()
    local gate, held = session.block(pool, 1)
    local server = assert(socket.bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    local ready = socket.select({ server, held[1] }, nil, 0.02)
    assert.are.equal(0, #ready)
    local client = assert(socket.connect("127.0.0.1", port))
    ready = socket.select({ server, held[1] }, nil, session.limit)
    assert.are.equal(server, ready[1])
    assert(server:accept()):close()
    testmod.open(gate)
    ready = socket.select({ server, held[1] }, nil, session.limit)
    assert.are.equal(held[1], ready[1])
    client:close()
    server:close()
  end)
end)
