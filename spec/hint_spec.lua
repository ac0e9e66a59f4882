-- What is added to an error that beginners meet, and strict pools.
-- luacheck: globals helper

local session = require "spec.support.session"
local tidepool = require "tidepool"

-- Raised where it was called, with that text in it.
local function refused(text, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.is_truthy(type(err) == "string" and err:find(text, 1, true), err)
  assert.is_truthy(err:find "^spec/hint_spec.lua:%d+: ", err)
end

describe("an error in a worker", function ()
  local pool
  before_each(function () pool = session.pool() end)
  after_each(session.finish)

  local function message(f, ...)
    local err = session.failure(pool:call(f, ...))
    assert.are.equal(err.value, err.message:sub(1, #err.value))
    return err.message:sub(#err.value + 1), err
  end

  it("about a global that is nil says what to do", function ()
    local hint = ". A worker has globals of its own: make 'helper' a local, "
      .. "or set it in init"
    assert.are.equal(hint, message(function () return helper() end))
    assert.are.equal(hint, message(function () return helper.x end))
    assert.are.equal(hint, (message(function () helper.x = 1 end)))
    local _, err = message(function () return helper() end)
    assert.is_truthy(tostring(err):find(hint .. "\nstack traceback:", 1, true))
    assert.are.equal(hint, message(function ()
      return require "tidepool".spawn(function () helper() end):await()
    end))
  end)

  it("about a method that went with its metatable says why", function ()
    local Shape = {}
    Shape.__index = Shape
    function Shape.area() end
    local shape = setmetatable({}, Shape)
    assert.are.equal(". A table that is sent loses its metatable, and with "
      .. "that 'area', unless it has a __tidepool",
      message(function (s) return s:area() end, shape))
  end)

  it("about anything else says nothing more", function ()
    assert.are.equal("", message(function () local x = nil; x() end))
    assert.are.equal("", message(function () local t = {}; t.none() end))
    assert.are.equal("", message(function () error "a nil value (global '" end))
    assert.are.equal("", message(function () error "plain" end))
    local err = session.failure(pool:call(error, {}))
    assert.is_truthy(err.message:find "^table: ")
  end)

  it("has no hint in the program", function ()
    local err = session.failure(tidepool.spawn(function () helper() end))
    assert.are.equal(err.value, err.message)
  end)
end)

describe("a module that cannot cross", function ()
  after_each(session.finish)

  it("is to be required inside the function", function ()
    local pool, socket = session.pool(), require "socket"
    local hint = "; require the module 'socket' inside the function"
    refused(hint, function () pool:call(function () return socket end) end)
    refused(hint, function () pool:call(print, socket) end)
    refused(hint, function () pool:call(print, { deep = { socket } }) end)
    refused("; require the module 'io' inside the function", function ()
      local io = io
      pool:call(function () return io.write end)
    end)
    local own = { file = io.stdout }
    package.loaded["spec.own"] = own
    refused("the function, upvalue \"own.file\": a userdata cannot be sent; "
      .. "require the module 'spec.own' inside the function",
      function () pool:call(function () return own end) end)
    package.loaded["spec.own"] = nil
  end)

  it("is the matter only if it is one", function ()
    local pool, file = session.pool(), io.stdout
    local ok, err = pcall(pool.call, pool, function () return file end)
    assert.is_false(ok)
    assert.are.equal('the function, upvalue "file": a userdata cannot be sent',
      err)
  end)
end)

local Shape = { __index = {} }

local function shape(fields)
  return setmetatable(fields or {}, Shape)
end

local LOSES = "a table with a metatable and no __tidepool (strict)"

describe("a strict pool", function ()
  after_each(session.finish)

  it("refuses tables that would lose their metatable", function ()
    local pool = session.pool { workers = 1, strict = true }
    refused("argument 1: " .. LOSES, function () pool:call(print, shape()) end)
    refused('argument 2, field "rows[2].shape": ' .. LOSES, function ()
      pool:call(print, 1, { rows = { 1, { shape = shape() } } })
    end)
    local upvalue = shape()
    refused('the function, upvalue "upvalue": ' .. LOSES, function ()
      pool:call(function () return upvalue end)
    end)
    refused("argument 1: " .. LOSES, function ()
      pool:try_call(print, shape())
    end)
    refused("argument 1: " .. LOSES, function ()
      pool:with { priority = "high" }:call(print, shape())
    end)
    refused("element 2: " .. LOSES, function ()
      pool:map(tostring, { 1, shape() }, { chunk = 2 })
    end)
  end)

  it("refuses them as results, and in init", function ()
    local pool = session.pool { workers = 1, strict = true }
    local err = session.failure(pool:call(function ()
      return 1, { setmetatable({}, {}) }
    end))
    assert.are.equal("transfer", err.kind)
    assert.are.equal('result 2, field "[1]": ' .. LOSES, err.message)
    local upvalue = shape()
    refused("option 'init', upvalue \"upvalue\": " .. LOSES, function ()
      tidepool.AsyncManager.new {
        strict = true, init = function () return upvalue end,
      }
    end)
  end)

  it("lets through what keeps its own", function ()
    local pool = session.pool { workers = 1, strict = true }
    local object = setmetatable({}, {
      __tidepool = function () return function () return "rebuilt" end end,
    })
    assert.are.equal("rebuilt", pool:call(function (x) return x end, object)
      :await(session.limit))
    local err = tidepool.error { message = "an Error" }
    assert.are.equal("an Error", pool:call(function (x) return x end, err)
      :await(session.limit).message)
    assert.are.same({ 1 }, pool:call(function (x) return x end, { 1 })
      :await(session.limit))
    local future = tidepool.spawn(function () return 3 end)
    assert.are.equal(3, pool:call(function (f) return f end, future)
      :await(session.limit))
  end)

  it("tells what was raised in any case", function ()
    local pool = session.pool { workers = 1, strict = true }
    local err = session.failure(pool:call(function ()
      error(setmetatable({ code = 7 }, {}))
    end))
    assert.are.equal("error", err.kind)
    assert.are.equal(7, err.value.code)
  end)

  it("is one by its own option", function ()
    local pool = session.pool()
    assert.are.same({ 1 }, pool:call(function (x) return x end, shape { 1 })
      :await(session.limit))
    refused("bad option 'strict' (boolean expected", function ()
      tidepool.AsyncManager.new { strict = 1 }
    end)
  end)
end)

describe("tidepool.strict", function ()
  after_each(function ()
    tidepool.strict(false)
    session.finish()
  end)

  it("does so for all that this Lua state sends", function ()
    local pool = session.pool()
    assert.is_false(tidepool.strict())
    assert.is_false(tidepool.strict(true))
    assert.is_true(tidepool.strict())
    refused("argument 1: " .. LOSES, function () pool:call(print, shape()) end)
    local _, promise = tidepool.promise()
    refused("value 1: " .. LOSES, function () promise:resolve(shape()) end)
    assert.is_false(pool:call(function () -- a worker has another Lua state
      return require "tidepool".strict()
    end):await(session.limit))
    assert.is_true(tidepool.strict(false))
    pool:call(type, shape { n = 1 }):await(session.limit)
  end)

  it("is set in a worker by its task", function ()
    local pool = session.pool()
    pool:call(function () require "tidepool".strict(true) end)
      :await(session.limit)
    assert.are.equal("result 1: " .. LOSES, session.failure(pool:call(
      function () return setmetatable({}, {}) end)).message)
  end)

  it("takes a boolean", function ()
    assert.has_error(function () tidepool.strict "yes" end)
    assert.has_error(function () tidepool.strict(nil) end)
  end)
end)
