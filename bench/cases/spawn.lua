-- A coroutine that does nothing is started and waited for.

local sample = require "sample"

local spawn = {}

local function nothing()
end

local function microseconds(o, body)
  return {
    us = sample.seconds(o, function() body(o.tasks) end) * 1e6 / o.tasks,
  }
end

-- What nobody can do without.
function spawn.bare(o)
  return microseconds(o, function(n)
    for _ = 1, n do
      coroutine.wrap(nothing)()
    end
  end)
end

-- One at a time, from the main program.
function spawn.tidepool(o)
  local start = require("tidepool").spawn
  return microseconds(o, function(n)
    for _ = 1, n do
      start(nothing):await()
    end
  end)
end

-- The next best: a controller that runs until nothing is left in it.
function spawn.cqueues(o)
  local controller = require("cqueues").new()
  return microseconds(o, function(n)
    for _ = 1, n do
      controller:wrap(nothing)
      assert(controller:loop())
    end
  end)
end

-- o.batch of them, then all awaited.
function spawn.many(o)
  local start = require("tidepool").spawn
  return microseconds(o, function(n)
    local futures = {}
    for _ = 1, n // o.batch do
      for i = 1, o.batch do
        futures[i] = start(nothing)
      end
      for i = 1, o.batch do
        futures[i]:await()
      end
    end
  end)
end

function spawn.cqueuesmany(o)
  local controller = require("cqueues").new()
  return microseconds(o, function(n)
    for _ = 1, n // o.batch do
      for _ = 1, o.batch do
        controller:wrap(nothing)
      end
      assert(controller:loop())
    end
  end)
end

-- One at a time, from a coroutine, which yields for each.
function spawn.within(o)
  local start = require("tidepool").spawn
  return microseconds(o, function(n)
    start(function()
      for _ = 1, n do
        start(nothing):await()
      end
    end):await()
  end)
end

-- A promise of cqueues is what comes closest to a Future.
function spawn.cqueueswithin(o)
  local cqueues = require "cqueues"
  local promise = require "cqueues.promise"
  return microseconds(o, function(n)
    local controller = cqueues.new()
    controller:wrap(function()
      for _ = 1, n do
        promise.new(nothing):get()
      end
    end)
    assert(controller:loop())
  end)
end

-- o.batch of them.
function spawn.cqueuespromises(o)
  local cqueues = require "cqueues"
  local promise = require "cqueues.promise"
  return microseconds(o, function(n)
    local controller = cqueues.new()
    controller:wrap(function()
      local promises = {}
      for _ = 1, n // o.batch do
        for i = 1, o.batch do
          promises[i] = promise.new(nothing)
        end
        for i = 1, o.batch do
          promises[i]:get()
        end
      end
    end)
    assert(controller:loop())
  end)
end

return spawn
