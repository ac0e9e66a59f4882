-- Whatever happens in the middle of a function of ours (a finalizer or a hook
-- that waits, others that use the same scope), it does what it is for. Each
-- is run once for each of its instructions.

local hooks = require "spec.support.hooks"
local places = require "spec.support.places"
local scenario = require "spec.support.scenario"
local session = require "spec.support.session"
local tidepool = require "tidepool"


local function run(name, what)
  require "spec.support.scenario".run(name, what)
end

for _, place in ipairs(places) do
  describe("in the middle, " .. place.name .. ",", function ()
    after_each(session.finish)

    for _, name in ipairs(scenario.names) do
      for _, what in ipairs(scenario.acts) do
        it(("of %s %s"):format(name, what), function ()
          place.run(run, name, what)
        end)
      end
    end
  end)
end

-- A loop that resumes what was woken, also if that pauses only later.
local function new_loop()
  local loop = { woken = {}, mine = {}, watched = 0 }
  loop.adapter = {
    running = function ()
      local co = coroutine.running()
      return loop.mine[co] and co
    end,
    pause = function () coroutine.yield() end,
    resume = function (co) table.insert(loop.woken, co) end,
    watch = function (_, step)
      loop.watched = loop.watched + 1
      loop.step = step
      return function () loop.watched = loop.watched - 1 end
    end,
  }

  function loop.start(f)
    local co = coroutine.create(f)
    loop.mine[co] = true
    assert(coroutine.resume(co))
  end

  function loop.run(over)
    local deadline = session.now() + session.limit
    while not over() do
      assert(session.now() < deadline, "a coroutine was never woken")
      loop.step()
      for co in function () return table.remove(loop.woken, 1) end do
        if coroutine.status(co) == "suspended" then
          assert(coroutine.resume(co))
        end
      end
    end
  end

  return loop
end

-- Two coroutines of such a loop await; answers what they got.
local function await_in_loop(state)
  local loop = new_loop()
  local detach = tidepool.use_loop(loop.adapter)
  local got = {}
  for i = 1, 2 do
    loop.start(state.hooked(function ()
      tidepool.sleep(0)
      table.insert(got, (tidepool.spawn(function ()
        tidepool.sleep(0)
        return i
      end):await()))
    end))
  end
  loop.run(function () return #got == 2 end)
  detach()
  table.sort(got)
  return got[1], got[2], loop.watched
end

describe("in the middle, in a loop of somebody else's,", function ()
  after_each(session.finish)

  for _, what in ipairs { "finalizers wait", "others run" } do
    it("of an await " .. what, function ()
      hooks.at_each(await_in_loop, hooks.acts[what],
        function (_, first, second, watched)
          assert(first == 1 and second == 2)
          assert(watched == 0, "the loop is kept running for nobody")
        end)
    end)
  end
end)
