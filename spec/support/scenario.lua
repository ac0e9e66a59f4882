-- What is done while something else happens in the middle (hooks.lua): in the
-- program as well as in a worker, so there is a module for it.

local hooks = require "spec.support.hooks"
local tidepool = require "tidepool"

local function one(x)
  return x
end

local function late(x)
  tidepool.sleep(0)
  return x
end

local function never()
  return tidepool.spawn(tidepool.sleep, 1000)
end

local function expect(what, ...)
  local got = table.concat({ ... }, " ")
  assert(got == what, got)
end

local function outcome(ok, err)
  assert(not ok, "completed, though it had to fail")
  return err.kind == "timeout" and err.kind or err.value
end

-- By name: what is done, and what is said of that in the end.
local scenarios = {
  all = { function ()
    local list = tidepool.all { tidepool.spawn(one, 1),
      tidepool.spawn(late, 2) }:await()
    return list.n, list[1], list[2]
  end, "2 1 2" },

  race = { function ()
    local loser = never()
    local winner = tidepool.race { tidepool.spawn(late, 1), loser }:await()
    return winner, loser:state()
  end, "1 cancelled" },

  any = { function ()
    return tidepool.any { tidepool.spawn(error, 1), tidepool.spawn(late, 2) }
      :await()
  end, "2" },

  all_settled = { function ()
    local list = tidepool.all_settled { tidepool.spawn(error, 1),
      tidepool.spawn(late, 2) }:await()
    return list[1].state, list[2].value
  end, "failed 2" },

  ["a combinator that is cancelled"] = { function ()
    local loser, promise = tidepool.promise()
    local told, tell = tidepool.promise()
    promise:on_cancel(function () tell:resolve() end)
    local future = tidepool.all { loser }
    future:cancel "enough"
    told:await() -- to wait for the loser would keep it
    return future:state(), loser:state()
  end, "cancelled cancelled" },

  as_completed = { function ()
    local first, second = tidepool.spawn(late, 1), tidepool.spawn(one, 2)
    local seen = {}
    for i, future in tidepool.as_completed { first, second, first } do
      seen[#seen + 1] = i * 10 + future:get()
    end
    table.sort(seen)
    return table.unpack(seen)
  end, "11 22 31" },

  wait = { function ()
    local done, pending = tidepool.wait { tidepool.spawn(late, 1),
      tidepool.spawn(one, 2) }
    return #done, #pending
  end, "2 0" },

  and_then = { function ()
    local first = tidepool.spawn(one, 1)
    first:wait()
    return first:and_then(function (x) return tidepool.spawn(late, x + 1) end)
      :await()
  end, "2" },

  catch = { function ()
    return tidepool.spawn(error, "why", 0):catch(function (err)
      return err.value
    end):await()
  end, "why" },

  finally = { function ()
    local first, called = tidepool.spawn(one, 1), 0
    first:wait()
    local x = first:finally(function () called = called + 1 end):await()
    return x, called
  end, "1 1" },

  on_cancel = { function ()
    local future, promise = tidepool.promise()
    local told, tell = tidepool.promise()
    promise:on_cancel(function (reason) tell:resolve(reason) end)
    future:cancel "enough"
    return told:await()
  end, "enough" },

  await = { function ()
    return tidepool.await(tidepool.spawn(late, 1)), tidepool.await(2)
  end, "1 2" },

  with_timeout = { function ()
    return outcome(pcall(tidepool.with_timeout, 0, tidepool.sleep, 1000)),
      tidepool.with_timeout(1000, late, 1)
  end, "timeout 1" },

  shield = { function ()
    return tidepool.shield(tidepool.spawn(late, 1))
  end, "1" },

  run = { function ()
    local ended = {}
    local x = tidepool.run(function ()
      for i = 1, 3 do
        tidepool.spawn(function ()
          tidepool.sleep(0)
          ended[i] = i
        end)
      end
      return 5
    end)
    return x, table.unpack(ended, 1, 3)
  end, "5 1 2 3" },

  ["map, each and reduce"] = { function ()
    local pool, list = tidepool.default(), { 1, 2, 3 }
    local squares = pool:map(function (x) return x * x end, list, { chunk = 2 })
    pool:each(function () end, list, { chunk = 2 })
    return squares[3], pool:reduce(function (a, b) return a + b end, squares,
      1, { chunk = 2 })
  end, "9 15" },

  imap = { function ()
    local sum = 0
    for i, x in tidepool.default():imap(function (x) return x + 1 end,
      { 1, 2, 3 }, { concurrency = 2 }) do
      sum = sum + i * x
    end
    return sum
  end, "20" },

  ["a scope with a function"] = { function (state)
    return tidepool.scope(function (s, n)
      state.scope = s
      s:spawn(late, 1)
      local child = s:spawn(one, 2)
      s:add((tidepool.spawn(late, 3)))
      tidepool.sleep(0)
      s:spawn(late, 4)
      return child:await() + n
    end, 5)
  end, "7" },

  ["a scope in a variable"] = { function (state)
    local first, second
    do
      local s <close> = tidepool.scope()
      state.scope = s
      first = s:spawn(late, 1)
      tidepool.sleep(0)
      tidepool.sleep(0)
      second = s:spawn(late, 2)
    end
    return first:state(), second:state()
  end, "completed completed" },

  ["a scope that fails"] = { function (state)
    local endless
    local ok, err = pcall(function ()
      local s <close> = tidepool.scope()
      state.scope = s
      endless = s:spawn(tidepool.sleep, 1000)
      s:spawn(function ()
        tidepool.sleep(0)
        error("why", 0)
      end)
      tidepool.sleep(0)
    end)
    assert(#err.others == 0)
    return outcome(ok, err), endless:state()
  end, "why cancelled" },

  ["a scope that is cancelled"] = { function (state)
    local endless
    local ok, err = pcall(function ()
      local s <close> = tidepool.scope()
      state.scope = s
      endless = s:spawn(tidepool.sleep, 1000)
      tidepool.sleep(0)
      s:cancel "enough"
    end)
    return outcome(ok, err), endless:state()
  end, "enough cancelled" },

  ["a scope whose time is over"] = { function ()
    local endless = never()
    local ok, err = pcall(tidepool.scope, function (s)
      s:add(endless)
      s:timeout(1000)
      s:timeout(0)
      endless:wait()
    end)
    return outcome(ok, err), endless:state()
  end, "timeout cancelled" },

  ["a scope of which something is detached"] = { function (state)
    local endless
    do
      local s <close> = tidepool.scope()
      state.scope = s
      endless = s:spawn(tidepool.sleep, 1000)
      s:spawn(late, 1)
      endless:detach()
    end
    local settled = endless:is_ready()
    endless:cancel()
    return tostring(settled)
  end, "false" },
}

local acts = hooks.acts

acts["more is spawned in the scope"] = function (state)
  if state.scope then
    local ok, child = pcall(state.scope.spawn, state.scope, late, 1)
    state.extra = ok and child
    tidepool.sleep(0)
  end
end

local scenario = { names = {}, acts = {} }

for name in pairs(scenarios) do
  table.insert(scenario.names, name)
end
for what in pairs(acts) do
  table.insert(scenario.acts, what)
end
table.sort(scenario.names)
table.sort(scenario.acts)

-- Runs the one of that name with that happening at each instruction.
function scenario.run(name, what)
  local run, expected = table.unpack(scenarios[name])
  local count = hooks.at_each(run, acts[what], function (state, ...)
    expect(expected, ...)
    assert(not state.extra or state.extra:is_ready(),
      "what was spawned in the scope was not waited for")
  end)
  assert(count > 0 or name == "await")
end

return scenario
