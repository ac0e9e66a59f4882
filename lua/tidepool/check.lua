--- Arguments of the functions that are written in Lua, checked in the words
-- that Lua itself uses. Each check raises at `level`, which counts as that of
-- `error` does from who called the check: 2 is the caller of that function.
local core = require "tidepool.core"

local check = {}

-- What Lua calls the type of a value.
local function type_of(value)
  local meta = debug.getmetatable(value)
  local name = meta and rawget(meta, "__name")
  return type(name) == "string" and name or type(value)
end

--- Raises that an argument is wrong.
-- @tparam integer level
-- @tparam integer number of the argument
-- @tparam string name of the function
-- @tparam string expected
-- @param value what was given
function check.bad(level, number, name, expected, value)
  error(("bad argument #%d to '%s' (%s expected, got %s)")
    :format(number, name, expected, type_of(value)), level + 1)
end

--- Raises again what a call from here has raised. A message that has the
-- position of that call gets another one.
-- @tparam integer level
-- @param err
function check.again(level, err)
  if type(err) == "string" then
    local source = debug.getinfo(2, "S").short_src .. ":"
    if err:sub(1, #source) == source then
      err = err:match("^%d+: (.*)", #source + 1) or err
    end
    error(err, level + 1)
  end
  error(err, 0)
end

--- The object of a method.
-- @tparam integer level
-- @tparam string name of the method
-- @tparam string class
-- @param value
function check.self(level, name, class, value)
  if type_of(value) ~= class then
    error(("bad argument #1 to '%s' (%s expected, got %s)")
      :format(name, class, type_of(value)), level + 1)
  end
end

--- A function of Lua or C.
function check.callback(level, number, name, value)
  if type(value) ~= "function" then
    check.bad(level + 1, number, name, "function", value)
  end
end

--- A pool, and a function or the name of a registered one as argument 1.
function check.target(level, name, pool, fn)
  check.self(level + 1, name, "tidepool.AsyncManager", pool)
  if type(fn) == "function" then
    return
  elseif type(fn) ~= "string" then
    check.bad(level + 1, 1, name, "name or function", fn)
  end
  for _, registered in ipairs(pool:functions()) do
    if registered.name == fn then
      return
    end
  end
  error(("no function named '%s' is registered"):format(fn), level + 1)
end

--- A list, which may have an `n` for holes.
-- @treturn integer how long it is
function check.list(level, number, name, list)
  if type(list) ~= "table" then
    check.bad(level + 1, number, name, "table", list)
  end
  local n = list.n
  if n == nil then
    return #list
  elseif math.type(n) ~= "integer" or n < 0 then
    error(("bad argument #%d to '%s' (its field 'n' is no length)")
      :format(number, name), level + 1)
  end
  return n
end

-- Raises for one that was cleaned up.
local function ids_of(futures)
  local ids = {}
  for i, future in ipairs(futures) do
    ids[i] = future:id()
  end
  return ids
end

--- A list of Futures.
-- @treturn table a copy, which nobody else changes
-- @treturn table their numbers: two that are equal have the same
function check.futures(level, name, list)
  local n = check.list(level + 1, 1, name, list)
  local futures = {}
  for i = 1, n do
    futures[i] = list[i]
    if not core.is_future(futures[i]) then
      error(("bad argument #1 to '%s' (Future expected at index %d, got %s)")
        :format(name, i, type_of(futures[i])), level + 1)
    end
  end
  local ok, ids = pcall(ids_of, futures)
  if not ok then
    error("future was cleaned up", level + 1)
  end
  return futures, ids
end

local function is_seconds(value)
  return type(value) == "number" and value >= 0
end

local kinds = {
  boolean = function (value) return type(value) == "boolean" end,
  seconds = is_seconds,
  ["positive integer"] = function (value)
    return math.type(value) == "integer" and value > 0
  end,
}

-- How a wrong value is shown: one of the right type as it is.
local function shown(value)
  local number = type(value) == "number"
  return (number or type(value) == "string") and tostring(value)
    or type_of(value)
end

--- A table of options, or nil for none.
-- @tparam integer level
-- @tparam integer number of the argument
-- @tparam string name of the function
-- @param options
-- @tparam table known by name what they may be: a kind of value, or a
-- function that answers whether it fits and what was expected
-- @treturn table a copy, which nobody else changes; never nil
function check.options(level, number, name, options, known)
  local checked = {}
  if options == nil then
    return checked
  elseif type(options) ~= "table" then
    check.bad(level + 1, number, name, "table", options)
  end
  for key in pairs(options) do
    if known[key] == nil then
      error(type(key) == "string" and ("unknown option '%s'"):format(key)
        or ("unknown option (a %s as a key)"):format(type(key)), level + 1)
    end
  end
  for key, kind in pairs(known) do
    local value = options[key]
    local fits, expected = true, nil
    if value ~= nil then
      fits, expected = (kinds[kind] or kind)(value)
    end
    if not fits then
      error(("bad option '%s' (%s expected, got %s)")
        :format(key, expected or kind, shown(value)), level + 1)
    end
    checked[key] = value
  end
  return checked
end

return check
