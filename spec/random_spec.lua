-- Random numbers of tasks: what is drawn in one worker is not drawn in another,
-- though their Lua states be made at the same time and place.

local session = require "spec.support.session"
local tidepool = require "tidepool"

local draw = function () return math.random(0) end

describe("random numbers of a worker", function ()
  after_each(session.finish)

  it("are not those of the workers of pools before", function ()
    local seen = {}
    for _ = 1, 50 do
      local pool <close> = tidepool.AsyncManager.new { workers = 1 }
      local id = pool:call(draw):await(session.limit)
      assert.is_nil(seen[id])
      seen[id] = true
    end
  end)

  it("differ from its first function on", function ()
    local seen = {}
    for _ = 1, 50 do
      local pool <close> = tidepool.AsyncManager.new {
        workers = 1, init = function () rawset(_G, "first", math.random(0)) end,
      }
      local id = pool:call(rawget, _G, "first"):await(session.limit)
      assert.is_nil(seen[id])
      seen[id] = true
    end
  end)

  it("repeat with a seed of one's own", function ()
    local pool = session.pool { workers = 1 }
    local function seeded()
      math.randomseed(42)
      return math.random(0)
    end
    assert.are.equal(pool:call(seeded):await(session.limit),
      pool:call(seeded):await(session.limit))
  end)
end)
