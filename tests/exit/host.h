/*
** host.h: what the host programs of the exit cases share. LUA_PATH and
** LUA_CPATH say where the modules are; the specs set them.
*/
#ifndef HOST_H
#define HOST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <lua.h>

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

static inline void host_die (const char *what) {
  fprintf(stderr, "host: %s\n", what);
  exit(2);
}

static inline lua_State *host_open (void) {
  lua_State *L = luaL_newstate();
  if (L == NULL)
    host_die("no Lua state");
  luaL_openlibs(L);
  return L;
}

static inline void host_run (lua_State *L, const char *code) {
  if (luaL_dostring(L, code) != LUA_OK)
    host_die(lua_tostring(L, -1));
}

#endif
