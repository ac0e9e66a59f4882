-- One session of the stress run, in a Lua state of its own: rounds of random
-- trees of coroutines (grow.lua), in this Lua state and in workers, with
-- nothing left after each. Arguments: the number of the thread, a seed, the
-- seconds to go on. The host gives tick(n), which counts calls.
-- STRESS_WORKERS and STRESS_SPIN say what the managers are like.

local _, seed, seconds = ...
local tick = tick -- luacheck: ignore

local tidepool = require "tidepool"
local testmod = require "testmod"
local file = os.getenv "TIDEPOOL" .. "/tests/stress/grow.lua"
local grow = dofile(file)

math.randomseed(seed)
local random = math.random
local deadline = testmod.now() + seconds

local function fail(what)
  error(("async.lua, seed %d: %s"):format(seed, what), 0)
end

local pool = tidepool.AsyncManager.new {
  workers = tonumber(os.getenv "STRESS_WORKERS") or random(1, 3),
  queue = random(1, 40),
  spin = tonumber(os.getenv "STRESS_SPIN")
    or (random(1, 3) == 1 and 0 or nil),
  init = load(([[
    grow = dofile %q
  ]]):format(file)),
}
grow.pool = pool

-- Everything has an end within a minute.
local function settled(future)
  if not future:wait(60) then
    fail("never settled: " .. tostring(future))
  end
end

local function round()
  local trees = {}
  for i = 1, random(1, 4) do
    if random(3) == 1 then
      trees[i] = pool:call(function (s, depth)
        return _G.grow.tree(s, depth)
      end, random(1 << 30), random(1, 3))
      grow.remember(trees[i], "a future")
    else
      trees[i] = grow.spawn(random(1, 4))
    end
    tick(1)
  end
  if random(3) == 1 then
    tidepool.sleep(random() / 200)
    trees[random(#trees)]:cancel()
  elseif random(2) == 1 then
    tidepool.poll(random() / 500)
  end
  for i, tree in ipairs(trees) do
    if random(4) == 1 then
      tree:cancel "at the end"
    end
    settled(tree)
    trees[i] = nil
  end
end

-- In this Lua state, and in those of the workers. A worker is asked as long as
-- another one may have something left.
local function look()
  local what = grow.left()
  if what then
    fail(what)
  end
  for try = 1, 200 do
    local asked = pool:call(function () return _G.grow.left() end)
    local ok, there = asked:pawait(60)
    if not ok or there then
      fail("in a worker: " .. tostring(there))
    elseif pool:wait_all(0.05) then
      break
    elseif try == 200 then
      fail "tasks that never end"
    end
  end
end

local rounds, base = 0, nil
repeat
  round()
  look()
  rounds = rounds + 1
  if rounds == 5 then
    base = collectgarbage "count"
  elseif rounds % 10 == 0 and collectgarbage "count" > base + 300 then
    fail(("%.0f KiB, and %.0f after five rounds, at round %d"):format(
      collectgarbage "count", base, rounds))
  end
until testmod.now() >= deadline

-- At times the state is closed with all of it in flight.
if random(2) == 1 then
  for _ = 1, 3 do
    grow.spawn(3)
  end
  tidepool.poll(random() / 300)
elseif random(2) == 1 then
  if not pool:shutdown { timeout = 60 } then
    fail "a manager that does not end"
  end
end
