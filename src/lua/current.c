/*
** What a task knows of itself, and calls in place.
*/
#include <string.h>

#include "lua/place.h"

/* ---------------------------------------------------------------- */
/* The pool and the task                                             */
/* ---------------------------------------------------------------- */

static tpi_Fiber *fiber_of (const tpi_State *S) {
  return S->loop != NULL ? S->loop->fiber : NULL;
}

int tpi_l_current (lua_State *L) {
  const tpi_State *S = tpi_state(L);
  if (S->place == NULL)
    lua_pushnil(L);
  else
    tpi_push_manager_of(L, S, S->place->worker->pool);
  return 1;
}

/* A userdata that retains the future of the task. */
static tpi_Future *self (lua_State *L) {
  tpi_Future *future = *(tpi_Future **)luaL_checkudata(L, 1, "tidepool.Task");
  if (future == NULL)
    luaL_error(L, "this Task was collected");
  return future;
}

int tpi_l_task (lua_State *L) {
  const tpi_Fiber *fiber = fiber_of(tpi_state(L));
  tpi_Future **future;
  if (fiber == NULL) {
    lua_pushnil(L);
    return 1;
  }
  future = lua_newuserdatauv(L, sizeof *future, 0);
  *future = NULL;
  luaL_setmetatable(L, "tidepool.Task");
  tpi_state_note(L);
  *future = tpi_fiber_future(fiber);
  tpi_future_retain(*future);
  return 1;
}

static int progress (lua_State *L) {
  tpi_tell_progress(L, self(L), 2);
  return 0;
}

static int get_field (lua_State *L) {
  tpi_Future *future = self(L);
  luaL_checkstring(L, 2);
  if (tpi_is_word(L, 2, "id"))
    lua_pushinteger(L, (lua_Integer)future->id);
  else if (tpi_is_word(L, 2, "name"))
    lua_pushstring(L, tpi_name_of(future));
  else if (tpi_is_word(L, 2, "cancelled"))
    lua_pushboolean(L, tpi_future_settled(future));
  else if (tpi_is_word(L, 2, "progress"))
    lua_pushcfunction(L, progress);
  else
    lua_pushnil(L);
  return 1;
}

static int to_string (lua_State *L) {
  tpi_Future *future = self(L);
  const char *name = tpi_name_of(future);
  lua_pushfstring(L, "tidepool.Task: %I (%s)", (LUAI_UACINT)future->id,
                  name != NULL ? name : "?");
  return 1;
}

static int collect (lua_State *L) {
  tpi_Future **slot = luaL_checkudata(L, 1, "tidepool.Task");
  tpi_Future *future = *slot;
  if (!tpi_state_collects(L))
    return 0;
  *slot = NULL;
  tpi_future_release(future);
  return 0;
}

void tpi_open_task (lua_State *L) {
  static const luaL_Reg methods[] = {{"__index", get_field},
                                     {"__tostring", to_string},
                                     {"__gc", collect},
                                     {NULL, NULL}};
  if (luaL_newmetatable(L, "tidepool.Task"))
    tpi_setfuncs(L, methods);
  lua_pop(L, 1);
}

/* ---------------------------------------------------------------- */
/* Calling a C function in place                                     */
/* ---------------------------------------------------------------- */

static void raise_failure (lua_State *L, const tpi_List *results,
                           const char *name) {
  size_t length = 0;
  const char *text =
      results->count > 0 ? tp_bytesof(&results->items[0], &length) : NULL;
  if (text != NULL)
    lua_pushlstring(L, text, length);
  else
    lua_pushliteral(L, "not enough memory");
  lua_pushvalue(L, -1);
  tpi_make_error(L, TPI_ERROR, name);
  lua_error(L);
}

/* name args... -> results... */
int tpi_l_invoke (lua_State *L) {
  tpi_State *S = tpi_state(L);
  tpi_Fiber *fiber = fiber_of(S);
  const tpi_Function *function;
  int top = lua_gettop(L);
  tpi_Outcome outcome;
  tpi_Context c;
  tpi_List *args, *results;
  if (fiber == NULL || S->place == NULL)
    return luaL_error(L, "tidepool.invoke is for Lua tasks; "
                         "elsewhere use tidepool.call");
  tpi_fiber_check(L, S->place);
  function = tpi_function_at(L, 1);
  if (function->signature.checked)
    tpi_check_args(L, S, function, 2, 0);
  args = tpi_push_list(L);
  results = tpi_push_list(L);
  tpi_send_begin(L, S);
  for (int i = 2; i <= top; i++)
    tpi_send(L, S, args, i, "argument", i - 1);
  tpi_send_end(L, S, args);
  tpi_context_init(&c, results);
  c.public.args = args->items;
  c.public.nargs = (int)args->count;
  c.task = &fiber->task->task;
  c.worker = S->place->worker;
  outcome = tpi_context_fini(&c, function->run(&c.public));
  tpi_fiber_check(L, S->place);
  if (outcome != TPI_RETURNED)
    raise_failure(L, results, function->name);
  return tpi_receive(L, results);
}

/* Future -> does it wait for the task that runs, or is it that? */
int tpi_l_waits_for_this (lua_State *L) {
  const tpi_State *S = tpi_state(L);
  tpi_Future *future = tpi_check_future(L, S, 1);
  tpi_Fiber *fiber = fiber_of(S);
  lua_pushboolean(L, fiber != NULL && tpi_future_hangs_on(
                                          future, tpi_fiber_future(fiber), 0));
  return 1;
}
