-- Random nested values, and a comparison that sees what must survive a
-- journey: integers apart from floats, shared tables, cycles.

local samples = {}

local function scalar(random)
  local kind = random(1, 9)
  if kind == 1 then
    return random(0, 1) == 1
  elseif kind == 2 then
    return random(-10, 10)
  elseif kind == 3 then
    return random(0) -- any 64 bits
  elseif kind == 4 then
    return random() * 2.0 ^ random(-60, 60)
  elseif kind == 5 then
    return random(-10, 10) + 0.0
  elseif kind == 6 then
    local edges = {
      math.mininteger, math.maxinteger, math.huge, -math.huge, -0.0,
      2.0 ^ 53, 2.0 ^ 63, 5e-324, 1.7976931348623157e308, "", "\0",
    }
    return edges[random(1, #edges)]
  elseif kind == 7 then
    return ("\0\xff%d\n"):format(random(1, 1000)):rep(random(0, 40))
  end
  local bytes = {}
  for i = 1, random(0, 30) do
    bytes[i] = string.char(random(0, 255))
  end
  return table.concat(bytes)
end

local function tree(random, depth, seen)
  if #seen > 0 and random(1, 8) == 1 then
    return seen[random(1, #seen)] -- shared, or an ancestor: a cycle
  end
  local t = {}
  seen[#seen + 1] = t
  for i = 1, random(0, 6) do
    if random(1, 10) > 1 then -- else a hole
      t[i] = samples.value(random, depth - 1, seen)
    end
  end
  for _ = 1, random(0, 5) do
    t[scalar(random)] = samples.value(random, depth - 1, seen)
  end
  if random(1, 12) == 1 then
    t[tree(random, 0, {})] = "a table for a key"
  end
  return t
end

-- A random value; `random` has the manner of math.random. At most 100
-- tables, so that no path through shared ones gets near the nesting limit.
function samples.value(random, depth, seen)
  seen = seen or {}
  if depth <= 0 or #seen >= 100 or random(1, 3) == 1 then
    return scalar(random)
  end
  return tree(random, depth, seen)
end

local same

-- Tables as keys have no order: look for a partner that fits.
local function partner(key, value, b, map, path)
  for other, found in pairs(b) do
    if type(other) == "table" then
      local trial = setmetatable({}, { __index = map })
      if same(key, other, trial, path) and same(value, found, trial, path)
      then
        return true
      end
    end
  end
  return false
end

local function same_tables(a, b, map, path)
  if map[a] or map[b] then
    if map[a] == b and map[b] == a then
      return true
    end
    return false, path .. ": shared otherwise"
  end
  map[a], map[b] = b, a
  local count = 0
  for key, value in next, a do
    count = count + 1
    if type(key) == "table" then
      if not partner(key, value, b, map, path) then
        return false, path .. ": a table key has no partner"
      end
    else
      local ok, where = same(value, rawget(b, key), map,
        ("%s[%q]"):format(path, key))
      if not ok then
        return false, where
      end
    end
  end
  for _ in next, b do
    count = count - 1
  end
  if count ~= 0 then
    return false, path .. ": another number of fields"
  end
  return true
end

function same(a, b, map, path)
  if math.type(a) ~= math.type(b) or type(a) ~= type(b) then
    return false, ("%s: %s %s for %s %s"):format(path,
      math.type(b) or type(b), tostring(b), math.type(a) or type(a),
      tostring(a))
  elseif type(a) == "table" then
    return same_tables(a, b, map, path)
  elseif a ~= a then
    return b ~= b, path .. ": not NaN"
  elseif a == 0 and math.type(a) == "float" then
    return 1 / a == 1 / b, path .. ": another sign of zero"
  end
  return rawequal(a, b), path .. ": differs"
end

-- Is b what a was? Else the path of a difference.
function samples.same(a, b)
  return same(a, b, {}, "value")
end

return samples
