-- Lua functions for the stress run: each answers a function, a check of its
-- results (or nil), and arguments.

local random = math.random

local function expect(value)
  return function (got) assert(got == value, "a wrong result") end
end

local function inc(n)
  return n + 1
end

-- A call for each branch of the tree.
local function fork(n)
  if n < 2 then
    return n
  end
  local tidepool = require "tidepool"
  local pool = tidepool.current()
  tidepool.on_unhandled(function () end) -- if the second call is refused
  local a, b = pool:call(fork, n - 1), pool:call(fork, n - 2)
  return a:await() + b:await()
end

local function nap(seconds)
  return require "tidepool".call("tidepool.sleep", seconds)
end

return {
  function ()
    local n = random(1000)
    return inc, expect(n + 1), n
  end,
  function ()
    local text, list = ("x"):rep(random(0, 3000)), { random(10) }
    return function (n)
      list[1] = list[1] + n
      return text
    end, expect(text), 1
  end,
  function () return fork, expect(8), 6 end,
  function () return string.upper, expect "UP", "up" end,
  function () return error, nil, { "a", "table" } end,
  function () return function () error "on purpose" end, nil end,
  function () -- waits, at times for too long
    return function (seconds, limit)
      return nap(seconds):wait(limit)
    end, nil, random() / 200, random() / 200
  end,
  function () -- waits within a coroutine of its own, and cleans up
    return function (seconds)
      local closed = 0
      local step = coroutine.wrap(function ()
        local guard <close> = setmetatable({}, { -- luacheck: ignore
          __close = function () closed = closed + 1 end,
        })
        nap(seconds):await()
        coroutine.yield(1)
        nap(seconds):await()
        return 2
      end)
      return step() + step() + closed
    end, expect(4), random() / 500
  end,
  function () -- waits where nothing can yield
    return function (...)
      local pool, list = require "tidepool".current(), { ... }
      table.sort(list, function (x, y)
        return pool:call(function (a, b) return a < b end, x, y):await()
      end)
      return table.concat(list)
    end, expect "123", 3, 1, 2
  end,
  function () -- computes for a moment, or until it is told
    return function (seconds)
      local over = os.clock() + seconds
      while os.clock() < over do
        pcall(string.rep, "x", 100)
      end
    end, nil, random() / 100
  end,
  -- Never ends by itself; the last one, and not for everybody.
  function ()
    return function ()
      require "tidepool".task():progress(0.5, "looping")
      while true do pcall(function () while true do end end) end
    end, nil
  end,
}
