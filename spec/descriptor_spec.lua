-- Programs that have no descriptor left, or close those that they do not know.

local process = require "spec.support.process"

local function script(prefix, what)
  return process.shell(("%sexec %s tests/exit/descriptors.lua %s"):format(
    prefix, process.interpreter, what))
end

local function ends(result)
  assert.are.equal(0, result.code, result.err)
  assert.are.equal("", result.err)
end

-- As many as a sanitizer needs, and ours before they are used up.
local FEW = "ulimit -n 64; "

describe("a program without a descriptor left", function ()
  it("waits all the same, and is told where it needs one", function ()
    ends(script(FEW, "none"))
  end)

  it("can be interrupted while it waits", function ()
    local result = process.shell(FEW .. ("exec sh tests/exit/interrupt.sh %s "
      .. "tests/exit/descriptors.lua forever"):format(process.interpreter))
    assert.are.equal(1, result.code, result.err)
    assert.is_truthy(result.err:find("interrupted!", 1, true), result.err)
  end)
end)

describe("a program that closes descriptors", function ()
  it("goes on, and sleeps while it waits", function ()
    ends(script("", "closed"))
  end)

  it("finds its files as they were, whatever number they have", function ()
    ends(script("", "reused"))
  end)
end)
