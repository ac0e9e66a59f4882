-- Whatever happens in the middle of a function of ours (a finalizer or a hook
-- that waits, others that use the same scope), it does what it is for. Each
-- is run once for each of its instructions.

local places = require "spec.support.places"
local scenario = require "spec.support.scenario"
local session = require "spec.support.session"


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
