-- Programs that fork: what the child of one still can do, and what it must
-- not do to others.

local session = require "spec.support.session"
local paths = require "spec.support.paths"
local process = require "spec.support.process"

local function forks(program, argument)
  local result = process.shell(("%sexec %s/tests/exit/%s %s"):format(
    process.leaving, paths.build, program, argument))
  -- What the parent leaves is told; the child leaves nothing of its own.
  local rest = result.err:gsub("tidepool: cancelled at the end: [^\n]*\n", "",
    1)
  assert.are.equal(0, result.code, result.err)
  assert.are.equal("", rest)
  assert.are.equal("forked\n", result.out)
end

local function script(name)
  forks("host_fork", "tests/exit/" .. name)
end

describe("the child of a fork", function ()
  if session.unforkable then
    it("may have threads", function ()
      pending(session.unforkable)
    end)
    return
  end

  it("finds what was pending broken wherever it looks", function ()
    script "fork_broken.lua"
  end)

  it("finds it broken in C as well", function ()
    forks("host_forks", "pending")
  end)

  it("can interrupt the tasks of its own pools", function ()
    script "fork_interrupts.lua"
  end)

  it("ends with the task that forked", function ()
    script "fork_task.lua"
  end)

  it("never waits for a lock that a thread of the parent held", function ()
    forks("host_forks", "locked")
  end)

  it("never waits for what the parent was about to tell", function ()
    forks("host_forks", "telling")
  end)

  it("keeps the files that it opened under numbers of ours", function ()
    forks("host_forks", "descriptors")
  end)
end)
