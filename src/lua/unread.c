/*
** Failures that nobody read.
*/
#include <stdio.h>

#include "core/follow.h"
#include "lua/place.h"

static const char unread[] = "tidepool: a failure that nobody read: ";
static const char failed[] = "tidepool: error in the on_unhandled function: ";

/* light userdata of a text, value -> ; a line on standard error */
static int write_line (lua_State *L) {
  size_t length;
  const char *line;
  lua_pushstring(L, lua_touserdata(L, 1));
  luaL_tolstring(L, 2, NULL);
  lua_pushliteral(L, "\n");
  lua_concat(L, 3);
  line = lua_tolstring(L, -1, &length);
  fwrite(line, 1, length, stderr);
  return 0;
}

/* light userdata of a future -> */
static int write_failure (lua_State *L) {
  lua_pushlightuserdata(L, (void *)(uintptr_t)unread);
  tpi_push_failure(L, lua_touserdata(L, 1), 0);
  lua_replace(L, 1);
  lua_insert(L, 1);
  return write_line(L);
}

/* Without Lua if need be, for lack of memory or an Error that raises. */
static void tell (lua_State *L, tpi_Future *future) {
  lua_pushcfunction(L, write_failure);
  lua_pushlightuserdata(L, future);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    size_t length = 0;
    const char *text = tpi_future_message(tpi_future_cause(future), &length);
    fprintf(stderr, "%s%.*s\n", unread, (int)length, text != NULL ? text : "");
    lua_pop(L, 1);
  }
}

/* error -> */
static void complain (lua_State *L) {
  lua_pushcfunction(L, write_line);
  lua_insert(L, -2);
  lua_pushlightuserdata(L, (void *)(uintptr_t)failed);
  lua_insert(L, -2);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    fprintf(stderr, "%san error whose __tostring raises\n", failed);
    lua_pop(L, 1);
  }
}

/* handler, light userdata of a future -> */
static int handle (lua_State *L) {
  tpi_push_failure(L, lua_touserdata(L, 2), 0);
  lua_remove(L, 2);
  lua_call(L, 1, 0);
  return 0;
}

/* What the handler could not take is told as if there were none. */
static void report (lua_State *L, const tpi_State *S, tpi_Future *future) {
  if (S->reporting > 1 || S->handler == LUA_NOREF) {
    tell(L, future);
    return;
  }
  lua_pushcfunction(L, handle);
  lua_rawgeti(L, LUA_REGISTRYINDEX, S->handler);
  lua_pushlightuserdata(L, future);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    if (S->loop != NULL && tpi_family_is_over(S->loop))
      lua_pop(L, 1); /* it was interrupted, with its task */
    else
      complain(L);
    tell(L, future);
  }
}

/* One at a time, protected: a handler may fail, or call us again, or close the
   Lua state; what is left then is reported without it. */
void tpi_report_unread (lua_State *L, tpi_State *S) {
  if ((S->reporting && !S->closing) || !lua_checkstack(L, 8))
    return;
  S->reporting++;
  if (S->fails == NULL)
    S->fails = tpi_future_unread(S->host);
  while (S->fails != NULL) {
    tpi_Future *future = S->fails;
    S->fails = tpi_future_next_unread(future);
    tpi_future_read(future); /* and is told once only, whatever happens */
    report(L, S, future);
    tpi_future_release(future);
  }
  S->reporting--;
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
