/*
** call and try_call: from arguments on the Lua stack to a task in the queue,
** and to the pool or, in a worker, to the door of it.
*/
#include "lua/submit.h"

#include <string.h>

#include "core/clock.h"
#include "core/follow.h"
#include "core/memory.h"
#include "lua/loop.h"

enum { SMALL = 256, MOST_ROOM = 2048 };

/* ---------------------------------------------------------------- */
/* The task                                                          */
/* ---------------------------------------------------------------- */

/* Bytes for the arguments and a first result, so that small calls are one
   allocation; and is there anything among them that may be a Future? */
static size_t room_for (lua_State *L, int first, int top, int *userdata) {
  size_t room = sizeof(tp_Value);
  *userdata = 0;
  for (int i = first; i <= top; i++) {
    int type = lua_type(L, i);
    room += sizeof(tp_Value);
    if (type == LUA_TSTRING && lua_rawlen(L, i) < SMALL)
      room += (lua_rawlen(L, i) + 8) & ~(size_t)7;
    *userdata |= type == LUA_TUSERDATA;
  }
  return room < MOST_ROOM ? room : MOST_ROOM;
}

/* Armed by the pool, once the task is in. */
void tpi_add_timer (lua_State *L, tpi_Task *task, double timeout) {
  if (timeout <= 0)
    return;
  task->timer = tpi_timer_new(&task->future, timeout);
  if (task->timer == NULL)
    luaL_error(L, "not enough memory");
}

/* At `index` a name or a function. */
tpi_Target tpi_target_at (lua_State *L, int index) {
  tpi_Target t = {NULL, NULL, 0, index};
  if (!lua_isfunction(L, index)) {
    if (!lua_isstring(L, index))
      luaL_typeerror(L, index, "name or function");
    t.function = tpi_function_at(L, index);
  } else if (!lua_iscfunction(L, index)) {
    t.code = tpi_code_of(L, index);
    t.plain = !t.code->assigns && tpi_is_plain(L, index, 1);
  }
  return t;
}

static tpi_Task *new_any_task (const tpi_State *S, const tpi_Manager *manager,
                               const tpi_Target *t, size_t room) {
  tpi_LuaTask *task;
  if (t->function != NULL)
    return tpi_task_new(&tpi_native, t->function, manager->pool, S->host, room);
  task = (tpi_LuaTask *)(void *)tpi_task_new(&tpi_lua_task, t->code,
                                             manager->pool, S->host, room);
  if (task == NULL)
    return NULL;
  task->plain = t->plain;
  if (t->code != NULL)
    tpi_code_retain(t->code);
  return &task->task;
}

/* The place of the call, if the pool wants to know. */
static void note_origin (lua_State *L, const tpi_Task *task) {
  const tpi_Kit *kit = task->pool->kit;
  tpi_LuaTask *mine = (tpi_LuaTask *)(uintptr_t)task;
  const char *text;
  size_t length;
  if (kit == NULL || !kit->origins)
    return;
  luaL_traceback(L, L, NULL, 1);
  luaL_gsub(L, lua_tostring(L, -1), "stack traceback:", "called from:");
  text = lua_tolstring(L, -1, &length);
  mine->origin = tpi_copy(text, length);
  lua_pop(L, 2);
}

/* Does the argument at that index stand for its results? A C function may
   want the future itself. */
static int follows (lua_State *L, const tpi_State *S, const tpi_Target *t,
                    int index, int first) {
  const tpi_Param *param;
  if (lua_type(L, index) != LUA_TUSERDATA || tpi_to_future(L, S, index) == NULL)
    return 0;
  param = t->function == NULL ? NULL
                              : tpi_signature_param(&t->function->signature,
                                                    (unsigned)(index - first));
  return param == NULL || param->type != TPI_IS_FUTURE;
}

static void follow (lua_State *L, tpi_State *S, tpi_Task *task,
                    const tpi_Target *t, int first, int top, int carried) {
  unsigned n = 0;
  for (int i = first; i <= top; i++)
    n += follows(L, S, t, i, first) != 0;
  if (n == 0)
    return;
  if (tpi_follow_new(task, n) != TP_OK)
    luaL_error(L, "not enough memory");
  for (int i = first; i <= top; i++) {
    if (follows(L, S, t, i, first)) {
      tpi_Future *future = tpi_to_future(L, S, i);
      tpi_restore_results(L, future, i);
      tpi_poke(&future->lent, 1);
      tpi_follow_add(task, future, (uint32_t)(i - first + carried));
    }
  }
}

/*
** args... -> args... Future
** The Future first, owning nothing; then the task, which it owns from the
** start, so that whatever raises from here on leaves nothing behind.
*/
tpi_Task *tpi_new_task (lua_State *L, tpi_State *S, tpi_Manager *manager,
                        const tpi_Target *t, int first) {
  int top = lua_gettop(L), carried = t->function == NULL && !t->plain;
  int userdata;
  size_t room = room_for(L, first, top, &userdata);
  tpi_Handle *handle = tpi_new_handle(L, 0);
  tpi_Task *task;
  tpi_List *list;
  lua_pushvalue(L, lua_upvalueindex(TPI_UP_FUTURE));
  lua_setmetatable(L, -2);
  task = new_any_task(S, manager, t, room);
  if (task == NULL)
    luaL_error(L, "not enough memory");
  handle->future = &task->future;
  task->future.id = tpi_state_id(S);
  task->priority = manager->priority;
  list = &task->future.results;
  if ((top >= first || carried) &&
      tpi_list_reserve(list, (size_t)(top - first + 1 + carried)) != TP_OK)
    luaL_error(L, "not enough memory");
  if (userdata)
    follow(L, S, task, t, first, top, carried);
  tpi_send_begin(L, S);
  if (carried)
    tpi_send(L, S, list, t->index, "the function", 0);
  for (int i = first; i <= top; i++) {
    if (task->follow != NULL && follows(L, S, t, i, first))
      tpi_list_push(list, tpi_nil()); /* a hole, filled in later; reserved */
    else
      tpi_send(L, S, list, i, "argument", i - first + 1);
  }
  tpi_send_end(L, S, list);
  if (t->function == NULL)
    note_origin(L, task);
  tpi_task_seal(task);
  return task;
}

/* The task is memory that only we know of, and so are large arguments. */
void tpi_tell_made (tpi_State *S, const tpi_Task *task) {
  size_t weight = tpi_task_weight(task);
  S->made += sizeof *task;
  if (weight >= TPI_LONG)
    tpi_count(&S->host->owed, weight);
}

/* ---------------------------------------------------------------- */
/* Submitting                                                        */
/* ---------------------------------------------------------------- */

/* Waits at the door when the pool is full, and lets interrupts in: with
   TP_CANCELLED there is something to raise on top. */
int tpi_submit (lua_State *L, tpi_State *S, const tpi_Manager *manager,
                tpi_Task *task) {
  int rc = tpi_pool_submit(manager->pool, task, NULL);
  while (rc == TP_FULL && !manager->fails) {
    tpi_Sleep sleep;
    tpi_sleep_prepare(L, S);
    tpi_sleep_init(S, &sleep);
    rc = tpi_pool_submit(manager->pool, task, &sleep.parker);
    if (rc == TP_CANCELLED && !tpi_sleep_interrupted(L, S))
      rc = TP_FULL;
  }
  return rc;
}

/* The waiting is a task's own matter: in a worker, or where the loop of the
   program goes on meanwhile. */
int tpi_may_yield (lua_State *L, const tpi_State *S) {
  return S->place != NULL || tpi_loop_yields(L, S);
}

/* In a worker it is the running task that was cancelled; the program was
   interrupted, with the reason on top. */
int tpi_refused (lua_State *L, const tpi_State *S, int rc,
                 const tpi_Task *task) {
  if (rc != TP_CANCELLED)
    return tpi_raise_code(L, rc, tpi_name_of(&task->future));
  if (tpi_loop_fiber(S) != NULL)
    tpi_fiber_check(L, S->loop);
  return lua_error(L);
}

/* manager function args... -> ... Future; what is to be submitted */
static tpi_Task *prepare (lua_State *L, tpi_State *S, tpi_Manager *manager) {
  tpi_Task *task;
  tpi_Target t;
  tpi_state_turn(L, S);
  t = tpi_target_at(L, 2);
  if (t.function != NULL && t.function->signature.checked)
    tpi_check_args(L, S, t.function, 3, 1);
  task = tpi_new_task(L, S, manager, &t, 3);
  tpi_tell_made(S, task);
  tpi_add_timer(L, task, manager->timeout);
  return task;
}

/* ... Future: a task of a worker was waiting at the door */
static int called (lua_State *L, int status, lua_KContext context) {
  tpi_State *S = tpi_state(L);
  int entered, rc = tpi_fiber_submitted(L, S->loop, &entered);
  (void)status, (void)context;
  return rc == TP_OK
             ? 1
             : tpi_refused(L, S, rc, tpi_task_of(tpi_check_future(L, S, -1)));
}

/* Future of a Future -> Future */
static int answer_outside (lua_State *L) {
  lua_settop(L, 1);
  lua_getfield(L, 1, "get");
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

static int called_outside (lua_State *L, int status, lua_KContext context) {
  (void)status;
  tpi_wait_back(L, tpi_state(L), 1, -1, &context);
  return answer_outside(L);
}

/* manager function args... -> what that method answers. A coroutine of
   somebody else's loop must not block that, so one of ours calls. */
int tpi_call_outside (lua_State *L, tpi_State *S, const char *method) {
  int n = lua_gettop(L);
  luaL_checkstack(L, 4, NULL);
  tpi_push_module(L);
  lua_getfield(L, -1, "spawn");
  lua_replace(L, -2);
  lua_getfield(L, 1, method);
  lua_rotate(L, 1, 2); /* spawn method manager function args... */
  lua_call(L, n + 1, 1);
  tpi_check_handle(L, S, 1); /* it may be somebody else's spawn */
  tpi_wait_for(L, S, 1, -1, 0, called_outside);
  return answer_outside(L);
}

int tpi_l_call (lua_State *L) {
  tpi_State *S = tpi_state_open(L);
  tpi_Manager *manager = tpi_check_manager(L, S, 1);
  int top = lua_gettop(L), rc;
  tpi_Task *task = prepare(L, S, manager);
  rc = tpi_pool_submit(manager->pool, task, NULL);
  if (rc == TP_FULL && !manager->fails) {
    if (tpi_may_yield(L, S)) {
      rc = tpi_fiber_submit(L, S->loop, task, 0, called);
    } else if (tpi_is_outside(L, S)) {
      lua_settop(L, top);
      return tpi_call_outside(L, S, "call");
    } else {
      rc = tpi_submit(L, S, manager, task);
    }
  }
  return rc == TP_OK ? 1 : tpi_refused(L, S, rc, task);
}

int tpi_l_try_call (lua_State *L) {
  tpi_State *S = tpi_state_open(L);
  tpi_Manager *manager = tpi_check_manager(L, S, 1);
  tpi_Task *task = prepare(L, S, manager);
  int rc = tpi_pool_submit(manager->pool, task, NULL);
  if (rc == TP_OK)
    return 1;
  if (rc != TP_FULL)
    return tpi_refused(L, S, rc, task);
  lua_pushnil(L);
  lua_pushliteral(L, "full");
  return 2;
}

/* ---------------------------------------------------------------- */

int tpi_l_functions (lua_State *L) {
  const tpi_Function *function;
  lua_newtable(L);
  for (size_t i = 0; (function = tpi_functions_at(i)) != NULL; i++) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, function->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, function->text);
    lua_setfield(L, -2, "signature");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}
