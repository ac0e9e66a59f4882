-- Random trees of coroutines, tasks, promises, groups, scopes and waits, for
-- the stress run; in the program's Lua state and in those of workers.
-- Answers a table of functions. What it makes is remembered weakly, so that
-- `left` can tell what has not gone.

local testmod = require "testmod"
local tidepool = require "tidepool"
local random = math.random

local grow = {}

local seen = setmetatable({}, { __mode = "k" }) -- -> what it is
local opened, closed = 0, 0
local wrong

local has_scopes = pcall(require, "tidepool.scope")

local kinds = {
  error = true, cancelled = true, timeout = true, closed = true,
  broken = true, full = true, transfer = true,
}

-- What must not be; the first one is kept until somebody asks.
local function complain(what)
  wrong = wrong or debug.traceback("WRONG: " .. what, 2)
end

local function check(truth, what)
  if not truth then
    complain(what)
  end
end

-- A failure has to be an Error; what one of us has complained of elsewhere
-- comes along with it.
local function check_error(err)
  if type(err) ~= "table" or not kinds[err.kind] then
    return complain("not an Error: " .. tostring(err))
  end
  if tostring(err):find("WRONG", 1, true) then
    complain(tostring(err))
  end
end

tidepool.on_unhandled(check_error)

local function remember(thing, what)
  seen[thing] = what
  return thing
end

-- Counts those that began, and those that came to their end in some way. In
-- a worker the handler itself may be interrupted, so nobody counts there.
local closing = { __close = function () closed = closed + 1 end }
local function open()
  opened = opened + 1
  return remember(setmetatable({}, closing), "a guard")
end

local function moment()
  return random() / 500
end

local function pool_here()
  return tidepool.current() or grow.pool
end

local node

---------------------------------------------------------------- new futures

-- Each answers a Future, and perhaps the one result that it should have.
local makers = {
  function (depth)
    local token = remember({}, "a token")
    return tidepool.spawn(node, depth - 1, token), token
  end,
  function (depth)
    local token = remember({}, "a token")
    return tidepool.spawn(node, depth - 1, token), token
  end,
  function (depth)
    local token = remember({}, "a token")
    return tidepool.private.spawn_within(moment(), node, depth - 1, token)
  end,
  function ()
    return tidepool.spawn(tidepool.sleep, moment())
  end,
  function () -- longer than most that wait for it do
    return tidepool.spawn(tidepool.sleep, 0.02)
  end,
  function () -- without an end, but with a guardian
    local future = tidepool.spawn(tidepool.sleep, 1000)
    tidepool.after(tidepool.private.timer(0.02), future.cancel, future)
      :detach()
    return future
  end,
  function () return tidepool.private.timer(moment()) end,
  function (depth) -- a tree in a worker
    return pool_here():call(function (seed, levels)
      return _G.grow.tree(seed, levels)
    end, random(1 << 30), depth - 1)
  end,
  function () return pool_here():call("tidepool.sleep", moment()) end,
  function () -- a promise that a coroutine keeps, or drops
    local future, promise = tidepool.promise()
    local value = remember({}, "a value")
    tidepool.spawn(function (keeps)
      tidepool.sleep(moment())
      if keeps then
        promise:resolve(value)
      end
      promise = nil
      collectgarbage()
    end, random(3) > 1):detach()
    return future
  end,
  function () -- one that a worker keeps
    local future, promise = tidepool.promise()
    pool_here():call(function (p) p:resolve(1) end, promise)
    return future
  end,
  function () -- one that follows a coroutine
    local future, promise = tidepool.promise()
    promise:resolve(tidepool.spawn(function ()
      tidepool.sleep(0)
      return 7
    end))
    return future, 7
  end,
  function () -- fails, also in its words
    return tidepool.spawn(function ()
      local guard <close> = open() -- luacheck: ignore
      if random(2) == 1 then
        error(setmetatable({}, { __tostring = error }))
      end
      error { "on purpose" }
    end)
  end,
  function () -- fails in a handler of its own
    return tidepool.spawn(function ()
      local first <close> = open() -- luacheck: ignore
      local guard <close> = setmetatable({}, { -- luacheck: ignore
        __close = function () error "of closing" end,
      })
      tidepool.sleep(moment())
    end)
  end,
  function () -- takes no for an answer, but not at once
    return tidepool.spawn(function ()
      local guard <close> = open() -- luacheck: ignore
      for _ = 1, 5 do
        pcall(tidepool.sleep, moment())
      end
    end)
  end,
  function () -- yields through a coroutine of its own
    return tidepool.spawn(function ()
      local inner = coroutine.wrap(function ()
        local guard <close> = open() -- luacheck: ignore
        remember(coroutine.running(), "a coroutine")
        tidepool.sleep(moment())
        coroutine.yield(1)
        tidepool.sleep(moment())
        return 2
      end)
      return inner() + inner()
    end), 3
  end,
}

if has_scopes then
  makers[#makers + 1] = function (depth)
    return tidepool.spawn(function ()
      local guard <close> = open() -- luacheck: ignore
      return tidepool.scope(function (s)
        for _ = 1, random(0, 4) do
          remember(s:spawn(node, depth - 2, {}), "a child of a scope")
        end
        if random(4) == 1 then
          s:timeout(moment())
        end
        if random(4) == 1 then
          s:cancel "of a scope"
        elseif random(4) == 1 then
          error "of a scope"
        end
        if random(2) == 1 then
          tidepool.sleep(moment())
        end
      end)
    end)
  end
  makers[#makers + 1] = function (depth)
    return tidepool.spawn(function ()
      local guard <close> = open() -- luacheck: ignore
      local s <close> = tidepool.scope()
      for _ = 1, random(0, 4) do
        remember(s:spawn(node, depth - 2, {}), "a child of a scope")
      end
      if random(3) == 1 then
        s:timeout(moment())
      end
      tidepool.sleep(moment())
      if random(3) == 1 then
        error "of a scope"
      end
    end)
  end
end

-- A kid: future, want (its result, or nil), lent.
local function make(kids, depth)
  local ok, future, want = pcall(makers[random(#makers)], depth)
  if not ok then
    return check_error(tidepool.is_error and future or { kind = "error" })
  end
  remember(future, "a future")
  kids[#kids + 1] = { future = future, want = want }
end

------------------------------------------------------------------- meddling

-- What came of waiting for it.
local function examine(kid, ok, ...)
  if not ok then
    return check_error((...))
  end
  if kid.want ~= nil and not kid.lent then
    check(rawequal((...), kid.want), "a result that is another one")
  end
  check(kid.future:state() == "completed", "its state")
end

local function any(list)
  return list[random(math.max(#list, 1))]
end

-- Each gets the kids and one of them.
local deeds = {
  function (_, kid) kid.future:cancel() end,
  function (_, kid) kid.future:cancel "of the stress run" end,
  function (_, kid) -- from a worker
    kid.lent = true
    pcall(function ()
      remember(pool_here():call(function (box)
        return box[1]:cancel "from afar"
      end, { kid.future }), "a future")
    end)
  end,
  function (_, kid) -- by a timer
    local future = kid.future
    remember(tidepool.after(tidepool.private.timer(moment()), function ()
      future:cancel "it took too long"
    end), "a future")
  end,
  function (_, kid) -- as an argument
    kid.lent = true
    pcall(function ()
      remember(pool_here():call(function (...) return ... end, kid.future),
        "a future")
    end)
  end,
  function (kids, kid)
    local future = kid.future
    kids[#kids + 1] = {
      want = 5,
      future = remember(tidepool.after(future, function (n)
        local guard <close> = open() -- luacheck: ignore
        check(future:is_ready(), "after, and before")
        return n
      end, 5), "a future"),
    }
  end,
  function (_, kid) kid.future:detach() end,
  function (_, kid) examine(kid, kid.future:pawait(60)) end,
  function (_, kid)
    if kid.future:wait(moment()) then
      examine(kid, kid.future:pawait())
    end
  end,
  function (kids) -- where nothing can yield
    local list = { 3, 1, 2 }
    pcall(table.sort, list, function (a, b)
      local kid = any(kids)
      kid.future:wait(moment())
      return a < b
    end)
  end,
  -- Within a coroutine of its own. In the program others run on top of that
  -- meanwhile, and may wait for what is below: so not for long.
  function (_, kid)
    examine(kid, coroutine.wrap(function ()
      return kid.future:pawait(tidepool.current() and 60 or moment())
    end)())
  end,
  function (kids) -- a group, shared by two
    local group = remember(tidepool.group(), "a group")
    for _, kid in ipairs(kids) do
      group:add(kid.future, kid)
    end
    local function take()
      local kid, future = group:next(moment())
      if kid ~= nil then
        check(kid.future == future and future:is_ready(), "of a group")
      else
        check(future == "timeout" or #group == 0, "nothing of a group")
      end
    end
    remember(tidepool.spawn(function ()
      local guard <close> = open() -- luacheck: ignore
      for _ = 1, random(3) do
        take()
      end
    end), "a future")
    for _ = 1, random(3) do
      take()
    end
    if random(2) == 1 then
      group:remove(any(kids).future)
    elseif random(2) == 1 then
      group:clear()
      check(#group == 0, "a group that was cleared")
    end
  end,
  function (_, kid) -- cleaned up while somebody waits for it
    if random(3) == 1 then
      local future = kid.future
      remember(tidepool.spawn(function ()
        local guard <close> = open() -- luacheck: ignore
        pcall(future.wait, future, moment())
      end), "a future")
      tidepool.sleep(0)
      kid.gone = true
      future:cancel()
      future:cleanup()
    end
  end,
  function () -- a finalizer begins something
    setmetatable({}, { __gc = function ()
      pcall(function ()
        remember(tidepool.spawn(function ()
          local guard <close> = open() -- luacheck: ignore
        end), "a future")
      end)
    end })
    collectgarbage "step"
  end,
  function () tidepool.sleep(0) end,
  function ()
    if not tidepool.current() then
      tidepool.poll(random(2) == 1 and moment() or nil)
    end
  end,
  function () tidepool.task():progress(random(), "growing") end,
}

-- One node of a tree: some kids, what happens to them, and how it ends.
function node(depth, token)
  local guard <close> = open() -- luacheck: ignore
  local kids = {}
  if depth > 0 then
    for _ = 1, random(0, 4) do
      make(kids, depth)
    end
  end
  for _ = 1, #kids > 0 and random(0, 4) or 0 do
    local kid = any(kids)
    if not kid.gone then
      deeds[random(#deeds)](kids, kid)
    end
  end
  local way = random(6)
  if way == 1 and depth < 3 then
    error "on purpose"
  elseif way == 2 and #kids > 0 and not kids[1].gone then
    kids[1].future:await(60) -- and fails as it does
  elseif way <= 4 then
    for _, kid in ipairs(kids) do
      if not kid.gone then
        if kid.future:wait(moment()) then
          examine(kid, kid.future:pawait())
        elseif random(2) == 1 then
          kid.future:cancel()
        end
      end
    end
  end -- else they go on without it
  return token
end

--- Grows a tree in a task of a worker.
function grow.tree(seed, depth)
  math.randomseed(seed)
  node(depth, nil)
  return seed
end

--- Grows one in the program.
-- @return its Future
function grow.spawn(depth)
  return remember(tidepool.spawn(node, depth, nil), "a future")
end

grow.remember = remember

--- Cancels all that is left, and counts what is still there after that. A
-- coroutine that was cancelled takes a turn or two to end, and a worker that
-- was lent something its time until it collects its garbage.
-- @return nothing, or what went wrong, or is left
function grow.left()
  local deadline = testmod.now() + 60
  repeat
    for thing in pairs(seen) do
      if tidepool.is_future(thing) then
        pcall(thing.cancel, thing, "the round is over")
      end
    end
    tidepool.sleep(0.002)
    collectgarbage()
    collectgarbage()
    if wrong or (next(seen) == nil
      and (opened == closed or tidepool.current())) then
      break
    end
  until testmod.now() > deadline
  if tidepool.current() then
    opened, closed = 0, 0
  end
  local what = wrong
  wrong = nil
  if what == nil and next(seen) ~= nil then
    what = "left: " .. seen[next(seen)] .. " " .. tostring((next(seen)))
  elseif what == nil and opened ~= closed then
    what = ("%d were opened, and %d closed"):format(opened, closed)
  end
  return what
end

return grow
