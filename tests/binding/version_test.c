#define _GNU_SOURCE
/*
** A core.so that was built for another Lua than the one that loads it.
*/
#include "test.h"

#include <dlfcn.h>
#include <lauxlib.h>
#include <string.h>

int luaopen_tidepool_core (lua_State *L);

static const char *claimed;
static lua_Number number;

static void *identification (void *handle, const char *name) {
  (void)handle;
  (void)name;
  return (void *)(uintptr_t)claimed;
}

static lua_Number version (lua_State *L) {
  (void)L;
  return number;
}

#define dlsym identification
#define lua_version version
#include "../../src/lua/version.c"
#undef dlsym
#undef lua_version

/* What `require` of the module says there. */
static void loads (lua_Number in, const char *with, const char *expected) {
  lua_State *L = luaL_newstate();
  const char *said = "";
  assert_non_null(L);
  number = in;
  claimed = with;
  lua_pushcfunction(L, luaopen_tidepool_core);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK)
    said = lua_tostring(L, -1);
  if (strcmp(said, expected) != 0)
    fail_msg("with %s it says: %s", with != NULL ? with : "nothing", said);
  lua_close(L);
}

static void an_older_release_is_refused (void **state) {
  (void)state;
#if LUA_VERSION_NUM == 504
  loads(504, "$LuaVersion: Lua 5.4.0  Copyright",
        "tidepool needs Lua 5.4.4 or newer, and this is Lua 5.4.0");
  loads(504, "$LuaVersion: Lua 5.4.3  Copyright",
        "tidepool needs Lua 5.4.4 or newer, and this is Lua 5.4.3");
  loads(504, "$LuaVersion: Lua 5.4.4  Copyright", "");
#endif
}

static void what_does_not_tell_is_taken (void **state) {
  (void)state;
  loads(LUA_VERSION_NUM, NULL, "");
  loads(LUA_VERSION_NUM, "$LuaVersion: of our own", "");
  loads(LUA_VERSION_NUM, "$LuaVersion: Lua 5.4.12  Copyright", "");
}

static void another_version_is_refused (void **state) {
  char expected[200];
  (void)state;
  snprintf(expected, sizeof expected,
           "tidepool.core was built for Lua %d.%d, and this is Lua 5.6: build "
           "it with the headers of the Lua that runs it",
           LUA_VERSION_NUM / 100, LUA_VERSION_NUM % 100);
  loads(506, NULL, expected);
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_older_release_is_refused),
      cmocka_unit_test(what_does_not_tell_is_taken),
      cmocka_unit_test(another_version_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
