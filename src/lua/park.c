/*
** Giving the thread away in the middle of a Lua task: a wait, a sleep, the
** door of a pool.
*/
#include "core/alarm.h"
#include "core/clock.h"
#include "lua/idle.h"
#include "lua/loop.h"

int tpi_fiber_yields (lua_State *L, const tpi_Place *place) {
  return place->fiber != NULL && !place->fiber->rigid &&
         L == tpi_peek(place->current) && lua_isyieldable(L);
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

static void begin (tpi_Fiber *fiber) {
  tpi_Place *place = fiber->place;
  tpi_Task *task = &fiber->task->task;
  if (place->worker != NULL)
    tpi_parked_init(&fiber->parked, task, place->worker);
  else
    tpi_parked_init_at(&fiber->parked, task, place->S->host);
}

static int yield (lua_State *L, tpi_Fiber *fiber, lua_KContext context,
                  lua_KFunction k) {
  if (fiber->alarm != NULL)
    tpi_parked_tie(&fiber->parked, fiber->alarm);
  fiber->tied = 1;
  fiber->place->yields = TPI_AWAITING;
  fiber->place->S->at_once = 0;
  return lua_yieldk(L, 0, context, k);
}

void tpi_fiber_park (tpi_Fiber *fiber) {
  tpi_Place *place = fiber->place;
  tpi_future_suspend(tpi_fiber_future(fiber), 1);
  if (place->worker != NULL)
    place->worker->parks = &fiber->parked;
  else
    tpi_loop_wait(place, &fiber->parked);
  tpi_parked_join(&fiber->parked);
  if (fiber->pause)
    tpi_parked_tell(&fiber->parked);
}

/* While a task stands at the door its Future and AsyncManager may be finalized,
   when the Lua state closes. */
static void hold (tpi_Task *visited) {
  tpi_future_retain(&visited->future);
  tpi_pool_retain(visited->pool);
}

static void let_go_of (tpi_Task *visited) {
  tp_Manager *pool = visited->pool;
  tpi_future_release(&visited->future);
  tpi_pool_release(pool);
}

/* What the wait came to; the task is its thread's again. */
void tpi_fiber_unpark (tpi_Fiber *fiber) {
  tpi_Task *task = &fiber->task->task;
  int late = fiber->alarm != NULL && tpi_future_settled(fiber->alarm);
  tpi_Task *visited = fiber->door ? fiber->admission.task : NULL;
  int left = 0;
  if (visited != NULL) {
    left = tpi_pool_leave_line(visited->pool, &fiber->admission, late);
    fiber->outcome = !left  ? fiber->admission.outcome
                     : late ? TP_OK
                            : TP_CANCELLED;
  } else if (task->awaits != NULL) {
    fiber->outcome = tpi_future_settled(task->awaits) ? TP_OK : TP_TIMEOUT;
    tpi_task_awaits_no_more(task);
  } else {
    fiber->outcome = TP_TIMEOUT;
  }
  tpi_parked_untie(&fiber->parked, (fiber->door && !left) || fiber->pause);
  if (visited != NULL && !left && fiber->outcome == TP_OK)
    tpi_pool_admitted(visited);
  if (visited != NULL)
    let_go_of(visited);
  if (tpi_future_state(&task->future) == TPI_CANCELLED)
    tpi_family_cancel(fiber); /* if another thread has cancelled it */
  fiber->door = fiber->tied = fiber->pause = 0;
  stop_alarm(fiber);
  tpi_future_suspend(&task->future, 0);
}

/* ---------------------------------------------------------------- */
/* Futures                                                           */
/* ---------------------------------------------------------------- */

static int refuse_ring (lua_State *L, const tpi_Place *place) {
  return luaL_error(L, "tasks that would wait for each other: %s", place->ring);
}

/* Blocks the worker, and collects when that is due. A finalizer may clean up
   the future that is awaited. */
static int await_here (lua_State *L, tpi_Place *place, tpi_Future *future,
                       uint64_t deadline) {
  tpi_Task *task = &place->fiber->task->task;
  uint64_t due;
  int rc;
  tpi_future_retain(future);
  for (;;) {
    due = tpi_idle_due(place->S);
    rc = tpi_worker_await(place->worker, task, future,
                          due < deadline ? due : deadline,
                          deadline != TPI_NEVER, place->ring,
                          sizeof place->ring);
    if (rc != TP_TIMEOUT || due >= deadline)
      break;
    tpi_idle_collect(L, place->S);
  }
  tpi_future_release(future);
  return rc;
}

/* Where the coroutine cannot yield. */
static int block (lua_State *L, tpi_Place *place, tpi_Future *future,
                  uint64_t deadline) {
  int rc = await_here(L, place, future, deadline);
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
  int settled, pause;
  if (fiber == NULL)
    luaL_error(L, "await outside of a task");
  tpi_fiber_check(L, place);
  settled = tpi_future_settled(future);
  pause = settled || seconds == 0;
  if (pause && !(tpi_state_due(place->S) && tpi_fiber_yields(L, place)))
    return settled ? TP_OK : TP_TIMEOUT;
  if (!tpi_fiber_yields(L, place))
    return block(L, place, future, tpi_deadline(seconds));
  if (!pause)
    set_alarm(L, fiber, seconds);
  fiber->pause = pause;
  if (tpi_task_await(&fiber->task->task, future,
                     TPI_YIELDS | (seconds >= 0 ? TPI_LIMITED : 0), place->ring,
                     sizeof place->ring) != TP_OK) {
    stop_alarm(fiber);
    refuse_ring(L, place);
  }
  begin(fiber);
  tpi_parked_tie(&fiber->parked, future);
  return yield(L, fiber, context, k);
}

/* In a program anybody may resume a coroutine that awaits. */
static void check_turn (lua_State *L, const tpi_Place *place) {
  if (place == NULL ||
      (place->worker == NULL && !tpi_fiber_runs(place->fiber, L)))
    luaL_error(L, "a coroutine that awaits was resumed by somebody else");
}

int tpi_fiber_back (lua_State *L, tpi_Place *place) {
  check_turn(L, place);
  tpi_fiber_check(L, place);
  return place->fiber->outcome;
}

/* ---------------------------------------------------------------- */
/* Time                                                              */
/* ---------------------------------------------------------------- */

static int block_for (lua_State *L, tpi_Place *place, double seconds) {
  tpi_Future *alarm = tpi_alarm_new(seconds);
  if (alarm == NULL)
    luaL_error(L, "not enough memory");
  await_here(L, place, alarm, TPI_NEVER);
  tpi_alarm_release(alarm);
  tpi_fiber_check(L, place);
  return TP_TIMEOUT;
}

int tpi_fiber_sleep (lua_State *L, tpi_Place *place, double seconds,
                     lua_KContext context, lua_KFunction k) {
  tpi_Fiber *fiber = place->fiber;
  tpi_fiber_check(L, place);
  if (!tpi_fiber_yields(L, place))
    return block_for(L, place, seconds);
  if (seconds > 0)
    set_alarm(L, fiber, seconds);
  fiber->pause = seconds == 0;
  begin(fiber);
  return yield(L, fiber, context, k);
}

/* ---------------------------------------------------------------- */
/* Doors                                                             */
/* ---------------------------------------------------------------- */

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
  begin(fiber);
  fiber->admission.visitor = &fiber->task->task;
  fiber->admission.blocks = 0;
  rc = tpi_pool_line_up(task->pool, task, &fiber->admission,
                        &fiber->parked.door);
  if (rc != TP_FULL) {
    stop_alarm(fiber);
    return rc;
  }
  fiber->door = 1;
  hold(task);
  return yield(L, fiber, context, k);
}

int tpi_fiber_submitted (lua_State *L, const tpi_Place *place, int *entered) {
  check_turn(L, place);
  *entered = place->fiber->outcome == TP_OK;
  return tpi_future_settled(tpi_fiber_future(place->fiber))
             ? TP_CANCELLED
             : place->fiber->outcome;
}
