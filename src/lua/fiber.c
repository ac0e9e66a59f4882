/*
** Lua tasks as coroutines of a Lua state.
*/
#include <stddef.h>
#include <string.h>

#include "core/follow.h"
#include "core/memory.h"
#include "lua/idle.h"
#include "lua/local.h"

/* ---------------------------------------------------------------- */
/* Fibers and their bases                                            */
/* ---------------------------------------------------------------- */

tpi_Fiber *tpi_fiber_new (tpi_Place *place, tpi_LuaTask *task) {
  tpi_Fiber *fiber = place->free;
  if (fiber != NULL) {
    place->free = fiber->next;
    place->free_count--;
    memset(&fiber->next, 0, sizeof *fiber - offsetof(tpi_Fiber, next));
  } else {
    fiber = tpi_calloc(sizeof *fiber);
  }
  if (fiber != NULL) {
    fiber->place = place;
    fiber->task = task;
  }
  return fiber;
}

void tpi_fiber_free (tpi_Fiber *fiber) {
  tpi_Place *place = fiber->place;
  fiber->task->fiber = NULL;
  tpi_future_release(fiber->before);
  if (place->free_count == TPI_MOST_FREE) {
    tpi_free(fiber);
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
    tpi_free(fiber);
  }
}

/* light userdata of a fiber -> */
static int make_base (lua_State *L) {
  tpi_Fiber *fiber = lua_touserdata(L, 1);
  tpi_Place *place = fiber->place;
  if (place->body == 0) {
    lua_pushlightuserdata(L, place);
    tpi_fiber_push_body(L);
    place->body = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  fiber->base = lua_newthread(L);
  fiber->reference = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* False when there is no memory for one. */
static int take_base (tpi_Fiber *fiber) {
  tpi_Place *place = fiber->place;
  lua_State *L = place->L;
  if (place->base_count > 0) {
    const tpi_Base *base = &place->bases[--place->base_count];
    fiber->base = base->L;
    fiber->reference = base->reference;
    return 1;
  }
  if (!lua_checkstack(L, 4))
    return 0;
  lua_pushcfunction(L, make_base);
  lua_pushlightuserdata(L, fiber);
  if (lua_pcall(L, 1, 0, 0) == LUA_OK)
    return 1;
  lua_pop(L, 1);
  fiber->base = NULL;
  return 0;
}

static void drop_base (tpi_Fiber *fiber) {
  luaL_unref(fiber->place->L, LUA_REGISTRYINDEX, fiber->reference);
}

/* A coroutine is an object: what its task has kept it for, a key of a table or
   a handle, must not be another task's. So it serves again only in a worker,
   and only if nothing can have got hold of it: neither the task, nor C code,
   which sees the lua_State that it runs in. */
static int is_unknown (const tpi_Fiber *fiber) {
  const tpi_Place *place = fiber->place;
  return place->worker != NULL && !place->exposed && !fiber->exposed;
}

/* It has come to an end by itself: the next task may have it. */
static void give_back_base (tpi_Fiber *fiber) {
  tpi_Place *place = fiber->place;
  tpi_Base *base;
  if (place->base_count == TPI_MOST_FREE || !is_unknown(fiber)) {
    drop_base(fiber);
    return;
  }
  lua_sethook(fiber->base, NULL, 0, 0);
  lua_settop(fiber->base, 0);
  base = &place->bases[place->base_count++];
  base->L = fiber->base;
  base->reference = fiber->reference;
}

void tpi_place_expose (tpi_Place *place) {
  place->exposed = 1;
  while (place->base_count > 0)
    luaL_unref(place->L, LUA_REGISTRYINDEX,
               place->bases[--place->base_count].reference);
}

/* ---------------------------------------------------------------- */
/* What runs in a base                                               */
/* ---------------------------------------------------------------- */

static tpi_Place *place_up (lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(1));
}

static void send_results (lua_State *L, tpi_Place *place, tpi_Fiber *fiber) {
  tpi_List *results = &tpi_fiber_future(fiber)->results;
  int top = lua_gettop(L);
  results->count = 0;
  tpi_send_begin_results(L, place->S, tpi_fiber_future(fiber));
  for (int i = 2; i <= top; i++)
    tpi_send(L, place->S, results, i, "result", i - 1);
  tpi_send_end(L, place->S, results);
}

/* Keeping them may run a finalizer, and that may hand the future on: so it is
   looked at last. What is simple was kept in the future. */
static void keep_results (lua_State *L, tpi_Place *place, tpi_Fiber *fiber) {
  const tpi_List *results = &tpi_fiber_future(fiber)->results;
  tpi_local_keep(L, fiber->task, 2);
  if (results->items == NULL && tpi_local_lent(fiber->task))
    send_results(L, place, fiber);
}

/* handler results... -> , or handler error -> ; into the future */
static int finished (lua_State *L, int status, lua_KContext context) {
  tpi_Place *place = place_up(L);
  tpi_Fiber *fiber = place->fiber;
  (void)context;
  if (!tpi_fiber_runs(fiber, L))
    return 0; /* somebody else has resumed it, and may have that */
  tpi_place_lend(place, 1);
  fiber->failed = status != LUA_OK && status != LUA_YIELD;
  if (tpi_future_settled(tpi_fiber_future(fiber)))
    return 0; /* nobody waits for them any more */
  if (fiber->failed) {
    tpi_failure_send(L, place, status);
    tpi_local_keep(L, fiber->task, lua_gettop(L));
    if (fiber->follows)
      tpi_local_cancel(L, fiber->task);
    return 0;
  }
  fiber->sends = 1;
  if (fiber->task->local)
    keep_results(L, place, fiber);
  else
    send_results(L, place, fiber);
  fiber->sends = 0;
  return 0;
}

/* The function of a task that came to a worker, and its arguments. */
static int receive_call (lua_State *L, const tpi_LuaTask *task) {
  const tpi_Task *t = &task->task;
  tpi_List args = {t->args, t->nargs, t->nargs, NULL, NULL, 0, 0};
  if (!task->plain)
    return tpi_receive(L, &args) - 1;
  tpi_code_push(L, (tpi_Code *)(uintptr_t)t->code);
  return tpi_receive(L, &args);
}

/* The bottom of every base: everything that may raise happens in it. The call
   is protected, for an error in a hook leaves hooks disabled up to there. */
static int body (lua_State *L) {
  tpi_Fiber *fiber = place_up(L)->fiber;
  int n;
  fiber->sends = 1;
  lua_pushvalue(L, lua_upvalueindex(2));
  n = fiber->task->local ? tpi_local_push(L, fiber->task)
                         : receive_call(L, fiber->task);
  fiber->sends = 0;
  tpi_place_lend(fiber->place, 0);
  return finished(L, lua_pcallk(L, n, LUA_MULTRET, 1, 0, finished), 0);
}

/* light userdata of the place -> body; with the handler as its second
   upvalue */
void tpi_fiber_push_body (lua_State *L) {
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, tpi_failure_handler, 1);
  lua_pushcclosure(L, body, 2);
}

/* ---------------------------------------------------------------- */
/* Running                                                           */
/* ---------------------------------------------------------------- */

/* It has ended, and its base with it, unless that may serve again. */
static void end (tpi_Fiber *fiber, int again) {
  if (fiber->task->task.awaits != NULL)
    tpi_task_awaits_no_more(&fiber->task->task);
  tpi_family_end(fiber);
  tpi_local_end(fiber->place->L, fiber->task);
  if (fiber->base != NULL && again)
    give_back_base(fiber);
  else if (fiber->base != NULL)
    drop_base(fiber);
  tpi_fiber_free(fiber);
}

/* True when there is nothing to run: it was cancelled before it began, or
   there is no memory; `outcome` says which. */
static int begin (tpi_Place *place, tpi_Fiber *fiber, tpi_Outcome *outcome) {
  tpi_LuaTask *task = fiber->task;
  *outcome = TPI_RETURNED;
  if (!task->local || tpi_future_claim(&task->task.future)) {
    if (take_base(fiber)) {
      lua_rawgeti(fiber->base, LUA_REGISTRYINDEX, place->body);
      fiber->started = 1;
      return 0;
    }
    fiber->failed = 1;
    *outcome = tpi_failure_full(place, task);
  }
  end(fiber, 0);
  return 1;
}

static tpi_Outcome failed (tpi_Place *place, tpi_Fiber *fiber, int status) {
  tpi_Outcome outcome;
  fiber->failed = 1;
  tpi_place_lend(place, 1);
  outcome = tpi_failure_note(place, fiber, status);
  end(fiber, 0);
  return outcome;
}

/* In a program anybody may have resumed it, or closed it: then it is not ours
   to touch any more, and may even run, below us. */
static tpi_Outcome strayed (tpi_Fiber *fiber) {
  fiber->failed = 1;
  tpi_future_end(tpi_fiber_future(fiber), TPI_FAILED, TPI_ERROR,
                 (char *)(uintptr_t) "a coroutine that awaits was resumed, or "
                                     "closed, by somebody else",
                 1, NULL);
  end(fiber, 0);
  return TPI_RAISED;
}

/* Until it ends, or yields to us. */
static int resume (tpi_Place *place, lua_State *base, lua_State *from, int *n) {
  for (;;) {
    int status;
    tpi_fiber_enter(place, base);
    status = lua_resume(base, from, 0, n);
    tpi_put(place->current, NULL);
    if (status != LUA_YIELD || place->yields != TPI_NOT ||
        place->worker != NULL)
      return status;
    lua_pop(base, *n);
    tpi_fiber_refuse_yield(place, base);
  }
}

/* The task goes on until it ends or yields. */
static tpi_Outcome proceed (tpi_Place *place, tpi_Fiber *fiber,
                            lua_State *from) {
  tpi_Outcome outcome;
  lua_State *base;
  int status, n = 0;
  if (fiber->tied)
    tpi_fiber_unpark(fiber);
  if (!fiber->started) {
    if (begin(place, fiber, &outcome))
      return outcome;
  } else if (place->worker == NULL && lua_status(fiber->base) != LUA_YIELD) {
    return strayed(fiber);
  }
  base = fiber->base;
  if (place->worker != NULL)
    tpi_set_waiting(base, 0);
  if (tpi_future_settled(tpi_fiber_future(fiber)))
    tpi_family_cancel(fiber);
  status = resume(place, base, from, &n);
  if (status == LUA_OK) {
    outcome = fiber->failed ? TPI_RAISED : TPI_RETURNED;
    end(fiber, 1);
    return outcome;
  }
  if (status == LUA_YIELD && place->yields == TPI_AWAITING) {
    place->yields = TPI_NOT;
    if (place->worker != NULL)
      tpi_set_waiting(base, 1);
    tpi_fiber_park(fiber);
    return TPI_PARKED;
  }
  if (status == LUA_YIELD) { /* it is to be closed, or C code yielded */
    int by_c_code = place->yields == TPI_NOT;
    place->yields = TPI_NOT;
    lua_pop(base, n);
    if (by_c_code && lua_checkstack(base, 1))
      lua_pushliteral(base, TPI_STRAY_YIELD);
    status = by_c_code ? LUA_ERRRUN : LUA_OK;
  }
  return failed(place, fiber, status);
}

tpi_Outcome tpi_fiber_run (tpi_Place *place, tpi_LuaTask *task,
                           lua_State *from) {
  tpi_Fiber *fiber, *below;
  lua_State *current;
  tpi_Outcome outcome;
  tpi_place_lend(place, task->fiber == NULL);
  fiber = task->fiber != NULL ? task->fiber : tpi_fiber_new(place, task);
  if (fiber == NULL)
    return tpi_failure_full(place, task);
  task->fiber = fiber;
  below = fiber->below = place->fiber;
  current = tpi_peek(place->current);
  place->fiber = fiber;
  tpi_idle_ran(place->S);
  tpi_put(&task->runner, place->pulse);
  outcome = proceed(place, fiber,
                    current != NULL && place->worker != NULL ? current : from);
  tpi_place_lend(place, 0);
  place->fiber = below;
  if (current != NULL)
    tpi_fiber_enter(place, current);
  return outcome;
}

tpi_Outcome tpi_fiber_run_on (tpi_Task *t, tpi_Worker *worker) {
  tpi_LuaTask *task = (tpi_LuaTask *)(void *)t;
  tpi_Place *place = tpi_place_of(worker);
  tpi_Outcome outcome;
  if (place == NULL)
    return TPI_NOROOM;
  if (place->broken != NULL) {
    tpi_failure_broken(place, task);
    if (task->fiber != NULL) /* the init function had spawned it */
      end(task->fiber, 0);
    return TPI_RAISED;
  }
  outcome = tpi_fiber_run(place, task, place->L);
  if (place->ran_out && place->fiber == NULL && outcome != TPI_PARKED)
    tpi_place_relieve(place);
  return outcome;
}

/* ---------------------------------------------------------------- */
/* The class of those that come from a queue                         */
/* ---------------------------------------------------------------- */

void tpi_fiber_withdraw (tpi_Future *future, tpi_Phase was) {
  tpi_LuaTask *task = (tpi_LuaTask *)(void *)future;
  tpi_Pulse *pulse;
  if (task->task.pool != NULL)
    tpi_pool_withdraw(future, was);
  else if (task->task.timer != NULL)
    tpi_timer_stop(task->task.timer);
  pulse = tpi_see(&task->runner);
  if (pulse == NULL)
    return;
  if (tpi_family_withdraw(task, pulse) || was == TPI_RUNNING)
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

const tpi_TaskClass tpi_lua_task = {.future = {.withdraw = tpi_fiber_withdraw,
                                               .help = help,
                                               .name = name,
                                                 .next = tpi_follow_next,
                                               .destroy = destroy,
                                               .task = 1},
                                    .run = tpi_fiber_run_on,
                                    .size = sizeof(tpi_LuaTask)};
