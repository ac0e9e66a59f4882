-- Chains of and_then. Each case is one pass, so that the peak of memory is
-- that of the chain alone.

local benchmod = require "benchmod"
local sample = require "sample"

local chain = {}

local function increment(i)
  return i + 1
end

-- `body` makes a chain of n links and answers what came out of it.
local function measure(o, body)
  require("tidepool").spawn(increment, 1):and_then(increment):await()
  sample.collect()
  local before, start = sample.peak(), benchmod.now()
  local result = body(o.tasks)
  local ns = benchmod.now() - start
  assert(result == o.tasks, "wrong result")
  local bytes = sample.peak() - before
  return {
    us = ns / 1e3 / o.tasks,
    bytes = bytes / o.tasks,
    mb = bytes / 2 ^ 20,
  }
end

-- In a loop that awaits every o.every links (0: only the last one).
function chain.loop(o)
  local tidepool = require "tidepool"
  return measure(o, function(n)
    local future = tidepool.spawn(increment, -1)
    for i = 1, n do
      future = future:and_then(increment)
      if o.every > 0 and i % o.every == 0 then
        future:await()
      end
    end
    return future:await()
  end)
end

-- Every handler makes the next link, and hands it on nowhere.
function chain.relay(o)
  local tidepool = require "tidepool"
  return measure(o, function(n)
    local done, promise = tidepool.promise()
    local function step(i)
      if i == n then
        promise:resolve(i)
        return
      end
      tidepool.spawn(increment, i):and_then(step):detach()
    end
    step(0)
    return done:await()
  end)
end

-- Every handler answers the next future, so that each link waits for all
-- that follow it.
function chain.followed(o)
  local tidepool = require "tidepool"
  return measure(o, function(n)
    local function step(i)
      if i == n then
        return i
      end
      return tidepool.spawn(increment, i):and_then(step)
    end
    return tidepool.spawn(step, 0):await():await()
  end)
end

-- The same loop in one coroutine: what a chain replaces.
function chain.coroutine(o)
  local tidepool = require "tidepool"
  return measure(o, function(n)
    return tidepool.spawn(function()
      local value = 0
      for _ = 1, n do
        value = tidepool.spawn(increment, value):await()
      end
      return value
    end):await()
  end)
end

return chain
