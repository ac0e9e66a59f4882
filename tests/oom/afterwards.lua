-- After a session that may have run out of memory, with memory again: all
-- that there is settles, and the library works.

local tidepool = package.loaded.tidepool
if type(tidepool) ~= "table" then
  return -- it was never loaded
end

for _, pool in ipairs(pools) do -- luacheck: ignore
  assert(pool:shutdown { drain = false, timeout = 60 },
    "a manager that does not stop")
  local s = pool:stats()
  assert(s.queued.total == 0 and s.running == 0 and s.stopping == 0)
  assert(s.submitted == s.completed + s.failed + s.cancelled,
    "the numbers do not add up")
end
if package.loaded.testmod then
  for number = 1, 4 do -- promises that the session did not come to settle
    pcall(package.loaded.testmod.drop, number)
  end
end
collectgarbage()
collectgarbage()
assert(tidepool.default():wait_all(60), "tasks that never end")
for i, future in ipairs(futures) do -- luacheck: ignore
  if tostring(future):find "a coroutine" then
    future:cancel() -- the session may not have come to do so
  end
  assert(future:wait(60), "future " .. i .. " never settled")
end
if package.loaded.testmod then
  assert(tidepool.call("test.add", 1, 2):await(60) == 3)
  assert(tidepool.spawn(function (n)
    tidepool.sleep(0)
    return tidepool.call("test.add", n, 2):await(60)
  end, 1):await(60) == 3)
  local pool = tidepool.AsyncManager.new { workers = 1 }
  assert(pool:call("test.echo", { "well" }):await(60)[1] == "well")
  assert(pool:shutdown())
end
