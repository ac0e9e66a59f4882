/*
** host_close.c: a host that loads the module itself, closes its Lua state
** while tasks run on, and unmaps the module; again and again.
*/
#include "host.h"

#include <dlfcn.h>
#include <string.h>

#define ROUNDS 5

/* Tasks that are done, tasks in the queue, and one at a closed gate that
   outlives the state. The gate of the round before is opened. */
static const char script[] =
    "local tidepool = require 'tidepool'\n"
    "local testmod = require 'testmod'\n"
    "tidepool.exit_grace(0.05)\n"
    "testmod.open('gate' .. round - 1)\n"
    "local pool = tidepool.AsyncManager.new { workers = 2, queue = 50 }\n"
    "for i = 1, 50 do\n"
    "  assert(pool:call('test.add', i, 1):await(60) == i + 1)\n"
    "end\n"
    "held = pool:call('test.gate', 'gate' .. round)\n"
    "tidepool.call('test.gate', 'gate' .. round)\n"
    "testmod.wait_entered('gate' .. round, 2)\n"
    "pool:call 'test.until_cancelled'\n"
    "for i = 1, 30 do pool:call('test.echo', { i }) end\n";

static void *load (lua_State *L, lua_CFunction *open) {
  void *library, *symbol;
  host_run(L, "return package.searchpath('tidepool.core', package.cpath)");
  if (lua_tostring(L, -1) == NULL)
    host_die("no tidepool.core");
  library = dlopen(lua_tostring(L, -1), RTLD_NOW | RTLD_LOCAL);
  lua_settop(L, 0);
  if (library == NULL)
    host_die(dlerror());
  symbol = dlsym(library, "luaopen_tidepool_core");
  if (symbol == NULL)
    host_die("no luaopen_tidepool_core");
  memcpy(open, &symbol, sizeof symbol);
  return library;
}

int main (void) {
  for (int round = 1; round <= ROUNDS; round++) {
    lua_State *L = host_open();
    lua_CFunction open = NULL;
    void *library = load(L, &open);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, open);
    lua_setfield(L, -2, "tidepool.core");
    lua_pushinteger(L, round);
    lua_setglobal(L, "round");
    host_run(L, script);
    lua_close(L);
    if (dlclose(library) != 0)
      host_die(dlerror());
  }
  puts("closed");
  return 0;
}
