-- Ways for a process to end, each in a process of its own.

local session = require "spec.support.session"
local paths = require "spec.support.paths"
local process = require "spec.support.process"

-- Asserts how a process ended and that no sanitizer complained.
local function ended(code, result)
  assert.are.equal(code, result.code,
    ("code %s, signal %s, said: %s%s"):format(result.code, result.signal,
      result.out, result.err))
  assert.is_nil(result.err:find "Sanitizer", result.err)
  return result
end

-- What was said but for the line about what was cancelled.
local function rest_of(result)
  local rest = result.err:gsub("tidepool: cancelled at the end: [^\n]*\n", "",
    1)
  return rest
end

local function host(name, argument, environment)
  return process.shell(("%sexec %s/tests/exit/%s %s"):format(
    environment or "", paths.build, name, argument or ""))
end

describe("the end of a script", function ()
  it("cancels what is queued", function ()
    local result = ended(0, process.script "queued.lua")
    assert.are.equal("end\nruns\t0\n", result.out)
    assert.are.equal("tidepool: cancelled at the end: 51 tasks\n", result.err)
  end)

  it("tells what is running, and waits for it", function ()
    local result = ended(0, process.script "running.lua")
    assert.are.equal("end\nnoticed\t3\nwaited\ttrue\n", result.out)
    assert.are.equal("tidepool: cancelled at the end: 4 tasks\n", result.err)
  end)

  it("waits a second for what never returns", function ()
    local result = ended(0, process.leaver "never.lua")
    local took = tonumber(result.out:match "took ([%d.]+)")
    assert.is_true(took >= 1)
    assert.is_true(took < 25)
    assert.are.equal("", rest_of(result))
  end)

  it("waits as long as exit_grace says", function ()
    local result = ended(0, process.leaver("never.lua", 0.05))
    local took = tonumber(result.out:match "took ([%d.]+)")
    assert.is_true(took >= 0.05)
    assert.is_true(took < 25)
    result = ended(0, process.leaver("never.lua", 0))
    assert.are.equal("", rest_of(result))
  end)

  it("survives an error in the main program", function ()
    for _, way in ipairs { "plain", "task", "kept" } do
      local result = ended(1, process.script("fails.lua", way))
      local expected = way == "task" and "of a task" or "of the program"
      assert.is_truthy(result.err:find(expected, 1, true), result.err)
    end
  end)
end)

describe("os.exit", function ()
  local codes = {
    exit = 0, code = 7, close = 0, ["close-code"] = 7, ["false"] = 1,
    coroutine = 7,
  }
  local ways = {}
  for way in pairs(codes) do
    ways[#ways + 1] = way
  end
  table.sort(ways)

  for _, what in ipairs { "cooperative", "stuck", "short", "crypto" } do
    for _, way in ipairs(ways) do
      it(("works with %s tasks, way: %s"):format(what, way), function ()
        local rounds = (what == "crypto" or what == "short")
          and session.count(50, 5) or 1
        for _ = 1, rounds do
          local result = ended(codes[way],
            process.script("leave.lua", what, way))
          assert.are.equal("leaving\n", result.out)
          assert.are.equal("", rest_of(result))
        end
      end)
    end
  end

  it("after the last line works with libcrypto too", function ()
    for _ = 1, session.count(50, 5) do
      local result = ended(0, process.script("leave.lua", "crypto", "none"))
      assert.are.equal("", rest_of(result))
    end
  end)
end)

describe("the end of a program with coroutines that wait", function ()
  local codes = {
    last = 0, error = 1, exit = 0, code = 7, close = 0, ["close-code"] = 7,
    ["false"] = 1,
  }
  -- As in Lua, os.exit without `close` closes no variables.
  local closes = {
    last = true, error = true, close = true, ["close-code"] = true,
    ["false"] = true,
  }
  for how, code in pairs(codes) do
    for _, where in ipairs { "top", "coroutine", "rigid", "task", "worker" } do
      it(("has its status: %s, %s"):format(how, where), function ()
        local result = ended(code,
          process.script("coroutines.lua", how, where))
        if how == "error" then
          assert.is_truthy(result.err:find("of the program", 1, true))
        else
          assert.are.equal("", rest_of(result))
        end
        -- The last one has not begun at the top.
        local begun = where == "top" and 10 or 11
        local left, closed = result.out:gsub("closed\n", "")
        assert.are.equal("leaving\n", left)
        assert.are.equal(closes[how] and begun or 0, closed)
      end)
    end
  end
end)

describe("an interrupt", function ()
  -- As Ctrl-C in lua5.4: the status is 1 and the message "interrupted!".
  local function interrupt(where)
    return process.shell(("exec sh tests/exit/interrupt.sh %s "
      .. "tests/exit/await.lua %s"):format(process.interpreter, where))
  end

  for _, where in ipairs {
    "top", "coroutine", "timed", "wait", "pawait", "poll", "wait_all",
    "full", "shutdown", "suspended", "sleep", "sleep_busy", "group",
    "group_timed", "ping_pong", "offspring", "polling", "rigid",
    "rigid_busy", "inner", "nobodys",
  } do
    it("stops a program that blocks, where: " .. where, function ()
      local rounds = (where == "top" or where == "coroutine")
        and session.count(100, 5) or 1
      for _ = 1, rounds do
        local result = ended(1, interrupt(where))
        assert.are.equal("ready\n", result.out)
        assert.is_truthy(result.err:find("interrupted!", 1, true),
          result.err)
      end
    end)
  end

  it("can be caught as in Lua itself", function ()
    local result = ended(9, interrupt "pcall")
    assert.is_truthy(result.out:find "caught\tfalse\t.*interrupted!")
  end)
end)

describe("a host program", function ()
  it("may unmap the module after lua_close", function ()
    local result = ended(0, host("host_close", nil, process.leaving))
    assert.are.equal("closed\n", result.out)
  end)

  it("may close a state while its C module runs", function ()
    assert.are.equal("pinned\n", ended(0, host "host_pin").out)
  end)

  it("may close one state while another shares the manager", function ()
    assert.are.equal("shared\n", ended(0, host "host_two").out)
  end)

  it("may open and close states under load", function ()
    assert.are.equal("busy\n", ended(0, host "host_busy").out)
  end)

  it("may close states whose coroutines are told just then", function ()
    assert.are.equal("closed\n", ended(0, host "host_async").out)
  end)

  it("gets its SIGSEGV from a worker", function ()
    ended(42, host "host_segv")
  end)

  it("gets its SIGABRT from a worker", function ()
    ended(42, host("host_segv", "abort"))
  end)

  it("may fork in the middle", function ()
    if session.unforkable then
      pending(session.unforkable)
      return
    end
    local result = ended(0, host("host_fork", "tests/exit/fork.lua",
      process.leaving))
    assert.are.equal("", rest_of(result))
    assert.are.equal("forked\n", result.out)
  end)

  it("may fork with coroutines that wait", function ()
    if session.unforkable then
      pending(session.unforkable)
      return
    end
    local result = ended(0, host("host_fork",
      "tests/exit/fork_coroutines.lua", process.leaving))
    assert.are.equal("", rest_of(result))
    assert.are.equal("forked\n", result.out)
  end)
end)
