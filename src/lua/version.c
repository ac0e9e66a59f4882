#define _GNU_SOURCE
#include "lua/version.h"

#include <dlfcn.h>
#include <lauxlib.h>
#include <stdio.h>

/* The release of a Lua 5.4, as its identification tells it; -1 where a program
   keeps that to itself. */
static int running_release (void) {
  const char *ident = dlsym(RTLD_DEFAULT, "lua_ident");
  int release;
  if (ident == NULL || sscanf(ident, "$LuaVersion: Lua 5.4.%d", &release) != 1)
    return -1;
  return release;
}

void tpi_version_check (lua_State *L) {
  int running = (int)lua_version(L);
  if (running != LUA_VERSION_NUM)
    luaL_error(L,
               "tidepool.core was built for Lua %d.%d, and this is Lua %d.%d: "
               "build it with the headers of the Lua that runs it",
               LUA_VERSION_NUM / 100, LUA_VERSION_NUM % 100, running / 100,
               running % 100);
  if (running == 504) {
    int release = running_release();
    if (release >= 0 && release < 4)
      luaL_error(L, "tidepool needs Lua 5.4.4 or newer, and this is Lua 5.4.%d",
                 release);
  }
}
