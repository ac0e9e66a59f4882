/*
** What was written, and is not known: what may have been meant, and what is
** known.
*/
#include <string.h>

#include "core/guess.h"
#include "lua/binding.h"

/* names -> names text: "a, b, c" */
static void push_joined (lua_State *L) {
  luaL_Buffer b;
  int names = lua_gettop(L);
  lua_Integer n = (lua_Integer)lua_rawlen(L, names);
  luaL_buffinit(L, &b);
  for (lua_Integer i = 1; i <= n; i++) {
    if (i > 1)
      luaL_addstring(&b, ", ");
    lua_rawgeti(L, names, i);
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
}

/* name names -> text */
int tpi_l_known (lua_State *L) {
  tpi_Guess guess;
  lua_Integer n;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  n = (lua_Integer)lua_rawlen(L, 2);
  tpi_guess_begin(&guess, luaL_checkstring(L, 1));
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 2, i); /* the list keeps it */
    tpi_guess_try(&guess, luaL_checkstring(L, -1));
    lua_pop(L, 1);
  }
  push_joined(L);
  if (guess.best != NULL)
    lua_pushfstring(L, " (did you mean '%s'? Known are %s)", guess.best,
                    lua_tostring(L, -1));
  else
    lua_pushfstring(L, " (known are %s)", lua_tostring(L, -1));
  return 1;
}

/* -> text; about the name at `index` */
static void push_known (lua_State *L, int index, const char *const *names) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 6, NULL);
  lua_pushcfunction(L, tpi_l_known);
  lua_pushvalue(L, index);
  lua_newtable(L);
  for (int i = 0; names[i] != NULL; i++) {
    lua_pushstring(L, names[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_call(L, 2, 1);
}

int tpi_raise_unknown (lua_State *L, const char *before, int index,
                       const char *const *names) {
  index = lua_absindex(L, index);
  push_known(L, index, names);
  lua_pushfstring(L, "'%s", lua_tostring(L, -1));
  return tpi_raise_about(L, before, index, lua_tostring(L, -1));
}
