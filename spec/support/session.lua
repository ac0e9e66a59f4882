-- Pools and gates of one test. Whatever a test made through this file is
-- opened, shut down and checked by `finish`, which every spec runs after
-- each test, so that no test leaves a blocked worker to the next one.

require "spec.support.paths"
local testmod = require "testmod"
local tidepool = require "tidepool"
local socket = require "socket"
local cqueues = require "cqueues"

local session = {}

-- Seconds after which an event that did not come is taken for lost.
session.limit = tonumber(os.getenv "TIDEPOOL_LIMIT") or 60

-- True in the long run: the full numbers of the issue instead of a tenth.
session.long = os.getenv "TIDEPOOL_LONG" == "1"

-- What the run is checked with (address, thread, valgrind, ...), or nil.
-- Their allocators are in the way of measuring memory.
local check = os.getenv "TIDEPOOL_SANITIZER" or os.getenv "TIDEPOOL_CHECK"
session.check = check ~= "" and check or nil

-- Why what forks while threads run cannot be checked here, or nil. valgrind
-- checks it.
session.unforkable = ({
  -- It still counts the parent's threads, whose ids the child's get.
  thread = "ThreadSanitizer knows no threads of a child",
  -- Those of its allocator, if a thread of the parent was in it.
  address = "AddressSanitizer's own locks are held for ever in a child",
})[session.check or ""]

local pools, gates, spare, serial = {}, {}, {}, 0

-- Monotonic seconds.
session.now = cqueues.monotime

-- The count for this run: `full` in the long run, else `short`.
function session.count(full, short)
  return session.long and full or short
end

-- Waits for a condition that has no event of its own.
function session.eventually(condition, what)
  local deadline = session.now() + session.limit
  while not condition() do
    if session.now() > deadline then
      error("never came: " .. (what or "the condition"), 2)
    end
    socket.sleep(0.001)
  end
end

-- A pool that `finish` closes.
function session.pool(options)
  local pool = tidepool.AsyncManager.new(options or { workers = 1 })
  pools[#pools + 1] = pool
  return pool
end

-- Collects what is garbage here, and in the pools of one worker that the test
-- has made and not shut down.
function session.collect()
  for _ = 1, 2 do
    for _, pool in ipairs(pools) do
      local ok, done = pcall(pool.call, pool, collectgarbage)
      assert(ok or done.kind == "closed", done)
      if ok then
        done:await(session.limit)
      end
    end
    collectgarbage()
  end
end

-- Shuts a gate; false when a task still stands in it, which may leave then.
local function shut(gate)
  testmod.close(gate)
  if testmod.entered(gate) == 0 then
    return true
  end
  testmod.open(gate)
  return false
end

-- The name of a closed gate that `finish` opens. Each spec file has a session
-- of its own, but the gates are the process's: one of an earlier file may
-- stand open.
function session.gate()
  local name = table.remove(spare)
  while not name or not shut(name) do
    serial = serial + 1
    name = ("gate-%d"):format(serial)
  end
  gates[#gates + 1] = name
  return name
end

-- Waits until `count` tasks have reached the gate.
session.entered = testmod.wait_entered

-- Runs a chunk in a Lua state and thread of its own; the other arguments are
-- its "...". join() waits for its end, and answers its results or raises.
function session.state(code, ...)
  local handle = testmod.newstate(([[
    local results = table.pack((function (...) %s
    end)(...))
    for i = 1, results.n do
      results[i] = ("%%q"):format(results[i])
    end
    return table.concat(results, ",")
  ]]):format(code), ...)
  return {
    join = function ()
      local ok, results = testmod.join(handle)
      if not ok then
        error("in another state: " .. tostring(results), 2)
      end
      return assert(load("return " .. results))()
    end,
  }
end

-- Occupies the `count` workers of a pool. Answers the gate that holds them
-- and the futures of the tasks in it.
function session.block(pool, count)
  local gate, held = session.gate(), {}
  for i = 1, count or 1 do
    held[i] = pool:call("test.gate", gate)
  end
  session.entered(gate, count or 1)
  return gate, held
end

-- Waits for each future of a list, whatever becomes of it.
function session.settle(futures)
  for i, future in ipairs(futures) do
    if not future:wait(session.limit) then
      error(("future %d never settled: %s"):format(i, tostring(future)), 2)
    end
  end
end

-- The Error that a future ends with.
function session.failure(future)
  local ok, err = future:pawait(session.limit)
  if ok then
    error("completed, though it had to fail", 2)
  end
  return err
end

-- For after_each.
function session.finish()
  for _, gate in ipairs(gates) do
    testmod.open(gate)
  end
  local stuck = {}
  for _, pool in ipairs(pools) do
    if not pool:shutdown { drain = false, timeout = session.limit } then
      stuck[#stuck + 1] = tostring(pool)
    end
  end
  for _, gate in ipairs(gates) do
    if shut(gate) then -- there are only so many
      spare[#spare + 1] = gate
    end
  end
  pools, gates = {}, {}
  testmod.runs(true)
  tidepool.on_unhandled(nil)
  if #stuck > 0 then
    error("pools that did not stop: " .. table.concat(stuck, ", "))
  end
end

return session
