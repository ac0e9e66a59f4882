-- For host_fork: forks while workers are busy. In the child every manager is
-- broken and says so; what had settled can be read; the child ends cleanly.
-- AddressSanitizer guards its own memory with locks that a child finds held
-- for ever: with it the workers rest at the fork.

local fork, wait = fork, wait -- luacheck: ignore

local tidepool = require "tidepool"
local testmod = require "testmod"

local pool = tidepool.AsyncManager.new { workers = 2, queue = 100 }
local default = tidepool.default()
local named = tidepool.AsyncManager.new { workers = 1, name = "forked" }
local done = pool:call("test.echo", "before", { 1 })
done:wait()
tidepool.fd()

local quiet = os.getenv "TIDEPOOL_SANITIZER" == "address"

-- All workers of a pool have started, and are done.
local function rest(of, workers)
  for i = 1, workers do
    of:call("test.gate", "rest" .. i)
  end
  for i = 1, workers do
    testmod.wait_entered("rest" .. i)
  end
  for i = 1, workers do
    testmod.open("rest" .. i)
  end
  of:wait_all()
end

local function broken(f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "it worked in the child")
  assert(type(err) == "table" and err.kind == "broken", tostring(err))
  assert(#tostring(err) > 0)
end

local promised, promise = testmod.promise()
assert(promise)

local function child(unsettled)
  broken(promised.await, promised)
  assert(not testmod.resolve(promise)) -- it is broken, and decided by that
  broken(pool.call, pool, "test.add", 1, 2)
  broken(pool.try_call, pool, "test.add", 1, 2)
  broken(pool.call_many, pool, "test.add", { { 1, 2 } })
  local view = pool:with { priority = "high" }
  broken(view.call, view, "test.add", 1, 2)
  broken(named.call, named, "test.add", 1, 2)
  broken(default.call, default, "test.add", 1, 2)
  broken(unsettled.await, unsettled)
  broken(unsettled.await, unsettled, 60)
  local ok, err = unsettled:pawait(60)
  assert(not ok and err.kind == "broken")
  local text, list = done:await()
  assert(text == "before" and list[1] == 1)
  broken(pool.stats, pool)
  tostring(pool)
  tostring(unsettled)
  pcall(pool.shutdown, pool, { timeout = 1 }) -- need not work, may not hang
  tidepool.poll()
  -- A manager of the child's own has workers of its own.
  local own = tidepool.AsyncManager.new { workers = 2 }
  assert(own:call("test.add", 1, 2):await(60) == 3)
  assert(own:shutdown())
  assert(tidepool.call("test.add", 1, 2):await(60) == 3)
end

tidepool.call("test.add", 1, 2):await()
if quiet then
  rest(default, 4)
  rest(pool, 2)
end
local children = {}
for round = 1, 20 do
  for i = 1, 50 do
    pool:call("test.echo", { i }, ("x"):rep(i))
  end
  local unsettled = named:call("test.gate", "fork" .. round)
  if quiet then
    pool:wait_all()
    testmod.wait_entered("fork" .. round)
  end
  local pid = fork()
  if pid == 0 then
    local ok, err = pcall(child, unsettled)
    if not ok then
      io.stderr:write("in the child: ", tostring(err), "\n")
    end
    if round % 4 == 0 then
      unsettled, pool, named = nil, nil, nil -- luacheck: ignore
      collectgarbage()
    end
    if round % 2 == 0 then
      os.exit(ok and 0 or 1, true)
    end
    os.exit(ok and 0 or 1)
  end
  children[round] = pid
  unsettled:cancel()
  testmod.open("fork" .. round)
  assert(pool:call("test.add", round, 1):await(60) == round + 1)
end
for round, pid in ipairs(children) do
  local status = wait(pid)
  assert(status == 0, ("child %d ended with %d"):format(round, status))
end
assert(testmod.resolve(promise))
for i = 1, 200 do
  assert(pool:call("test.add", i, 1):await(60) == i + 1)
end
assert(pool:shutdown())
