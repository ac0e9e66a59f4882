/*
** Tables of options: every name known, every value in its range.
*/
#include <string.h>

#include "lua/binding.h"

enum { MAX_WORKERS = 1024, MAX_QUEUE = 1 << 20, MAX_SPIN = 1000000 };
enum { LEAST_MEMORY = 128 * 1024 };
enum { WORKERS = 4, QUEUE_EACH = 10, SPIN = 2000 }; /* by default */

const char *const tpi_priorities[] = {"normal", "high", "low", NULL};

/* A value of the right type is shown, of another its type. */
static int bad (lua_State *L, const char *name, const char *expected,
                int type) {
  int value = lua_absindex(L, -1);
  const char *before =
      lua_pushfstring(L, "bad option '%s' (%s expected, got ", name, expected);
  if (lua_type(L, value) == type)
    return tpi_raise_about(L, before, value, ")");
  lua_pushstring(L, luaL_typename(L, value));
  return tpi_raise_about(L, before, -1, ")");
}

/* The field of that name on top; false, and nothing, when there is none. */
static int option (lua_State *L, int index, const char *name) {
  if (lua_isnoneornil(L, index))
    return 0;
  if (lua_getfield(L, index, name) != LUA_TNIL)
    return 1;
  lua_pop(L, 1);
  return 0;
}

/* Raises for a name that is not in the list, which ends with NULL. */
static void check_names (lua_State *L, int index, const char *const *names) {
  if (lua_isnoneornil(L, index))
    return;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    const char *const *known = names;
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "unknown option (a %s as a key)", luaL_typename(L, -1));
    while (*known != NULL && !tpi_is_word(L, -1, *known))
      known++;
    if (*known == NULL)
      tpi_raise_about(L, "unknown option '", -1, "'");
  }
}

static unsigned integer (lua_State *L, int index, const char *name, int least,
                         int most, unsigned absent) {
  int exact;
  lua_Integer n;
  char expected[64];
  if (!option(L, index, name))
    return absent;
  n = lua_tointegerx(L, -1, &exact);
  if (lua_type(L, -1) != LUA_TNUMBER || !exact || n < least || n > most) {
    lua_pushfstring(L, "integer from %d to %d", least, most);
    strncpy(expected, lua_tostring(L, -1), sizeof expected - 1);
    expected[sizeof expected - 1] = '\0';
    lua_pop(L, 1);
    bad(L, name, expected, LUA_TNUMBER);
  }
  lua_pop(L, 1);
  return (unsigned)n;
}

static int boolean (lua_State *L, int index, const char *name, int absent) {
  int b;
  if (!option(L, index, name))
    return absent;
  if (!lua_isboolean(L, -1))
    bad(L, name, "boolean", LUA_TNONE);
  b = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return b;
}

static double seconds (lua_State *L, int index, const char *name,
                       double absent) {
  double s;
  if (!option(L, index, name))
    return absent;
  s = lua_tonumber(L, -1);
  if (lua_type(L, -1) != LUA_TNUMBER || !(s >= 0))
    bad(L, name, "seconds, 0 or more,", LUA_TNUMBER);
  lua_pop(L, 1);
  return s;
}

static int choice (lua_State *L, int index, const char *name,
                   const char *const *choices, const char *expected,
                   int absent) {
  int i = 0;
  if (!option(L, index, name))
    return absent;
  if (lua_type(L, -1) != LUA_TSTRING)
    bad(L, name, expected, LUA_TSTRING);
  while (choices[i] != NULL && !tpi_is_word(L, -1, choices[i]))
    i++;
  if (choices[i] == NULL)
    bad(L, name, expected, LUA_TSTRING);
  lua_pop(L, 1);
  return i;
}

static int full (lua_State *L, int index, int absent) {
  static const char *const choices[] = {"wait", "fail", NULL};
  return choice(L, index, "full", choices, "\"wait\" or \"fail\"", absent);
}

/* A name is left on the stack, which keeps it. */
static const char *name_option (lua_State *L, int index) {
  if (!option(L, index, "name"))
    return NULL;
  if (lua_type(L, -1) != LUA_TSTRING || lua_rawlen(L, -1) == 0 ||
      strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
    bad(L, "name", "some letters, none of them zero,", LUA_TNONE);
  if (strcmp(lua_tostring(L, -1), "default") == 0)
    bad(L, "name", "any name but that of tidepool.default()", LUA_TSTRING);
  return lua_tostring(L, -1);
}

/* Left on the stack. */
static int init_option (lua_State *L, int index) {
  if (!option(L, index, "init"))
    return 0;
  if (!lua_isfunction(L, -1) && lua_type(L, -1) != LUA_TSTRING)
    bad(L, "init", "function or name of a module", LUA_TNONE);
  if (lua_type(L, -1) == LUA_TSTRING &&
      strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
    bad(L, "init", "name of a module, no zero in it,", LUA_TSTRING);
  return lua_gettop(L);
}

static size_t limit_option (lua_State *L, int index) {
  int exact;
  lua_Integer n;
  if (!option(L, index, "memory_limit"))
    return 0;
  n = lua_tointegerx(L, -1, &exact);
  if (lua_type(L, -1) != LUA_TNUMBER || !exact || n < LEAST_MEMORY)
    bad(L, "memory_limit", "bytes, 131072 or more,", LUA_TNUMBER);
  lua_pop(L, 1);
  return (size_t)n;
}

void tpi_options_new (lua_State *L, int index, tpi_PoolOptions *options,
                      tpi_WorkerOptions *lua) {
  static const char *const names[] = {
      "workers", "queue",        "name",   "full",    "spin",
      "init",    "memory_limit", "origin", "profile", NULL};
  check_names(L, index, names);
  options->workers = integer(L, index, "workers", 1, MAX_WORKERS, WORKERS);
  options->queue =
      integer(L, index, "queue", 1, MAX_QUEUE, options->workers * QUEUE_EACH);
  options->spin = integer(L, index, "spin", 0, MAX_SPIN, SPIN);
  lua->fails = full(L, index, 0);
  lua->memory_limit = limit_option(L, index);
  lua->origin = boolean(L, index, "origin", 0);
  options->profile = boolean(L, index, "profile", 0);
  lua->init = init_option(L, index);
  options->name = name_option(L, index);
}

void tpi_options_with (lua_State *L, int index, tpi_Manager *manager) {
  static const char *const names[] = {"timeout", "priority", "full", NULL};
  luaL_checktype(L, index, LUA_TTABLE);
  check_names(L, index, names);
  manager->timeout = seconds(L, index, "timeout", manager->timeout);
  manager->priority = (unsigned char)choice(
      L, index, "priority", tpi_priorities, "\"high\", \"normal\" or \"low\"",
      manager->priority);
  manager->fails = (unsigned char)full(L, index, manager->fails);
}

void tpi_options_shutdown (lua_State *L, int index, int *drain,
                           double *timeout) {
  static const char *const names[] = {"drain", "timeout", NULL};
  check_names(L, index, names);
  *drain = boolean(L, index, "drain", 1);
  *timeout = seconds(L, index, "timeout", -1);
}
