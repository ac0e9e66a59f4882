/*
** Functions of Lua's own that a worker has in a form of its own. They cross
** as those of Lua: each side gets what it has under that name.
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
