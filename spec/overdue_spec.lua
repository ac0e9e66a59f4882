-- A shutdown that takes long says for what it waits, on standard error.

local process = require "spec.support.process"

-- A program of its own, in which a shutdown says so at once. It has a pool
-- `thumbs` of one worker, a future `now` that `go` resolves, and `said()`: has
-- any shutdown said so yet?
local function run(text)
  return process.program([[
    local tidepool = require "tidepool"
    tidepool.private.overdue_after(0)
    local pool = tidepool.pool { workers = 1, name = "thumbs" }
    local now, promise = tidepool.promise()
    local function go() promise:resolve() end
    local wait = tidepool.named("wait", function () return now:await() end)
    local function said()
      return select(2, require "tidepool".private.overdue_after()) > 0
    end
    local function await_word()
      while not said() do
        require "tidepool".sleep(0.001)
      end
    end
    local others = tidepool.pool { workers = 1 }
    local function go_then() -- from another thread
      return others:call(function () await_word() go() end)
    end
  ]] .. text)
end

local LINE = "tidepool: the shutdown of 'thumbs' has waited for 0 s, for: "

describe("a shutdown that takes long", function ()
  for name, text in pairs {
    ["blocks in a program"] = [[
      local gone = go_then()
      print(pool:shutdown())
      gone:await()
    ]],
    ["is the end of a block"] = [[
      local gone = go_then()
      do
        local closed <close> = pool
      end
      print(gone:pawait())
    ]],
    ["is waited for in a coroutine"] = [[
      local shutdown = tidepool.spawn(function () return pool:shutdown() end)
      tidepool.run(await_word)
      go()
      print(shutdown:await())
    ]],
    ["is waited for in a task"] = [[
      local two = tidepool.pool { workers = 2 }
      local shutdown = two:call(function () return pool:shutdown() end)
      tidepool.run(await_word)
      go()
      print(shutdown:await())
    ]],
  } do
    it("says for what it waits if it " .. name, function ()
      local result = run([[
        pool:call(wait)
        pool:call(wait)
        pool:call("tidepool.sleep", 0)
      ]] .. text)
      assert.are.equal("true\n", result.out, result.err)
      local line = result.err:match "^([^\n]*)\n$"
      assert.are.equal(LINE, (line or result.err):sub(1, #LINE))
      assert.is_truthy(line, result.err)
      assert.is_truthy(line:find("wait (2)", 1, true), line)
    end)
  end

  it("counts what runs, waits and follows, and what has no room", function ()
    local result = run [[
      pool:call(wait)
      pool:call(print, now)
      for i = 1, 9 do
        pool:call(tidepool.named("n" .. i, function () return now:await() end))
      end
      local shutdown = tidepool.spawn(function () return pool:shutdown() end)
      tidepool.run(await_word)
      go()
      print(shutdown:await())
    ]]
    local sum = 0
    for count in result.err:gmatch "%((%d+)%)" do
      sum = sum + count
    end
    assert.are.equal(11, sum, result.err)
    assert.is_truthy(result.err:find(", others (3)\n", 1, true), result.err)
  end)

  it("names a function that was cancelled and goes on", function ()
    local result = run [[
      local testmod = require "testmod"
      local gate = "overdue"
      pool:call("test.gate", gate)
      while testmod.entered(gate) == 0 do
        tidepool.sleep(0.001)
      end
      local shutdown = tidepool.spawn(function ()
        return pool:shutdown { drain = false }
      end)
      tidepool.run(await_word)
      testmod.open(gate)
      print(shutdown:await())
    ]]
    assert.are.equal("true\n", result.out, result.err)
    assert.are.equal(LINE .. "test.gate (1)\n", result.err)
  end)

  it("says so once, though several wait for it", function ()
    local result = run [[
      pool:call(wait)
      local function shut() return pool:shutdown() end
      local first, second = tidepool.spawn(shut), tidepool.spawn(shut)
      tidepool.run(await_word)
      local third = tidepool.spawn(shut)
      tidepool.sleep(0)
      go()
      print(first:await(), second:await(), third:await())
    ]]
    assert.are.equal("true\ttrue\ttrue\n", result.out, result.err)
    assert.are.equal(LINE .. "wait (1)\n", result.err)
  end)

  it("has two seconds, and wait_all any time", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      print(tidepool.private.overdue_after())
      local pool = tidepool.pool { workers = 1 }
      pool:call("tidepool.sleep", 0)
      tidepool.private.overdue_after(0)
      local now, promise = tidepool.promise()
      pool:call(function () return now:await() end)
      local all = tidepool.spawn(function () return pool:wait_all() end)
      tidepool.sleep(0)
      promise:resolve()
      print(all:await())
      tidepool.private.overdue_after(3600)
      print(pool:shutdown())
    ]]
    assert.are.equal("2.0\t0\ntrue\ntrue\n", result.out)
    assert.are.equal("", result.err)
  end)
end)
