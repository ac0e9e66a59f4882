-- A class whose objects cross: they are rebuilt on the other side.

local Point = {}
Point.__index = Point

local point = {}

function point.new(x, y)
  return setmetatable({ x = x, y = y, secret = coroutine.create(print) },
    Point)
end

function point.is(value)
  return getmetatable(value) == Point
end

function Point:sum()
  return self.x + self.y
end

local function rebuild(x, y)
  return require("spec.support.point").new(x, y)
end

function Point:__tidepool()
  return rebuild, self.x, self.y
end

return point
