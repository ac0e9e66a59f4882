/*
** session.c: the interpreter in which bench/session.lua is counted:
** session SCRIPT CASE DATE, under callgrind.
**
** What it runs is the same in every run. It holds the worker up while the
** program submits, and the program while the worker works, so that only one
** thread runs at a time. Its clock takes a fixed step whenever it is looked
** at, and its date is an argument: Lua seeds the hashes of its strings with it.
**
** callgrind writes down what a thread has executed before it enters one of
** the functions mark_*; these name the side that it belongs to.
*/
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "tidepool.h"

enum { STEP = 1000 }; /* of the clock, in nanoseconds */

static _Atomic long long looks;

int clock_gettime (clockid_t clock, struct timespec *t) {
  long long now = atomic_fetch_add(&looks, 1) * STEP;
  (void)clock;
  t->tv_sec = (time_t)(now / 1000000000);
  t->tv_nsec = (long)(now % 1000000000);
  return 0;
}

static time_t date;

time_t time (time_t *t) {
  if (t != NULL)
    *t = date;
  return date;
}

/* The asm keeps the compiler from making one function of them all. */
#define MARK(side)                                          \
  __attribute__((noinline)) static void mark_##side(void) { \
    __asm__ volatile("# " #side);                           \
  }

MARK(start)
MARK(call)
MARK(await)
MARK(collect)
MARK(worker)

static int l_start (lua_State *L) {
  (void)L;
  mark_start();
  return 0;
}

static int l_call (lua_State *L) {
  (void)L;
  mark_call();
  return 0;
}

static int l_await (lua_State *L) {
  (void)L;
  mark_await();
  return 0;
}

static int l_collect (lua_State *L) {
  (void)L;
  mark_collect();
  return 0;
}

typedef enum Turn { PROGRAM, HOLDING, WORKER, DONE } Turn;

static Turn turn = PROGRAM; /* under `lock` */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* Gives the turn away and waits until it is `until`. */
static void turn_to (Turn next, Turn until) {
  pthread_mutex_lock(&lock);
  turn = next;
  pthread_cond_broadcast(&changed);
  while (turn != until)
    pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
}

/* The task before those that are counted, and the one after them. */
static int session_hold (tp_Context *ctx) {
  (void)ctx;
  turn_to(HOLDING, WORKER);
  mark_start();
  return TP_OK;
}

static int session_done (tp_Context *ctx) {
  (void)ctx;
  mark_worker();
  turn_to(DONE, DONE);
  return TP_OK;
}

static int session_inc (tp_Context *ctx) {
  tp_pushinteger(ctx, tp_tointeger(ctx, 1) + 1);
  return TP_OK;
}

/* Waits until the worker has begun "session.hold". */
static int l_held (lua_State *L) {
  (void)L;
  pthread_mutex_lock(&lock);
  while (turn != HOLDING)
    pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  return 0;
}

/* Lets the worker work until it has come to "session.done". */
static int l_work (lua_State *L) {
  (void)L;
  turn_to(WORKER, DONE);
  return 0;
}

static int l_register (lua_State *L) {
  static const tp_Function functions[] = {
      {"session.hold", session_hold, ""},
      {"session.done", session_done, ""},
      {"session.inc", session_inc, "integer -> integer"},
      {NULL, NULL, NULL}};
  tp_register(L, tp_open(L), functions);
  return 0;
}

int main (int argc, char **argv) {
  static const luaL_Reg library[] = {
      {"start", l_start},       {"call", l_call}, {"await", l_await},
      {"collect", l_collect},   {"held", l_held}, {"work", l_work},
      {"register", l_register}, {NULL, NULL}};
  lua_State *L;
  int status;
  if (argc != 4)
    return EXIT_FAILURE;
  date = (time_t)atol(argv[3]);
  L = luaL_newstate();
  if (L == NULL)
    return EXIT_FAILURE;
  luaL_openlibs(L);
  status = luaL_loadfile(L, argv[1]);
  if (status == LUA_OK) {
    luaL_newlib(L, library);
    lua_pushstring(L, argv[2]);
    status = lua_pcall(L, 2, 0, 0);
  }
  if (status != LUA_OK) {
    fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
    return EXIT_FAILURE;
  }
  lua_close(L);
  return EXIT_SUCCESS;
}
