-- The check of types/ finds what it is there to find.

local process = require "spec.support.process"

local function contents(name)
  local file <close> = assert(io.open(name))
  return file:read "a"
end

describe("the check of the annotations", function ()
  local folder

  before_each(function ()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("cp -r types " .. folder))
  end)
  after_each(function ()
    os.execute("rm -rf " .. folder)
  end)

  local function change(name, from, to)
    local path = folder .. "/" .. name
    local first, last = contents(path):find(from, 1, true)
    assert(first, from .. " is not in " .. name)
    local text = contents(path)
    local file <close> = assert(io.open(path, "w"))
    file:write(text:sub(1, first - 1), to, text:sub(last + 1))
  end

  local function check()
    return process.shell(("exec %s scripts/types-check.lua %s"):format(
      process.interpreter, folder))
  end

  local function finds(what)
    local found = check()
    assert.equal(1, found.code, found.out .. found.err)
    assert.truthy(found.out:find(what, 1, true), found.out)
  end

  it("is content with what there is", function ()
    local found = check()
    assert.equal(0, found.code, found.out .. found.err)
  end)

  it("misses a function", function ()
    change("tidepool/future.lua", "function Future:awaited() end", "")
    finds "types/ lacks awaited of tidepool.Future"
  end)

  it("misses a field", function ()
    change("tidepool/pool.lua", "---@field stopping integer\n", "")
    finds "types/ lacks stopping of tidepool.Stats"
  end)

  it("finds a function that is not there", function ()
    change("tidepool.lua", "return tidepool\n",
      "---Rings.\nfunction tidepool.ring() end\n")
    finds "annotates ring of tidepool, which is not there"
  end)

  it("finds an option that is refused", function ()
    change("tidepool/pool.lua", "---@field spin? ",
      "---@field spun? integer\n---@field spin? ")
    finds "annotates spun of tidepool.Options, which is not there"
  end)

  it("finds a member of a task that is not there", function ()
    change("tidepool/pool.lua", "function Task:progress(",
      "function Task:regress(")
    finds "annotates regress of tidepool.Task, which is not there"
  end)

  it("finds a function without a sentence", function ()
    change("tidepool.lua", "---A new, empty group.\n", "")
    finds "tidepool.group has no sentence"
  end)

  it("finds parameters with other names", function ()
    change("tidepool.lua", "function tidepool.sleep(seconds)",
      "function tidepool.sleep(minutes)")
    finds "has the parameters (minutes), and annotates (seconds)"
  end)

  it("finds a class that it cannot look up", function ()
    change("tidepool/scope.lua", "---@class tidepool.Scope",
      "---@class tidepool.Skope")
    finds "types/ has the class tidepool.Skope"
  end)
end)
