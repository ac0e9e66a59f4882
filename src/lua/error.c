/*
** Errors: tables with kind, message, value, name and id.
*/
#include <string.h>

#include "core/follow.h"
#include "lua/local.h"

/* error -> error; the fields of one that no future stands for */
static void set_fields (lua_State *L, const char *kind, const char *name) {
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, name); /* nil for none */
  lua_setfield(L, -2, "name");
}

static void new_error (lua_State *L, tpi_Kind kind, const char *message,
                       size_t length, const char *name) {
  lua_createtable(L, 0, 5);
  set_fields(L, tpi_kind_name(kind), name);
  lua_pushlstring(L, message, length);
  lua_setfield(L, -2, "message");
  tpi_push_upvalue(L, TPI_UP_ERROR);
  lua_setmetatable(L, -2);
}

static int receive_whole (lua_State *L) {
  return tpi_receive(L, lua_touserdata(L, 1));
}

/* A Lua task leaves its Error behind the message. */
static int push_whole (lua_State *L, tpi_Future *future) {
  const tpi_List *results = &future->results;
  tpi_List just;
  if (tpi_future_state(future) != TPI_FAILED || future->reason != NULL ||
      results->count != 2)
    return 0;
  tpi_list_init(&just, NULL, 0);
  just.items = results->items + 1;
  just.count = 1;
  if (tpi_receive_safely(L, tpi_state_find(L), receive_whole, &just))
    return 1;
  lua_pop(L, 1); /* an object in it could not be rebuilt */
  return 0;
}

static void push_outcome (lua_State *L, tpi_Future *future) {
  size_t length = 0;
  const char *message = tpi_future_message(future, &length);
  int silent = message == NULL;
  if (silent) {
    message = "cancelled";
    length = strlen(message);
  }
  new_error(L, (tpi_Kind)future->kind, message, length, tpi_name_of(future));
  if (!silent) {
    lua_pushlstring(L, message, length);
    lua_setfield(L, -2, "value");
  }
}

static void new_failure (lua_State *L, tpi_Future *future) {
  tpi_Future *cause = tpi_future_cause(future);
  if (!push_whole(L, cause))
    push_outcome(L, cause);
  lua_pushinteger(L, (lua_Integer)future->id);
  lua_setfield(L, -2, "id");
}

void tpi_push_failure (lua_State *L, tpi_Future *future, int index) {
  tpi_future_read(future);
  if (index == 0) {
    new_failure(L, future);
    return;
  }
  index = lua_absindex(L, index);
  if (tpi_is_local(future) && tpi_local_error(L, tpi_state_find(L), index) > 0)
    return;
  tpi_push_upvalue(L, TPI_UP_OUTCOMES); /* outcomes */
  lua_pushvalue(L, index);
  if (lua_rawget(L, -2) != LUA_TTABLE) { /* outcomes nil */
    lua_pop(L, 1);
    new_failure(L, future);
    lua_pushvalue(L, index);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
  }
  lua_remove(L, -2); /* error */
}

void tpi_push_error (lua_State *L, int kind, const char *message,
                     const char *name) {
  new_error(L, (tpi_Kind)kind, message, strlen(message), name);
}

int tpi_is_error (lua_State *L, const tpi_State *S) {
  return lua_istable(L, -1) && tpi_has_metatable(L, -1, S->error_mt);
}

void tpi_make_error (lua_State *L, int kind, const char *name) {
  tpi_push_error(L, kind, "", name);
  lua_insert(L, -2);
  lua_setfield(L, -2, "message"); /* whatever bytes are in it */
  lua_insert(L, -2);
  lua_setfield(L, -2, "value");
}

void tpi_push_code (lua_State *L, int code, const char *name) {
  switch (code) {
    case TP_CLOSED:
      tpi_push_error(L, TPI_KIND_CLOSED,
                     "the manager was shut down; make another one", name);
      break;
    case TP_FULL:
      tpi_push_error(L, TPI_KIND_FULL,
                     "the queue is full; await some futures first, or make it "
                     "longer",
                     name);
      break;
    case TP_BROKEN:
      tpi_push_error(L, TPI_KIND_BROKEN,
                     "the manager was made before a fork and has no workers in "
                     "this process; make another one",
                     name);
      break;
    default: lua_pushliteral(L, "not enough memory");
  }
}

int tpi_raise_code (lua_State *L, int code, const char *name) {
  tpi_push_code(L, code, name);
  return lua_error(L);
}

/* ---------------------------------------------------------------- */
/* Sending                                                           */
/* ---------------------------------------------------------------- */

/* light userdata of a list, Error -> */
static int send_whole (lua_State *L) {
  tpi_State *S = tpi_state_find(L);
  tpi_List *list = lua_touserdata(L, 1);
  lua_getfield(L, 2, "message");
  luaL_tolstring(L, -1, NULL);
  tpi_send_begin(L, S);
  tpi_send(L, S, list, 4, "message", 0);
  tpi_send(L, S, list, 2, "error", 0);
  tpi_send_end(L, S, list);
  return 0;
}

/* Error -> Error; false, with nothing in the list, if it cannot cross. That
   may be about the second of the values, and the first one is there. */
static int try_send (lua_State *L, tpi_List *list) {
  tpi_list_fini(list);
  lua_pushcfunction(L, send_whole);
  lua_pushlightuserdata(L, list);
  lua_pushvalue(L, -3);
  if (lua_pcall(L, 2, 0, 0) == LUA_OK)
    return 1;
  lua_pop(L, 1);
  tpi_list_fini(list);
  return 0;
}

/* Error -> Error; a new one with what every Error has */
static void strip (lua_State *L) {
  static const char *const fields[] = {"kind", "name", "message", "traceback",
                                       "value"};
  lua_createtable(L, 0, 5);
  for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++) {
    lua_getfield(L, -2, fields[i]);
    lua_setfield(L, -2, fields[i]);
  }
  tpi_push_upvalue(L, TPI_UP_ERROR);
  lua_setmetatable(L, -2);
  lua_replace(L, -2);
}

void tpi_send_error (lua_State *L, tpi_List *list) {
  if (!try_send(L, list)) {
    strip(L);
    if (!try_send(L, list)) {
      lua_getfield(L, -1, "value");
      luaL_tolstring(L, -1, NULL);
      lua_setfield(L, -3, "value");
      lua_pop(L, 1);
      lua_pushcfunction(L, send_whole);
      lua_pushlightuserdata(L, list);
      lua_pushvalue(L, -3);
      lua_call(L, 2, 0);
    }
  }
  lua_pop(L, 1);
}

/* ---------------------------------------------------------------- */

/* error -> text, zeros and all */
static int to_string (lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "name");      /* 2 */
  lua_getfield(L, 1, "kind");      /* 3 */
  lua_getfield(L, 1, "value");     /* 4 */
  lua_getfield(L, 1, "traceback"); /* 5 */
  lua_getfield(L, 1, "message");   /* 6 */
  if (lua_isstring(L, 2)) {
    lua_pushvalue(L, 2);
    lua_pushliteral(L, ": ");
  }
  if (lua_isstring(L, 3) && tpi_is_word(L, 3, "cancelled") && !lua_isnil(L, 4))
    lua_pushliteral(L, "cancelled: ");
  luaL_tolstring(L, 6, NULL);
  if (lua_type(L, 5) == LUA_TSTRING) {
    lua_pushliteral(L, "\n");
    lua_pushvalue(L, 5);
  }
  lua_concat(L, lua_gettop(L) - 6);
  return 1;
}

/* table -> Error, the same table */
int tpi_l_error (lua_State *L) {
  static const char *const kinds[] = {"error",  "cancelled", "timeout",
                                      "closed", "broken",    "transfer",
                                      "full",   NULL};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "kind"); /* 2 */
  luaL_argcheck(
      L,
      tpi_is_word(L, 2, kinds[luaL_checkoption(L, 2, "error", kinds)]) ||
          lua_isnil(L, 2),
      1, "a kind has no zeros");
  if (lua_isnil(L, 2)) {
    lua_pushliteral(L, "error");
    lua_setfield(L, 1, "kind");
  }
  if (lua_getfield(L, 1, "message") == LUA_TNIL) {
    lua_pushliteral(L, "");
    lua_setfield(L, 1, "message");
  }
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(TPI_UP_ERROR));
  lua_setmetatable(L, 1);
  return 1;
}

void tpi_open_error (lua_State *L) {
  tpi_push_upvalue(L, TPI_UP_ERROR);
  lua_pushcfunction(L, to_string);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
}
