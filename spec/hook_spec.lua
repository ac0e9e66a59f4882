-- A debug hook sees in a task what it sees in a program.

local session = require "spec.support.session"
local tidepool = require "tidepool"

local limit = session.limit

-- What a hook of that kind sees of some code: a line for each event. Its
-- globals are Lua's own: to look one of busted's up calls functions of Lua.
local trace = assert(load [[
  local mask, count = ...
  local seen = {}
  local function inner(x)
    local y = x + 1
    return y
  end
  local function note(event, line)
    local info = debug.getinfo(2, "nS")
    table.insert(seen, table.concat({
      event, tostring(line), info.what, tostring(info.name),
    }, " "))
  end
  debug.sethook(note, mask, count)
  local sum = 0
  for i = 1, 5 do
    sum = sum + inner(i)
  end
  local co = coroutine.wrap(function () return inner(sum) end)
  co()
  pcall(error, "caught")
  string.rep("x", 3)
  debug.sethook()
  return table.concat(seen, "\n"), debug.gethook() == nil
]])

describe("a debug hook in a task", function ()
  after_each(session.finish)

  for name, how in pairs {
    calls = { "cr", 0 }, lines = { "l", 0 }, counts = { "", 1 },
    ["every tenth instruction"] = { "", 10 }, all = { "crl", 3 },
  } do
    it("sees what it sees in the program: " .. name, function ()
      local expected = coroutine.wrap(trace)(how[1], how[2])
      local seen, gone = session.pool():call(trace, how[1], how[2])
        :await(limit)
      assert.are.equal(expected, seen)
      assert.is_true(gone)
    end)
  end

  it("stays when a task below is cancelled, which waits for it", function ()
    local hooked, is_hooked = tidepool.promise()
    local go, gone = tidepool.promise()
    local result, done = tidepool.promise()
    local function above(promises, future)
      local n = 0
      debug.sethook(function () n = n + 1 end, "", 100)
      promises[1]:resolve()
      repeat until future[1]:is_ready()
      local before = n
      for _ = 1, 10000 do end
      promises[2]:resolve(n - before >= 100, (debug.gethook()) ~= nil)
    end
    local below = session.pool():call(function (f, ...)
      local here = require "tidepool"
      here.spawn(here.sleep, 1000) -- to be cancelled along: it is interrupted
      local future = here.current():call(f, ...):detach()
      ;("x"):gsub("x", function () future:await() end)
    end, above, { is_hooked, done }, { go })
    hooked:await(limit)
    below:cancel()
    gone:resolve()
    assert.are.same({ true, true }, { result:await(limit) })
  end)
end)
