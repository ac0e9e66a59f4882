-- What tasks and coroutines are called: in Errors, as text, in rings and in
-- reports.

local places = require "spec.support.places"
local process = require "spec.support.process"
local session = require "spec.support.session"
local tidepool = require "tidepool"

local limit = session.limit

-- "function <file:line>", of a function of this file.
local function place_of(f)
  local info = debug.getinfo(f, "S")
  return ("function <%s:%d>"):format(info.short_src, info.linedefined)
end

local function fails()
  error("no luck", 0)
end

local function waits()
  require "tidepool".sleep(3600)
end

local function says_name()
  return require "tidepool".task().name
end

-- The name is that of the Error, and stands in its text and the Future's.
local function assert_named(name, future)
  local err = session.failure(future)
  assert.are.equal(name, err.name)
  assert.are.equal(name .. ": ", tostring(err):sub(1, #name + 2))
  assert.are.equal(("tidepool.Future: %d (%s, %s)")
    :format(future:id(), future:state(), name), tostring(future))
end

describe("a coroutine", function ()
  after_each(session.finish)

  for _, place in ipairs(places) do
    it("is named by file and line " .. place.name, function ()
      local names = table.pack(place.run(function (f, g)
        local tp = require "tidepool"
        local failed, stopped = tp.spawn(f), tp.spawn(g)
        local pending = tostring(failed)
        failed:wait()
        local suspended = tostring(stopped)
        stopped:cancel()
        local _, err = failed:pawait()
        local _, why = stopped:pawait()
        return pending, suspended, err.name, tostring(failed), why.name,
          tostring(stopped)
      end, fails, waits))
      local f, g = place_of(fails), place_of(waits)
      assert.is_truthy(names[1]:find("(pending, " .. f .. ")", 1, true))
      assert.is_truthy(names[2]:find(", " .. g .. ")", 1, true))
      assert.are.equal(f, names[3])
      assert.is_truthy(names[4]:find("(failed, " .. f .. ")", 1, true))
      assert.are.equal(g, names[5])
      assert.is_truthy(names[6]:find("(cancelled, " .. g .. ")", 1, true))
    end)
  end

  it("knows its name", function ()
    local function task() return tostring(tidepool.task()) end
    assert.are.equal(place_of(says_name), tidepool.run(says_name))
    assert.is_truthy(tidepool.run(task):find(place_of(task), 1, true))
  end)

  it("is named by file and line if its time is over", function ()
    local ok, err = pcall(tidepool.with_timeout, 0, waits)
    assert.is_false(ok)
    assert.are.equal("timeout", err.kind)
    assert.are.equal(place_of(waits), err.name)
  end)

  it("of a C function is a C function", function ()
    assert_named("a C function", tidepool.spawn(error, "no luck"))
  end)

  for _, place in ipairs(places) do
    it("is named in the ring that it would close " .. place.name, function ()
      local message, first, second = place.run(function ()
        local tp = require "tidepool"
        local a, b
        local function f() return b:await() end
        local function g() return a:await() end
        local function name(h)
          local info = debug.getinfo(h, "S")
          return ("function <%s:%d>"):format(info.short_src, info.linedefined)
        end
        a, b = tp.spawn(f), tp.spawn(g)
        local _, err = a:pawait()
        return err.message, name(f), name(g)
      end)
      assert.is_truthy(message:find(first .. " (id ", 1, true), message)
      assert.is_truthy(message:find(second .. " (id ", 1, true), message)
      assert.is_nil(message:find("a coroutine", 1, true), message)
    end)
  end

  it("is named in the ring of a promise", function ()
    local future, promise = tidepool.promise()
    local function f() return future:await() end
    local coroutine = tidepool.spawn(f)
    tidepool.poll(0)
    local ok, message = pcall(promise.resolve, promise, coroutine)
    assert.is_false(ok)
    assert.is_truthy(message:find(place_of(f) .. " (id ", 1, true), message)
    future:cancel()
    session.failure(coroutine)
  end)

  it("is named in reports", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      local function fails() error("no luck", 0) end
      tidepool.spawn(fails)
      tidepool.poll(0)
    ]]
    assert.is_truthy(result.err:find('a failure that nobody read: function '
      .. '<(command line):2>: no luck', 1, true)
      or result.err:find('<[string "', 1, true), result.err)
    local heard = {}
    local before = tidepool.on_unhandled(function (err)
      heard[tostring(err.name)] = err.message
    end)
    tidepool.spawn(fails)
    tidepool.poll(0)
    collectgarbage()
    tidepool.poll(0)
    tidepool.on_unhandled(before)
    assert.are.equal("no luck", heard[place_of(fails)])
  end)
end)

describe("what is made of futures is named by what was given", function ()
  local pool
  before_each(function () pool = session.pool { workers = 1 } end)
  after_each(session.finish)

  it("a link of a chain by its handler", function ()
    local name = place_of(fails)
    assert_named(name, pool:call(says_name):and_then(fails))
    assert_named(name, pool:call(fails):catch(fails))
    assert_named(name, pool:call(says_name):finally(fails))
  end)

  it("run, scope and with_timeout by their functions", function ()
    local name = place_of(says_name)
    assert.are.equal(name, tidepool.run(says_name))
    assert.are.equal(name, tidepool.scope(says_name))
    assert.are.equal(name, tidepool.with_timeout(limit, says_name))
  end)

  it("a combinator by its own name", function ()
    for _, name in ipairs { "all", "race", "any", "all_settled" } do
      local future = tidepool[name] { pool:call(fails) }
      assert.is_truthy(tostring(future):find("tidepool." .. name, 1, true),
        tostring(future))
      future:pawait(limit)
    end
  end)
end)

describe("tidepool.named", function ()
  local pool
  before_each(function () pool = session.pool { workers = 1 } end)
  after_each(session.finish)

  it("returns the function", function ()
    local function f() end
    assert.are.equal(f, tidepool.named("f", f))
  end)

  it("names tasks and coroutines of that function", function ()
    local f = tidepool.named("no luck at all", function () error("no", 0) end)
    assert_named("no luck at all", pool:call(f))
    assert_named("no luck at all", pool:call_many(f, { {} })[1])
    assert_named("no luck at all", tidepool.spawn(f))
    local who = tidepool.named("me", function () return says_name() end)
    assert.are.equal("me", pool:call(who):await(limit))
    assert.are.equal("me", tidepool.run(who))
    local ok, err = pcall(pool.map, pool, f, { 1 })
    assert.is_false(ok)
    assert.are.equal("no luck at all", err.name)
  end)

  it("names one closure, and not others of the same code", function ()
    local function make() return function () return says_name() end end
    local f, g = tidepool.named("f", make()), make()
    assert.are.equal("f", pool:call(f):await(limit))
    assert.are.equal(place_of(g), pool:call(g):await(limit))
    tidepool.named("h", f)
    assert.are.equal("h", pool:call(f):await(limit))
  end)

  it("names functions in a worker, for that worker", function ()
    assert.are.equal("inner", pool:call(function ()
      local tp = require "tidepool"
      local f = tp.named("inner", function () return tp.task().name end)
      return tp.spawn(f):await()
    end):await(limit))
  end)

  it("does not keep the function", function ()
    local weak = setmetatable({}, { __mode = "k" })
    weak[tidepool.named("gone", function () return weak end)] = true
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("is used while a task outlives its function", function ()
    local future = pool:call(tidepool.named("gone",
      function () error("no", 0) end))
    collectgarbage()
    collectgarbage()
    assert_named("gone", future)
  end)

  it("refuses what is no name, and what is no function", function ()
    local function refuses(...)
      local ok, err = pcall(tidepool.named, ...)
      assert.is_false(ok)
      assert.is_truthy(err:find("bad argument #", 1, true), err)
    end
    refuses("", fails)
    refuses("a\0b", fails)
    refuses({}, fails)
    refuses("name", {})
    refuses("name")
    refuses("name", "spec.support.shop:charge")
  end)
end)

describe("a view with a name", function ()
  local pool, view
  before_each(function ()
    pool = session.pool { workers = 1 }
    view = pool:with { name = "thumbs" }
  end)
  after_each(session.finish)

  it("names its tasks, of Lua and of C", function ()
    assert_named("thumbs", view:call(fails))
    assert_named("thumbs", view:call("test.fail", "no luck"))
    assert_named("thumbs", view:call "spec.support.shop:none")
    assert.are.equal("thumbs", view:call(says_name):await(limit))
    assert.are.equal("thumbs", view:call(tidepool.named("mine",
      function () return says_name() end)):await(limit))
  end)

  it("gives its name to views of it, which may have another", function ()
    local low = view:with { priority = "low" }
    assert.are.equal("thumbs", low:call(says_name):await(limit))
    local other = view:with { name = "default" }
    assert.are.equal("default", other:call(says_name):await(limit))
    assert.are.equal(place_of(says_name), pool:call(says_name):await(limit))
  end)

  it("is another view than one with another name", function ()
    assert.are.equal(view, pool:with { name = "thumbs" })
    assert.are_not.equal(view, pool:with { name = "toes" })
    assert.are_not.equal(view, pool)
  end)

  it("refuses what is no name", function ()
    for _, name in ipairs { "", "a\0b", 4, {} } do
      local ok, err = pcall(pool.with, pool, { name = name })
      assert.is_false(ok)
      assert.is_truthy(err:find("bad option 'name'", 1, true), err)
    end
  end)
end)
