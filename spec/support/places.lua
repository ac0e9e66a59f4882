-- Where code may run that awaits: in the program, in a coroutine of it, in a
-- task on a worker. `run(f, ...)` has f run there and waits for its end.

local session = require "spec.support.session"
local tidepool = require "tidepool"

return {
  {
    name = "in the program",
    run = function (f, ...) f(...) end,
  },
  {
    name = "in a coroutine",
    run = function (f, ...) tidepool.spawn(f, ...):await(session.limit) end,
  },
  {
    name = "in a task",
    run = function (f, ...)
      session.pool { workers = 2 }:call(f, ...):await(session.limit)
    end,
  },
}
