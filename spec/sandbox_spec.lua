-- Functions whose _ENV is not the table of globals, but leads to it: those of
-- a spec that busted runs, and of most sandboxes.

local session = require "spec.support.session"

local limit = session.limit

-- Runs the text of a chunk in an environment, where `call` calls on a pool of
-- one worker; with debug information, or without.
local function run(text, env, stripped)
  local pool = session.pool()
  local chunk = assert(load(text, "=sandbox", "t", env))
  if stripped then
    chunk = load(string.dump(chunk, true), "=sandbox", "b", env)
  end
  return chunk(function (f, ...) return pool:call(f, ...):await(limit) end)
end

local function failure(text, env, stripped)
  local ok, err = pcall(run, text, env, stripped)
  assert.is_false(ok)
  return err
end

local function falling_back(env)
  return setmetatable(env or {}, { __index = _G })
end

for _, stripped in ipairs { false, true } do
  describe(stripped and "a sandbox without debug information" or "a sandbox",
    function ()
      after_each(session.finish)

      it("finds the globals of the worker", function ()
        assert.are.same({ "X", 1, "number" }, { run([[
          local call = ...
          return call(function (s)
            return string.upper(s), math.floor(1.5),
              (function () return type(require "tidepool".now()) end)()
          end, "x")
        ]], falling_back(), stripped) })
      end)

      it("takes along what its functions use", function ()
        assert.are.same({ 3, "own", 9 }, { run([[
          local call = ...
          function one() return two() end
          function two() return three end
          three, math = 3, { floor = function (x) return x * x end }
          return call(function ()
            return one(), (function () return name end)(), math.floor(3)
          end)
        ]], falling_back { name = "own" }, stripped) })
      end)

      it("takes along nothing else", function ()
        assert.are.same({ 1, "nil" }, { run([[
          local call = ...
          used, unused = 1, { coroutine.create(print) }
          return call(function ()
            local x = used
            return x, type(_ENV["un" .. "used"])
          end)
        ]], falling_back(), stripped) })
      end)

      it("may stand in other sandboxes", function ()
        local inner = setmetatable({ y = 2 },
          { __index = falling_back { x = 1 } })
        assert.are.equal(3, run([[
          local call = ...
          return call(function () return x + y + math.floor(0.5) end)
        ]], inner, stripped))
      end)

      it("may be made of functions", function ()
        local env = setmetatable({}, {
          __index = function (_, key) return key == "x" and 7 or _G[key] end,
          __newindex = error,
        })
        assert.are.same({ 7, "table" }, { run([[
          local call = ...
          return call(function () return x, type(string) end)
        ]], env, stripped) })
      end)

      it("may be a copy of the globals", function ()
        local env = {}
        for key, value in pairs(_G) do
          env[key] = value
        end
        env.x = 1
        assert.are.same({ 1, "X" }, { run([[
          local call = ...
          return call(function () return x, string.upper "x" end)
        ]], env, stripped) })
      end)

      it("hides what it hid", function ()
        local env = setmetatable({}, { __index = function (_, key)
          return key ~= "os" and _G[key] or nil
        end })
        assert.are.same({ "nil", "table", "nil" }, { run([[
          local call = ...
          return call(function ()
            local before, io = type(os), type(io)
            os = 1
            os = nil
            return before, io, type(os)
          end)
        ]], env, stripped) })
      end)

      it("without the globals goes by value", function ()
        assert.are.same({ 1, "nil" }, { run([[
          local call = ...
          return call(function () return x, kind(string) end)
        ]], { x = 1, kind = type }, stripped) })
        local err = failure([[
          local call = ...
          return call(function () return x end)
        ]], { x = coroutine.create(print) }, stripped)
        assert.is_truthy(err:find('field "', 1, true)
          or err:find('upvalue "', 1, true), err)
        assert.is_truthy(err:find("a coroutine cannot be sent", 1, true), err)
      end)

      it("keeps what tasks assign to themselves", function ()
        assert.are.same({ 1, 2 }, { run([[
          local call = ...
          local function set() y = (y or 0) + 1 return y end
          local first = call(set)
          assert(call(function () return y, rawget(_G, "y") end) == nil)
          assert(call(set) == first)
          return first, call(function () set() return set() end)
        ]], falling_back(), stripped) })
      end)

      it("is one for all functions of a call", function ()
        assert.are.equal(15, run([[
          local call = ...
          n = 5
          local function add(x) n = n + x end
          return call(function (also) add(4) also(6) return n end,
            function (x) n = n + x end)
        ]], falling_back(), stripped))
      end)

      it("comes back as one", function ()
        assert.are.same({ 2, 1, "X" }, { run([[
          local call = ...
          n = 1
          local f = call(function ()
            n = 2
            return function () return n, string.upper "x" end
          end)
          local back, upper = f()
          return back, n, upper
        ]], falling_back(), stripped) })
      end)

      it("finds names that no instruction holds", function ()
        local lines = { "local call, t = ...", "t = {}",
          "return call(function () local t = {}" }
        for i = 1, 300 do
          lines[#lines + 1] = ("t[%d] = 'constant %d'"):format(i, i)
        end
        lines[#lines + 1] = "return late, " .. ("long"):rep(20) .. " end)"
        assert.are.same({ 1, 2 }, { run(table.concat(lines, "\n"),
          falling_back { late = 1, [("long"):rep(20)] = 2 }, stripped) })
      end)

      it("says what was left behind where it is missed", function ()
        local env = falling_back {
          thread = coroutine.create(print),
          deep = { { coroutine.create(print) } },
          object = setmetatable({}, { __call = print }),
          assert = setmetatable({}, { __call = function () end }),
        }
        for text, words in pairs {
          ["thread.x = 1"] = { "'thread' was not sent", "a coroutine" },
          ["return #deep"] = { "'deep' was not sent", '"[1][1]"' },
          ["object()"] = { "'object' was not sent", "without __tidepool" },
          ["assert.equal(1, 2)"] = { "index a function value",
            "'assert' was not sent" },
          ["coroutine.wrap(function () object() end)()"] = {
            "'object' was not sent" },
        } do
          local err = failure(("local call = ... call(function () %s end)")
            :format(text), env, stripped)
          for _, word in ipairs(words) do
            assert.is_truthy(err.message:find(word, 1, true), err.message)
          end
          assert.is_nil(err.value:find("was not sent", 1, true))
        end
        assert.is_nil(failure("local call = ... call(function () y() end)",
          env, stripped).message:find("was not sent", 1, true))
      end)

      it("sends nothing of what cannot cross", function ()
        local shared = { 1 }
        local bad = { shared, function () return x end } -- luacheck: ignore
        bad[3], shared.bad = coroutine.create(print), bad
        local env = falling_back { bad = bad, ok = { 1, { 2 } } }
        env.same = env.ok[2]
        assert.are.same({ "nil", 2, true }, { run([[
          local call = ...
          return call(function ()
            return type(bad), ok[2][1], ok[2] == same
          end)
        ]], env, stripped) })
      end)
    end)
end

describe("a sandbox", function ()
  after_each(session.finish)

  it("is what busted gives to this spec", function ()
    assert.are_not.equal(_G, _ENV)
    assert.are.equal("table", session.pool():call(function ()
      return type(string)
    end):await(limit))
  end)

  it("that fails to be read lets the worker's own stand in", function ()
    local env = setmetatable({ known = 1 }, { __index = function (_, key)
      return _G[key] or error("no variable " .. key, 0)
    end })
    assert.are.same({ 1, "nil", "X" }, { run([[
      local call = ...
      return call(function ()
        y = 1
        return y, type(unknown), string.upper "x"
      end)
    ]], env) })
    local err = failure([[
      local call = ...
      return call(function () unknown() end)
    ]], env)
    assert.is_truthy(err.message:find(
      "'unknown' was not sent: no variable unknown", 1, true), err.message)
  end)

  it("may send while it is read", function ()
    local pool, made = session.pool(), 0
    local env = setmetatable({}, { __index = function (_, key)
      if key == "made" then
        made = made + 1
        collectgarbage()
        return { pool:call(function (t) return t[1] end, { made }):await() }
      end
      return _G[key]
    end })
    local f = load("return made[1] == 1 and made[1], list[1]", "=f", "t", env)
    env.list = { 5 }
    assert.are.same({ 1, 5 }, { pool:call(f):await(limit) })
    assert.are.same({ false, 5 }, { pool:call(f):await(limit) })
  end)

  it("is interrupted where it is read", function ()
    local env = setmetatable({}, { __index = function (_, key)
      while key == "x" do end
      return _G[key]
    end })
    local f = load("return x", "=f", "t", env)
    local pool = session.pool()
    debug.sethook(function () error("interrupted", 0) end, "", 100000)
    local ok, err = pcall(pool.call, pool, f)
    debug.sethook()
    assert.is_false(ok)
    assert.are.equal("interrupted", err)
    assert.are.equal(1, pool:call(function () return 1 end):await(limit))
  end)

  it("cannot yield where it is read", function ()
    local env = setmetatable({ z = 1 }, { __index = function (_, key)
      return key == "x" and coroutine.yield() or _G[key]
    end })
    local f = load("return z, x", "=f", "t", env)
    local pool = session.pool()
    local co = coroutine.wrap(function () return pool:call(f):await(limit) end)
    assert.are.same({ 1 }, { co() })
  end)

  it("lets init set up the globals of its workers", function ()
    local pool = session.pool { workers = 1, init = function ()
      sandbox_spec_name = "set up" -- luacheck: ignore
    end }
    assert.are.equal("set up", pool:call(function ()
      return sandbox_spec_name -- luacheck: ignore
    end):await(limit))
    assert.is_nil(rawget(_G, "sandbox_spec_name"))
  end)

  it("has room for a long chain of functions", function ()
    local env = falling_back()
    for i = 1, 2000 do
      env["f" .. i] = load(("return f%d and f%d() or 0"):format(i + 1, i + 1),
        "=chain", "t", env)
    end
    assert.are.equal(0, session.pool():call(env.f1990):await(limit))
  end)

  it("does not nest deeper than other values", function ()
    local env = falling_back { x = "innermost" }
    local f = load("return x", "=f", "t", env)
    for _ = 1, 300 do
      f = load("return x()", "=f", "t", falling_back { x = f })
    end
    local ok, err = session.pool():call(f):pawait(limit)
    assert.is_false(ok)
    assert.is_truthy(err.message:find("nest deeper", 1, true), err.message)
  end)
end)

describe("what __tidepool makes of an object", function ()
  after_each(session.finish)

  -- What it returned was collected, and the next thing at that address was
  -- taken for it.
  it("is not mixed up with that of another", function ()
    local class = {}
    function class.__tidepool(object)
      collectgarbage()
      return function (t) return t end, { object.x }
    end
    local list = {}
    for i = 1, 100 do
      list[i] = setmetatable({ x = i }, class)
    end
    for i, t in ipairs(session.pool():call(function (objects)
      return objects
    end, list):await(limit)) do
      assert.are.equal(i, t[1])
    end
  end)
end)

describe("a function of Lua's own", function ()
  after_each(session.finish)

  it("crosses by its name, upvalues or not", function ()
    local libraries = { "_G", "package", "coroutine", "table", "io", "os",
      "string", "math", "utf8", "debug" }
    local pool, count = session.pool(), 0
    local function same(f, library, name)
      return f == package.loaded[library][name], f
    end
    for _, library in ipairs(libraries) do
      for name, f in pairs(package.loaded[library]) do
        if type(f) == "function" and debug.getinfo(f, "S").what == "C" then
          local there, back = pool:call(same, f, library, name):await(limit)
          assert.is_true(there, library .. "." .. name)
          assert.are.equal(f, back)
          count = count + 1
        end
      end
    end
    assert.is_true(count > 100)
  end)

  it("is found though a task has taken the worker's", function ()
    local pool = session.pool { workers = 1, init = function ()
      _G.require, _G.math = nil, nil
    end }
    local random, load_module = math.random, require
    assert.are.same({ "number", "table" }, { pool:call(function ()
      return type(random(3)), type(load_module "tidepool.core")
    end):await(limit) })
  end)

  it("is refused if it is another one", function ()
    local matcher = ("x"):gmatch "."
    local ok, err = pcall(session.pool().call, session.pool(),
      function () return matcher() end)
    assert.is_false(ok)
    assert.is_truthy(err:find("a C function with upvalues", 1, true), err)
  end)
end)
