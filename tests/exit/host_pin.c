/*
** host_pin.c: a state is closed while a function of a C module runs on.
** lua_close unmaps the C modules of its state; registering has pinned this
** one, so that its code is there until the function returns, and after.
*/
#include "host.h"

#include <dlfcn.h>

int main (void) {
  lua_State *L = host_open();
  const char *path;
  char *kept;
  void *library;
  host_run(L, "local tidepool = require 'tidepool'\n"
              "local testmod = require 'testmod'\n"
              "tidepool.exit_grace(0.05)\n"
              "tidepool.call('test.gate', 'pin')\n"
              "tidepool.call('test.spin', 0.5)\n"
              "testmod.wait_entered('pin')\n"
              "testmod.wait_entered('spin')\n"
              "return package.searchpath('testmod', package.cpath)\n");
  path = lua_tostring(L, -1);
  kept = path == NULL ? NULL : realpath(path, NULL);
  if (kept == NULL)
    host_die("no testmod");
  lua_close(L);
  library = dlopen(kept, RTLD_NOW | RTLD_NOLOAD);
  free(kept);
  if (library == NULL)
    host_die("the module was unmapped");
  dlclose(library);

  /* Another state finds the module as it was left, lets the task go on and
     waits until both have returned. */
  L = host_open();
  host_run(L, "local tidepool = require 'tidepool'\n"
              "local testmod = require 'testmod'\n"
              "tidepool.exit_grace(30)\n"
              "assert(testmod.entered 'pin' == 1, 'loaded anew')\n"
              "testmod.open 'pin'\n"
              "local pool = tidepool.default()\n"
              "for i = 1, 10000 do\n"
              "  local stats = pool:stats()\n"
              "  if stats.running == 0 and stats.stopping == 0 then\n"
              "    break\n"
              "  end\n"
              "  assert(i < 10000, 'the tasks never returned')\n"
              "  tidepool.call('tidepool.sleep', 0.005):await(60)\n"
              "end\n");
  lua_close(L);
  puts("pinned");
  return 0;
}
