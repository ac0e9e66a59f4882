-- For host_fork: in the child what was pending is broken, wherever it is
-- looked at; there is nothing that waits for it, or calls it pending.

local fork, wait = fork, wait -- luacheck: ignore

local tidepool = require "tidepool"
local testmod = require "testmod"

local pool = tidepool.AsyncManager.new { workers = 1 }

local function is_broken(err)
  assert(type(err) == "table" and err.kind == "broken", tostring(err))
  assert(err.message:find("forked", 1, true), err.message)
end

-- A future that somebody made of the pending one fails with it.
local function fails(f)
  return function (pending)
    local ok, err = f(pending):pawait(60)
    assert(not ok)
    is_broken(err)
  end
end

local ways = {
  await = fails(function (p) return p end),
  all = fails(function (p) return tidepool.all { p } end),
  race = fails(function (p) return tidepool.race { p } end),
  and_then = fails(function (p) return p:and_then(print) end),
  finally = fails(function (p) return p:finally(function () end) end),
  after = fails(function (p) return tidepool.after(p, p.get, p) end),
  run = fails(function (p) return tidepool.spawn(p.await, p) end),
  promise = fails(function (p)
    local future, promise = tidepool.promise()
    promise:resolve(p)
    return future
  end),
  argument = fails(function (p)
    return tidepool.AsyncManager.new { workers = 1 }:call("test.echo", p)
  end),
}

function ways.any(p)
  local ok, err = tidepool.any { p }:pawait(60)
  assert(not ok)
  is_broken(err.errors[1])
end

function ways.all_settled(p)
  local result = tidepool.all_settled { p }:await(60)[1]
  assert(result.state == "failed")
  is_broken(result.error)
end

function ways.catch(p)
  assert(p:catch(function (err) return err.kind end):await(60) == "broken")
end

function ways.wait(p)
  assert(p:wait(60))
  assert(#tidepool.wait({ p }, { timeout = 60 }) == 1)
end

function ways.as_completed(p)
  for _, future in tidepool.as_completed { p } do
    assert(future == p)
  end
end

function ways.group(p)
  local key, future = tidepool.group():add(p, "key"):next(60)
  assert(key == "key")
  local _, err = pcall(future.get, future)
  is_broken(err)
end

function ways.group_of_the_parent(_, group)
  local _, future = group:next(60)
  assert(future and future:state() == "failed")
  assert(group:next(60) and not group:next(60))
end

function ways.state(p)
  assert(p:state() == "failed" and p:is_ready())
  assert(p:progress() == 0 and p:timeout() == 0)
  assert(not p:awaited())
end

function ways.scope(p)
  local _, err = pcall(tidepool.scope, function (s) s:add(p) end)
  is_broken(err)
end

function ways.resolving(_, _, promise)
  assert(not promise:resolve(1) and not promise:reject "x")
  promise:progress(0.5)
end

-- What is dropped there is nobody's failure: nothing is reported.
function ways.dropping()
  pool = nil
end

local names = {}
for name in pairs(ways) do
  names[#names + 1] = name
end
table.sort(names)
for _, name in ipairs(names) do
  local pending = pool:call("test.gate", name)
  testmod.wait_entered(name)
  local never, promise = tidepool.promise()
  local group = tidepool.group():add(pending):add(never)
  local pid = fork()
  if pid == 0 then
    local ok, err = pcall(ways[name], pending, group, promise)
    if not ok then
      io.stderr:write(name, ": ", tostring(err), "\n")
    end
    pending, never, promise, group = nil, nil, nil, nil -- luacheck: ignore
    collectgarbage()
    os.exit(ok and 0 or 1, true)
  end
  assert(wait(pid) == 0, name)
  promise:resolve(1)
  testmod.open(name)
  pending:wait()
end
