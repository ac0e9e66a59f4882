/*
** testmod_values.c: Lua values for the C API, and the API's table.
*/
#include "testmod.h"

#define DEPTH_MAX 200
#define FUTURE "tidepool.Future"

static _Atomic(const tp_Api *) the_api;

const tp_Api *tt_api (void) { return atomic_load(&the_api); }

void tt_setapi (const tp_Api *api) { atomic_store(&the_api, api); }

const char *tt_codename (int code) {
  static const char *const names[] = {
      "ok",        "failed", "nomem",   "full",  "closed",  "timeout",
      "cancelled", "broken", "unknown", "taken", "invalid", "transfer"};
  return code >= 0 && code <= TP_TRANSFER ? names[code] : "?";
}

/*
** Sending is done in two passes: the first may raise and allocates nothing,
** the second raises nothing and may allocate.
*/
static void check (lua_State *L, int index, int depth) {
  switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TSTRING: return;
    case LUA_TUSERDATA:
      luaL_argexpected(L, luaL_testudata(L, index, FUTURE), index, FUTURE);
      tp_lua_checkfuture(L, tt_api(), index);
      return;
    case LUA_TTABLE:
      if (depth == DEPTH_MAX)
        luaL_error(L, "testmod: a table too deep to send");
      luaL_checkstack(L, 4, NULL);
      for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        int top = lua_gettop(L);
        check(L, top, depth + 1);
        check(L, top - 1, depth + 1);
      }
      return;
    default:
      luaL_error(L, "testmod: cannot send a %s", luaL_typename(L, index));
  }
}

static void push (tp_Context *ctx, lua_State *L, int index);

/* Is the key on the top one of the array part 1..length? */
static int in_array (lua_State *L, int key, size_t length) {
  lua_Integer i = lua_isinteger(L, key) ? lua_tointeger(L, key) : 0;
  return i >= 1 && (lua_Unsigned)i <= length;
}

static void push_table (tp_Context *ctx, lua_State *L, int index) {
  size_t length = (size_t)lua_rawlen(L, index);
  tp_opentable(ctx, length, 0);
  for (size_t i = 1; i <= length; i++) {
    lua_rawgeti(L, index, (lua_Integer)i);
    push(ctx, L, lua_gettop(L));
    lua_pop(L, 1);
  }
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    int top = lua_gettop(L);
    if (in_array(L, top - 1, length))
      continue;
    tp_pushkey(ctx);
    push(ctx, L, top - 1);
    push(ctx, L, top);
  }
  tp_closetable(ctx);
}

static void push (tp_Context *ctx, lua_State *L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TBOOLEAN: tp_pushboolean(ctx, lua_toboolean(L, index)); break;
    case LUA_TNUMBER:
      if (lua_isinteger(L, index))
        tp_pushinteger(ctx, lua_tointeger(L, index));
      else
        tp_pushnumber(ctx, lua_tonumber(L, index));
      break;
    case LUA_TSTRING: {
      size_t length;
      const char *bytes = lua_tolstring(L, index, &length);
      tp_pushbytes(ctx, bytes, length);
      break;
    }
    case LUA_TUSERDATA:
      tp_pushfuture(ctx, tp_lua_checkfuture(L, tt_api(), index));
      break;
    case LUA_TTABLE: push_table(ctx, L, index); break;
    default: tp_pushnil(ctx); break;
  }
}

tp_Context *tt_collect (lua_State *L, int from, int to) {
  tp_Context *values;
  for (int i = from; i <= to; i++)
    check(L, i, 0);
  /* no recursion of push goes deeper than check did, four slots a level */
  luaL_checkstack(L, 4 * (DEPTH_MAX + 1), NULL);
  values = tp_values(tt_api());
  if (values == NULL)
    luaL_error(L, "not enough memory");
  for (int i = from; i <= to; i++)
    push(values, L, i);
  return values;
}
