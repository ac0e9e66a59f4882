-- Errors of Lua tasks: of any type, with the place they came from, and none
-- that would take a worker with it.

local session = require "spec.support.session"
local process = require "spec.support.process"
local testmod = require "testmod"
local tidepool = require "tidepool"

local expect = assert

local limit = session.limit
local this_file = "spec/lua_error_spec.lua"

-- The line this is called from.
local function line()
  return debug.getinfo(2, "l").currentline
end

local function failure(f, ...)
  return session.failure(session.pool():call(f, ...))
end

local function lives(pool)
  expect.are.equal(3, pool:call(function (a, b) return a + b end, 1, 2)
    :await(limit))
  local stats = pool:stats()
  expect.are.equal(0, stats.stopping)
  expect.are.equal(0, stats.running)
end

local function has(text, part)
  expect.is_truthy(text:find(part, 1, true), text)
end

local function lacks(text, part)
  expect.is_nil(text:find(part, 1, true), text)
end

describe("the Error of a Lua task", function ()
  after_each(session.finish)

  it("is one like all others", function ()
    local future = session.pool():call(function () error("oops", 0) end)
    local err = session.failure(future)
    expect.are.equal("tidepool.Error", getmetatable(err).__name)
    expect.are.equal("error", err.kind)
    expect.are.equal("oops", err.message)
    expect.are.equal("oops", err.value)
    expect.are.equal(future:id(), err.id)
    expect.are.equal("failed", future:state())
    local ok, again = pcall(future.get, future)
    expect.is_false(ok)
    expect.are.equal("oops", again.value)
  end)

  it("has the string with the position that Lua gives it", function ()
    local at = line() + 1
    local err = failure(function () error "here" end)
    expect.are.equal(("%s:%d: here"):format(this_file, at), err.value)
    expect.are.equal(err.value, err.message)
  end)

  it("has the words of Lua's own errors", function ()
    local at = line() + 2
    local err = failure(function (t)
      return t.field.other
    end, {})
    has(err.message, ("%s:%d: attempt to index a nil value (field 'field')")
      :format(this_file, at))
  end)

  for name, value in pairs {
    string = "text", empty = "", zeros = "a\0b", integer = 42, float = 1.5,
    minimum = math.mininteger, ["true"] = true, ["false"] = false,
    long = ("x"):rep(100000),
  } do
    it("keeps a value of any type: " .. name, function ()
      local err = failure(function (v) error(v, 0) end, value)
      expect.are.equal(value, err.value)
      expect.are.equal(math.type(value), math.type(err.value))
      expect.are.equal(tostring(value), err.message)
    end)
  end

  it("keeps a table, its sharing and its cycles", function ()
    local err = failure(function ()
      local t = { code = 7, list = { 1, 2 } }
      t.self, t.again = t, t.list
      error(t)
    end)
    expect.are.equal(7, err.value.code)
    expect.are.equal(err.value, err.value.self)
    expect.are.equal(err.value.list, err.value.again)
    expect.are.equal("string", type(err.message))
  end)

  it("is worded by the __tostring of a table", function ()
    local err = failure(function ()
      error(setmetatable({ code = 7 }, {
        __tostring = function (t) return "code " .. t.code end,
      }))
    end)
    expect.are.equal("code 7", err.message)
    expect.are.equal(7, err.value.code)
    has(tostring(err), "code 7")
  end)

  it("has no value for nil", function ()
    for _, f in ipairs {
      function () error() end, function () error(nil) end,
    } do
      local err = failure(f)
      expect.are.equal("error", err.kind)
      expect.is_nil(err.value)
      expect.are.equal("nil", err.message)
      expect.are.equal("string", type(tostring(err)))
    end
  end)

  it("keeps a function", function ()
    local err = failure(function ()
      error(function (n) return n + 1 end)
    end)
    expect.are.equal(3, err.value(2))
    expect.are.equal(string.upper,
      failure(function () error(string.upper) end).value)
  end)

  it("keeps a Future", function ()
    local err = failure(function ()
      error(require "tidepool".current():call("test.add", 1, 2))
    end)
    expect.are.equal(3, err.value:await(limit))
  end)

  it("has the text of what cannot cross", function ()
    local err = failure(function () error(io.stdout) end)
    expect.are.equal("error", err.kind)
    expect.is_truthy(err.value:find "^file %(")
    expect.are.equal(err.value, err.message)
    err = failure(function () error(coroutine.create(print)) end)
    expect.is_truthy(err.value:find "^thread: ")
    err = failure(function () error { io.stdout } end)
    expect.are.equal("error", err.kind)
    expect.is_truthy(err.value:find "^table: ")
    err = failure(function ()
      error(setmetatable({ io.stdout }, {
        __tostring = function () return "with a file" end,
      }))
    end)
    expect.are.equal("with a file", err.value)
    expect.are.equal("with a file", err.message)
    err = failure(function () error(string.gmatch("a", "a")) end)
    expect.are.equal("error", err.kind)
    expect.is_truthy(err.value)
  end)

  it("leaves behind what cannot cross of another's fields", function ()
    local err = failure(function ()
      local current = require "tidepool".current()
      local _, inner = current:call(error, { code = 7 }):pawait()
      inner.file = io.stdout
      error(inner)
    end)
    expect.are.equal("error", err.kind)
    expect.are.equal(7, err.value.code)
    expect.is_nil(err.file)
    has(err.traceback, "in function 'error'")
  end)

  it("is of kind transfer when a result cannot be rebuilt", function ()
    local function result(value)
      return setmetatable({}, { __tidepool = function ()
        return error, value
      end })
    end
    for _, value in ipairs { "no way", { code = 7 } } do
      local future = session.pool():call(result, value)
      expect.is_true(future:wait(limit))
      local ok, err = future:pawait()
      expect.is_false(ok)
      expect.are.equal("transfer", err.kind)
      expect.are.equal(type(value), type(err.value))
      expect.are.equal(future:id(), err.id)
      has(err.message, "could not be rebuilt")
      expect.are.equal(err, select(2, future:pawait()))
      expect.are.equal(err, select(2, pcall(future.await, future)))
      expect.are.equal(err, select(2, pcall(future.get, future)))
    end
  end)

  -- It answered an Error about rebuilding, and the program went on.
  it("is none when rebuilding is interrupted", function ()
    local function slow()
      return setmetatable({}, { __tidepool = function ()
        return function ()
          local deadline = os.time() + 60
          while os.time() < deadline do end -- luacheck: ignore
          return "rebuilt"
        end
      end })
    end
    for _, f in ipairs { slow, function (make) error(make()) end } do
      local future = session.pool():call(f, slow)
      expect.is_true(future:wait(limit))
      debug.sethook(function ()
        debug.sethook()
        error("interrupted", 0)
      end, "", 100000)
      local ok, err = pcall(future.pawait, future)
      debug.sethook()
      expect.is_false(ok)
      expect.are.equal("interrupted", err)
    end
  end)

  it("has its text when its value cannot be rebuilt", function ()
    local err = failure(function ()
      error(setmetatable({}, {
        __tidepool = function () return error, "no way" end,
        __tostring = function () return "shown" end,
      }))
    end)
    expect.are.equal("error", err.kind)
    expect.are.equal("shown", err.message)
    expect.are.equal("shown", err.value)
  end)

  it("survives a __tostring that does not work", function ()
    local pool = session.pool()
    for _, handler in ipairs {
      function () error "in __tostring" end,
      function () return 42 end,
      function () return nil end,
      function (t) return tostring(t) end,
      function () coroutine.yield() end,
    } do
      for _, with in ipairs { "file", "none" } do
        local err = session.failure(pool:call(function (f, what)
          error(setmetatable({ what == "file" and io.stdout or 1 },
            { __tostring = f }))
        end, handler, with))
        expect.are.equal("error", err.kind)
        expect.are.equal("string", type(err.message))
        expect.are.equal("string", type(tostring(err)))
        lives(pool)
      end
    end
  end)

  it("is read by a handler of unread ones as well", function ()
    local heard
    tidepool.on_unhandled(function (err) heard = err end)
    local pool = session.pool()
    pool:call(function () error { code = 9 } end):wait(limit)
    session.eventually(function ()
      collectgarbage()
      tidepool.poll()
      return heard
    end)
    expect.are.equal(9, heard.value.code)
  end)

  it("comes from errors that are rethrown by hand", function ()
    local err = failure(function ()
      local ok, why = pcall(error, { code = 5 })
      if not ok then
        error(why)
      end
    end)
    expect.are.equal(5, err.value.code)
  end)

  it("of a result that cannot cross names the result", function ()
    local pool = session.pool()
    local err = session.failure(pool:call(function ()
      return 1, { file = io.stdout }
    end))
    expect.are.equal("transfer", err.kind)
    has(err.message, "result 2")
    has(err.message, "file")
    has(err.message, "userdata")
    lives(pool)
  end)
end)

describe("the traceback of a Lua task", function ()
  after_each(session.finish)

  local raised

  -- No tail calls: each is to be seen.
  local function inner(value)
    error(value, 0)
  end
  raised = line() - 2

  local function outer(value)
    inner(value)
    return 1
  end

  it("is that of the worker, with file and lines", function ()
    for _, value in ipairs { "text", 42, { 1 }, true, print } do
      local err = failure(outer, value)
      has(err.traceback, ("%s:%d:"):format(this_file, raised))
      has(err.traceback, ("%s:%d:"):format(this_file, raised + 5))
      has(err.traceback, "stack traceback:")
      has(tostring(err), err.traceback)
      lacks(err.traceback, "busted")
    end
  end)

  it("is there for nil and for what cannot cross", function ()
    has(failure(function () error() end).traceback, this_file)
    has(failure(function () error(io.stdout) end).traceback, this_file)
  end)

  it("is there for Lua's own errors and the C functions'", function ()
    local at = line() + 2
    local err = failure(function ()
      local _ = ("x"):rep(-1, 2, {}) .. nil
    end)
    has(err.traceback, ("%s:%d:"):format(this_file, at))
    err = failure(function () string.rep() end)
    has(err.traceback, "rep")
    has(err.message, "bad argument #1 to 'rep'")
  end)

  it("is there after an await", function ()
    local err = failure(function (f)
      require "tidepool".current():call("test.add", 1, 2):await()
      f "late"
      return 1
    end, outer)
    has(err.traceback, ("%s:%d:"):format(this_file, raised))
  end)

  it("names the lines of a chunk from a string", function ()
    local err = failure(load("local a\n\nerror 'third'", "=of a string"))
    has(err.message, "of a string:3: third")
    has(err.traceback, "of a string:3:")
  end)

  it("of the first error is kept through two awaits", function ()
    local pool = session.pool { workers = 2 }
    local function relay(n)
      local current = require "tidepool".current()
      local future = n > 0 and current:call(relay, n - 1)
        or current:call(outer, { code = 3 })
      local value = future:await()
      return value
    end
    for depth = 0, 4 do
      local future = pool:call(relay, depth)
      local err = session.failure(future)
      expect.are.equal("error", err.kind)
      expect.are.equal(3, err.value.code)
      expect.are.equal(future:id(), err.id)
      has(err.traceback, ("%s:%d:"):format(this_file, raised))
      local _, headings = err.traceback:gsub("stack traceback:", "")
      expect.are.equal(1, headings)
      expect.is_nil(err.value.kind)
    end
  end)

  it("of the first error is kept when it is caught on the way", function ()
    local err = failure(function (f)
      local future = require "tidepool".current():call(f, "first")
      local ok, err = future:pawait()
      if not ok then
        error(err, 0)
      end
    end, outer)
    expect.are.equal("first", err.value)
    has(err.traceback, ("%s:%d:"):format(this_file, raised))
  end)

  it("passes through an argument that is followed", function ()
    local pool = session.pool()
    local first = pool:call(outer, "followed")
    local err = session.failure(pool:call(function (v) return v end, first))
    expect.are.equal("followed", err.value)
    has(err.traceback, ("%s:%d:"):format(this_file, raised))
    err = session.failure(pool:call("test.echo", first))
    expect.are.equal("followed", err.value)
    session.failure(first)
  end)

  it("keeps the kind of what was awaited", function ()
    local pool = session.pool { workers = 1 }
    local promised, number = testmod.promise()
    local future = pool:call(function (box) return box[1]:await() end,
      { promised })
    promised:cancel "unwanted"
    local err = session.failure(future)
    expect.are.equal("cancelled", err.kind)
    expect.are.equal("unwanted", err.message)
    err = failure(function ()
      require "tidepool".current():call("test.fail", "of C"):await()
    end)
    expect.are.equal("error", err.kind)
    expect.are.equal("of C", err.value)
    expect.are.equal("test.fail", err.name)
    testmod.resolve(number)
  end)
end)

describe("the origin of a call", function ()
  after_each(session.finish)

  local function fails()
    error "far away"
  end

  it("is not kept unless asked for", function ()
    local pool = session.pool { workers = 1 }
    local at = line() + 1
    local future = pool:call(fails)
    lacks(session.failure(future).traceback, ("%s:%d:"):format(this_file, at))
    pool = session.pool { workers = 1, origin = false }
    at = line() + 1
    future = pool:call(fails)
    lacks(session.failure(future).traceback, ("%s:%d:"):format(this_file, at))
  end)

  it("stands under a heading of its own", function ()
    local pool = session.pool { workers = 1, origin = true }
    local at = line() + 1
    local future = pool:call(fails)
    local err = session.failure(future)
    local there = err.traceback:find("in function <" .. this_file, 1, true)
    local here = err.traceback:find(("%s:%d:"):format(this_file, at), 1, true)
    expect.is_truthy(there, err.traceback)
    expect.is_truthy(here, err.traceback)
    expect.is_true(there < here)
    -- Lines of a traceback are indented, headings are not.
    local headings = {}
    for text in err.traceback:gmatch "[^\n]+" do
      if not text:find "^%s" then
        headings[#headings + 1] = text
      end
    end
    expect.are.equal(headings[1], "stack traceback:")
    expect.is_true(#headings >= 2, err.traceback)
    expect.are_not.equal(headings[1], headings[2])
    expect.are.equal("far away", err.value:match "far away")
  end)

  it("is kept of try_call, call_many and views too", function ()
    local pool = session.pool { workers = 1, origin = true }
    local at = line() + 2
    local futures = {
      pool:try_call(fails),
      pool:call_many(fails, { {} })[1],
      pool:with { priority = "high" }:call(fails),
    }
    for i, future in ipairs(futures) do
      has(session.failure(future).traceback,
        ("%s:%d:"):format(this_file, at - 1 + i))
    end
  end)

  it("of a call in a task is in that task", function ()
    local pool = session.pool { workers = 1, origin = true }
    local at = line() + 3
    local err = session.failure(pool:call(function (f)
      local current = require "tidepool".current()
      local future = current:call(f)
      return future:await()
    end, fails))
    has(err.traceback, ("%s:%d:"):format(this_file, at))
    has(err.message, "far away")
  end)

  it("must be a boolean", function ()
    local ok, why = pcall(tidepool.AsyncManager.new, { origin = "yes" })
    expect.is_false(ok)
    has(why, "origin")
  end)
end)

describe("a worker outlives", function ()
  after_each(session.finish)

  -- Each error in the same worker, whose globals stay.
  local function outlives(f, ...)
    local pool = session.pool { workers = 1 }
    pool:call(function () _G.mark = "same" end):await(limit)
    local future = pool:call(f, ...)
    expect.is_true(future:wait(limit))
    expect.are.equal("same", (pool:call(function ()
      return _G.mark
    end):await(limit)))
    lives(pool)
    return future
  end

  it("an error in __close", function ()
    local future = outlives(function ()
      local _ <close> = setmetatable({}, {
        __close = function () error("of closing", 0) end,
      })
      return "never seen"
    end)
    local err = session.failure(future)
    expect.are.equal("of closing", err.value)
    has(err.traceback, this_file)
    future = outlives(function ()
      local _ <close> = setmetatable({}, {
        __close = function (_, e) error("after " .. e, 0) end,
      })
      error("first", 0)
    end)
    expect.are.equal("after first", session.failure(future).value)
  end)

  it("an error in __close of a task that is cancelled", function ()
    local pool = session.pool { workers = 1 }
    local promised, number = testmod.promise()
    local future = pool:call(function (box)
      local _ <close> = setmetatable({}, {
        __close = function () error "of closing" end,
      })
      box[1]:await()
    end, { promised })
    session.eventually(function () return pool:stats().suspended == 1 end)
    future:cancel()
    lives(pool)
    expect.are.equal("cancelled", session.failure(future).kind)
    testmod.resolve(number)
  end)

  it("an error in __gc", function ()
    local future = outlives(function ()
      setmetatable({}, { __gc = function () error "of collecting" end })
      collectgarbage()
      return "went on"
    end)
    expect.are.equal("went on", future:await(limit))
  end)

  it("an error in __gc, about which it warns", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      local pool <close> = tidepool.AsyncManager.new { workers = 1 }
      pool:call(function ()
        warn "@on"
        setmetatable({}, { __gc = function () error "of collecting" end })
        collectgarbage()
      end):await(60)
      -- and one that goes with the state
      pool:call(function ()
        kept = setmetatable({}, { __gc = function () error "last" end })
      end):await(60)
      print(pool:call(function () return "lives" end):await(60))
    ]]
    expect.are.equal(0, result.code, result.err)
    expect.are.equal("lives\n", result.out)
    expect.is_truthy(result.err:find "warning.*of collecting", result.err)
    expect.is_truthy(result.err:find "warning.*last", result.err)
  end)

  it("an error in a message handler", function ()
    local future = outlives(function ()
      local results = table.pack(xpcall(error, function ()
        error "of the handler"
      end))
      return results[1], results.n
    end)
    expect.is_false((future:await(limit)))
    future = outlives(function ()
      return (xpcall(error, function (e) return e.no.such.field end))
    end)
    expect.is_false((future:await(limit)))
  end)

  it("a stack overflow, of Lua and of C", function ()
    local function down(n)
      return 1 + down(n + 1)
    end
    local err = session.failure(outlives(down, 0))
    has(err.message, "stack overflow")
    has(err.traceback, this_file)
    local function callbacks(s)
      return (s:gsub(".", callbacks))
    end
    err = session.failure(outlives(callbacks, "x"))
    has(err.message, "stack overflow")
    local future = outlives(function (f)
      local ok, why = xpcall(f, function (e) return e .. f(1) end, 0)
      return ok, type(why)
    end, down)
    expect.is_false((future:await(limit)))
    local function index(t, k)
      return setmetatable({}, getmetatable(t))[k]
    end
    err = session.failure(outlives(function (f)
      return setmetatable({}, { __index = f }).x
    end, index))
    has(err.message, "overflow")
  end)

  it("a string that no memory is large enough for", function ()
    local err = session.failure(outlives(function ()
      return ("x"):rep(math.maxinteger // 2)
    end))
    expect.are.equal("error", err.kind)
    expect.are.equal("string", type(err.message))
  end)

  it("errors by the thousand", function ()
    local pool, futures = session.pool { workers = 1, queue = 100 }, {}
    for i = 1, 2000 do
      futures[i] = pool:call(function (n) error(n, 0) end, i)
    end
    for i, future in ipairs(futures) do
      expect.are.equal(i, session.failure(future).value)
    end
    lives(pool)
  end)
end)

describe("an error in init", function ()
  after_each(session.finish)

  local function breaks(init, cause)
    local pool = session.pool { workers = 2, init = init }
    for _ = 1, 5 do
      local future = pool:call(function () return 1 end)
      local err = session.failure(future)
      expect.are.equal("broken", err.kind)
      has(err.message, cause)
      expect.are.equal("failed", future:state())
    end
    expect.are.equal(3, pool:call("test.add", 1, 2):await(limit))
    expect.is_true(pool:shutdown())
  end

  it("fails the pool's Lua tasks with kind broken and the cause", function ()
    local at = line() + 1
    breaks(function () error "no database" end,
      ("%s:%d: no database"):format(this_file, at))
  end)

  it("may be of any type", function ()
    breaks(function () error { "a table" } end, "table")
    breaks(function () error() end, "nil")
    breaks(function () error(io.stdout) end, "file (")
    breaks(function ()
      error(setmetatable({}, { __tostring = function () return "worded" end }))
    end, "worded")
    breaks(function ()
      error(setmetatable({}, { __tostring = function () error "twice" end }))
    end, "")
  end)

  it("may be a module that is not there, or does not load", function ()
    breaks("no.such.module", "no.such.module")
  end)

  it("leaves other pools alone", function ()
    local broken = session.pool { workers = 1, init = function () error() end }
    local pool = session.pool { workers = 1, init = function ()
      _G.ready = "ready"
    end }
    session.failure(broken:call(function () end))
    expect.are.equal("ready", (pool:call(function ()
      return _G.ready
    end):await(limit)))
  end)
end)
