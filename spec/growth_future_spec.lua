-- A future that lives long: waiting for it, and giving that up, leaves nothing
-- with it, in whatever way and however often.

local growth = require "spec.support.growth"
local session = require "spec.support.session"
local tidepool = require "tidepool"


local function one() return 1 end

if session.check then
  pending "what is left behind: what checks the memory keeps some itself"
  return
end

describe("a future that lives long", function ()
  local pool, token, promise, keeper

  before_each(function ()
    pool = session.pool { workers = 1, queue = 100 }
    token, promise = tidepool.promise()
    keeper = tidepool.spawn(function () token:await() end) -- so it is wanted
    tidepool.poll()
  end)

  after_each(function ()
    promise:resolve(1)
    keeper:await(session.limit)
    session.finish()
  end)

  local patterns = {
    ["crosses to a worker again and again"] = function ()
      pool:call(function (t) return t.n end, { token = token, n = 1 }):await()
    end,
    ["comes back from a worker again and again"] = function ()
      pool:call(function (t) return t end, { token }):await()
    end,
    ["is asked for from its promise"] = function ()
      promise:future()
    end,
    ["is awaited for a while"] = function ()
      token:wait(0)
      pcall(token.await, token, 0)
    end,
    ["is awaited for a while by coroutines"] = function ()
      tidepool.spawn(function () token:wait(1e-6) end):await()
    end,
    ["is awaited by coroutines that are cancelled"] = function ()
      local waits = tidepool.spawn(function () token:await() end)
      tidepool.sleep(0)
      waits:cancel()
      waits:wait()
    end,
    ["is awaited for a while by tasks"] = function ()
      pool:call(function (t) t[1]:wait(1e-6) end, { token }):await()
    end,
    ["is awaited by tasks that are cancelled"] = function ()
      local waits = pool:call(function (t) t[1]:await() end, { token })
      waits:wait(0)
      waits:cancel()
    end,
    ["is followed by tasks that are cancelled"] = function ()
      pool:call("test.echo", token):cancel()
    end,
    ["is followed by tasks whose time is over"] = function ()
      pool:with({ timeout = 1e-6 }):call("test.echo", token):pawait()
    end,
    ["is followed by tasks of which another input fails"] = function ()
      local bad, rejected = tidepool.promise()
      rejected:reject "no"
      pool:call("test.echo", bad, token):pawait()
    end,
    ["loses races"] = function ()
      tidepool.race({ token, tidepool.spawn(one) }):await()
    end,
    ["loses to any"] = function ()
      tidepool.any({ token, tidepool.spawn(one) }):await()
    end,
    ["is one of all, of which another fails"] = function ()
      tidepool.all({ token, tidepool.spawn(error) }):pawait()
    end,
    ["is one of all, which are cancelled"] = function ()
      local all = tidepool.all { token }
      all:cancel()
      tidepool.poll()
    end,
    ["is waited for with others"] = function ()
      tidepool.wait({ token, tidepool.spawn(one) }, { when = "first" })
    end,
    ["is one of as_completed, which is left"] = function ()
      local list = { token, tidepool.spawn(one) }
      for _ in tidepool.as_completed(list) do -- luacheck: ignore 512
        break
      end
    end,
    ["is awaited with_timeout"] = function ()
      pcall(tidepool.with_timeout, 1e-6, function () token:await() end)
    end,
    ["is shielded for a while"] = function ()
      pcall(tidepool.shield, token, 1e-6)
    end,
    ["begins chains that are cancelled"] = function ()
      local chain = token:and_then(one)
      chain:cancel()
      chain:wait()
    end,
    ["is adopted by promises that are cancelled"] = function ()
      local future, adopts = tidepool.promise()
      adopts:resolve(token)
      future:cancel()
    end,
    ["goes in and out of groups"] = function ()
      local group = tidepool.group { token }
      group:add(tidepool.spawn(one))
      group:next()
      group:remove(token)
    end,
    ["is watched by scopes and then detached"] = function ()
      tidepool.scope(function (scope)
        scope:add(token)
        tidepool.sleep(0)
        token:detach()
      end)
    end,
  }

  local names = {}
  for name in pairs(patterns) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    it(name, function ()
      tidepool.on_unhandled(function () end)
      growth.none(patterns[name])
    end)
  end

  it("is a member of a group through which others go", function ()
    local group = tidepool.group { token }
    growth.none(function ()
      group:add(tidepool.spawn(one))
      group:next()
    end)
  end)

  it("is watched by nobody that has gone", function ()
    growth.none(function ()
      local future, own = tidepool.promise()
      own:on_cancel(one)
      own:resolve(1)
      future:await()
      tidepool.poll()
    end)
  end)
end)
