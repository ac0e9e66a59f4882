/*
** host_two.c: two Lua states share a manager; one is closed while the other
** uses it. What the closed state had queued is cancelled, what the other one
** queued runs, and the manager stays open for it.
*/
#include "host.h"

#include <pthread.h>
#include <semaphore.h>

#define ROUNDS 10

static sem_t signals[4];

static int post (lua_State *L) {
  sem_post(&signals[luaL_checkinteger(L, 1)]);
  return 0;
}

static int await (lua_State *L) {
  while (sem_wait(&signals[luaL_checkinteger(L, 1)]) != 0)
    ;
  return 0;
}

static lua_State *state (void) {
  lua_State *L = host_open();
  lua_register(L, "post", post);
  lua_register(L, "await", await);
  host_run(L, "tidepool = require 'tidepool'\n"
              "testmod = require 'testmod'\n");
  return L;
}

/* 0: the pool is there; 1: both have queued; 2: the other state is closed;
   3: the gate is closed and the pool full of small calls. */
static const char first[] =
    "pool = tidepool.AsyncManager.new {\n"
    "  workers = 1, queue = 200, name = 'two' }\n"
    "testmod.runs(true)\n"
    "post(0)\n"
    "await(3)\n"
    "held = {}\n"
    "for i = 1, 20 do held[i] = pool:call 'test.count' end\n"
    "for i = 1, 20 do pool:call 'test.count' end\n"
    "post(1)\n";

static const char second[] =
    "await(0)\n"
    "local pool = tidepool.attach 'two'\n"
    "for i = 1, 100 do\n"
    "  assert(pool:call('test.add', i, 1):await(60) == i + 1)\n"
    "end\n"
    "testmod.close 'two'\n"
    "local gate = pool:call('test.gate', 'two')\n"
    "testmod.wait_entered 'two'\n"
    "local futures = {}\n"
    "for i = 1, 30 do futures[i] = pool:call 'test.count' end\n"
    "post(3)\n"
    "await(1)\n"
    "for i = 31, 60 do futures[i] = pool:call 'test.count' end\n"
    "await(2)\n"
    "assert(not gate:is_ready())\n"
    "testmod.open 'two'\n"
    "gate:await(60)\n"
    "for i = 1, 60 do futures[i]:await(60) end\n"
    "assert(testmod.runs() == 60, 'a task of the closed state ran')\n"
    "for i = 1, 100 do\n"
    "  assert(pool:call('test.add', i, 1):await(60) == i + 1)\n"
    "end\n"
    "assert(tidepool.attach('two'):stats().workers == 1)\n"
    "assert(pool:shutdown())\n";

static void *other (void *arg) {
  lua_State *L = state();
  (void)arg;
  host_run(L, second);
  lua_close(L);
  return NULL;
}

int main (void) {
  for (int i = 0; i < 4; i++)
    sem_init(&signals[i], 0, 0);
  for (int round = 1; round <= ROUNDS; round++) {
    pthread_t thread;
    lua_State *L = state();
    if (pthread_create(&thread, NULL, other, NULL) != 0)
      host_die("no thread");
    host_run(L, first);
    lua_close(L);
    sem_post(&signals[2]);
    pthread_join(thread, NULL);
  }
  puts("shared");
  return 0;
}
