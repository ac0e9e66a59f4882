-- Something else happens in the middle of a function of ours: at each of its
-- instructions in turn. A finalizer may do that wherever the collector runs,
-- and a hook anywhere.

require "spec.support.paths"
local session = require "spec.support.session"
local tidepool = require "tidepool"

local hooks = {}

local private = tidepool.private
local OURS = "lua/tidepool/"

-- Checkers look at memory and threads, and are slow: there it is some of the
-- instructions.
local STRIDE = session.check and 29 or 1

local known = setmetatable({}, { __mode = "k" })

local function is_ours(f)
  if known[f] == nil then
    known[f] = debug.getinfo(f, "S").source:find(OURS, 1, true) ~= nil
  end
  return known[f]
end

-- Counts the instructions of tidepool's Lua in the running coroutine, and in
-- those that it starts; calls act() at the one numbered `at`.
local function counter(at, act)
  local count, acted = 0, false
  local function hook()
    if acted then
      debug.sethook()
    elseif is_ours(debug.getinfo(2, "f").func) then
      count = count + 1
      if count == at then
        acted = true
        act()
      end
    end
  end
  return function (fn)
    return function (...)
      debug.sethook(hook, "", 1)
      return (function (...)
        debug.sethook()
        return ...
      end)(fn(...))
    end
  end, function () return acted end
end

-- Where coroutines begin: argument `at` of that function is what they run.
local starts = {
  { tidepool, "spawn", 1 }, { tidepool, "after", 2 },
  { private, "watch", 2 }, { private, "chain", 3 },
  { private, "spawn_within", 2 },
}

-- Calls f() with all that it starts hooked.
local function with_starts(hooked, f)
  local before = {}
  for i, start in ipairs(starts) do
    local owner, name, at = table.unpack(start)
    local original = rawget(owner, name)
    before[i] = original
    owner[name] = function (...)
      local arguments = table.pack(...)
      if type(arguments[at]) == "function" then
        arguments[at] = hooked(arguments[at])
      end
      return original(table.unpack(arguments, 1, arguments.n))
    end
  end
  local results = table.pack(pcall(f))
  for i, start in ipairs(starts) do
    start[1][start[2]] = before[i]
  end
  return results
end

-- Runs scenario(state) once for each instruction, with act(state) at that
-- one, and checks what it returns by check(state, ...).
function hooks.at_each(scenario, act, check)
  local at = 1 - STRIDE
  repeat
    at = at + STRIDE
    local state = {}
    local hooked, acted = counter(at, function () act(state) end)
    state.hooked = hooked -- for coroutines that are not ours
    local results = with_starts(hooked, function ()
      return hooked(scenario)(state)
    end)
    debug.sethook()
    if not results[1] then
      error(("at instruction %d: %s"):format(at, tostring(results[2])), 0)
    end
    local ok, err = pcall(check, state, table.unpack(results, 2, results.n))
    if not ok then
      error(("at instruction %d: %s"):format(at, tostring(err)), 0)
    end
  until not acted()
  return at - 1
end

-- What happens there.
hooks.acts = {
  ["others run"] = function ()
    tidepool.spawn(tidepool.sleep, 0):await()
    tidepool.sleep(0)
  end,
  ["finalizers wait"] = function ()
    for _ = 1, 3 do
      setmetatable({}, { __gc = function () tidepool.sleep(0) end })
    end
    collectgarbage "step"
  end,
}

return hooks
