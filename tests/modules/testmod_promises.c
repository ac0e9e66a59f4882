/*
** testmod_promises.c: promises, settled by threads of this module.
**
** Lua:
**   promise() -> Future, number    a Future and the number of its promise
**   resolve(n, seconds | nil, ...) -> boolean
**   reject(n, message, [seconds]) -> boolean
**     settle it on a new thread and answer what tp_resolve answered; with
**     seconds the thread sleeps so long first, nothing is waited for, and
**     answer(n) waits for the answer
**   answer(n) -> boolean
**   drop(n)                        releases it on a new thread
**   promise_cancelled(n) -> boolean
**   promise_progress(n, fraction, [note])
**   promise_race(n, threads, future) -> integer
**     resolves, rejects and cancels it from many threads at once; how many
**     were told that they settled it
** The numbers belong to one Lua state, which drops what is left when it
** closes.
*/
#include "testmod.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOT "testmod.Slot"
#define LIST "testmod.promises"
#define RACERS_MAX 64

enum { RESOLVE, REJECT, DROP };

/* A promise and the thread that works on it, if any. Everything but the
   promise belongs to that thread while `busy`. */
typedef struct Slot {
  tp_Promise *promise; /* retained; NULL once dropped */
  pthread_t thread;
  int busy; /* a thread was started and not joined */
  int what;
  double seconds;
  tp_Context *values;
  char *message;
  int answer;
} Slot;

static void *slot_run (void *p) {
  Slot *slot = p;
  if (slot->seconds > 0)
    tt_pause(slot->seconds);
  switch (slot->what) {
    case RESOLVE:
      slot->answer = tp_resolve(tt_api(), slot->promise, slot->values);
      slot->values = NULL;
      break;
    case REJECT:
      slot->answer = tp_reject(tt_api(), slot->promise, slot->message);
      break;
    default:
      tp_promise_release(tt_api(), slot->promise);
      slot->promise = NULL;
      break;
  }
  return NULL;
}

static void slot_join (Slot *slot) {
  if (slot->busy)
    pthread_join(slot->thread, NULL);
  slot->busy = 0;
  free(slot->message);
  slot->message = NULL;
}

static int slot_gc (lua_State *L) {
  Slot *slot = luaL_checkudata(L, 1, SLOT);
  slot_join(slot);
  tp_discard(tt_api(), slot->values);
  slot->values = NULL;
  if (slot->promise != NULL)
    tp_promise_release(tt_api(), slot->promise);
  slot->promise = NULL;
  return 0;
}

/* The slot of that number, with no thread at work and a promise in it. */
static Slot *slot_check (lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  Slot *slot;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LIST);
  lua_rawgeti(L, -1, n);
  slot = luaL_testudata(L, -1, SLOT);
  lua_pop(L, 2); /* the list keeps it */
  if (slot == NULL)
    luaL_argerror(L, 1, "no promise has that number");
  slot_join(slot);
  if (slot->promise == NULL)
    luaL_argerror(L, 1, "that promise was dropped");
  return slot;
}

/* Starts a thread on the slot; without seconds, waits for its answer. */
static int slot_start (lua_State *L, Slot *slot, int what, int seconds) {
  int delayed = !lua_isnoneornil(L, seconds);
  int rc;
  slot->what = what;
  slot->seconds = lua_tonumber(L, seconds);
  rc = tt_thread(&slot->thread, slot_run, slot);
  if (rc != 0)
    return luaL_error(L, "testmod: no thread: error %d", rc);
  slot->busy = 1;
  if (delayed)
    return 0;
  slot_join(slot);
  lua_pushboolean(L, slot->answer);
  return 1;
}

/* Checks the seconds at that index, nil for none. */
static void check_seconds (lua_State *L, int index) {
  lua_Number seconds = luaL_optnumber(L, index, 0);
  luaL_argcheck(L, seconds >= 0 && seconds <= LIMIT, index,
                "0 to 30 seconds expected");
}

static int l_promise (lua_State *L) {
  lua_Integer n;
  Slot *slot = lua_newuserdatauv(L, sizeof *slot, 0);
  memset(slot, 0, sizeof *slot);
  luaL_setmetatable(L, SLOT);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LIST);
  n = (lua_Integer)lua_rawlen(L, -1) + 1;
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, n);
  slot->promise = tp_lua_promise(L, tt_api());
  lua_pushinteger(L, n);
  return 2;
}

static int l_resolve (lua_State *L) {
  Slot *slot = slot_check(L);
  int top = lua_gettop(L);
  check_seconds(L, 2);
  tp_discard(tt_api(), slot->values);
  slot->values = NULL;
  if (top > 2)
    slot->values = tt_collect(L, 3, top);
  return slot_start(L, slot, RESOLVE, 2);
}

static int l_reject (lua_State *L) {
  Slot *slot = slot_check(L);
  size_t length;
  const char *message = luaL_checklstring(L, 2, &length);
  lua_settop(L, 3);
  check_seconds(L, 3);
  slot->message = malloc(length + 1);
  if (slot->message == NULL)
    return luaL_error(L, "not enough memory");
  memcpy(slot->message, message, length + 1);
  return slot_start(L, slot, REJECT, 3);
}

static int l_answer (lua_State *L) {
  lua_pushboolean(L, slot_check(L)->answer);
  return 1;
}

static int l_drop (lua_State *L) {
  Slot *slot = slot_check(L);
  lua_settop(L, 1);
  slot_start(L, slot, DROP, 2);
  return 0;
}

static int l_promise_cancelled (lua_State *L) {
  lua_pushboolean(L, tp_promise_cancelled(tt_api(), slot_check(L)->promise));
  return 1;
}

static int l_promise_progress (lua_State *L) {
  tp_promise_progress(tt_api(), slot_check(L)->promise, luaL_checknumber(L, 2),
                      luaL_optstring(L, 3, NULL));
  return 0;
}

/* ------------------------------------------------------------------ */
/* Many threads at one promise                                         */
/* ------------------------------------------------------------------ */

typedef struct Racer {
  tp_Promise *promise;
  tp_Future *future;
  atomic_int *go;
  pthread_t thread;
  int number;
  int answer;
} Racer;

static void *racer_run (void *p) {
  Racer *racer = p;
  const tp_Api *api = tt_api();
  tp_Context *values = tp_values(api);
  if (values != NULL)
    tp_pushinteger(values, racer->number);
  while (!atomic_load(racer->go))
    ;
  if (racer->number % 3 == 0)
    racer->answer = tp_reject(api, racer->promise, "rejected in a race");
  else if (racer->number % 3 == 1 && racer->future != NULL)
    racer->answer = tp_cancel(api, racer->future, "cancelled in a race");
  else {
    racer->answer = tp_resolve(api, racer->promise, values);
    values = NULL;
  }
  tp_discard(api, values);
  return NULL;
}

static int l_promise_race (lua_State *L) {
  Racer racers[RACERS_MAX];
  atomic_int go = 0;
  Slot *slot = slot_check(L);
  lua_Integer n = luaL_checkinteger(L, 2);
  tp_Future *future = tp_lua_checkfuture(L, tt_api(), 3);
  int started = 0, rc = 0, winners = 0;
  luaL_argcheck(L, n >= 1 && n <= RACERS_MAX, 2, "1 to 64 threads expected");
  while (started < n && rc == 0) {
    Racer *racer = &racers[started];
    racer->promise = slot->promise;
    racer->future = future;
    racer->go = &go;
    racer->number = started;
    racer->answer = 0;
    rc = tt_thread(&racer->thread, racer_run, racer);
    if (rc == 0)
      started++;
  }
  atomic_store(&go, 1);
  for (int i = 0; i < started; i++) {
    pthread_join(racers[i].thread, NULL);
    winners += racers[i].answer != 0;
  }
  if (rc != 0)
    return luaL_error(L, "testmod: no thread: error %d", rc);
  lua_pushinteger(L, winners);
  return 1;
}

const luaL_Reg tt_promise_lua[] = {{"promise", l_promise},
                                   {"resolve", l_resolve},
                                   {"reject", l_reject},
                                   {"answer", l_answer},
                                   {"drop", l_drop},
                                   {"promise_cancelled", l_promise_cancelled},
                                   {"promise_progress", l_promise_progress},
                                   {"promise_race", l_promise_race},
                                   {NULL, NULL}};

void tt_promise_open (lua_State *L) {
  if (luaL_newmetatable(L, SLOT)) {
    lua_pushcfunction(L, slot_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
}
