-- What docs/testing.md gives readers to copy: it has to find what a spec left
-- behind, and nothing where a spec left nothing.

local session = require "spec.support.session"
local tidepool = require "tidepool"

-- The file `name` of the page, as a module.
local function from_page(name)
  local page <close> = assert(io.open "docs/testing.md")
  local text = page:read "a"
  local mark = ("<!-- file: %s -->\n```lua\n"):format(name):gsub("%p", "%%%0")
  local code = text:match(mark .. "(.-)```\n")
  return assert(load(assert(code, name .. " is not there"), "@" .. name))()
end

describe("leftovers.lua of the page on testing", function ()
  local leftovers = from_page "leftovers.lua"
  before_each(leftovers.start)
  after_each(session.finish)

  local function problem()
    local ok, message = pcall(leftovers.check)
    return not ok and message or nil
  end

  it("has nothing against a spec that reads all", function ()
    local pool = leftovers.pool { workers = 1 }
    pool:call(function () end):await(session.limit)
    pool:call(error, "read"):pawait(session.limit)
    tidepool.run(tidepool.sleep, 0)
    tidepool.call(string.upper, "tide"):await(session.limit)
    pool:call("tidepool.sleep", 60):cancel()
    local awaited = tidepool.spawn(error, "asked for")
    awaited:pawait(session.limit)
    assert.is_nil(problem())
  end)

  it("finds a failure that nobody read, of a task and a coroutine", function ()
    local pool = leftovers.pool { workers = 1 }
    pool:call(error, "of the task", 0)
    assert.is_true(pool:wait_all(session.limit))
    tidepool.spawn(error, "of the coroutine", 0)
    tidepool.sleep(0)
    local message = problem()
    assert.matches("of the task", message)
    assert.matches("of the coroutine", message)
  end)

  it("finds a task that runs, in a pool of the spec and the default one",
    function ()
      local own = leftovers.pool { workers = 1, name = "own" }
      local left = {
        own:call("tidepool.sleep", 60), tidepool.call("tidepool.sleep", 60),
      }
      local message = problem()
      assert.matches("pool own", message)
      assert.matches("pool default", message)
      for _, future in ipairs(left) do
        assert.are.equal("cancelled", future:state())
      end
    end)

  it("names a pool without a name, and forgets what it has told", function ()
    leftovers.pool { workers = 1 }:call("tidepool.sleep", 60)
    assert.matches("pool without a name", problem())
    assert.is_nil(problem())
  end)

  it("leaves unread failures to standard error afterwards", function ()
    assert.is_nil(problem())
    assert.is_nil(tidepool.on_unhandled(nil))
  end)

  it("ends a spec whose coroutine waits", function ()
    local waits
    assert.has_error(leftovers.within(0.01, function ()
      waits = tidepool.spawn(tidepool.sleep, 60)
    end))
    assert.are.equal("cancelled", waits:state())
    assert.has_no_error(leftovers.within(session.limit, function ()
      tidepool.spawn(tidepool.sleep, 0)
    end))
  end)

  it("lets the failure of an assertion through", function ()
    local ok = pcall(leftovers.within(session.limit, function ()
      assert.are.equal(1, 2)
    end))
    assert.is_false(ok)
  end)
end)
