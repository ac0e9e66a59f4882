/*
** call, try_call and call_many: from arguments on the Lua stack to a task in
** the queue, and to the pool or, in a worker, to the door of it.
*/
#include <string.h>

#include "core/clock.h"
#include "core/follow.h"
#include "core/memory.h"
#include "lua/loop.h"

enum { SMALL = 256, MOST_ROOM = 2048, MOST_ARGS = 250 };

/* ---------------------------------------------------------------- */
/* The task                                                          */
/* ---------------------------------------------------------------- */

/* Bytes for the arguments and a first result, so that small calls are one
   allocation. */
static size_t room_for (lua_State *L, int first, int top) {
  size_t room = sizeof(tp_Value);
  for (int i = first; i <= top; i++) {
    room += sizeof(tp_Value);
    if (lua_type(L, i) == LUA_TSTRING && lua_rawlen(L, i) < SMALL)
      room += (lua_rawlen(L, i) + 8) & ~(size_t)7;
  }
  return room < MOST_ROOM ? room : MOST_ROOM;
}

/* Armed by the pool, once the task is in. */
static void add_timer (lua_State *L, tpi_Task *task, double timeout) {
  if (timeout <= 0)
    return;
  task->timer = tpi_timer_new(&task->future, timeout);
  if (task->timer == NULL)
    luaL_error(L, "not enough memory");
}

/* What is to be called: a registered function, or one of Lua. */
typedef struct Target {
  const tpi_Function *function; /* or NULL */
  tpi_Code *code;               /* borrowed; of a Lua function, or NULL */
  int plain;                    /* it needs no upvalues */
  int index;                    /* where the Lua function stands */
} Target;

/* At `index` a name or a function. */
static Target target_at (lua_State *L, int index) {
  Target t = {NULL, NULL, 0, index};
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
                               const Target *t, size_t room) {
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
static int follows (lua_State *L, const tpi_State *S, const Target *t,
                    int index, int first) {
  const tpi_Param *param;
  if (lua_type(L, index) != LUA_TUSERDATA || tpi_to_future(L, S, index) == NULL)
    return 0;
  param = t->function == NULL ? NULL
                              : tpi_signature_param(&t->function->signature,
                                                    (unsigned)(index - first));
  return param == NULL || param->type != TPI_IS_FUTURE;
}

static void follow (lua_State *L, tpi_State *S, tpi_Task *task, const Target *t,
                    int first, int top, int carried) {
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
static tpi_Task *new_task (lua_State *L, tpi_State *S, tpi_Manager *manager,
                           const Target *t, int first) {
  int top = lua_gettop(L), carried = t->function == NULL && !t->plain;
  tpi_Handle *handle = tpi_new_handle(L);
  tpi_Task *task;
  tpi_List *list;
  lua_pushvalue(L, lua_upvalueindex(TPI_UP_FUTURE));
  lua_setmetatable(L, -2);
  task = new_any_task(S, manager, t, room_for(L, first, top));
  if (task == NULL)
    luaL_error(L, "not enough memory");
  handle->future = &task->future;
  task->future.id = tpi_state_id(S);
  task->priority = manager->priority;
  list = &task->future.results;
  if ((top >= first || carried) &&
      tpi_list_reserve(list, (size_t)(top - first + 1 + carried)) != TP_OK)
    luaL_error(L, "not enough memory");
  follow(L, S, task, t, first, top, carried);
  tpi_send_begin(S);
  if (carried)
    tpi_send(L, S, list, t->index, "the function", 0);
  for (int i = first; i <= top; i++) {
    if (task->follow != NULL && follows(L, S, t, i, first))
      tpi_list_push(list, tpi_nil()); /* a hole, filled in later; reserved */
    else
      tpi_send(L, S, list, i, "argument", i - first + 1);
  }
  if (t->function == NULL)
    note_origin(L, task);
  tpi_task_seal(task);
  return task;
}

/* The task is memory that only we know of, and so are large arguments. */
static void tell_collector (tpi_State *S, const tpi_Task *task) {
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
static int submit (lua_State *L, tpi_State *S, const tpi_Manager *manager,
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
static int may_yield (lua_State *L, const tpi_State *S) {
  return S->place != NULL || tpi_loop_yields(L, S);
}

/* In a worker it is the running task that was cancelled; the program was
   interrupted, with the reason on top. */
static int raise (lua_State *L, const tpi_State *S, int rc,
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
  Target t;
  tpi_state_turn(L, S);
  t = target_at(L, 2);
  if (t.function != NULL && t.function->signature.checked)
    tpi_check_args(L, S, t.function, 3, 1);
  task = new_task(L, S, manager, &t, 3);
  tell_collector(S, task);
  add_timer(L, task, manager->timeout);
  return task;
}

/* ... Future: a task of a worker was waiting at the door */
static int called (lua_State *L, int status, lua_KContext context) {
  tpi_State *S = tpi_state(L);
  int entered, rc = tpi_fiber_submitted(S->loop, &entered);
  (void)status, (void)context;
  return rc == TP_OK ? 1
                     : raise(L, S, rc, tpi_task_of(tpi_to_future(L, S, -1)));
}

int tpi_l_call (lua_State *L) {
  tpi_State *S = tpi_state_open(L);
  tpi_Manager *manager = tpi_check_manager(L, S, 1);
  tpi_Task *task = prepare(L, S, manager);
  int rc;
  if (manager->fails || !may_yield(L, S))
    rc = submit(L, S, manager, task);
  else if ((rc = tpi_pool_submit(manager->pool, task, NULL)) == TP_FULL)
    rc = tpi_fiber_submit(L, S->loop, task, 0, called);
  return rc == TP_OK ? 1 : raise(L, S, rc, task);
}

int tpi_l_try_call (lua_State *L) {
  tpi_State *S = tpi_state_open(L);
  tpi_Manager *manager = tpi_check_manager(L, S, 1);
  tpi_Task *task = prepare(L, S, manager);
  int rc = tpi_pool_submit(manager->pool, task, NULL);
  if (rc == TP_OK)
    return 1;
  if (rc != TP_FULL)
    return raise(L, S, rc, task);
  lua_pushnil(L);
  lua_pushliteral(L, "full");
  return 2;
}

/* ---------------------------------------------------------------- */
/* Batches                                                           */
/* ---------------------------------------------------------------- */

/* A batch on its way; a userdata. */
typedef struct Batch {
  size_t count, done;
  tpi_Task *tasks[];
} Batch;

/* The arguments of call i, from the table at index 3, on top. */
static void unpack_args (lua_State *L, lua_Integer i) {
  lua_Integer n;
  int exact;
  if (lua_geti(L, 3, i) != LUA_TTABLE)
    luaL_error(L, "bad call #%I (table of arguments expected, got %s)",
               (LUAI_UACINT)i, luaL_typename(L, -1));
  exact = 1;
  n = lua_getfield(L, -1, "n") == LUA_TNIL ? luaL_len(L, -2)
                                           : lua_tointegerx(L, -1, &exact);
  lua_pop(L, 1);
  if (!exact || n < 0 || n >= MOST_ARGS)
    luaL_error(L, "bad call #%I (0 to %d arguments expected)", (LUAI_UACINT)i,
               MOST_ARGS - 1);
  luaL_checkstack(L, (int)n + 8, "too many arguments");
  for (lua_Integer k = 1; k <= n; k++)
    lua_geti(L, 6, k);
  lua_remove(L, 6);
}

/* Nobody gets the futures of a batch that was broken off. */
static int break_off (const Batch *batch, int rc) {
  for (size_t i = 0; i < batch->done; i++)
    tpi_future_cancel(&batch->tasks[i]->future, "its batch was broken off");
  return rc;
}

static int submit_rest (lua_State *L, int status, lua_KContext waited);

/* The next one as call does; in a worker it may yield, and not return. */
static int submit_one (lua_State *L, tpi_State *S, const tpi_Manager *manager,
                       tpi_Task *task) {
  if (!may_yield(L, S))
    return submit(L, S, manager, task);
  return tpi_fiber_submit(L, S->loop, task, 1, submit_rest);
}

/* manager name list batch futures -> futures; as many at once as enter, then
   the next one */
static int submit_rest (lua_State *L, int status, lua_KContext waited) {
  tpi_State *S = tpi_state(L);
  tpi_Manager *manager = tpi_check_manager(L, S, 1);
  Batch *batch = lua_touserdata(L, 4);
  int entered = 0;
  int rc = waited ? tpi_fiber_submitted(S->loop, &entered) : TP_OK;
  (void)status;
  batch->done += entered != 0;
  while (batch->done < batch->count && rc == TP_OK) {
    size_t count = batch->count - batch->done;
    rc = tpi_pool_submit_many(manager->pool, batch->tasks + batch->done, &count,
                              manager->fails);
    batch->done += count;
    if (rc == TP_FULL && !manager->fails) {
      rc = submit_one(L, S, manager, batch->tasks[batch->done]);
      batch->done += rc == TP_OK;
    }
  }
  if (rc == TP_OK)
    return 1;
  return raise(L, S, break_off(batch, rc), batch->tasks[0]);
}

/* manager name list; 4: the batch, 5: futures; nothing is queued before all
   arguments are known to be good */
int tpi_l_call_many (lua_State *L) {
  tpi_State *S = tpi_state_open(L);
  tpi_Manager *manager = tpi_check_manager(L, S, 1);
  Batch *batch;
  Target t;
  lua_Integer n;
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  tpi_state_turn(L, S);
  t = target_at(L, 2);
  n = luaL_len(L, 3);
  luaL_argcheck(L, n >= 0 && n < INT32_MAX, 3, "not a list of calls");
  batch =
      lua_newuserdatauv(L, sizeof *batch + (size_t)n * sizeof *batch->tasks, 0);
  batch->count = (size_t)n;
  batch->done = 0;
  lua_createtable(L, (int)n, 0);
  for (lua_Integer i = 1; i <= n; i++) {
    unpack_args(L, i);
    if (t.function != NULL)
      tpi_check_args(L, S, t.function, 6, 1);
    batch->tasks[i - 1] = new_task(L, S, manager, &t, 6);
    tell_collector(S, batch->tasks[i - 1]);
    lua_rawseti(L, 5, i);
    lua_settop(L, 5);
  }
  for (lua_Integer i = 0; i < n; i++)
    add_timer(L, batch->tasks[i], manager->timeout);
  return submit_rest(L, LUA_OK, 0);
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
