/*
** Functions on their way.
**
** A light C function is its address, which stays valid for ever, for its
** module is pinned. A Lua function is its code; if it has upvalues other
** than the globals, it is a closure: the code, then a cell for each upvalue.
** Cells that functions of one list share stay shared, and a function may
** stand in its own upvalues.
*/
#include <string.h>

#include "core/pin.h"
#include "lua/code.h"
#include "lua/place.h"
#include "lua/send.h"

/* ---------------------------------------------------------------- */
/* Sending                                                           */
/* ---------------------------------------------------------------- */

/* Remembering something allocates: the collector may run finalizers, and
   these may send something themselves. */
static int make_code (lua_State *L) {
  tpi_code_of(L, 1);
  return 0;
}

static tpi_Code *code_of (tpi_Sender *s, int index) {
  tpi_Code *code = tpi_code_known(s->L, index);
  if (code != NULL)
    return code;
  lua_pushcfunction(s->L, make_code);
  lua_pushvalue(s->L, index);
  tpi_send_aside(s, 1, 0);
  return tpi_code_of(s->L, index);
}

static int pin_function (lua_State *L) {
  tpi_pin_function(L, 1);
  return 0;
}

/* ... function -> ... */
static tp_Value send_light (tpi_Sender *s, const tpi_Path *path) {
  lua_State *L = s->L;
  int index = lua_gettop(L);
  tp_Value value = tpi_nil();
  if (lua_getupvalue(L, index, 1) != NULL) {
    lua_pop(L, 1);
    tpi_refuse(s, path, "a C function with upvalues cannot be sent");
  }
  if (!tpi_code_pinned(L, index)) {
    lua_pushcfunction(L, pin_function);
    lua_pushvalue(L, index);
    tpi_send_aside(s, 1, 0);
  }
  value.tag = TP_TFUNCTION;
  value.as.integer = (int64_t)(intptr_t)lua_tocfunction(L, index);
  lua_pop(L, 1);
  return value;
}

static tp_Value send_c_function (tpi_Sender *s, int index,
                                 const tpi_Path *path) {
  lua_State *L = s->L;
  tp_Value value = tpi_nil();
  luaL_checkstack(L, 8, NULL);
  lua_pushvalue(L, index);
  tpi_replace_leaving(L);
  if (!tpi_send_own(s, &value, lua_gettop(L)))
    return send_light(s, path);
  lua_pop(L, 1);
  return value;
}

/* Is the value on top the globals? */
static int is_globals (lua_State *L) {
  int same;
  lua_pushglobaltable(L);
  same = lua_rawequal(L, -1, -2);
  lua_pop(L, 1);
  return same;
}

static int is_env (const char *name) { return strcmp(name, "_ENV") == 0; }

/* Of a function without its debug information. */
static int is_unnamed (const char *name) { return *name == '('; }

/* Is the value on top that of an environment that is the globals? An upvalue
   of another name may well be assigned to, and is a cell as any other; so is
   one without a name, for other functions may have it as well, unless this one
   is `alone`. */
static int is_environment (lua_State *L, const char *name, int alone) {
  return (is_env(name) || (alone && is_unnamed(name))) && is_globals(L);
}

static int upvalues (lua_State *L, int index) {
  int n = 0;
  while (lua_getupvalue(L, index, n + 1) != NULL) {
    lua_pop(L, 1);
    n++;
  }
  return n;
}

int tpi_is_plain (lua_State *L, int index, int alone) {
  const char *name;
  for (int i = 1; (name = lua_getupvalue(L, index, i)) != NULL; i++) {
    int environment = is_environment(L, name, alone);
    lua_pop(L, 1);
    if (!environment)
      return 0;
  }
  return 1;
}

/* Upvalue i of that function, which is on top. Each function that has a sandbox
   uses names of its own in it, though the cell be the same. */
static tp_Value send_cell (tpi_Sender *s, int index, int i, const char *name,
                           const tpi_Path *path, int depth) {
  lua_State *L = s->L;
  tpi_Path here = {path, 0, *name != '\0' ? name : "?"};
  tp_Value value = tpi_nil(), content = tpi_nil();
  const void *address = lua_upvalueid(L, index, i);
  int known = 1;
  if (is_globals(L))
    content.tag = TP_TOTHER;
  else
    known = (is_env(name) || is_unnamed(name)) &&
            tpi_send_sandbox(s, &content, index, i, depth + 1);
  if (!tpi_send_again(s, &value, TP_TOTHER | TPI_SHAPED, address)) {
    tpi_Table *cell =
        tpi_send_shape(s, &value, TP_TOTHER, TPI_CELL, address, 1);
    if (!known)
      content = tpi_send_value(s, lua_gettop(L), &here, depth + 1);
    tpi_send_need(s, tpi_table_append(s->list, cell, content));
  }
  return value;
}

static tp_Value send_upvalue (tpi_Sender *s, int index, int i, int assigns,
                              const tpi_Path *path, int depth) {
  const char *name = lua_getupvalue(s->L, index, i);
  tp_Value value = tpi_nil();
  if (!assigns && is_environment(s->L, name, 0))
    value.tag = TP_TOTHER;
  else
    value = send_cell(s, index, i, name, path, depth);
  lua_pop(s->L, 1);
  return value;
}

tp_Value tpi_send_function (tpi_Sender *s, int index, const tpi_Path *path,
                            int depth) {
  lua_State *L = s->L;
  const void *address = lua_topointer(L, index);
  tp_Value value, code;
  tpi_Code *text;
  tpi_Table *closure;
  int n;
  if (lua_iscfunction(L, index))
    return send_c_function(s, index, path);
  if (tpi_send_again(s, &value, TP_TFUNCTION | TPI_SHAPED, address))
    return value;
  tpi_send_deeper(s, path, depth);
  text = code_of(s, index);
  if (!text->assigns && tpi_is_plain(L, index, 0)) {
    tpi_send_need(s, tpi_code_put(s->list, &value, TP_TFUNCTION, text));
    return value;
  }
  if (tpi_send_own_lua(s, &value, index))
    return value;
  n = upvalues(L, index);
  closure = tpi_send_shape(s, &value, TP_TFUNCTION, TPI_CLOSURE, address,
                           (size_t)n + 1);
  tpi_send_need(s, tpi_code_put(s->list, &code, TP_TOTHER, text));
  tpi_send_need(s, tpi_table_append(s->list, closure, code));
  for (int i = 1; i <= n; i++)
    tpi_send_need(s, tpi_table_append(s->list, closure,
                                      send_upvalue(s, index, i, text->assigns,
                                                   path, depth)));
  return value;
}

/* ---------------------------------------------------------------- */
/* Receiving                                                         */
/* ---------------------------------------------------------------- */

/* Where a cell stands, for the other functions that have it: the function by
   the address of the cell, the number of the upvalue by the one after. */
static int join_known (tpi_Receiver *r, const tpi_Table *cell, int function,
                       int i) {
  lua_State *L = r->L;
  if (!tpi_push_known(r, cell))
    return 0;
  lua_rawgetp(L, r->known, (const char *)cell + 1);
  lua_upvaluejoin(L, function, i, -2, (int)lua_tointeger(L, -1));
  lua_pop(L, 2);
  return 1;
}

static void remember_cell (tpi_Receiver *r, const tpi_Table *cell, int function,
                           int i) {
  lua_State *L = r->L;
  lua_pushvalue(L, function);
  tpi_remember(r, cell);
  lua_pushinteger(L, i);
  lua_rawsetp(L, r->known, (const char *)cell + 1);
  lua_pop(L, 1);
}

static void set_upvalue (tpi_Receiver *r, const tp_Value *value, int function,
                         int i) {
  lua_State *L = r->L;
  const tpi_Table *cell = tpi_tableof(value);
  if (cell == NULL) {
    lua_pushglobaltable(L);
  } else if (join_known(r, cell, function, i)) {
    return;
  } else {
    remember_cell(r, cell, function, i);
    tpi_push_value(r, &cell->table.array[0]);
  }
  lua_setupvalue(L, function, i);
}

static void push_closure (tpi_Receiver *r, const tpi_Table *closure) {
  lua_State *L = r->L;
  int function;
  luaL_checkstack(L, 10, "functions nest too deep");
  if (tpi_push_known(r, closure))
    return;
  tpi_code_push_new(L, tpi_value_object(&closure->table.array[0]));
  tpi_remember(r, closure);
  function = lua_gettop(L);
  for (size_t i = 1; i < closure->table.length; i++)
    set_upvalue(r, &closure->table.array[i], function, (int)i);
}

/* C code of others sees the coroutines of a worker. */
static void push_light (lua_State *L, lua_CFunction function) {
  tpi_Place *place = tpi_state_find(L)->place;
  lua_pushcfunction(L, function);
  tpi_replace_arrived(L);
  if (place != NULL && !place->exposed &&
      !tpi_same_module((const void *)(uintptr_t)function,
                       (const void *)(uintptr_t)lua_newthread))
    tpi_place_expose(place);
}

void tpi_push_function (tpi_Receiver *r, const tp_Value *value) {
  const tpi_Table *closure = tpi_tableof(value);
  if (closure != NULL) {
    push_closure(r, closure);
  } else if (value->tag & TPI_OBJECT) {
    tpi_code_push(r->L, tpi_value_object(value));
  } else {
    push_light(r->L, (lua_CFunction)(intptr_t)value->as.integer);
  }
}
