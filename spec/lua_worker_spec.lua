-- A worker's Lua state: modules, init, what a task knows of itself, and what
-- of Lua's library is different there.

local process = require "spec.support.process"
local session = require "spec.support.session"
local testmod = require "testmod"
local tidepool = require "tidepool"


local mebibyte = 1024 * 1024

-- Calls on a pool of one worker, and answers the results.
local function run(f, ...)
  return session.pool():call(f, ...):await(session.limit)
end

-- Runs a program that has a pool of some workers, and answers what it wrote.
local function program(source, workers)
  local result = process.program(([[
    local tidepool = require "tidepool"
    local pool <close> = tidepool.AsyncManager.new { workers = %d }
  ]]):format(workers or 1) .. source)
  assert.are.equal("", result.err)
  assert.are.equal(0, result.code)
  return result.out
end

describe("require in a worker", function ()
  after_each(session.finish)

  it("finds what the program finds", function ()
    local path, cpath, answer, socket = run(function ()
      return package.path, package.cpath,
        require("spec.support.counted").answer,
        type(require("socket").gettime)
    end)
    assert.are.equal(package.path, path)
    assert.are.equal(package.cpath, cpath)
    assert.are.equal(42, answer)
    assert.are.equal("function", socket)
  end)

  it("loads a module once for each worker", function ()
    local pool = session.pool { workers = 2 }
    local loads = function ()
      local module = require "spec.support.counted"
      return rawget(_G, "counted_loads"), module.name
    end
    for _ = 1, 20 do
      assert.are.same({ 1, "spec.support.counted" },
        { pool:call(loads):await(session.limit) })
    end
  end)

  it("has the paths of when the pool was made", function ()
    local path, cpath = package.path, package.cpath
    package.path, package.cpath = "./only/?.lua", "./only/?.so"
    local pool = session.pool()
    package.path, package.cpath = path, cpath
    assert.are.same({ "./only/?.lua", "./only/?.so" },
      { pool:call(function ()
        return package.path, package.cpath
      end):await(session.limit) })
    local err = session.failure(pool:call(function ()
      require "no.such.module"
    end))
    assert.are.equal("error", err.kind)
    assert.is_truthy(err.message:find("./only/no/such/module.lua", 1, true),
      err.message)
  end)

  it("has the entries of package.preload that can cross", function ()
    local n, file = 5, io.stdout
    package.preload["spec.preloaded"] = function (name)
      return { name = name, n = n }
    end
    package.preload["spec.light"] = string.upper
    package.preload["spec.linked"] = package.loadlib( -- as a program has it
      assert(package.searchpath("testmod", package.cpath)), "luaopen_testmod")
    package.preload["spec.stuck"] = function () return file end
    local pool = session.pool()
    for _, name in ipairs { "preloaded", "light", "linked", "stuck" } do
      package.preload["spec." .. name] = nil
    end
    assert.are.same({ "spec.preloaded", 5, "SPEC.LIGHT", "function", false },
      { pool:call(function ()
        local module = require "spec.preloaded"
        return module.name, module.n, require "spec.light",
          type(require "spec.linked".runs), (pcall(require, "spec.stuck"))
      end):await(session.limit) })
  end)

  it("does not have searchers of the program's own", function ()
    local searcher = function () return function () return 1 end end
    table.insert(package.searchers, 2, searcher)
    local pool = session.pool()
    local here = #package.searchers
    table.remove(package.searchers, 2)
    assert.are.equal(here - 1, pool:call(function ()
      return #package.searchers
    end):await(session.limit))
  end)

  it("answers the same tidepool", function ()
    local pool = session.pool { name = "worker-spec-same" }
    assert.are.same({ 3, true, true, true }, { pool:call(function (t)
      local here = require "tidepool"
      return here.call("test.add", 1, 2):await(60),
        here.attach "worker-spec-same" == here.current(),
        here.is_future(t.future),
        #here.functions() > 10
    end, { future = pool:call("test.add", 1, 1) }):await(session.limit) })
  end)

  -- It had what is written in C only.
  it("is whole in a worker that never required it", function ()
    assert.are.equal("function", session.pool():call(function ()
      return type(tidepool.header)
    end):await(session.limit))
  end)

  it("leaves functions that a worker registers to all", function ()
    local result = process.program [[
      local tidepool = require "tidepool"
      local pool <close> = tidepool.AsyncManager.new { workers = 1 }
      print((pcall(pool.call, pool, "test.add", 1, 2)))
      pool:call(function () require "testmod" end):await(60)
      print(pool:call("test.add", 1, 2):await(60))
    ]]
    assert.are.equal("", result.err)
    assert.are.equal("false\n3\n", result.out)
  end)

  it("gives a worker nothing before its first Lua task", function ()
    local pool = session.pool {
      workers = 1, init = function () error "it was made" end,
    }
    assert.are.equal(3, pool:call("test.add", 1, 2):await(session.limit))
    assert.are.equal("broken",
      session.failure(pool:call(math.abs, 1)).kind)
  end)
end)

describe("init", function ()
  after_each(session.finish)

  it("runs once in each worker, before its first Lua task", function ()
    local pool, base = session.pool {
      workers = 4,
      init = function ()
        rawset(_G, "inits", (rawget(_G, "inits") or 0) + 1)
      end,
    }, nil
    local gate, futures = session.gate(), {}
    local look = function (name)
      if name then
        require("tidepool").invoke("test.gate", name)
      end
      return rawget(_G, "inits"), base
    end
    for i = 1, 4 do
      futures[i] = pool:call(look, gate)
    end
    session.entered(gate, 4)
    testmod.open(gate)
    for i = 5, 40 do
      futures[i] = pool:call(look)
    end
    for _, future in ipairs(futures) do
      assert.are.equal(1, (future:await(session.limit)))
    end
  end)

  it("may have upvalues, of when the pool was made", function ()
    local settings = { level = 1 }
    local pool = session.pool {
      workers = 1, init = function () rawset(_G, "settings", settings) end,
    }
    settings.level = 2
    assert.are.equal(1, pool:call(function ()
      return rawget(_G, "settings").level
    end):await(session.limit))
  end)

  it("may be the name of a module", function ()
    local pool = session.pool { workers = 1, init = "spec.support.counted" }
    assert.are.same({ 1, true }, { pool:call(function ()
      return rawget(_G, "counted_loads"),
        package.loaded["spec.support.counted"] ~= nil
    end):await(session.limit) })
  end)

  it("that fails makes the Lua tasks fail, with the cause", function ()
    for _, init in ipairs {
      function () error "no database" end, "spec.support.broken",
      "spec.support.missing", function () error { "no database" } end,
    } do
      local pool = session.pool { workers = 2, init = init }
      for _ = 1, 5 do
        local future = pool:call(function () return 1 end)
        local err = session.failure(future)
        assert.are.equal("broken", err.kind)
        assert.are.equal("failed", future:state())
      end
      assert.are.equal(3, pool:call("test.add", 1, 2):await(session.limit))
      assert.are.equal(5, pool:stats().failed)
    end
  end)

  it("tells the cause of its failure", function ()
    local causes = {
      ["no database"] = function () error "no database" end,
      ["does not load"] = "spec.support.broken",
      ["module 'spec.support.missing' not found"] = "spec.support.missing",
      ["at a table"] = function ()
        error(setmetatable({}, { __tostring = function ()
          return "at a table"
        end }))
      end,
    }
    for cause, init in pairs(causes) do
      local pool = session.pool { workers = 1, init = init }
      local err = session.failure(pool:call(function () end))
      assert.are.equal("broken", err.kind)
      assert.is_truthy(err.message:find(cause, 1, true), err.message)
      assert.is_truthy(tostring(err):find(cause, 1, true), tostring(err))
    end
  end)

  it("is refused when it cannot cross, or is no such thing", function ()
    local new, file = tidepool.AsyncManager.new, io.stdout
    for _, init in ipairs {
      function () return file end, 1, {}, true, coroutine.wrap(print),
    } do
      local ok, err = pcall(new, { workers = 1, init = init })
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find("init", 1, true), tostring(err))
    end
    local _, err = pcall(new, { init = function () return file end })
    assert.is_truthy(err:find("file", 1, true), err)
    assert.is_truthy(err:find("a userdata cannot be sent", 1, true), err)
  end)
end)

describe("a task", function ()
  after_each(session.finish)

  it("knows its pool", function ()
    local pool = session.pool()
    assert.are.equal(pool, pool:call(function ()
      return require("tidepool").current()
    end):await(session.limit))
    assert.are.same({ 7, true }, { pool:call(function ()
      local here = require("tidepool").current()
      return here:call("test.add", 3, 4):await(),
        tostring(here) ~= nil
    end):await(session.limit) })
  end)

  it("knows its id and name", function ()
    local future = session.pool():call(function ()
      local task = require("tidepool").task()
      return task.id, task.name, task.cancelled
    end)
    local id, name, cancelled = future:await(session.limit)
    assert.are.equal(future:id(), id)
    assert.are.equal("string", type(name))
    assert.is_false(cancelled)
    local err = session.failure(session.pool():call(function ()
      error(require("tidepool").task().name, 0)
    end))
    assert.are.equal(err.name, err.message)
  end)

  it("knows that it was cancelled", function ()
    local pool, gate = session.pool(), session.gate()
    local future = pool:call(function (name)
      local task = require("tidepool").task()
      rawset(_G, "before", task.cancelled)
      pcall(require("tidepool").invoke, "test.gate", name)
      rawset(_G, "after", task.cancelled)
    end, gate)
    session.entered(gate, 1)
    future:cancel()
    testmod.open(gate)
    assert.are.same({ false, true }, { pool:call(function ()
      return rawget(_G, "before"), rawget(_G, "after")
    end):await(session.limit) })
  end)

  it("is another in each task, also one that awaited", function ()
    local pool = session.pool()
    local future = pool:call(function ()
      local here = require "tidepool"
      local before = here.task().id
      local inner = here.current():call(function ()
        return require("tidepool").task().id
      end):await()
      return before, inner, here.task().id
    end)
    local before, inner, after = future:await(session.limit)
    assert.are.equal(future:id(), before)
    assert.are.equal(future:id(), after)
    assert.are_not.equal(before, inner)
  end)

  it("tells how far it is", function ()
    local pool, gate = session.pool(), session.gate()
    local future = pool:call(function (name)
      local here = require "tidepool"
      here.task():progress(0.5, "half of it")
      here.invoke("test.gate", name)
      here.task():progress(0.75)
      return "done"
    end, gate)
    session.entered(gate, 1)
    local fraction, note = future:progress()
    assert.are.equal(0.5, fraction)
    assert.are.equal("half of it", note)
    testmod.open(gate)
    assert.are.equal("done", future:await(session.limit))
    assert.are.equal(1, (future:progress()))
  end)

  it("refuses to tell nonsense", function ()
    for _, bad in ipairs { "much", {}, -1, 2 } do
      assert.is_false(run(function (fraction)
        local task = require("tidepool").task()
        return (pcall(task.progress, task, fraction))
      end, bad))
    end
  end)

  it("is none in the program", function ()
    for _, f in ipairs { tidepool.task, tidepool.current } do
      local ok, answer = pcall(f)
      assert.is_true(not ok or answer == nil)
    end
  end)
end)

describe("tidepool.invoke", function ()
  after_each(session.finish)

  it("calls a C function in place", function ()
    local pool = session.pool { workers = 1, queue = 1 }
    assert.are.same({ 7, 1, nil, "three", 1 }, { pool:call(function ()
      local here = require "tidepool"
      local sum = here.invoke("test.add", 3, 4)
      return sum, here.invoke("test.echo", 1, nil, "three", 1)
    end):await(session.limit) })
    assert.are.equal(1, pool:stats().submitted)
  end)

  it("needs no slot", function ()
    local pool = session.pool { workers = 1, queue = 1 }
    local gate = session.gate()
    local future = pool:call(function (name)
      local here = require "tidepool"
      here.invoke("test.gate", name)
      return here.invoke("test.add", 1, 2)
    end, gate)
    session.entered(gate, 1)
    pool:call("test.count")
    assert.is_nil((pool:try_call("test.count")))
    testmod.open(gate)
    assert.are.equal(3, future:await(session.limit))
  end)

  it("raises what the function fails with", function ()
    assert.are.same({ false, "error", "on purpose" }, { run(function ()
      local ok, err = pcall(require("tidepool").invoke, "test.fail",
        "on purpose")
      return ok, err.kind, err.message
    end) })
    local err = session.failure(session.pool():call(function ()
      require("tidepool").invoke("test.fail", "let through")
    end))
    assert.are.equal("let through", err.message)
  end)

  it("checks and converts the arguments", function ()
    assert.are.equal(5, run(function ()
      return require("tidepool").invoke("test.add", 2.0, "3")
    end))
    for _, case in ipairs {
      { "bad argument #1 to 'test.add'", "test.add", "x", 1 },
      { "bad argument #2 to 'test.add'", "test.add", 1 },
      { "no.such.function", "no.such.function" },
    } do
      local ok, err = run(function (...)
        local good, why = pcall(require("tidepool").invoke, ...)
        return good, tostring(why)
      end, table.unpack(case, 2))
      assert.is_false(ok)
      assert.is_truthy(err:find(case[1], 1, true), err)
    end
  end)

  it("does not take a Future for what it stands for", function ()
    local pool = session.pool()
    local ok, err = pool:call(function (t)
      local good, why = pcall(require("tidepool").invoke, "test.fail",
        t.future)
      return good, tostring(why)
    end, { future = pool:call("test.echo", "x") }):await(session.limit)
    assert.is_false(ok)
    assert.is_truthy(err:find("bad argument #1", 1, true), err)
  end)

  it("runs as the task: name, progress, being cancelled", function ()
    local pool = session.pool()
    local before = testmod.entered "until_cancelled"
    local future = pool:call(function ()
      require("tidepool").invoke("test.until_cancelled", -1)
      rawset(_G, "went_on", true)
    end)
    session.entered("until_cancelled", before + 1)
    assert.is_true(future:cancel())
    assert.is_nil(pool:call(function ()
      return rawget(_G, "went_on")
    end):await(session.limit))
  end)

  it("is refused in the program", function ()
    local ok, err = pcall(tidepool.invoke, "test.add", 1, 2)
    assert.is_true(not ok or err == 3)
  end)
end)

describe("in a worker", function ()
  after_each(session.finish)

  it("os.exit raises", function ()
    local exit = os.exit
    for _, f in ipairs {
      function () os.exit(3) end, function () exit(3) end, os.exit,
    } do
      local pool = session.pool()
      local err = session.failure(pool:call(f))
      assert.are.equal("error", err.kind)
      assert.is_truthy(err.message:find("os.exit", 1, true), err.message)
      assert.are.equal(1, pool:call(function ()
        return 1
      end):await(session.limit))
    end
  end)

  it("os.setlocale answers, but does not change", function ()
    local set, now = os.setlocale, os.setlocale()
    assert.are.same({ now, now, false, false }, { run(function (same)
      return os.setlocale(), os.setlocale(same),
        (pcall(os.setlocale, "another")), (pcall(set, "another"))
    end, now) })
    assert.are.equal(now, os.setlocale())
    local err = session.failure(session.pool():call(function ()
      os.setlocale("another", "numeric")
    end))
    assert.is_truthy(err.message:find("setlocale", 1, true), err.message)
  end)

  it("one print is one write", function ()
    local out = program([[
      local futures = {}
      for worker = 1, 4 do
        futures[worker] = pool:call(function (n)
          for i = 1, 500 do
            print(n, i, ("x"):rep(20 * i), "end")
          end
        end, worker)
      end
      for i = 1, 4 do
        futures[i]:await(60)
      end
    ]], 4)
    local lines, next_of = 0, { 1, 1, 1, 1 }
    for line in out:gmatch "[^\n]*\n" do
      local worker, i, text = line:match "^(%d)\t(%d+)\t(x+)\tend\n$"
      assert.is_truthy(worker, line)
      worker, i = tonumber(worker), tonumber(i)
      assert.are.equal(next_of[worker], i)
      assert.are.equal(20 * i, #text)
      next_of[worker], lines = i + 1, lines + 1
    end
    assert.are.equal(2000, lines)
  end)

  it("one io.write is one write", function ()
    for _, write in ipairs {
      "io.write(n, ' ', i, ' ', ('x'):rep(i), ' end\\n')",
      "io.stdout:write(n, ' ', i, ' ', ('x'):rep(i), ' end\\n')",
      "write(n, ' ', i, ' ', ('x'):rep(i), ' end\\n')",
    } do
      local out = program([[
        io.stdout:setvbuf "no"
        local write, futures = io.write, {}
        for worker = 1, 4 do
          futures[worker] = pool:call(function (n)
            for i = 1, 300 do
              ]] .. write .. [[

            end
            return write ~= nil
          end, worker)
        end
        for i = 1, 4 do
          futures[i]:await(60)
        end
      ]], 4)
      local lines = 0
      for line in out:gmatch "[^\n]*\n" do
        assert.is_truthy(line:match "^%d %d+ x+ end\n$", line)
        lines = lines + 1
      end
      assert.are.equal(1200, lines)
    end
  end)

  it("print and io.write write what they write elsewhere", function ()
    local both = [[
      local show = function ()
        print()
        print(nil, true, 1, 1.0, -0.0, 2^53, 1e100, "text\0zero")
        print(setmetatable({}, { __tostring = function ()
          return "shown"
        end }))
        io.write()
        io.write("a", 1, 1.0, -0.0, 2^53, 1e100, "\0\n")
        io.stdout:write("b", 2, 2.5, "\n"):write "c\n"
        print(io.write() == io.stdout)
        print(pcall(io.write, nil))
        print(pcall(io.write, "", {}))
        print(select(2, pcall(function () io.stdout:write("", nil) end)))
        print(select(2, pcall(print, setmetatable({}, {
          __tostring = function () return {} end,
        }))))
      end
    ]]
    local here = program(both .. "show()")
    local there = program(both .. "pool:call(show):await(60)")
    assert.are.equal(here, there)
  end)

  it("what is written to a file is there when it is closed", function ()
    local path = os.tmpname()
    run(function (name)
      local file <close> = io.open(name, "w")
      file:write("one ", 2, "\n")
      file:write "three\n"
    end, path)
    local file = io.open(path)
    local text = file:read "a"
    file:close()
    os.remove(path)
    assert.are.equal("one 2\nthree\n", text)
  end)

  it("io.write goes to the default output", function ()
    local path = os.tmpname()
    run(function (name)
      local before = io.output()
      io.output(name)
      io.write("to", " ", "a file")
      io.close()
      io.output(before)
    end, path)
    local file = io.open(path)
    local text = file:read "a"
    file:close()
    os.remove(path)
    assert.are.equal("to a file", text)
  end)

  it("the whole library is there", function ()
    local names = run(function ()
      local list = {}
      for name, library in pairs(package.loaded) do
        if name ~= "_G" and type(library) == "table" then
          for field in pairs(library) do
            list[name .. "." .. tostring(field)] = true
          end
        end
      end
      for field, value in pairs(_G) do
        list[field] = type(value) == "function" or nil
      end
      return list
    end)
    for _, library in ipairs { "string", "table", "math", "io", "os",
      "coroutine", "utf8", "debug", "package" } do
      for field in pairs(_G[library]) do
        if library ~= "package" or type(package[field]) == "function" then
          assert.is_true(names[library .. "." .. field],
            library .. "." .. field)
        end
      end
    end
    for _, name in ipairs { "assert", "collectgarbage", "dofile", "error",
      "getmetatable", "ipairs", "load", "loadfile", "next", "pairs", "pcall",
      "print", "rawequal", "rawget", "rawlen", "rawset", "require", "select",
      "setmetatable", "tonumber", "tostring", "type", "warn", "xpcall" } do
      assert.is_true(names[name], name)
    end
  end)
end)

describe("the Lua state of a worker", function ()
  after_each(session.finish)

  it("is closed when shutdown returns", function ()
    for _ = 1, session.check and 5 or 50 do
      local name = os.tmpname()
      local pool = session.pool { workers = 2 }
      pool:call(function (path)
        _G.kept = io.open(path, "w")
        _G.kept:write "written"
      end, name):await(session.limit)
      assert.is_true(pool:shutdown { timeout = session.limit })
      local file <close> = assert(io.open(name))
      assert.are.equal("written", file:read "a")
      os.remove(name)
    end
  end)

  it("has its pool, which is closed, while it is closed", function ()
    local name = os.tmpname()
    local pool = session.pool()
    pool:call(function (path)
      local current = tidepool.current()
      _G.kept = setmetatable({}, { __gc = function ()
        local file <close> = io.open(path, "w")
        local _, err = pcall(current.call, current, print)
        file:write(tostring(err), "\n",
          select(2, pcall(current.stats, current)).submitted, "\n",
          tostring(tidepool.current() == nil), "\n",
          select(2, pcall(tidepool.invoke, "test.add", 1, 2)))
      end })
    end, name):await(session.limit)
    assert.is_true(pool:shutdown { timeout = session.limit })
    local file <close> = assert(io.open(name))
    assert.is_truthy(file:read "l":find "closing")
    assert.are.equal("1", file:read "l")
    assert.are.equal("false", file:read "l")
    assert.is_truthy(file:read "l":find "for Lua tasks")
    os.remove(name)
  end)
end)

describe("a pool in a task", function ()
  after_each(session.finish)

  it("may be made there, and closes", function ()
    assert.are.equal(6, run(function ()
      local here = require "tidepool"
      local inner <close> = here.AsyncManager.new { workers = 2 }
      return inner:call(function (n) return n + 1 end, 5):await()
    end))
  end)

  it("may be shut down, which drains it", function ()
    assert.are.same({ true, true, "completed", "completed" }, { run(
      function ()
        local here = require "tidepool"
        local inner = here.AsyncManager.new { workers = 1 }
        local first = inner:call("tidepool.sleep", 0.05)
        local second = inner:call(function () end)
        return inner:shutdown(), inner:shutdown { drain = false },
          first:state(), second:state()
      end) })
  end)

  it("may be waited for while others of the worker resume", function ()
    local pool = session.pool { workers = 1, queue = 100 }
    local future, promise = testmod.promise()
    local waiting = {}
    for i = 1, 20 do
      waiting[i] = pool:call(function (t) return t[1]:await() end, { future })
    end
    local gate = session.gate()
    local late = pool:call(function (name)
      local inner = require("tidepool").AsyncManager.new { workers = 1 }
      inner:call("test.gate", name)
      local early = inner:wait_all(0.05)
      require("tidepool").task():progress(0.5)
      return early, inner:wait_all(), inner:shutdown()
    end, gate)
    session.entered(gate, 1)
    testmod.resolve(promise, nil, "resumed")
    session.eventually(function () return future:is_ready() end)
    session.eventually(function () return late:progress() == 0.5 end)
    testmod.open(gate)
    assert.are.same({ false, true, true }, { late:await(session.limit) })
    for _, each in ipairs(waiting) do
      assert.are.equal("resumed", each:await(session.limit))
    end
  end)

  it("cannot be waited for by a task of its own", function ()
    local pool = session.pool()
    for _, method in ipairs { "wait_all", "shutdown" } do
      local ok, err = pool:call(function (name)
        local own = require("tidepool").current()
        return pcall(own[name], own)
      end, method):await(session.limit)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find("that it runs in", 1, true),
        tostring(err))
    end
    assert.are.equal(1, pool:call(math.abs, -1):await(session.limit))
  end)
end)

describe("memory_limit", function ()
  after_each(session.finish)

  local function grow()
    local list = {}
    repeat
      list[#list + 1] = ("%d"):format(#list):rep(100)
    until #list == math.maxinteger
  end

  it("makes the task fail that allocates past it", function ()
    local pool = session.pool { workers = 1, memory_limit = 8 * mebibyte }
    for _ = 1, 3 do
      local err = session.failure(pool:call(grow))
      assert.are.equal("error", err.kind)
      assert.is_truthy(err.message:find("memory", 1, true), err.message)
      assert.is_truthy(tostring(err):find("memory", 1, true))
      assert.are.equal(100000, pool:call(function () -- the worker lives
        return #("x"):rep(100000)
      end):await(session.limit))
    end
  end)

  -- There was no room to tell of it, nor for another task.
  it("leaves room to tell, and to let go of what is too much", function ()
    -- luacheck: globals hoard
    local limit = 2 * mebibyte
    local pool = session.pool { workers = 1, memory_limit = limit }
    local function fill()
      _G.hoard = {}
      for i = 1, math.huge do
        _G.hoard[i] = {}
      end
    end
    local err = session.failure(pool:call(fill))
    assert.is_truthy(err.message:find("memory_limit", 1, true), err.message)
    assert.is_truthy(err.message:find(tostring(limit), 1, true), err.message)
    assert.is_true(pool:call(function () return #_G.hoard > 1000 end)
      :await(session.limit))
    assert.are.equal("let go", pool:call(function ()
      _G.hoard = nil
      collectgarbage()
      return "let go"
    end):await(session.limit))
    assert.are.equal(limit // 4,
      #pool:call(string.rep, "x", limit // 4):await(session.limit))
    local other = session.pool { workers = 1, memory_limit = limit }
    assert.is_true(other:call(function (f)
      return not pcall(f) and #_G.hoard > 1000
    end, fill):await(session.limit))
  end)

  it("bounds init, and says so", function ()
    local pool = session.pool {
      workers = 1, memory_limit = 1 * mebibyte, init = grow,
    }
    local err = session.failure(pool:call(print))
    assert.are.equal("broken", err.kind)
    assert.is_truthy(err.message:find("memory_limit", 1, true), err.message)
  end)

  it("bounds one large string, too", function ()
    local pool = session.pool { workers = 1, memory_limit = 8 * mebibyte }
    local err = session.failure(pool:call(string.rep, "x", 100 * mebibyte))
    assert.is_truthy(err.message:find("memory", 1, true), err.message)
    assert.are.equal(mebibyte,
      #pool:call(string.rep, "x", mebibyte):await(session.limit))
  end)

  it("bounds arguments that come in", function ()
    local pool = session.pool { workers = 1, memory_limit = mebibyte }
    local text = ("x"):rep(4 * mebibyte)
    local err = session.failure(pool:call(function (s) return #s end, text))
    assert.is_truthy(err.message:find("memory", 1, true), err.message)
    assert.are.equal(3, pool:call(string.len, "abc"):await(session.limit))
    assert.are.equal(text, pool:call("test.echo", text):await(session.limit))
  end)

  it("can be caught by the task", function ()
    local pool = session.pool { workers = 1, memory_limit = 8 * mebibyte }
    assert.are.same({ false, "not enough memory", 5 },
      { pool:call(function (f)
        local ok, err = pcall(f)
        collectgarbage()
        return ok, tostring(err), #("x"):rep(5)
      end, grow):await(session.limit) })
  end)

  it("is each worker's own", function ()
    local pool, gate = session.pool {
      workers = 2, memory_limit = 8 * mebibyte,
    }, session.gate()
    local futures = {}
    for i = 1, 2 do
      futures[i] = pool:call(function (name)
        local text = ("x"):rep(3 * 1024 * 1024) -- made with a copy
        require("tidepool").invoke("test.gate", name)
        return #text
      end, gate)
    end
    session.entered(gate, 2)
    testmod.open(gate)
    for i = 1, 2 do
      assert.are.equal(3 * mebibyte, futures[i]:await(session.limit))
    end
  end)

  it("does not bound a pool without one", function ()
    assert.are.equal(32 * mebibyte, run(function (n)
      return #("x"):rep(n)
    end, 32 * mebibyte))
  end)

  it("is checked", function ()
    for _, bad in ipairs { "much", -1, 0, 1.5, {}, 100 } do
      local ok, err = pcall(tidepool.AsyncManager.new,
        { workers = 1, memory_limit = bad })
      assert.is_false(ok)
      assert.is_truthy(err:find("memory_limit", 1, true), err)
    end
  end)
end)

describe("a manager that is collected", function ()
  after_each(session.finish)

  -- Makes a pool, gives it tasks and forgets it; its threads are to end.
  local function forgotten(fill, cleanup)
    local before = process.threads()
    if not before then
      pending "threads cannot be counted here"
      return
    end
    tidepool.call("test.add", 1, 2):await(session.limit) -- its threads, too
    before = process.threads()
    local futures = (function ()
      return fill(tidepool.AsyncManager.new { workers = 2, queue = 100 })
    end)()
    session.settle(futures)
    for _, future in ipairs(futures) do
      assert.are.equal("completed", future:state(), tostring(future))
      if cleanup then
        future:cleanup()
      end
    end
    session.eventually(function ()
      collectgarbage()
      return process.threads() <= before
    end, "its threads end")
  end

  it("drains its Lua tasks, and its threads end", function ()
    forgotten(function (pool)
      local futures = {}
      for i = 1, 50 do
        futures[i] = pool:call(function (n) return n end, i)
      end
      return futures
    end)
  end)

  it("does so when its tasks hold it as an upvalue", function ()
    forgotten(function (pool)
      local futures = {}
      for i = 1, 50 do
        futures[i] = pool:call(function (n)
          return pool:call(function (m)
            return m + 1, tostring(pool)
          end, n):await()
        end, i)
      end
      return futures
    end)
  end)

  it("does so when its workers keep it", function ()
    forgotten(function (pool)
      local futures = {}
      for i = 1, 10 do
        futures[i] = pool:call(function ()
          rawset(_G, "mine", pool)
          rawset(_G, "own", require("tidepool").current())
        end)
      end
      return futures
    end)
  end)

  it("does so when its tasks answer it", function ()
    forgotten(function (pool)
      local futures = {}
      for i = 1, 10 do
        futures[i] = pool:call(function () return { pool } end)
      end
      return futures
    end, true) -- the results keep it, too
  end)

  it("lets its tasks go on calling until it has drained", function ()
    forgotten(function (pool)
      return { pool:call(function ()
        local here, sum = require("tidepool").current(), 0
        for i = 1, 100 do
          sum = sum + here:call(function (n) return n end, i):await()
        end
        return sum
      end) }
    end)
  end)
end)
