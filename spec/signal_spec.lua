-- Signals and workers: those that a thread raises for itself are its own, the
-- others are the program's.

local session = require "spec.support.session"
local process = require "spec.support.process"
local testmod = require "testmod"
local tidepool = require "tidepool"

describe("a program in a pipe that nobody reads", function ()
  local function pipeline(what)
    local result = process.shell(("{ %s tests/exit/pipe.lua %s; "
      .. "echo status $? >&2; } | head -1 >/dev/null"):format(
      process.interpreter, what))
    return tonumber(result.err:match "status (%d+)"), result.err
  end

  it("ends by SIGPIPE when a worker prints", function ()
    for _, what in ipairs { "program", "worker" } do
      local status, said = pipeline(what)
      assert.are.equal(128 + 13, status, said)
    end
  end)

  it("is told when it ignores SIGPIPE and a worker writes", function ()
    local status, said = pipeline "ignores"
    assert.are.equal(0, status, said)
    assert.is_truthy(said:find("Broken pipe", 1, true), said)
  end)
end)

describe("the clock of profilers", function ()
  it("does not reach workers unasked", function ()
    local pool = session.pool { workers = 1 }
    assert.is_true(pool:call(testmod.blocks, "PROF"):await())
    pool = session.pool { workers = 1, profile = false }
    assert.is_true(pool:call(testmod.blocks, "PROF"):await())
  end)

  it("reaches the workers of a pool with profile = true", function ()
    local pool = session.pool { workers = 1, profile = true }
    assert.is_false(pool:call(testmod.blocks, "PROF"):await())
    assert.is_true(pool:call(testmod.blocks, "INT"):await())
    -- Which thread gets it is for the kernel to say: only one of them may.
    testmod.block("PROF", true)
    local interrupted = pool:call(testmod.profile, session.limit):await()
    testmod.block("PROF", false)
    assert.is_true(interrupted)
  end)

  it("is an option like others", function ()
    local ok, why = pcall(tidepool.AsyncManager.new, { profile = 1 })
    assert.is_false(ok)
    assert.is_truthy(why:find("bad option 'profile' (boolean", 1, true), why)
  end)
end)

describe("a worker", function ()
  it("lets only what it raises itself in", function ()
    local pool = session.pool { workers = 1 }
    assert.is_false(pool:call(testmod.blocks, "PIPE"):await())
    assert.is_true(pool:call(testmod.blocks, "INT"):await())
  end)
end)
