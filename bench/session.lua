-- What bench/count.lua counts, run by bench/session.c: SCRIPT CASE DATE.
--
-- A round submits some tasks (call), lets the worker work (worker), awaits
-- them (await), and collects what is left (collect). Rounds differ in their
-- size alone, so their difference is what so many tasks cost. The collectors
-- stand still but where they are called, as the moment of their steps
-- would hang on every byte.

local session, case = ...

local LARGE, SMALL = 1200, 200
local ROUNDS = { LARGE, SMALL, LARGE, SMALL }

local function collect()
  collectgarbage()
  collectgarbage()
end

local function new_pool()
  session.register()
  return require("tidepool").AsyncManager.new {
    workers = 1, queue = 4096, spin = 0,
  }
end

local cases = {}

local function await(futures, n)
  for i = 1, n do
    assert(futures[i]:await() == i + 1)
  end
end

cases["C function"] = function()
  local pool = new_pool()
  return {
    pool = pool,
    await = await,
    call = function(futures, n)
      for i = 1, n do
        futures[i] = pool:call("session.inc", i)
      end
    end,
  }
end

-- The worker's collector is stopped, and called after each round.
local function lua_pool()
  local pool = new_pool()
  pool:call(function() collectgarbage "stop" end):await()
  return pool
end

cases["Lua function"] = function()
  local pool = lua_pool()
  local function inc(i)
    return i + 1
  end
  return {
    pool = pool,
    last = collect,
    await = await,
    call = function(futures, n)
      for i = 1, n do
        futures[i] = pool:call(inc, i)
      end
    end,
  }
end

cases["record"] = function()
  local pool = lua_pool()
  local function same(record)
    return record
  end
  return {
    pool = pool,
    last = collect,
    call = function(futures, n)
      for i = 1, n do
        futures[i] = pool:call(same, { id = i, name = "a record", v = 0.5 })
      end
    end,
    await = function(futures, n)
      for i = 1, n do
        assert(futures[i]:await().id == i)
      end
    end,
  }
end

cases["spawn"] = function()
  local spawn = require("tidepool").spawn
  local function inc(i)
    return i + 1
  end
  return {
    await = await,
    call = function(futures, n)
      for i = 1, n do
        futures[i] = spawn(inc, i)
      end
    end,
  }
end

cases["spawned call"] = function()
  local pool, tidepool = new_pool(), require "tidepool"
  local spawn, poll, begun = tidepool.spawn, tidepool.poll, 0
  local function inc(i)
    begun = begun + 1
    return pool:call("session.inc", i):await()
  end
  return {
    pool = pool,
    await = await,
    call = function(futures, n)
      for i = 1, n do
        futures[i] = spawn(inc, i)
      end
      while begun < n do
        poll()
      end
      begun = 0
    end,
  }
end

cases["floor of a call"] = function()
  local pool = require "floormod"
  return {
    await = await,
    call = function(futures, n)
      for i = 1, n do
        futures[i] = pool:call("session.inc", i)
      end
    end,
  }
end

cases["floor of a coroutine"] = function()
  local create, resume = coroutine.create, coroutine.resume
  local yield = coroutine.yield
  local function inc(i)
    yield()
    return i + 1
  end
  return {
    call = function(threads, n)
      for i = 1, n do
        local thread = create(inc)
        resume(thread, i)
        threads[i] = thread
      end
    end,
    await = function(threads, n)
      for i = 1, n do
        local _, result = resume(threads[i])
        assert(result == i + 1)
      end
    end,
  }
end

cases["floor of a record"] = function()
  local function same(record)
    return { id = record.id, name = record.name, v = record.v }
  end
  return {
    call = function(records, n)
      for i = 1, n do
        records[i] = same { id = i, name = "a record", v = 0.5 }
      end
    end,
    await = function(records, n)
      for i = 1, n do
        assert(same(records[i]).id == i)
      end
    end,
  }
end

local function round(it, futures, n)
  local pool = it.pool
  if pool then
    pool:call "session.hold"
    session.held()
  end
  session.start()
  it.call(futures, n)
  session.call()
  if pool then
    if it.last then
      pool:call(it.last)
    end
    pool:call "session.done"
    session.work()
  end
  session.start()
  it.await(futures, n)
  session.await()
  for i = 1, n do
    futures[i] = false
  end
  collect()
  session.collect()
end

local it, futures = cases[case](), {}
for i = 1, LARGE do
  futures[i] = false
end
collectgarbage "stop"
for _, n in ipairs(ROUNDS) do
  round(it, futures, n)
end
print(LARGE - SMALL)
