rockspec_format = "3.0"
package = "tidepool"
version = "scm-1"
source = {
  url = "git+https://github.com/tidepool-lua/tidepool.git",
}
description = {
  summary = "Futures and worker pools",
  detailed = [[
Native C functions run on a fixed pool of POSIX threads behind a bounded
queue; every call answers at once with a Future that Lua can poll, await,
cancel and clean up.]],
  license = "MIT",
  labels = { "threads", "async", "futures", "concurrency" },
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.4",
}
build = {
  type = "builtin",
  modules = {
    ["tidepool"] = "lua/tidepool/init.lua",
    ["tidepool.core"] = {
      sources = {
        "src/api/await.c",
        "src/api/build.c",
        "src/api/calls.c",
        "src/api/context.c",
        "src/api/native.c",
        "src/api/promise.c",
        "src/api/table.c",
        "src/core/alarm.c",
        "src/core/await.c",
        "src/core/bell.c",
        "src/core/blob.c",
        "src/core/cancel.c",
        "src/core/clock.c",
        "src/core/convert.c",
        "src/core/copy.c",
        "src/core/dispatch.c",
        "src/core/follow.c",
        "src/core/functions.c",
        "src/core/future.c",
        "src/core/host.c",
        "src/core/lock.c",
        "src/core/map.c",
        "src/core/memory.c",
        "src/core/parked.c",
        "src/core/pin.c",
        "src/core/pool.c",
        "src/core/pools.c",
        "src/core/promise.c",
        "src/core/queue.c",
        "src/core/seek.c",
        "src/core/signature.c",
        "src/core/stats.c",
        "src/core/submit.c",
        "src/core/task.c",
        "src/core/thread.c",
        "src/core/timer.c",
        "src/core/value.c",
        "src/core/word.c",
        "src/core/worker.c",
        "src/lua/capi.c",
        "src/lua/check.c",
        "src/lua/closure.c",
        "src/lua/chunk.c",
        "src/lua/code.c",
        "src/lua/coroutine.c",
        "src/lua/current.c",
        "src/lua/error.c",
        "src/lua/failure.c",
        "src/lua/fiber.c",
        "src/lua/future.c",
        "src/lua/interrupt.c",
        "src/lua/kit.c",
        "src/lua/manager.c",
        "src/lua/module.c",
        "src/lua/object.c",
        "src/lua/options.c",
        "src/lua/place.c",
        "src/lua/promise.c",
        "src/lua/pulse.c",
        "src/lua/receive.c",
        "src/lua/replace.c",
        "src/lua/results.c",
        "src/lua/send.c",
        "src/lua/spawn.c",
        "src/lua/state.c",
        "src/lua/submit.c",
        "src/lua/unread.c",
        "src/lua/wait.c",
        "src/lua/worklib.c",
      },
      incdirs = { "src" },
      libraries = { "pthread" },
    },
  },
  -- Lands as tidepool/tidepool.h; tidepool.header() tells where.
  install = {
    lua = { ["tidepool.h"] = "src/tidepool.h" },
  },
  copy_directories = { "docs" },
}
test = {
  type = "command",
  command = "make test",
}
