/*
** Failures that nobody read.
*/
#include <stdio.h>

#include "lua/place.h"

/* handler future -> */
static int report (lua_State *L) {
  tpi_Future *future = lua_touserdata(L, 2);
  tpi_push_failure(L, future, 0);
  if (lua_isnil(L, 1)) {
    fprintf(stderr, "tidepool: a failure that nobody read: %s\n",
            luaL_tolstring(L, -1, NULL));
    return 0;
  }
  lua_pushvalue(L, 1);
  lua_insert(L, -2);
  lua_call(L, 1, 0);
  return 0;
}

static void complain (lua_State *L) {
  const char *message = lua_tostring(L, -1);
  fprintf(stderr, "tidepool: error in the on_unhandled function: %s\n",
          message != NULL ? message : luaL_typename(L, -1));
}

/* One at a time, protected: a handler may fail, or call us again. */
void tpi_report_unread (lua_State *L, tpi_State *S) {
  tpi_Future *future, *next;
  if (S->reporting || !lua_checkstack(L, 8))
    return;
  S->reporting = 1;
  for (future = tpi_future_unread(S->host); future != NULL; future = next) {
    next = tpi_future_next_unread(future);
    tpi_future_read(future); /* and is told once only, whatever happens */
    lua_pushcfunction(L, report);
    if (S->handler == LUA_NOREF)
      lua_pushnil(L);
    else
      lua_rawgeti(L, LUA_REGISTRYINDEX, S->handler);
    lua_pushlightuserdata(L, future);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
      if (S->loop == NULL || !tpi_family_is_over(S->loop))
        complain(L); /* else it was interrupted, with its task */
      lua_pop(L, 1);
    }
    tpi_future_release(future);
  }
  S->reporting = 0;
}

int tpi_l_on_unhandled (lua_State *L) {
  tpi_State *S = tpi_state(L);
  if (!lua_isnoneornil(L, 1))
    luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  if (S->handler == LUA_NOREF)
    lua_pushnil(L);
  else
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->handler);
  luaL_unref(L, LUA_REGISTRYINDEX, S->handler);
  S->handler = LUA_NOREF;
  if (!lua_isnil(L, 1)) {
    lua_pushvalue(L, 1);
    S->handler = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  return 1;
}
