/*
** luv in a worker. An error in a callback of its loop ends the process there.
** In a worker it stops the loop, and is raised where luv.run was called; so is
** the error of an interrupt, which may fall into a callback as well.
**
** luv calls back on the coroutine that has loaded it. That may wait, or have
** ended, when a later task runs the loop, so it is the main one of the Lua
** state that loads it here, which no task runs in. While the loop runs, that is
** the one to interrupt.
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

#include "lua/place.h"

/* luv_CFpcall: calls a function; how many results it has, or a negative
   number. */
typedef int Caller (lua_State *L, int nargs, int nresults, int flags);
typedef void SetCaller (lua_State *L, Caller *caller);

static _Atomic(Caller *) luvs_own;

/* Keys of the registry. */
static const char stop = 0;   /* luv.stop */
static const char raised = 0; /* while the loop runs: a table with the first
                                 error of a callback, and true if there is one;
                                 made before, as memory may be what is lacking */

/* ---------------------------------------------------------------- */
/* Callbacks                                                         */
/* ---------------------------------------------------------------- */

/* error -> ; the first is kept, and the loop stopped. False when no loop
   runs that could raise it. */
static int keep_error (lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &raised) != LUA_TTABLE) {
    lua_pop(L, 1);
    return 0;
  }
  if (lua_rawgeti(L, -1, 2) == LUA_TNIL) {
    lua_pushvalue(L, -3);
    lua_rawseti(L, -3, 1);
    lua_pushboolean(L, 1);
    lua_rawseti(L, -3, 2);
  }
  lua_pop(L, 3);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &stop);
  lua_call(L, 0, 0);
  return 1;
}

/* function arguments... -> what it returns */
static int call_safely (lua_State *L) {
  if (lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0) == LUA_OK)
    return lua_gettop(L);
  luaL_checkstack(L, 6, NULL);
  return keep_error(L) ? 0 : lua_error(L);
}

static int call_back (lua_State *L, int nargs, int nresults, int flags) {
  if (lua_checkstack(L, 2)) {
    lua_pushcfunction(L, call_safely);
    lua_insert(L, -2 - nargs);
    nargs++;
  }
  return tpi_see(&luvs_own)(L, nargs, nresults, flags);
}

/* ---------------------------------------------------------------- */
/* Running                                                           */
/* ---------------------------------------------------------------- */

/* -> error, if there was one: true then */
static int take_error (lua_State *L) {
  int failed;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &raised);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &raised);
  failed = lua_rawgeti(L, -1, 2) != LUA_TNIL;
  lua_pop(L, 1);
  lua_rawgeti(L, -1, 1);
  lua_remove(L, -2);
  if (!failed)
    lua_pop(L, 1);
  return failed;
}

/* upvalue: luv.run */
static int run (lua_State *L) {
  tpi_Place *place = tpi_place_at(L);
  tpi_Turn turn;
  int failed;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &raised) != LUA_TNIL) {
    lua_pop(L, 1); /* from within a callback: luv refuses that */
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
  }
  lua_pop(L, 1);
  lua_createtable(L, 2, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &raised);
  turn = tpi_fiber_lend(place, place->L);
  failed = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0) != LUA_OK;
  tpi_fiber_take_back(place, place->L, turn);
  luaL_checkstack(L, 3, NULL);
  failed = take_error(L) || failed;
  tpi_fiber_renew(place);
  tpi_fiber_check(L, place);
  return failed ? lua_error(L) : lua_gettop(L);
}

/* ---------------------------------------------------------------- */
/* Loading                                                           */
/* ---------------------------------------------------------------- */

/* name -> loader data, as those of package.searchers that come after the one
   for preload find them; raises */
static void search (lua_State *L) {
  int searchers;
  luaL_Buffer why;
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchers");
  searchers = lua_gettop(L);
  luaL_checktype(L, searchers, LUA_TTABLE);
  luaL_buffinit(L, &why);
  for (int i = 2; lua_rawgeti(L, searchers, i) != LUA_TNIL; i++) {
    lua_pushvalue(L, 1);
    lua_call(L, 1, 2);
    if (lua_isfunction(L, -2))
      return;
    lua_pop(L, 1);
    if (lua_isstring(L, -1))
      luaL_addvalue(&why);
    else
      lua_pop(L, 1);
  }
  lua_pop(L, 1);
  luaL_pushresult(&why);
  luaL_error(L, "module 'luv' not found:%s", lua_tostring(L, -1));
}

/* Functions of the library in that file; false when it has none such. */
static int find (const char *file, const char *name, void *function) {
  void *library = file != NULL ? dlopen(file, RTLD_NOW | RTLD_NOLOAD) : NULL;
  void *found = dlsym(library != NULL ? library : RTLD_DEFAULT, name);
  if (library != NULL)
    dlclose(library);
  memcpy(function, &found, sizeof found);
  return found != NULL;
}

/* module -> module */
static void protect (lua_State *L, const char *file) {
  SetCaller *set;
  Caller *own;
  if (!lua_istable(L, -1) || !find(file, "luv_set_callback", &set) ||
      !find(file, "luv_cfpcall", &own))
    return; /* before luv 1.36 */
  tpi_put(&luvs_own, own);
  set(L, call_back);
  lua_getfield(L, -1, "stop");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &stop);
  lua_getfield(L, -1, "run");
  lua_pushcclosure(L, run, 1);
  tpi_replace(L, "run");
}

/* name -> module; upvalue: what stood in package.preload before, or nil */
static int load (lua_State *L) {
  lua_State *main = tpi_place_at(L)->L;
  int status;
  lua_settop(L, 1);
  if (lua_isnil(L, lua_upvalueindex(1))) {
    search(L);
  } else {
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushnil(L);
  }
  lua_pushvalue(L, -2);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -3);
  if (!lua_checkstack(main, LUA_MINSTACK))
    luaL_error(L, "not enough memory");
  lua_xmove(L, main, 3);
  status = lua_pcall(main, 2, 1, 0);
  lua_xmove(main, L, 1);
  if (status != LUA_OK)
    return lua_error(L);
  protect(L, lua_tostring(L, -2));
  return 1;
}

void tpi_open_luv (lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_getfield(L, -1, "luv");
  lua_pushcclosure(L, load, 1);
  lua_setfield(L, -2, "luv");
  lua_pop(L, 1);
}
