/*
** Lua tasks as coroutines of a worker's Lua state.
*/
#include <string.h>

#include "core/alarm.h"
#include "core/clock.h"
#include "core/follow.h"
#include "core/memory.h"
#include "lua/place.h"

enum { MOST_FREE = 64 }; /* fibers kept for the next tasks */

/* ---------------------------------------------------------------- */
/* Fibers                                                            */
/* ---------------------------------------------------------------- */

/* light userdata of a fiber -> */
static int make_base (lua_State *L) {
  tpi_Fiber *fiber = lua_touserdata(L, 1);
  fiber->base = lua_newthread(L);
  fiber->reference = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static tpi_Fiber *new_fiber (tpi_Place *place) {
  lua_State *L = place->L;
  tpi_Fiber *fiber = tpi_calloc(sizeof *fiber);
  if (fiber == NULL)
    return NULL;
  fiber->place = place;
  if (lua_checkstack(L, 4)) {
    lua_pushcfunction(L, make_base);
    lua_pushlightuserdata(L, fiber);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
      return fiber;
    lua_pop(L, 1);
  }
  tpi_free(fiber);
  return NULL;
}

static tpi_Fiber *take_fiber (tpi_Place *place, tpi_LuaTask *task) {
  tpi_Fiber *fiber = place->free;
  if (fiber != NULL) {
    place->free = fiber->next;
    place->free_count--;
  } else {
    fiber = new_fiber(place);
  }
  if (fiber != NULL) {
    fiber->task = task;
    fiber->alarm = NULL;
    fiber->started = fiber->door = fiber->rigid = 0;
    fiber->sends = fiber->failed = 0;
    fiber->told = fiber->closing = 0;
    fiber->given_up = NULL;
  }
  return fiber;
}

static void free_fiber (tpi_Fiber *fiber) {
  luaL_unref(fiber->place->L, LUA_REGISTRYINDEX, fiber->reference);
  tpi_free(fiber);
}

/* Its base has come to an end by itself. */
static void recycle (tpi_Fiber *fiber) {
  tpi_Place *place = fiber->place;
  fiber->task->fiber = NULL;
  fiber->task = NULL;
  lua_sethook(fiber->base, NULL, 0, 0);
  lua_settop(fiber->base, 0);
  if (place->free_count == MOST_FREE) {
    free_fiber(fiber);
    return;
  }
  fiber->next = place->free;
  place->free = fiber;
  place->free_count++;
}

void tpi_fibers_free (tpi_Place *place) {
  while (place->free != NULL) {
    tpi_Fiber *fiber = place->free;
    place->free = fiber->next;
    tpi_free(fiber); /* its base goes with the Lua state */
  }
}

/* ---------------------------------------------------------------- */
/* Giving the worker away                                            */
/* ---------------------------------------------------------------- */

int tpi_fiber_yields (lua_State *L, const tpi_Place *place) {
  return place->fiber != NULL && !place->fiber->rigid &&
         L == tpi_peek(&place->pulse->current) && lua_isyieldable(L);
}

/* A future that settles in so many seconds, tied to; raises. */
static void set_alarm (lua_State *L, tpi_Fiber *fiber, double seconds) {
  if (seconds < 0)
    return;
  fiber->alarm = tpi_alarm_new(seconds);
  if (fiber->alarm == NULL)
    luaL_error(L, "not enough memory");
}

static void stop_alarm (tpi_Fiber *fiber) {
  tpi_alarm_release(fiber->alarm);
  fiber->alarm = NULL;
}

static int yield (lua_State *L, tpi_Fiber *fiber, lua_KContext context,
                  lua_KFunction k) {
  if (fiber->alarm != NULL)
    tpi_parked_tie(&fiber->parked, fiber->alarm);
  fiber->place->yields = TPI_AWAITING;
  return lua_yieldk(L, 0, context, k);
}

static int refuse_ring (lua_State *L, const tpi_Place *place) {
  return luaL_error(L, "tasks that would wait for each other: %s", place->ring);
}

/* Where the coroutine cannot yield. */
static int block (lua_State *L, tpi_Place *place, tpi_Future *future,
                  double seconds) {
  tpi_Fiber *fiber = place->fiber;
  int rc =
      tpi_worker_await(place->worker, &fiber->task->task, future,
                       tpi_deadline(seconds), place->ring, sizeof place->ring);
  if (rc == TP_INVALID)
    refuse_ring(L, place);
  if (rc == TP_FULL)
    luaL_error(L, "awaits that cannot yield are nested too deep");
  tpi_fiber_check(L, place);
  return rc;
}

int tpi_fiber_await (lua_State *L, tpi_Place *place, tpi_Future *future,
                     double seconds, lua_KContext context, lua_KFunction k) {
  tpi_Fiber *fiber = place->fiber;
  if (fiber == NULL)
    luaL_error(L, "await outside of a task");
  tpi_fiber_check(L, place);
  if (tpi_future_settled(future))
    return TP_OK;
  if (seconds == 0)
    return TP_TIMEOUT;
  if (!tpi_fiber_yields(L, place))
    return block(L, place, future, seconds);
  set_alarm(L, fiber, seconds);
  if (tpi_task_await(&fiber->task->task, future, 1, place->ring,
                     sizeof place->ring) != TP_OK) {
    stop_alarm(fiber);
    refuse_ring(L, place);
  }
  tpi_parked_init(&fiber->parked, &fiber->task->task, place->worker);
  tpi_parked_tie(&fiber->parked, future);
  return yield(L, fiber, context, k);
}

int tpi_fiber_submit (lua_State *L, tpi_Place *place, tpi_Task *task,
                      lua_KContext context, lua_KFunction k) {
  tpi_Fiber *fiber = place->fiber;
  uint64_t deadline = tpi_timer_deadline(task->timer);
  int rc;
  if (fiber == NULL) {
    tpi_Parker p;
    tpi_parker_init(&p, NULL, NULL, NULL);
    return tpi_pool_submit(task->pool, task, &p);
  }
  if (!tpi_fiber_yields(L, place))
    return tpi_worker_submit(place->worker, &fiber->task->task, task);
  if (tpi_future_settled(tpi_fiber_future(fiber)))
    return TP_CANCELLED;
  set_alarm(L, fiber,
            deadline == TPI_NEVER ? -1 : (double)tpi_until(deadline) / 1e9);
  tpi_parked_init(&fiber->parked, &fiber->task->task, place->worker);
  fiber->admission.visitor = &fiber->task->task;
  fiber->admission.blocks = 0;
  rc = tpi_pool_line_up(task->pool, task, &fiber->admission,
                        &fiber->parked.door);
  if (rc != TP_FULL) {
    stop_alarm(fiber);
    return rc;
  }
  fiber->door = 1;
  return yield(L, fiber, context, k);
}

/* What the wait came to; the task is the worker's again. */
static void unpark (tpi_Fiber *fiber) {
  tpi_Task *task = &fiber->task->task;
  int late = fiber->alarm != NULL && tpi_future_settled(fiber->alarm);
  int left = 0;
  if (fiber->door) {
    left = tpi_pool_leave_line(fiber->admission.task->pool, &fiber->admission,
                               late);
    fiber->outcome = !left  ? fiber->admission.outcome
                     : late ? TP_OK
                            : TP_CANCELLED;
  } else {
    fiber->outcome = tpi_future_settled(task->awaits) ? TP_OK : TP_TIMEOUT;
    tpi_task_awaits_no_more(task);
  }
  tpi_parked_untie(&fiber->parked, fiber->door && !left);
  if (fiber->door && !left && fiber->outcome == TP_OK)
    tpi_pool_admitted(fiber->admission.task);
  fiber->door = 0;
  stop_alarm(fiber);
  tpi_future_suspend(&task->future, 0);
}

int tpi_fiber_back (lua_State *L, tpi_Place *place) {
  tpi_fiber_check(L, place);
  return place->fiber->outcome;
}

int tpi_fiber_submitted (const tpi_Place *place, int *entered) {
  *entered = place->fiber->outcome == TP_OK;
  return tpi_future_settled(tpi_fiber_future(place->fiber))
             ? TP_CANCELLED
             : place->fiber->outcome;
}

/* ---------------------------------------------------------------- */
/* Running                                                           */
/* ---------------------------------------------------------------- */

/* handler results... -> , or handler error -> ; into the future */
static int finished (lua_State *L, int status, lua_KContext context) {
  tpi_Place *place = tpi_place_at(L);
  tpi_Fiber *fiber = place->fiber;
  int top = lua_gettop(L);
  (void)context;
  tpi_place_lend(place, 1);
  fiber->failed = status != LUA_OK && status != LUA_YIELD;
  if (tpi_future_settled(tpi_fiber_future(fiber)))
    return 0; /* nobody waits for them any more */
  if (fiber->failed) {
    tpi_failure_send(L, status);
    return 0;
  }
  fiber->sends = 1;
  tpi_send_begin(place->S);
  for (int i = 2; i <= top; i++)
    tpi_send(L, place->S, &tpi_fiber_future(fiber)->results, i, "result",
             i - 1);
  fiber->sends = 0;
  return 0;
}

/* The bottom of every base: everything that may raise happens in it. The call
   is protected, for an error in a hook leaves hooks disabled up to there. */
static int body (lua_State *L) {
  tpi_Fiber *fiber = tpi_place_at(L)->fiber;
  const tpi_Task *task = &fiber->task->task;
  tpi_List args = {task->args, task->nargs, task->nargs, NULL, NULL, 0, 0};
  int n;
  fiber->sends = 1;
  lua_pushcfunction(L, tpi_failure_handler);
  if (fiber->task->plain)
    tpi_code_push(L, (tpi_Code *)(uintptr_t)task->code);
  n = tpi_receive(L, &args);
  fiber->sends = 0;
  tpi_place_lend(fiber->place, 0);
  n -= !fiber->task->plain;
  return finished(L, lua_pcallk(L, n, LUA_MULTRET, 1, 0, finished), 0);
}

/* The task goes on until it ends or yields. */
static tpi_Outcome proceed (tpi_Place *place, tpi_Fiber *fiber,
                            lua_State *from) {
  lua_State *base = fiber->base;
  tpi_LuaTask *task = fiber->task;
  tpi_Outcome outcome;
  int status, n = 0;
  tpi_set_waiting(base, 0);
  if (fiber->started)
    unpark(fiber);
  else
    lua_pushcfunction(base, body);
  fiber->started = 1;
  tpi_fiber_enter(place, base);
  status = lua_resume(base, from, 0, &n);
  tpi_put(&place->pulse->current, NULL);
  if (status == LUA_OK) {
    outcome = fiber->failed ? TPI_RAISED : TPI_RETURNED;
    recycle(fiber);
    return outcome;
  }
  if (status == LUA_YIELD && place->yields == TPI_AWAITING) {
    place->yields = TPI_NOT;
    tpi_set_waiting(base, 1);
    fiber->task->fiber = fiber;
    tpi_future_suspend(tpi_fiber_future(fiber), 1);
    place->worker->parks = &fiber->parked;
    tpi_parked_ready(&fiber->parked);
    return TPI_PARKED;
  }
  if (status == LUA_YIELD) { /* it is to be closed, or C code yielded */
    int strayed = place->yields == TPI_NOT;
    place->yields = TPI_NOT;
    lua_pop(base, n);
    if (strayed && lua_checkstack(base, 1))
      lua_pushliteral(base, "attempt to yield from outside a coroutine");
    status = strayed ? LUA_ERRRUN : LUA_OK;
  }
  tpi_place_lend(place, 1);
  outcome = tpi_failure_note(place, fiber, status);
  task->fiber = NULL;
  free_fiber(fiber);
  return outcome;
}

static tpi_Outcome run (tpi_Task *t, tpi_Worker *worker) {
  tpi_LuaTask *task = (tpi_LuaTask *)(void *)t;
  tpi_Place *place = tpi_place_of(worker);
  tpi_Fiber *fiber, *below;
  lua_State *from;
  tpi_Outcome outcome;
  if (place == NULL)
    return TPI_NOROOM;
  if (place->broken != NULL) {
    tpi_failure_broken(place, task);
    return TPI_RAISED;
  }
  tpi_place_lend(place, task->fiber == NULL);
  fiber = task->fiber != NULL ? task->fiber : take_fiber(place, task);
  if (fiber == NULL)
    return tpi_failure_full(place, task);
  below = place->fiber;
  from = tpi_peek(&place->pulse->current);
  place->fiber = fiber;
  tpi_put(&task->runner, place->pulse);
  outcome = proceed(place, fiber, from != NULL ? from : place->L);
  tpi_place_lend(place, 0);
  place->fiber = below;
  if (from != NULL)
    tpi_fiber_enter(place, from);
  return outcome;
}

/* ---------------------------------------------------------------- */
/* The class                                                         */
/* ---------------------------------------------------------------- */

static void withdraw (tpi_Future *future, tpi_Phase was) {
  tpi_LuaTask *task = (tpi_LuaTask *)(void *)future;
  tpi_Pulse *pulse;
  tpi_pool_withdraw(future, was);
  if (was == TPI_RUNNING && (pulse = tpi_see(&task->runner)) != NULL)
    tpi_pulse_beat(pulse);
}

static int help (tpi_Future *future, void *here) {
  return tpi_worker_help(here, tpi_task_of(future));
}

static const char *name (const tpi_Future *future) {
  const tpi_Task *task = (const tpi_Task *)(const void *)future;
  const tpi_Code *code = task->code;
  return code != NULL ? code->name : "a C function";
}

static void destroy (tpi_Future *future, tpi_List *heir) {
  tpi_LuaTask *task = (tpi_LuaTask *)(void *)future;
  tpi_code_release((void *)(uintptr_t)task->task.code);
  tpi_free(task->origin);
  tpi_follow_free(&task->task, heir);
  tpi_task_destroy(future, heir);
}

const tpi_TaskClass tpi_lua_task = {
    {withdraw, help, name, tpi_task_orphaned, tpi_follow_next, destroy, 1},
    run,
    sizeof(tpi_LuaTask),
    NULL};
