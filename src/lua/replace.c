/*
** Functions of Lua's own that a worker has in a form of its own, or that have
** upvalues. They cross as those of Lua: each side gets what it has under that
** name.
*/
#include "lua/place.h"

/* Keys of the registry of a worker. */
static const char theirs = 0; /* -> {Lua's function = ours} */
static const char ours = 0;   /* -> {our function = Lua's} */

static void get_table (lua_State *L, const char *key) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

/* table lua's ours -> table lua's ours */
static void note (lua_State *L) {
  get_table(L, &theirs);
  lua_pushvalue(L, -3);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  get_table(L, &ours);
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -4);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

void tpi_replace (lua_State *L, const char *name) {
  lua_getfield(L, -2, name);
  lua_insert(L, -2);
  note(L);
  lua_setfield(L, -3, name);
  lua_pop(L, 1);
}

/* function -> function; the one in its place by that table, if any */
static void exchange (lua_State *L, const char *key) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE) {
    lua_pushvalue(L, -2);
    if (lua_rawget(L, -2) != LUA_TNIL)
      lua_replace(L, -3);
    else
      lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

void tpi_replace_arrived (lua_State *L) { exchange(L, &theirs); }

void tpi_replace_leaving (lua_State *L) { exchange(L, &ours); }

/* names library -> names; `prefix` is the name of the library */
static void note_library (lua_State *L, const char *prefix) {
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (lua_type(L, -2) == LUA_TSTRING && lua_iscfunction(L, -1) &&
        lua_getupvalue(L, -1, 1) != NULL) {
      lua_pop(L, 1);
      lua_pushfstring(L, "%s.%s", prefix, lua_tostring(L, -2));
      lua_pushvalue(L, -2); /* names library key function name function */
      lua_pushvalue(L, -2);
      lua_rawset(L, -7);
      lua_insert(L, -2);
      lua_rawset(L, -5);
    } else {
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

/* -> ; {function = name, name = function} */
int tpi_l_standard (lua_State *L) {
  static const char *const libraries[] = {
      LUA_GNAME, "package", "coroutine", "table", "io",
      "os",      "string",  "math",      "utf8",  "debug"};
  luaL_checkstack(L, 10, NULL);
  lua_newtable(L);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_insert(L, -2); /* loaded names */
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    if (lua_getfield(L, -2, libraries[i]) == LUA_TTABLE)
      note_library(L, libraries[i]);
    else
      lua_pop(L, 1);
  }
  tpi_set_upvalue(L, TPI_UP_STANDARD);
  lua_pop(L, 1);
  return 0;
}

int tpi_standard_noted (lua_State *L) {
  int is;
  tpi_push_upvalue(L, TPI_UP_STANDARD);
  is = lua_istable(L, -1);
  lua_pop(L, 1);
  return is;
}

int tpi_standard_name (lua_State *L, int index) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 4, NULL);
  tpi_push_upvalue(L, TPI_UP_STANDARD);
  lua_pushvalue(L, index);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (lua_type(L, -1) == LUA_TSTRING)
    return 1;
  lua_pop(L, 1);
  return 0;
}

void tpi_push_standard (lua_State *L, const char *name) {
  if (!tpi_standard_noted(L))
    tpi_l_standard(L);
  tpi_push_upvalue(L, TPI_UP_STANDARD);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
  if (lua_isnil(L, -1))
    luaL_error(L, "there is no function '%s' of Lua's own here", name);
  tpi_replace_arrived(L);
}
