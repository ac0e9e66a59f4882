-- What Lua's own library does for a task is what it does for a program,
-- where the documents name no difference.

local session = require "spec.support.session"

local expect = assert

local limit = session.limit

-- All that f answers, in the program and in a task.
local function both(f, ...)
  local pool = session.pool()
  return table.pack(f(...)), table.pack(pool:call(f, ...):await(limit))
end

local function same(f, ...)
  local here, there = both(f, ...)
  expect.are.same(here, there)
  return there
end

local function failure(f, ...)
  return select(2, pcall(f, ...))
end

local cases = {
  ["writing to a closed file"] = function ()
    local file = io.tmpfile()
    file:close()
    return failure(function () file:write "x" end),
      failure(function () file:write({}) end)
  end,
  ["writing to a closed default output"] = function ()
    local before, file = io.output(), io.tmpfile()
    io.output(file)
    file:close()
    local err = failure(function () io.write "x" end)
    io.output(before)
    return err
  end,
  ["writing what is no string"] = function ()
    return failure(function () io.write(nil) end),
      failure(function () io.stdout:write("", {}) end),
      failure(io.stdout.write, io.stdout, "", {})
  end,
  ["writing to what is no file"] = function ()
    return failure(io.stdout.write, {}), failure(io.stdout.write)
  end,
  ["writing where one may not"] = function ()
    local file = io.open "/dev/null"
    return file:write("a", "b")
  end,
  ["coroutines that are none"] = function ()
    return failure(coroutine.isyieldable, nil), failure(coroutine.resume, 1),
      failure(coroutine.close, 1), failure(coroutine.status, 1),
      failure(coroutine.wrap, 1), failure(coroutine.create)
  end,
  ["a yield at the base"] = function ()
    return failure(function ()
      coroutine.yield()
    end)
  end,
  ["errors of coroutines"] = function ()
    local co = coroutine.create(function () error { 1 } end)
    local list = table.pack(coroutine.resume(co))
    list[#list + 1] = table.pack(coroutine.resume(co))
    list[#list + 1] = table.pack(coroutine.close(co))
    list[#list + 1] = failure(coroutine.wrap(function () error "x" end))
    return list
  end,
  ["results of commands"] = function ()
    return { os.execute "true" }, { os.execute "exit 3" },
      { os.execute "kill -TERM $$" }, os.execute(),
      { os.execute "exec /no/such/command 2> /dev/null" }
  end,
  ["commands that are none"] = function ()
    return failure(os.execute, {}), failure(io.popen), failure(io.popen, {}),
      failure(io.popen, "true", "x")
  end,
  ["reading from a command"] = function ()
    local pipe = io.popen "printf '%s\\n' one two; exit 5"
    local list = { io.type(pipe), pipe:read("l", "n", "a") }
    list[#list + 1] = table.pack(pipe:close())
    list[#list + 1] = io.type(pipe)
    return list, failure(pipe.read, pipe), failure(pipe.close, pipe)
  end,
  ["writing to a command"] = function ()
    local name = os.tmpname()
    local pipe = io.popen("cat > " .. name .. "; kill -HUP $$", "w")
    pipe:write("one\n", 2, "\n")
    local result = table.pack(pipe:close())
    local file <close> = io.open(name)
    os.remove(name)
    return result, file:read "a"
  end,
  ["lines of a command"] = function ()
    local list = {}
    for line in io.popen("echo one; echo two", "r"):lines() do
      list[#list + 1] = line
    end
    return list
  end,
  ["a command left to the collector"] = function ()
    do
      local _ = io.popen "cat > /dev/null"
    end
    collectgarbage()
    local pipe <close> = io.popen "echo closed"
    return pipe:read "a"
  end,
}

describe("in a task as in the program:", function ()
  after_each(session.finish)

  for name, f in pairs(cases) do
    it(name, function () same(f) end)
  end


  it("a command can be interrupted, and timed out", function ()
    local function ended(signal)
      local pipe = io.popen "echo $$; exec sleep 100"
      os.execute(("kill -%s %d"):format(signal, pipe:read "n"))
      return pipe:close()
    end
    for _, signal in ipairs { "TERM", "INT", "HUP", "ALRM" } do
      local there = same(ended, signal)
      expect.are.equal("signal", there[2])
    end
  end)

  it("a command has the signal mask of the program", function ()
    local function mask(way)
      local command = "grep SigBlk /proc/self/status 2> /dev/null"
      if way == "popen" then
        local pipe <close> = io.popen(command)
        return pipe:read "a"
      end
      local name = os.tmpname()
      os.execute(command .. " > " .. name)
      local file <close> = io.open(name)
      os.remove(name)
      return file:read "a"
    end
    if mask "popen" == "" then
      pending "this system does not tell"
      return
    end
    same(mask, "popen")
    same(mask, "execute")
  end)

  it("a command gets no pipe of another one", function ()
    same(function ()
      -- `cat` ends only when nobody else holds the end to write to.
      local first = io.popen("cat > /dev/null", "w")
      local second = io.popen("cat > /dev/null", "w")
      return first:close(), second:close()
    end)
  end)
end)

describe("a function of Lua's own that a worker replaces", function ()
  after_each(session.finish)

  local function all()
    return print, io.write, io.stdout.write, io.popen, os.execute, os.exit,
      os.setlocale, coroutine.wrap, coroutine.create, coroutine.resume,
      coroutine.yield, coroutine.close, coroutine.isyieldable,
      coroutine.running
  end

  it("is the program's own where it arrives in the program", function ()
    local here, there = both(all)
    expect.are.equal(14, there.n)
    for i = 1, here.n do
      expect.are.equal(here[i], there[i])
    end
  end)

  it("is the worker's own where it arrives in a worker", function ()
    local pool = session.pool()
    local function compare(...)
      local own, wrong = table.pack(...), 0
      local list = { print, io.write, io.stdout.write, io.popen, os.execute,
        os.exit, os.setlocale, coroutine.wrap, coroutine.create,
        coroutine.resume, coroutine.yield, coroutine.close,
        coroutine.isyieldable, coroutine.running }
      for i = 1, own.n do
        wrong = wrong + (own[i] == list[i] and 0 or 1)
      end
      return own.n, wrong
    end
    expect.are.same({ 14, 0 }, { pool:call(compare, all()):await(limit) })
    expect.are.same({ 14, 0 }, { pool:call(function (f, values)
      return require "tidepool".current():call(f, values()):await()
    end, compare, all):await(limit) })
  end)

  it("works in a generator that a task has answered", function ()
    local count = session.pool():call(function ()
      local wrap, yield = coroutine.wrap, coroutine.yield
      return function (n)
        return wrap(function ()
          for i = 1, n do
            yield(i)
          end
        end)
      end
    end):await(limit)
    local list = {}
    for i in count(3) do
      list[#list + 1] = i
    end
    expect.are.same({ 1, 2, 3 }, list)
  end)
end)

