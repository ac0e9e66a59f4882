-- The first `require` of a module in a fresh process.

local benchmod = require "benchmod"

local function first(name)
  return function()
    local start = benchmod.now()
    require(name)
    return { us = (benchmod.now() - start) / 1e3 }
  end
end

return { tidepool = first "tidepool", luv = first "luv" }
