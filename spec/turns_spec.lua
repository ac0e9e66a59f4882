-- Loops that never really wait, and waits for all of a pool: others have their
-- turn all the same.
local names_of = require "spec.support.names"
local places = require "spec.support.places"
local session = require "spec.support.session"
local tidepool = require "tidepool"

local assert, describe, it, after_each = assert, describe, it, after_each
local limit = session.limit

-- Each gets a future that has settled, and goes on for ever.
local loops = {
  await = function (ready) while true do ready:await() end end,
  pawait = function (ready) while true do ready:pawait() end end,
  wait = function (ready) while true do ready:wait(0) end end,
  ["wait of one that never settles"] = function ()
    local never, promise = require "tidepool".promise()
    repeat never:wait(0) until promise:cancelled()
  end,
  ["group:next"] = function (ready)
    local group = require "tidepool".group()
    while true do
      group:add(ready)
      group:next()
    end
  end,
  ["an empty group"] = function ()
    local group = require "tidepool".group()
    while true do group:next() end
  end,
  ["a group as iterator"] = function (ready)
    local group = require "tidepool".group():add(ready)
    for _, future in group do group:add(future) end
  end,
  ["tidepool.await"] = function (ready)
    while true do require "tidepool".await(ready) end
  end,
  ["tidepool.wait"] = function (ready)
    while true do require "tidepool".wait { ready, ready } end
  end,
  as_completed = function (ready)
    while true do
      for _ in require "tidepool".as_completed { ready } do end
    end
  end,
  all = function (ready)
    while true do require "tidepool".all { ready }:await() end
  end,
  scope = function ()
    while true do require "tidepool".scope(function () end) end
  end,
  sleep = function () while true do require "tidepool".sleep(0) end end,
  wait_all = function ()
    local pool <close> = require "tidepool".AsyncManager.new { workers = 1 }
    while true do pool:wait_all() end
  end,
  map = function ()
    local pool <close> = require "tidepool".AsyncManager.new { workers = 1 }
    while true do pool:map(math.abs, {}) end
  end,
  imap = function ()
    local pool <close> = require "tidepool".AsyncManager.new { workers = 1 }
    while true do
      for _ in pool:imap(math.abs, { 1 }) do end
    end
  end,
}

local in_program = {
  poll = function () while true do tidepool.poll() end end,
  ["poll for some time"] = function ()
    while true do tidepool.poll(3600) end
  end,
}

-- Others run meanwhile, and a cancel is noticed.
local function lets_others_run(loop)
  local tidepool = require "tidepool" -- luacheck: ignore 431
  local ready = tidepool.spawn(function () return 1 end)
  ready:await()
  local ended = false
  local restless = tidepool.spawn(function ()
    local _ <close> = setmetatable({}, {
      __close = function () ended = true end,
    })
    loop(ready)
  end)
  local other = tidepool.spawn(function ()
    for _ = 1, 3 do tidepool.sleep(0.001) end
    restless:cancel()
    tidepool.sleep(0.001)
  end)
  other:await()
  while not ended do tidepool.sleep(0.001) end
  return restless:state()
end

-- So does one that waits in the middle of something that cannot yield.
local function lets_nested_waits_end(loop)
  local tidepool = require "tidepool" -- luacheck: ignore 431
  local ready = tidepool.spawn(function () return 1 end)
  ready:await()
  local restless = tidepool.spawn(loop, ready)
  local result
  local _ = ("x"):gsub("x", function ()
    tidepool.sleep(0.001)
    result = tidepool.spawn(function ()
      tidepool.sleep(0.001)
      return 1
    end):await()
  end)
  restless:cancel()
  return result
end

for _, place in ipairs(places) do
  describe("a loop that never really waits, " .. place.name .. ",", function ()
    after_each(session.finish)

    for _, name in ipairs(names_of(loops)) do
      it("lets others run, and is cancelled: " .. name, function ()
        assert.are.equal("cancelled", place.run(lets_others_run, loops[name]))
      end)

      it("lets a wait that cannot yield come to its end: " .. name, function ()
        assert.are.equal(1, place.run(lets_nested_waits_end, loops[name]))
      end)
    end

    it("is ended by its time limit", function ()
      for _, name in ipairs { "group:next", "tidepool.wait", "await" } do
        assert.are.equal("timeout", place.run(function (loop)
          local tidepool = require "tidepool" -- luacheck: ignore 431
          local ready = tidepool.spawn(function () end)
          ready:await()
          return select(2, pcall(tidepool.with_timeout, 0.01, loop, ready)).kind
        end, loops[name]))
      end
    end)
  end)
end

describe("polling in a coroutine", function ()
  after_each(session.finish)

  for _, name in ipairs(names_of(in_program)) do
    it("lets others run, and is cancelled: " .. name, function ()
      assert.are.equal("cancelled", lets_others_run(in_program[name]))
    end)
  end

  it("answers true for news, to all who poll", function ()
    local pool, heard = session.pool(), {}
    local gate = session.block(pool)
    local polls = {}
    for i = 1, 3 do
      polls[i] = tidepool.spawn(function ()
        heard[i] = tidepool.poll(limit)
      end)
    end
    tidepool.sleep(0)
    assert.are.same({}, heard)
    require "testmod".open(gate)
    tidepool.all(polls):await(limit)
    assert.are.same({ true, true, true }, heard)
  end)

  it("answers true to the program that polls as well", function ()
    local pool = session.pool()
    tidepool.poll()
    local inner = tidepool.spawn(function () return tidepool.poll(limit) end)
    local future = pool:call(function () end)
    assert.is_true(tidepool.poll(limit))
    assert.is_true(inner:await(limit))
    assert.is_true(future:is_ready())
  end)

  it("answers false when its time is over", function ()
    tidepool.spawn(function () end):await()
    tidepool.poll()
    local never, promise = tidepool.promise()
    assert.is_false(tidepool.spawn(function ()
      tidepool.poll()
      return tidepool.poll(0.01)
    end):await(limit))
    promise:resolve()
    assert.is_true(never:is_ready())
  end)
end)

local waits = {
  wait_all = function (pool) return pool:wait_all() end,
  shutdown = function (pool) return pool:shutdown() end,
  ["<close>"] = function (pool)
    local _ <close> = pool
    return true
  end,
}

for _, name in ipairs(names_of(waits)) do
  describe("waiting for a pool by " .. name, function ()
    after_each(session.finish)

    it("yields in a coroutine of the program", function ()
      local pool = session.pool()
      local answer, promise = tidepool.promise()
      pool:call(function (list) return list[1]:await() end, { answer })
      local waiting = tidepool.spawn(waits[name], pool)
      tidepool.spawn(function () promise:resolve() end)
      assert.is_true(waiting:await(limit))
    end)

    it("is given up by who was cancelled", function ()
      local pool = session.pool()
      local answer, promise = tidepool.promise()
      pool:call(function (list) return list[1]:await() end, { answer })
      local ended = false
      local waiting = tidepool.spawn(function ()
        local _ <close> = setmetatable({}, {
          __close = function () ended = true end,
        })
        waits[name](pool)
      end)
      tidepool.sleep(0)
      assert.is_true(waiting:cancel())
      tidepool.sleep(0)
      assert.is_true(ended)
      promise:resolve()
    end)

    it("leaves the worker to other tasks", function ()
      local pool, other = session.pool(), session.pool()
      local answer, promise = tidepool.promise()
      other:call(function (list) return list[1]:await() end, { answer })
      local waiting = pool:call(waits[name], other)
      assert.are.equal(1, pool:call(function () return 1 end):await(limit))
      promise:resolve()
      assert.is_true(waiting:await(limit))
    end)
  end)
end

describe("a task that waits again and again", function ()
  after_each(session.finish)

  it("does not keep the queue of its worker out", function ()
    local pool = session.pool { workers = 1 }
    local restless = pool:call(function ()
      while not package.loaded.stop do -- a table of the worker
        require "tidepool".sleep(0)
      end
      return "stopped"
    end)
    pool:call(function () package.loaded.stop = true end):await(limit)
    assert.are.equal("stopped", restless:await(limit))
  end)
end)

describe("a plain yield in a coroutine of the program", function ()
  after_each(session.finish)

  it("is an error that pcall catches", function ()
    local results = table.pack(tidepool.spawn(function ()
      local first = table.pack(pcall(coroutine.yield, 1))
      tidepool.sleep(0)
      local ok, err = pcall(function () coroutine.yield() end)
      return first[1], first[2], ok, err
    end):await(limit))
    local message = "attempt to yield from outside a coroutine"
    assert.are.same({ false, message, false, message, n = 4 }, results)
  end)

  it("fails it if nothing catches that", function ()
    local _, err = tidepool.spawn(function () coroutine.yield() end)
      :pawait(limit)
    assert.is_truthy(err.message:find "attempt to yield")
    assert.is_truthy(err.traceback:find "turns_spec", err.traceback)
  end)

  it("leaves a hook as it was", function ()
    local function hook() end
    local hooked = tidepool.spawn(function ()
      debug.sethook(hook, "l", 7)
      pcall(coroutine.yield)
      local before = table.pack(debug.gethook())
      debug.sethook()
      return before
    end):await(limit)
    assert.are.same({ hook, "l", 7, n = 3 }, hooked)
  end)

  it("is none in a coroutine that it has made itself", function ()
    assert.are.equal(3, tidepool.spawn(function ()
      local next_of = coroutine.wrap(function ()
        coroutine.yield(1)
        coroutine.yield(2)
      end)
      return next_of() + next_of()
    end):await(limit))
  end)
end)
