/*
** What the Lua states of a pool's workers start with: taken from the Lua
** state that makes the pool, at that time.
*/
#include <string.h>

#include "core/memory.h"
#include "lua/place.h"
#include "lua/sandbox.h"

static const char *const paths[] = {"path", "cpath"}; /* of package */

void tpi_kit_free (void *p) {
  tpi_Kit *kit = p;
  if (kit == NULL)
    return;
  tpi_list_fini(&kit->values);
  tpi_free(kit);
}

/* ---------------------------------------------------------------- */
/* Packing                                                           */
/* ---------------------------------------------------------------- */

/* value -> ; raises if it cannot cross */
static int try_out (lua_State *L) {
  tpi_State *S = tpi_state_find(L);
  tpi_List *list = tpi_push_list(L);
  tpi_send_begin(L, S);
  tpi_send(L, S, list, 1, "value", 0);
  tpi_send_end(L, S, list);
  return 0;
}

static int crosses (lua_State *L, int index) {
  int ok;
  lua_pushcfunction(L, try_out);
  lua_pushvalue(L, index);
  ok = lua_pcall(L, 1, 0, 0) == LUA_OK;
  if (!ok)
    lua_pop(L, 1);
  return ok;
}

/* values -> values; those entries of package.preload that can cross */
static void add_preload (lua_State *L, int values) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_newtable(L);
  lua_pushnil(L);
  while (lua_next(L, -3)) {
    if (lua_type(L, -2) == LUA_TSTRING && lua_isfunction(L, -1) &&
        crosses(L, lua_gettop(L))) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, -4);
    } else {
      lua_pop(L, 1);
    }
  }
  lua_setfield(L, values, "preload");
  lua_pop(L, 1);
}

/* -> values */
static void push_values (lua_State *L, int init) {
  int values;
  lua_createtable(L, 0, 4);
  values = lua_gettop(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "package") == LUA_TTABLE) {
    for (int i = 0; i < 2; i++) {
      if (lua_getfield(L, -1, paths[i]) == LUA_TSTRING)
        lua_setfield(L, values, paths[i]);
      else
        lua_pop(L, 1);
    }
  }
  lua_settop(L, values);
  add_preload(L, values);
  if (init != 0) {
    lua_pushvalue(L, init);
    lua_setfield(L, values, "init");
  }
}

tpi_Kit *tpi_kit_new (lua_State *L, tpi_State *S, int init) {
  int top = lua_gettop(L);
  tpi_Kit *kit;
  tpi_List *list;
  luaL_checkstack(L, 16, NULL);
  push_values(L, init);
  list = tpi_push_list(L);
  tpi_send_begin(L, S);
  tpi_send(L, S, list, top + 1, "option 'init'", 0);
  tpi_send_end(L, S, list);
  kit = tpi_calloc(sizeof *kit);
  if (kit == NULL)
    luaL_error(L, "not enough memory");
  kit->values = *list;
  tpi_list_init(list, NULL, 0);
  lua_settop(L, top);
  return kit;
}

/* ---------------------------------------------------------------- */
/* Unpacking                                                         */
/* ---------------------------------------------------------------- */

/* values -> values */
static void set_paths (lua_State *L, int values) {
  lua_getglobal(L, "package");
  for (int i = 0; i < 2; i++) {
    if (lua_getfield(L, values, paths[i]) == LUA_TSTRING)
      lua_setfield(L, -2, paths[i]);
    else
      lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void set_preload (lua_State *L, int values) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_getfield(L, values, "preload");
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -5);
  }
  lua_pop(L, 2);
}

void tpi_kit_unpack (lua_State *L, const tpi_Kit *kit) {
  int values;
  tpi_receive(L, &kit->values);
  values = lua_gettop(L);
  set_paths(L, values);
  set_preload(L, values);
  tpi_open_luv(L);
  switch (lua_getfield(L, values, "init")) {
    case LUA_TFUNCTION:
      tpi_sandbox_open(L, lua_gettop(L));
      lua_call(L, 0, 0);
      break;
    case LUA_TSTRING:
      tpi_push_standard(L, "_G.require");
      lua_insert(L, -2);
      lua_call(L, 1, 0);
      break;
    default: lua_pop(L, 1);
  }
  lua_settop(L, values - 1);
}
