/*
** call, try_call and call_many: from arguments on the Lua stack to a task in
** the queue.
*/
#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "lua/binding.h"

enum { SMALL = 256, MOST_ROOM = 2048, MOST_ARGS = 250 };

/* ---------------------------------------------------------------- */
/* The function and its signature                                    */
/* ---------------------------------------------------------------- */

static int unknown (lua_State *L, const char *name) {
  const char *guess = tpi_functions_guess(name);
  if (guess != NULL)
    return luaL_error(L,
                      "no function named '%s' is registered "
                      "(did you mean '%s'?)",
                      name, guess);
  return luaL_error(L, "no function named '%s' is registered", name);
}

/* Registered functions stay for ever, so a Lua table may remember them. */
static const tpi_Function *function_at (lua_State *L, int index) {
  const tpi_Function *function;
  const char *name;
  size_t length;
  lua_pushvalue(L, index);
  lua_rawget(L, lua_upvalueindex(TPI_UP_FUNCTIONS));
  function = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (function != NULL)
    return function;
  name = luaL_checklstring(L, index, &length);
  function = strlen(name) == length ? tpi_functions_find(name) : NULL;
  if (function == NULL)
    unknown(L, name);
  lua_pushvalue(L, index);
  lua_pushlightuserdata(L, (void *)(uintptr_t)function);
  lua_rawset(L, lua_upvalueindex(TPI_UP_FUNCTIONS));
  return function;
}

static const char *type_at (lua_State *L, int index) {
  if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING)
    return lua_tostring(L, -1);
  if (lua_type(L, index) == LUA_TLIGHTUSERDATA)
    return "light userdata";
  return luaL_typename(L, index);
}

static int bad_argument (lua_State *L, const tpi_Function *function,
                         const tpi_Param *param, int index, int number) {
  if (param->type == TPI_IS_INTEGER && lua_isnumber(L, index))
    return luaL_error(L,
                      "bad argument #%d to '%s' "
                      "(number has no integer representation)",
                      number, function->name);
  return luaL_error(L, "bad argument #%d to '%s' (%s expected, got %s)",
                    number, function->name,
                    tpi_param_name((tpi_ParamType)param->type),
                    type_at(L, index));
}

/* Integers and strings are converted as Lua's own functions do. */
static int convert_integer (lua_State *L, int index) {
  int exact;
  lua_Integer n;
  if (lua_isinteger(L, index))
    return 1;
  n = lua_tointegerx(L, index, &exact);
  if (exact) {
    lua_pushinteger(L, n);
    lua_replace(L, index);
  }
  return exact;
}

static int convert_number (lua_State *L, int index) {
  if (lua_type(L, index) == LUA_TNUMBER)
    return 1;
  if (!lua_isnumber(L, index))
    return 0;
  lua_stringtonumber(L, lua_tostring(L, index));
  lua_replace(L, index);
  return 1;
}

static int fits (lua_State *L, tpi_State *S, tpi_ParamType type, int index) {
  switch (type) {
    case TPI_ANY: return 1;
    case TPI_IS_NIL: return lua_isnoneornil(L, index);
    case TPI_IS_BOOLEAN: return lua_isboolean(L, index);
    case TPI_IS_INTEGER: return convert_integer(L, index);
    case TPI_IS_NUMBER: return convert_number(L, index);
    case TPI_IS_BYTES: return lua_tolstring(L, index, NULL) != NULL;
    case TPI_IS_TABLE: return lua_istable(L, index);
    case TPI_IS_FUTURE: return tpi_to_future(L, S, index) != NULL;
    case TPI_IS_MANAGER: return tpi_to_manager(L, S, index) != NULL;
    default: return 0;
  }
}

/* Checks the arguments first .. top against the signature. */
static void check_args (lua_State *L, tpi_State *S,
                        const tpi_Function *function, int first) {
  const tpi_Signature *sig = &function->signature;
  int top = lua_gettop(L);
  for (int i = 0; first + i <= top || i < sig->count; i++) {
    const tpi_Param *param = tpi_signature_param(sig, (unsigned)i);
    if (param == NULL)
      return; /* more than it takes, as Lua does not mind */
    if (param->optional && lua_isnoneornil(L, first + i))
      continue;
    if (first + i > top && param->type != TPI_IS_NIL)
      luaL_error(L, "bad argument #%d to '%s' (%s expected, got no value)",
                 i + 1, function->name,
                 tpi_param_name((tpi_ParamType)param->type));
    if (!fits(L, S, (tpi_ParamType)param->type, first + i))
      bad_argument(L, function, param, first + i, i + 1);
  }
}

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

/*
** args... -> args... Future
** The Future first, owning nothing; then the task, which it owns from the
** start, so that whatever raises from here on leaves nothing behind.
*/
static tpi_Task *new_task (lua_State *L, tpi_State *S, tpi_Manager *manager,
                           const tpi_Function *function, int first) {
  int top = lua_gettop(L);
  tpi_Handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
  tpi_Task *task;
  tpi_List *list;
  handle->future = NULL;
  handle->readers = handle->cleaned = 0;
  lua_pushvalue(L, lua_upvalueindex(TPI_UP_FUTURE));
  lua_setmetatable(L, -2);
  task = tpi_task_new(&tpi_native, function, manager->pool, S->host,
                      room_for(L, first, top));
  if (task == NULL)
    luaL_error(L, "not enough memory");
  handle->future = &task->future;
  task->future.id = tpi_state_id(S);
  task->priority = manager->priority;
  list = &task->future.results;
  if (top >= first &&
      tpi_list_reserve(list, (size_t)(top - first + 1)) != TP_OK)
    luaL_error(L, "not enough memory");
  tpi_map_clear(&S->seen);
  for (int i = first; i <= top; i++)
    tpi_send(L, S, list, i, "argument", i - first + 1);
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

static int try_submit (tpi_Manager *manager, tpi_Task *task) {
  return tpi_pool_submit(manager->pool, task, NULL);
}

/* Waits at the door when the pool is full, and lets interrupts in: with
   TP_CANCELLED there is something to raise on top. */
static int submit (lua_State *L, tpi_State *S, tpi_Manager *manager,
                   tpi_Task *task) {
  int rc = try_submit(manager, task);
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

static int raise (lua_State *L, int rc, const tpi_Function *function) {
  return rc == TP_CANCELLED ? lua_error(L)
                            : tpi_raise_code(L, rc, function->name);
}

/* manager name args... -> ... Future; what submitting answered */
static int call (lua_State *L, int tries, const tpi_Function **function) {
  tpi_State *S = tpi_state(L);
  tpi_Manager *manager = tpi_check_manager(L, S, 1);
  tpi_Task *task;
  tpi_state_turn(L, S);
  *function = function_at(L, 2);
  if ((*function)->signature.checked)
    check_args(L, S, *function, 3);
  task = new_task(L, S, manager, *function, 3);
  tell_collector(S, task);
  add_timer(L, task, manager->timeout);
  return tries ? try_submit(manager, task) : submit(L, S, manager, task);
}

int tpi_l_call (lua_State *L) {
  const tpi_Function *function;
  int rc = call(L, 0, &function);
  return rc == TP_OK ? 1 : raise(L, rc, function);
}

int tpi_l_try_call (lua_State *L) {
  const tpi_Function *function;
  int rc = call(L, 1, &function);
  if (rc == TP_OK)
    return 1;
  if (rc != TP_FULL)
    return tpi_raise_code(L, rc, function->name);
  lua_pushnil(L);
  lua_pushliteral(L, "full");
  return 2;
}

/* ---------------------------------------------------------------- */
/* Batches                                                           */
/* ---------------------------------------------------------------- */

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
    luaL_error(L, "bad call #%I (0 to %d arguments expected)",
               (LUAI_UACINT)i, MOST_ARGS - 1);
  luaL_checkstack(L, (int)n + 8, "too many arguments");
  for (lua_Integer k = 1; k <= n; k++)
    lua_geti(L, 6, k);
  lua_remove(L, 6);
}

/* Nobody gets the futures of a batch that was broken off. */
static int break_off (tpi_Task **tasks, size_t n, int rc) {
  for (size_t i = 0; i < n; i++)
    tpi_future_cancel(&tasks[i]->future, "its batch was broken off");
  return rc;
}

/* As many at once as enter, then the next one as call does. */
static int submit_all (lua_State *L, tpi_State *S, tpi_Manager *manager,
                       tpi_Task **tasks, size_t n) {
  size_t done = 0;
  int rc = TP_OK;
  while (done < n && rc == TP_OK) {
    size_t count = n - done;
    rc = tpi_pool_submit_many(manager->pool, tasks + done, &count,
                              manager->fails);
    done += count;
    if (rc == TP_FULL && !manager->fails) {
      rc = submit(L, S, manager, tasks[done]);
      done += rc == TP_OK;
    }
  }
  return rc == TP_OK ? rc : break_off(tasks, done, rc);
}

/* manager name list; 4: array of tasks, 5: futures; nothing is queued before
   all arguments are known to be good */
int tpi_l_call_many (lua_State *L) {
  tpi_State *S = tpi_state(L);
  tpi_Manager *manager = tpi_check_manager(L, S, 1);
  const tpi_Function *function;
  tpi_Task **tasks;
  lua_Integer n;
  int rc;
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  tpi_state_turn(L, S);
  function = function_at(L, 2);
  n = luaL_len(L, 3);
  luaL_argcheck(L, n >= 0 && n < INT32_MAX, 3, "not a list of calls");
  tasks = lua_newuserdatauv(L, (size_t)(n > 0 ? n : 1) * sizeof *tasks, 0);
  lua_createtable(L, (int)n, 0);
  for (lua_Integer i = 1; i <= n; i++) {
    unpack_args(L, i);
    check_args(L, S, function, 6);
    tasks[i - 1] = new_task(L, S, manager, function, 6);
    tell_collector(S, tasks[i - 1]);
    lua_rawseti(L, 5, i);
    lua_settop(L, 5);
  }
  for (lua_Integer i = 0; i < n; i++)
    add_timer(L, tasks[i], manager->timeout);
  rc = submit_all(L, S, manager, tasks, (size_t)n);
  return rc == TP_OK ? 1 : raise(L, rc, function);
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
