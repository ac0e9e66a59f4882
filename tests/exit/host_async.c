/*
** host_async.c: Lua states are closed while their coroutines wait for tasks
** and promises that other threads settle at that very moment, stand at the
** door of a shared manager, and are waited for by others. Two threads.
*/
#include "host.h"

#include <pthread.h>

#define ROUNDS 60

static const char script[] =
    "local tidepool = require 'tidepool'\n"
    "local testmod = require 'testmod'\n"
    "math.randomseed(seed)\n"
    "tidepool.on_unhandled(function () end)\n"
    "local ok, pool = pcall(tidepool.attach, 'shared')\n"
    "if not ok then\n"
    "  ok, pool = pcall(tidepool.AsyncManager.new,\n"
    "    { workers = 2, queue = 2, name = 'shared' })\n"
    "end\n"
    "if not ok then pool = tidepool.attach 'shared' end\n"
    "local function nap() return math.random() / 1000 end\n"
    "local last\n"
    "for i = 1, 20 do\n"
    "  last = tidepool.spawn(function (before)\n"
    "    pool:call('tidepool.sleep', nap()):await()\n"
    "    if before then before:await() end\n"
    "    tidepool.sleep(nap())\n"
    "  end, last)\n"
    "  local future, promise = testmod.promise()\n"
    "  testmod.resolve(promise, nap(), 'kept')\n"
    "  tidepool.spawn(future.await, future)\n"
    "  tidepool.after(future, function () last:await() end)\n"
    "  tidepool.private.spawn_within(nap(), tidepool.sleep, 100)\n"
    "  tidepool.spawn(table.sort, { 1, 2 }, function ()\n"
    "    pool:call('test.add', 1, 2):await()\n"
    "  end)\n"
    "  pool:try_call('test.await_future', last)\n"
    "end\n"
    "tidepool.poll(math.random() / 200)\n";

static void *rounds (void *arg) {
  int number = *(int *)arg;
  for (int round = 1; round <= ROUNDS; round++) {
    lua_State *L = host_open();
    lua_pushinteger(L, round * 2 + number);
    lua_setglobal(L, "seed");
    host_run(L, script);
    lua_close(L);
  }
  return NULL;
}

int main (void) {
  static int numbers[2] = {0, 1};
  pthread_t thread;
  lua_State *L = host_open(); /* keeps the library, and a manager */
  host_run(L, "tidepool = require 'tidepool'\n"
              "tidepool.exit_grace(5)\n"
              "pool = tidepool.AsyncManager.new {\n"
              "  workers = 2, queue = 2, name = 'shared' }\n");
  if (pthread_create(&thread, NULL, rounds, &numbers[1]) != 0)
    host_die("no thread");
  rounds(&numbers[0]);
  pthread_join(thread, NULL);
  lua_close(L);
  puts("closed");
  return 0;
}
