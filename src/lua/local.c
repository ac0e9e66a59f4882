#include "lua/local.h"

#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "lua/loop.h"

enum { ROOM = 2 * sizeof(tp_Value) }; /* for results */

static tpi_LuaTask *local_of (tpi_Future *future) {
  return (tpi_LuaTask *)(void *)future;
}

/* ---------------------------------------------------------------- */
/* The class                                                         */
/* ---------------------------------------------------------------- */

static const char *name (const tpi_Future *future) {
  (void)future;
  return "a coroutine";
}

static void destroy (tpi_Future *future, tpi_List *heir) {
  tpi_task_destroy(future, heir);
}

const tpi_TaskClass tpi_local_task = {.future = {.withdraw = tpi_fiber_withdraw,
                                                 .name = name,
                                                     .destroy = destroy,
                                                 .task = 1},
                                      .run = tpi_fiber_run_on,
                                      .size = sizeof(tpi_LuaTask)};

/* ---------------------------------------------------------------- */
/* Making                                                            */
/* ---------------------------------------------------------------- */

/* function args... Future -> the same; the Future keeps the function, with its
   arguments in a table if there are any: 0 is how many values these are */
static void keep_call (lua_State *L, int first) {
  int future = lua_gettop(L), n = future - first;
  luaL_checkstack(L, 6, "too many arguments");
  lua_pushvalue(L, first);
  if (n > 1) {
    lua_createtable(L, n, 1);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    for (int i = 1; i < n; i++) {
      lua_pushvalue(L, first + i);
      lua_rawseti(L, -2, i + 1);
    }
    lua_pushinteger(L, n);
    lua_rawseti(L, -2, 0);
  }
  lua_setiuservalue(L, future, 1);
}

int tpi_local_push (lua_State *L, const tpi_LuaTask *task) {
  int n, call;
  lua_rawgeti(L, LUA_REGISTRYINDEX, task->local);
  if (lua_getiuservalue(L, -1, 1) == LUA_TFUNCTION) {
    lua_remove(L, -2);
    return 0;
  }
  lua_remove(L, -2);
  call = lua_gettop(L);
  lua_rawgeti(L, call, 0);
  n = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  luaL_checkstack(L, n, "too many arguments");
  for (int i = 1; i <= n; i++)
    lua_rawgeti(L, call, i);
  lua_remove(L, call);
  return n - 1;
}

/* function args... -> the same and Future, with a task that has a fiber; the
   registry keeps the Future from here on. */
static tpi_LuaTask *new_task (lua_State *L, tpi_State *S, tpi_Place *place,
                              int first) {
  tp_Manager *pool = place->worker != NULL ? place->worker->pool : NULL;
  tpi_Handle *handle = tpi_new_handle(L, 1);
  tpi_LuaTask *task;
  lua_pushvalue(L, lua_upvalueindex(TPI_UP_FUTURE));
  lua_setmetatable(L, -2);
  keep_call(L, first);
  task = (tpi_LuaTask *)(void *)tpi_task_new(&tpi_local_task, NULL, pool,
                                             S->host, ROOM);
  if (task == NULL)
    luaL_error(L, "not enough memory");
  handle->future = &task->task.future;
  handle->future->id = tpi_state_id(S);
  S->made += sizeof *task;
  lua_pushvalue(L, -1);
  task->local = luaL_ref(L, LUA_REGISTRYINDEX);
  task->fiber = tpi_fiber_new(place, task);
  if (task->fiber == NULL) {
    tpi_local_end(L, task);
    luaL_error(L, "not enough memory");
  }
  return task;
}

/* It will not begin after all. */
static void drop (lua_State *L, tpi_LuaTask *task) {
  tpi_fiber_free(task->fiber);
  tpi_local_end(L, task);
}

static tpi_Place *place_for (lua_State *L, tpi_State *S) {
  tpi_Place *place = tpi_loop_of(L, S);
  if (place->fiber != NULL)
    tpi_fiber_check(L, place);
  tpi_state_turn(L, S);
  return place;
}

static void init_parked (tpi_Place *place, tpi_LuaTask *task) {
  tpi_Parked *parked = &task->fiber->parked;
  tpi_future_retain(&task->task.future); /* whose turn it will be */
  if (place->worker != NULL)
    tpi_parked_init(parked, &task->task, place->worker);
  else
    tpi_parked_init_at(parked, &task->task, place->S->host);
}

/* It begins at the next turn. */
static void start (tpi_Place *place, tpi_LuaTask *task) {
  tpi_Parked *parked = &task->fiber->parked;
  init_parked(place, task);
  tpi_family_add(place->fiber, task->fiber);
  if (place->worker != NULL)
    tpi_pool_pin(place->worker, parked, 1);
  else
    tpi_loop_add(place, parked, 1);
}

/* It begins once that has settled. What only looks on is nobody's child. */
static void start_after (tpi_Place *place, tpi_LuaTask *task,
                         tpi_Future *future, int aside) {
  tpi_Parked *parked = &task->fiber->parked;
  init_parked(place, task);
  if (!aside)
    tpi_family_add(place->fiber, task->fiber);
  tpi_parked_tie(parked, future);
  parked->ties[0].waiter.aside = aside;
  task->task.aside = aside != 0;
  task->fiber->tied = 1;
  if (place->worker != NULL)
    tpi_pool_pin(place->worker, parked, 0);
  else
    tpi_loop_add(place, parked, 0);
  tpi_task_await_first(&task->task, future);
  tpi_parked_join(parked);
}

/* function args... -> Future */
int tpi_l_spawn (lua_State *L) {
  tpi_State *S = tpi_state_open(L);
  tpi_Place *place;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  place = place_for(L, S);
  start(place, new_task(L, S, place, 1));
  return 1;
}

/* seconds function args... -> Future; it fails when the time is over */
int tpi_l_spawn_within (lua_State *L) {
  tpi_State *S = tpi_state_open(L);
  double seconds = luaL_checknumber(L, 1);
  tpi_LuaTask *task;
  tpi_Place *place;
  luaL_argcheck(L, seconds >= 0, 1, "seconds must be 0 or more");
  luaL_checktype(L, 2, LUA_TFUNCTION);
  place = place_for(L, S);
  task = new_task(L, S, place, 2);
  task->task.timer = tpi_timer_new(&task->task.future, seconds);
  if (task->task.timer == NULL) {
    drop(L, task);
    luaL_error(L, "not enough memory");
  }
  start(place, task); /* first: from now on its time may be over */
  if (tpi_timer_start(task->task.timer) != TP_OK)
    tpi_future_end(&task->task.future, TPI_FAILED, TPI_ERROR,
                   (char *)(uintptr_t) "no memory or thread for its timeout", 1,
                   NULL);
  return 1;
}

/* How a task waits before it begins. */
enum { AFTER, CHAINED, WATCHING };

/* future [before] function args... -> Future; the function stands at `first` */
static int after (lua_State *L, int how, int first) {
  tpi_State *S = tpi_state_open(L);
  tpi_Future *future = tpi_check_future(L, S, 1);
  tpi_Future *before = how == CHAINED ? tpi_check_future(L, S, 2) : NULL;
  tpi_LuaTask *task;
  tpi_Place *place;
  luaL_checktype(L, first, LUA_TFUNCTION);
  place = place_for(L, S);
  task = new_task(L, S, place, first);
  if (tpi_to_future(L, S, 1) == NULL || /* a finalizer has cleaned it up */
      (before != NULL && tpi_to_future(L, S, 2) == NULL)) {
    drop(L, task);
    luaL_error(L, "future was cleaned up");
  }
  if (before != NULL) {
    tpi_future_retain(before);
    task->fiber->before = before;
  }
  start_after(place, task, future, how == WATCHING);
  return 1;
}

/* future function args... -> Future */
int tpi_l_after (lua_State *L) { return after(L, AFTER, 2); }

/* future before function args... -> Future; cancelled before it begins, it
   cancels the one before */
int tpi_l_chain (lua_State *L) { return after(L, CHAINED, 3); }

/* future function args... -> Future; it does not count as somebody who waits,
   and is no child of who calls */
int tpi_l_watch (lua_State *L) { return after(L, WATCHING, 2); }

/* ---------------------------------------------------------------- */
/* What became of it                                                 */
/* ---------------------------------------------------------------- */

int tpi_local_lent (const tpi_LuaTask *task) {
  return tpi_see(&task->task.future.lent);
}

/* Those are kept by value, in the future itself. */
static int is_simple (lua_State *L, int first, int top) {
  if (top - first >= 2)
    return 0;
  for (int i = first; i <= top; i++) {
    int type = lua_type(L, i);
    if (type != LUA_TNUMBER && type != LUA_TBOOLEAN && type != LUA_TNIL)
      return 0;
  }
  return 1;
}

/* There is room for two. */
static void keep_simple (lua_State *L, tpi_List *results, int first, int top) {
  for (int i = first; i <= top; i++) {
    tp_Value value;
    if (tpi_send_plain(L, results, &value, i) != TP_OK ||
        tpi_list_push(results, value) != TP_OK)
      luaL_error(L, "not enough memory");
  }
}

void tpi_local_keep (lua_State *L, const tpi_LuaTask *task, int first) {
  tpi_List *results = (tpi_List *)(uintptr_t)&task->task.future.results;
  int top = lua_gettop(L), n = top - first + 1, failed, simple;
  if (!task->local)
    return;
  luaL_checkstack(L, 6, "too many results");
  failed = task->fiber->failed;
  simple = !failed && is_simple(L, first, top);
  lua_rawgeti(L, LUA_REGISTRYINDEX, task->local);
  if (simple) {
    keep_simple(L, results, first, top);
    lua_pushnil(L);
  } else if (n == 1) {
    lua_pushvalue(L, first);
  } else {
    lua_createtable(L, n, 0);
    for (int i = 1; i <= n; i++) {
      lua_pushvalue(L, first + i - 1);
      lua_rawseti(L, -2, i);
    }
  }
  lua_setiuservalue(L, -2, 1);
  lua_pop(L, 1);
  if (!failed)
    results->count = (uint32_t)n;
}

void tpi_local_cancel (lua_State *L, const tpi_LuaTask *task) {
  tpi_Future *future = (tpi_Future *)(uintptr_t)&task->task.future;
  const char *reason;
  luaL_checkstack(L, 4, NULL);
  lua_getfield(L, -1, "kind");
  lua_getfield(L, -2, "value");
  reason = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  if (lua_isstring(L, -2) && tpi_is_word(L, -2, "cancelled"))
    tpi_future_cancel(future, reason);
  lua_pop(L, 2);
}

/* What was kept for a call that came to nothing is let go of. */
void tpi_local_end (lua_State *L, tpi_LuaTask *task) {
  if (!task->local)
    return;
  if (tpi_future_settled(&task->task.future) && lua_checkstack(L, 4)) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->local);
    lua_getiuservalue(L, -1, 1);
    if (task->fiber == NULL || !tpi_is_error(L, task->fiber->place->S)) {
      lua_pushnil(L);
      lua_setiuservalue(L, -3, 1);
    }
    lua_pop(L, 2);
  }
  luaL_unref(L, LUA_REGISTRYINDEX, task->local);
  task->local = 0;
}

int tpi_local_results (lua_State *L, const tpi_Future *future, int index) {
  int n = (int)future->results.count, list;
  int type = lua_getiuservalue(L, index, 1);
  if (type == LUA_TNIL || type == LUA_TNONE) {
    lua_pop(L, 1);
    return -1;
  }
  if (n == 1)
    return 1;
  list = lua_gettop(L);
  luaL_checkstack(L, n, "too many results");
  for (int i = 1; i <= n; i++)
    lua_rawgeti(L, list, i);
  lua_remove(L, list);
  return n;
}

int tpi_local_error (lua_State *L, const tpi_State *S, int index) {
  lua_getiuservalue(L, index, 1);
  if (tpi_is_error(L, S))
    return 1;
  lua_pop(L, 1);
  return -1;
}

/* The values go into a list of their own first: one of them may not cross. */
void tpi_local_lend (lua_State *L, tpi_State *S, tpi_Future *future,
                     int index) {
  tpi_Handle *handle = lua_touserdata(L, index);
  int top = lua_gettop(L), n;
  tpi_List *list;
  if (tpi_future_state(future) != TPI_COMPLETED ||
      future->results.items != NULL)
    return;
  luaL_checkstack(L, 8, NULL);
  n = tpi_local_results(L, future, lua_absindex(L, index));
  if (n <= 0)
    return;
  tpi_handle_begin(handle);
  list = tpi_push_list(L);
  tpi_send_begin_results(L, S, future);
  for (int i = 1; i <= n; i++)
    tpi_send(L, S, list, top + i, "result", i);
  tpi_send_end(L, S, list);
  if (future->results.items == NULL) {
    future->results = *list;
    tpi_list_init(list, NULL, 0);
  }
  tpi_handle_end(handle);
  tpi_future_at(L, handle);
  lua_settop(L, top);
}

/* ---------------------------------------------------------------- */
/* Families                                                          */
/* ---------------------------------------------------------------- */

tpi_Fiber *tpi_local_fiber (const tpi_State *S, tpi_Future *future) {
  return tpi_is_local(future) && future->home == S->host
             ? local_of(future)->fiber
             : NULL;
}

void tpi_local_cancelled (const tpi_State *S, tpi_Future *future) {
  tpi_Fiber *fiber = tpi_local_fiber(S, future);
  if (fiber != NULL)
    tpi_family_cancel(fiber);
}

/* Future -> Future */
int tpi_l_detach (lua_State *L) {
  tpi_State *S = tpi_state(L);
  tpi_Fiber *fiber = tpi_local_fiber(S, tpi_check_future(L, S, 1));
  if (fiber != NULL)
    tpi_family_leave(fiber);
  lua_settop(L, 1);
  return 1;
}

/* -> Future of some child that has not ended, or nil */
int tpi_l_child (lua_State *L) {
  const tpi_State *S = tpi_state(L);
  const tpi_Fiber *fiber = S->loop != NULL ? S->loop->fiber : NULL;
  if (fiber == NULL || fiber->children == NULL)
    lua_pushnil(L);
  else
    lua_rawgeti(L, LUA_REGISTRYINDEX, fiber->children->task->local);
  return 1;
}
