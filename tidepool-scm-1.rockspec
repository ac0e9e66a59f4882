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
        "src/core/bell.c",
        "src/core/blob.c",
        "src/core/clock.c",
        "src/core/copy.c",
        "src/core/dispatch.c",
        "src/core/functions.c",
        "src/core/future.c",
        "src/core/host.c",
        "src/core/lock.c",
        "src/core/map.c",
        "src/core/memory.c",
        "src/core/pin.c",
        "src/core/pool.c",
        "src/core/pools.c",
        "src/core/queue.c",
        "src/core/signature.c",
        "src/core/stats.c",
        "src/core/task.c",
        "src/core/thread.c",
        "src/core/timer.c",
        "src/core/value.c",
        "src/core/word.c",
        "src/core/worker.c",
        "src/lua/capi.c",
        "src/lua/error.c",
        "src/lua/future.c",
        "src/lua/manager.c",
        "src/lua/module.c",
        "src/lua/options.c",
        "src/lua/receive.c",
        "src/lua/results.c",
        "src/lua/send.c",
        "src/lua/state.c",
        "src/lua/submit.c",
        "src/lua/unread.c",
        "src/lua/wait.c",
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
