#include "lua/loop.h"

#include "core/memory.h"
#include "core/promise.h"
#include "lua/local.h"

enum { MOST_DEPTH = 24 };

/* ---------------------------------------------------------------- */
/* Making and closing                                                */
/* ---------------------------------------------------------------- */

tpi_Place *tpi_loop_of (lua_State *L, tpi_State *S) {
  tpi_Place *place;
  lua_State *own;
  tpi_loop_check_fork(S);
  place = S->loop;
  if (place != NULL)
    return place;
  own = lua_newthread(L);
  luaL_ref(L, LUA_REGISTRYINDEX);
  place = tpi_calloc(sizeof *place);
  if (place == NULL)
    luaL_error(L, "not enough memory");
  place->L = own;
  place->S = S;
  place->current = &place->here;
  place->generation = tpi_generation();
  tpi_ring_init(&place->parked);
  S->loop = place;
  return place;
}

static void forget_ready (tpi_Host *host) {
  tpi_host_hear(host);
  while (tpi_host_next(host) != NULL) {
  }
}

/* What its coroutines wait for may be locked by threads that are not here, so
   they are left as they are. One that runs goes on, as a coroutine of nobody. */
void tpi_loop_check_fork (tpi_State *S) {
  if (S->loop == NULL || S->place != NULL || !tpi_foreign(S->loop->generation))
    return;
  forget_ready(S->host);
  tpi_poke(&S->host->coroutines, 0);
  S->loop = NULL;
}

static tpi_Fiber *fiber_at (tpi_Item *item) {
  return ((tpi_LuaTask *)(void *)tpi_parked_at(item)->task)->fiber;
}

static void untie (tpi_Fiber *fiber) {
  if (!fiber->tied)
    return;
  tpi_fiber_unpark(fiber);
  tpi_parked_quiet(&fiber->parked);
}

/* Nobody runs it any more. */
static void drop (tpi_Fiber *fiber) {
  tpi_Future *future = tpi_fiber_future(fiber);
  tpi_future_cancel(future, "its Lua state was closed");
  fiber->task->fiber = NULL;
  tpi_future_release(fiber->before);
  tpi_free(fiber);
  tpi_future_release(future);
}

/* Its variables are closed, if it waits in the middle. An error is a warning,
   as that of a finalizer. */
static void close_variables (lua_State *L, tpi_Place *place, tpi_Fiber *fiber) {
  lua_State *base = fiber->base;
  if (!fiber->started || lua_status(base) != LUA_YIELD)
    return;
  if (tpi_fiber_close(place, base, L) != LUA_OK) {
    const char *what = lua_tostring(base, -1);
    lua_warning(L, "error in the clean-up of a coroutine (", 1);
    lua_warning(L, what != NULL ? what : luaL_typename(base, -1), 1);
    lua_warning(L, ")", 0);
  }
}

/* Lets go of the writers' reference and of the one that made it. */
static void drop_news (tpi_State *S) {
  tp_Promise *promise = S->news;
  if (promise == NULL)
    return;
  S->news = NULL;
  tpi_promise_release(promise);
  tpi_future_release(&promise->future);
}

/* All of them are over before the first handler runs, so that none waits for
   another. */
unsigned tpi_loop_close (lua_State *L, tpi_State *S) {
  tpi_Place *place;
  tpi_Fiber *fiber;
  unsigned count = 0;
  tpi_loop_check_fork(S);
  place = S->loop;
  if (place == NULL)
    return 0;
  drop_news(S);
  for (tpi_Item *i = place->parked.next; i != &place->parked; i = i->next)
    untie(fiber_at(i));
  forget_ready(S->host);
  for (tpi_Item *i = place->parked.next; i != &place->parked; i = i->next) {
    int pending = tpi_future_cancel(tpi_fiber_future(fiber_at(i)),
                                    "its Lua state was closed");
    count += pending && !tpi_parked_at(i)->task->aside;
  }
  while (place->parked.next != &place->parked) {
    fiber = fiber_at(place->parked.next);
    tpi_ring_remove(&fiber->parked.item);
    close_variables(L, place, fiber);
    drop(fiber);
  }
  tpi_poke(&S->host->coroutines, 0);
  while ((fiber = place->fiber) != NULL) { /* closed from within */
    place->fiber = fiber->below;
    drop(fiber);
  }
  tpi_fibers_free(place);
  tpi_free(place);
  S->loop = NULL;
  return count;
}

/* ---------------------------------------------------------------- */
/* Running                                                           */
/* ---------------------------------------------------------------- */

/* Those that wait, or have not begun, and are not aside, are counted. */
static void count_waiting (const tpi_Place *place, const tpi_Parked *parked,
                           int by) {
  atomic_uint *coroutines = &place->S->host->coroutines;
  if (!parked->task->aside)
    tpi_poke(coroutines, tpi_peek(coroutines) + (unsigned)by);
}

void tpi_loop_wait (tpi_Place *place, tpi_Parked *parked) {
  tpi_ring_add(&place->parked, &parked->item);
  count_waiting(place, parked, 1);
}

/* Who watches the descriptor hears of it. */
void tpi_loop_add (tpi_Place *place, tpi_Parked *parked, int ready) {
  tpi_Host *host = place->S->host;
  tpi_loop_wait(place, parked);
  if (!ready)
    return;
  tpi_host_ready(host, &parked->heard.node);
  if (tpi_peek(&host->listens))
    tpi_host_wake(host);
}

static void settle (tpi_Task *task, tpi_Outcome outcome) {
  tpi_Future *future = &task->future;
  int won = 0;
  if (task->timer != NULL)
    tpi_timer_stop(task->timer);
  if (outcome == TPI_RETURNED)
    won = tpi_future_complete(future);
  else if (outcome == TPI_RAISED)
    won = tpi_future_fail(future);
  else
    tpi_future_end(future, TPI_FAILED, TPI_ERROR,
                   (char *)(uintptr_t) "out of memory", 1, NULL);
  if (!won)
    tpi_list_fini(&future->results);
  tpi_future_release(future);
}

/* On top of another one it holds that up. */
static void run (lua_State *L, tpi_Place *place, tpi_Parked *parked) {
  tpi_Task *task = parked->task, *below;
  tpi_Outcome outcome;
  tpi_Cover cover;
  below = place->fiber != NULL ? &place->fiber->task->task : NULL;
  tpi_ring_remove(&parked->item);
  count_waiting(place, parked, -1);
  if (below != NULL)
    tpi_task_cover(&cover, below, &task->future);
  place->depth++;
  outcome = tpi_fiber_run(place, (tpi_LuaTask *)(void *)task, L);
  place->depth--;
  if (below != NULL)
    tpi_task_uncover(&cover);
  if (outcome != TPI_PARKED)
    settle(task, outcome);
}

static int is_over (const tpi_Handle *handle) {
  return handle->future == NULL || handle->cleaned ||
         tpi_future_settled(handle->future);
}

void tpi_loop_tell_news (tpi_State *S) {
  tpi_Host *host = S->host;
  tpi_List nothing;
  if (S->news == NULL)
    return;
  host->polled = 0;
  tpi_and(&host->listens, ~(unsigned)TPI_POLLED);
  tpi_list_init(&nothing, NULL, 0);
  tpi_promise_resolve(S->news, &nothing);
  drop_news(S);
  tpi_host_hear(host);
}

void tpi_loop_turn (lua_State *L, tpi_State *S, const tpi_Handle *until,
                    unsigned most) {
  tpi_Host *host = S->host;
  unsigned n;
  tpi_loop_check_fork(S);
  if (S->loop == NULL || S->place != NULL)
    return;
  tpi_host_hear(host);
  if (tpi_see(&host->news))
    tpi_loop_tell_news(S);
  n = host->ready_count < most ? host->ready_count : most;
  if (n > 0 && S->loop->depth >= MOST_DEPTH)
    luaL_error(L, "awaits that cannot yield are nested too deep");
  while (n-- > 0 && host->ready != NULL) {
    run(L, S->loop, tpi_parked_ready_at(tpi_host_next(host)));
    tpi_sleep_interrupt(L, S);
    if (until != NULL && is_over(until))
      return;
  }
}
