/*
** How Lua code waits: in a task, in a coroutine of somebody else's, or by
** running the loop of the program.
*/
#include <limits.h>

#include "core/alarm.h"
#include "core/clock.h"
#include "lua/loop.h"

double tpi_opt_seconds (lua_State *L, int index, double absent) {
  double seconds;
  if (lua_isnoneornil(L, index))
    return absent;
  seconds = luaL_checknumber(L, index);
  luaL_argcheck(L, seconds >= 0, index, "seconds must be 0 or more");
  return seconds;
}

/* ---------------------------------------------------------------- */
/* Waiting                                                           */
/* ---------------------------------------------------------------- */

/* One sleep, for a future (or NULL: for the time alone), with an eye on
   another one (or NULL). */
static int sleep_once (lua_State *L, tpi_State *S, tpi_Future *future,
                       tpi_Future *own, uint64_t deadline) {
  tpi_Sleep sleep, watch;
  int answer;
  (void)L;
  tpi_sleep_init(S, &sleep);
  if (own != NULL) {
    tpi_sleep_init(S, &watch);
    watch.parker.waiter.aside = 1;
    if (!tpi_future_join(own, &watch.parker.waiter)) {
      tpi_park_left(&watch.parker);
      tpi_park_left(&sleep.parker);
      return TPI_STOPPED;
    }
    sleep.parker.also = &watch.parker;
  }
  if (future != NULL) {
    answer = tpi_future_wait(future, &sleep.parker, deadline);
  } else {
    answer = tpi_park(&sleep.parker, deadline);
    tpi_park_left(&sleep.parker);
  }
  if (own != NULL) {
    if (tpi_future_leave(own, &watch.parker.waiter))
      tpi_park_left(&watch.parker);
    else
      tpi_park_told(&watch.parker);
  }
  return answer;
}

/* Notes what the running task awaits, so that rings are found. */
static void note (lua_State *L, const tpi_Fiber *fiber,
                  const tpi_Handle *handle, uint64_t deadline) {
  tpi_Place *place = fiber->place;
  int rc = tpi_task_await(&fiber->task->task, tpi_future_at(L, handle),
                          deadline != TPI_NEVER ? TPI_LIMITED : 0, place->ring,
                          sizeof place->ring);
  if (rc == TP_INVALID)
    luaL_error(L, "tasks that would wait for each other: %s", place->ring);
  if (rc == TP_FULL)
    luaL_error(L, "what is awaited waits for this task, which cannot yield");
}

/* Hooks, and finalizers, may wait themselves meanwhile, in the same task. */
static void stopped (lua_State *L, tpi_State *S, const tpi_Fiber *fiber,
                     const tpi_Handle *handle, uint64_t deadline) {
  int noted = fiber != NULL && handle != NULL;
  if (noted)
    tpi_task_awaits_no_more(&fiber->task->task);
  tpi_sleep_stopped(L, S);
  if (noted)
    note(L, fiber, handle, deadline);
}

/* Hooks, and what the loop runs, may clean the future up: it is looked at anew
   each time. A running task that was cancelled waits no more. */
static int drive (lua_State *L, tpi_State *S, const tpi_Handle *handle,
                  uint64_t deadline) {
  tpi_Fiber *fiber = tpi_loop_fiber(S);
  tpi_Future *own = fiber != NULL ? tpi_fiber_future(fiber) : NULL;
  for (;;) {
    tpi_Future *future;
    int answer;
    tpi_loop_turn(L, S, handle, UINT_MAX);
    future = handle != NULL ? tpi_future_at(L, handle) : NULL;
    if (fiber != NULL)
      tpi_fiber_check(L, fiber->place);
    if (future != NULL && tpi_future_settled(future))
      return TP_OK;
    if (deadline == 0)
      return TP_TIMEOUT;
    if (future != NULL && S->host->ready == NULL &&
        tpi_future_spin(future, S->host))
      return TP_OK;
    tpi_host_hear(S->host);
    if (S->host->ready != NULL) { /* to wait for the future would be in vain */
      if (deadline != TPI_NEVER && tpi_until(deadline) == 0)
        deadline = 0;
      continue;
    }
    if (S->closing) /* in a variable that is being closed */
      luaL_error(L, "tidepool: this Lua state is closing");
    tpi_sleep_interrupt(L, S);
    future = handle != NULL ? tpi_future_at(L, handle) : NULL;
    answer = sleep_once(L, S, future, own, deadline);
    if (answer != TPI_STOPPED)
      return answer == TPI_RUNG ? TP_OK : TP_TIMEOUT;
    if (deadline != TPI_NEVER && tpi_until(deadline) == 0)
      deadline = 0; /* what is ready keeps us from sleeping, not from ending */
    stopped(L, S, fiber, handle, deadline);
  }
}

static int drive_in_task (lua_State *L, tpi_State *S, tpi_Fiber *fiber,
                          const tpi_Handle *handle, uint64_t deadline) {
  tpi_Task *task = &fiber->task->task;
  int rc;
  tpi_fiber_check(L, fiber->place);
  if (task->awaits != NULL) /* of a wait that was interrupted */
    tpi_task_awaits_no_more(task);
  if (handle != NULL)
    note(L, fiber, handle, deadline);
  rc = drive(L, S, handle, deadline);
  if (handle != NULL)
    tpi_task_awaits_no_more(task);
  return rc;
}

/* Who watches the descriptor takes this for a look at what has settled. */
static int block (lua_State *L, tpi_State *S, const tpi_Handle *handle,
                  double seconds) {
  uint64_t deadline = seconds == 0 ? 0 : tpi_deadline(seconds);
  tpi_Fiber *fiber = tpi_loop_fiber(S);
  int rc = fiber != NULL ? drive_in_task(L, S, fiber, handle, deadline)
                         : drive(L, S, handle, deadline);
  if (tpi_peek(&S->host->listens))
    tpi_host_drain(S->host);
  return rc;
}

enum { OUTSIDE = 64 }; /* in a context: the function of below was called */

int tpi_is_outside (lua_State *L, const tpi_State *S) {
  return S->outside != LUA_NOREF && tpi_loop_fiber(S) == NULL &&
         lua_isyieldable(L);
}

/* -> has it waited? May yield, and not return. */
static void wait_outside (lua_State *L, tpi_State *S, int index,
                          double seconds, lua_KContext context,
                          lua_KFunction k) {
  luaL_checkstack(L, 4, NULL);
  S->at_once = 0;
  lua_rawgeti(L, LUA_REGISTRYINDEX, S->outside);
  lua_pushvalue(L, index);
  if (seconds < 0)
    lua_pushnil(L);
  else
    lua_pushnumber(L, seconds);
  lua_callk(L, 2, 1, context | OUTSIDE, k);
}

static int waited_outside (lua_State *L, tpi_State *S, int index,
                           double seconds) {
  const tpi_Handle *handle = tpi_check_handle(L, S, index);
  int waited = lua_toboolean(L, -1);
  lua_pop(L, 1);
  if (!waited)
    return block(L, S, handle, seconds);
  return tpi_future_settled(tpi_future_at(L, handle)) ? TP_OK : TP_TIMEOUT;
}

int tpi_wait_for (lua_State *L, tpi_State *S, int index, double seconds,
                  lua_KContext context, lua_KFunction k) {
  tpi_Handle *handle = lua_touserdata(L, index);
  tpi_Future *future = tpi_future_at(L, handle);
  tpi_loop_check_fork(S);
  if (S->place != NULL || tpi_loop_yields(L, S))
    return tpi_fiber_await(L, S->loop, future, seconds, context, k);
  if (tpi_is_outside(L, S) && ((seconds != 0 && !tpi_future_settled(future)) ||
                               tpi_state_due(S))) {
    wait_outside(L, S, index, seconds, context, k);
    return waited_outside(L, S, index, seconds);
  }
  return block(L, S, handle, seconds);
}

int tpi_wait_back (lua_State *L, tpi_State *S, int index, double seconds,
                   lua_KContext *context) {
  if (!(*context & OUTSIDE))
    return tpi_fiber_back(L, S->loop);
  *context &= ~(lua_KContext)OUTSIDE;
  return waited_outside(L, S, index, seconds);
}

void tpi_let_others (lua_State *L, tpi_State *S, lua_KContext context,
                     lua_KFunction k) {
  static const luaL_Reg sleep[] = {{"sleep", tpi_l_sleep}, {NULL, NULL}};
  tpi_Fiber *fiber = tpi_loop_fiber(S);
  if (fiber != NULL)
    tpi_fiber_check(L, fiber->place);
  if (!tpi_state_due(S) || (fiber == NULL && S->place != NULL))
    return;
  S->at_once = 0;
  luaL_checkstack(L, TPI_UPVALUES + 4, NULL);
  lua_newtable(L);
  tpi_setfuncs(L, sleep);
  lua_getfield(L, -1, "sleep");
  lua_remove(L, -2);
  lua_pushinteger(L, 0);
  lua_callk(L, 1, 0, context, k);
}

/* function or nil -> */
int tpi_l_outside (lua_State *L) {
  tpi_State *S = tpi_state(L);
  if (!lua_isnoneornil(L, 1))
    luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_unref(L, LUA_REGISTRYINDEX, S->outside);
  S->outside = LUA_NOREF;
  lua_settop(L, 1);
  if (!lua_isnil(L, 1))
    S->outside = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* ---------------------------------------------------------------- */
/* Time                                                              */
/* ---------------------------------------------------------------- */

static int slept (lua_State *L, int status, lua_KContext context) {
  tpi_State *S = tpi_state(L);
  (void)status;
  if (context & OUTSIDE)
    waited_outside(L, S, 2, -1);
  else
    tpi_fiber_back(L, S->loop);
  return 0;
}

/* seconds -> Future, which fails when they are over */
int tpi_l_timer (lua_State *L) {
  double seconds = luaL_checknumber(L, 1);
  tpi_Handle *handle;
  luaL_argcheck(L, seconds >= 0, 1, "seconds must be 0 or more");
  tpi_state_open(L);
  handle = tpi_push_future_handle(L);
  handle->future = tpi_alarm_new(seconds);
  if (handle->future == NULL)
    luaL_error(L, "not enough memory");
  return 1;
}

/* seconds -> */
int tpi_l_sleep (lua_State *L) {
  tpi_State *S = tpi_state(L);
  double seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds >= 0, 1, "seconds must be 0 or more");
  lua_settop(L, 1);
  tpi_state_turn(L, S);
  tpi_loop_check_fork(S);
  if (S->place != NULL || tpi_loop_yields(L, S)) {
    if (tpi_loop_fiber(S) == NULL)
      luaL_error(L, "sleep outside of a task");
    tpi_fiber_sleep(L, S->loop, seconds, 0, slept);
  } else if (tpi_is_outside(L, S)) {
    tpi_l_timer(L);
    wait_outside(L, S, 2, -1, 0, slept);
    waited_outside(L, S, 2, -1);
  } else {
    block(L, S, NULL, seconds);
  }
  return 0;
}
