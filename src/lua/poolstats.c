/*
** What a pool says about itself: a table that prints itself.
*/
#include <stdio.h>

#include "lua/binding.h"

static const char metatable[] = "tidepool.Stats";

/* ---------------------------------------------------------------- */
/* Looking                                                           */
/* ---------------------------------------------------------------- */

static void set_integer (lua_State *L, const char *name, uint64_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

static void set_quantiles (lua_State *L, const char *name,
                           const tpi_Quantiles *q) {
  lua_createtable(L, 0, 4);
  lua_pushnumber(L, q->p50);
  lua_setfield(L, -2, "p50");
  lua_pushnumber(L, q->p90);
  lua_setfield(L, -2, "p90");
  lua_pushnumber(L, q->p99);
  lua_setfield(L, -2, "p99");
  lua_pushnumber(L, q->max);
  lua_setfield(L, -2, "max");
  lua_setfield(L, -2, name);
}

int tpi_l_stats (lua_State *L) {
  tpi_Manager *manager = tpi_check_manager(L, tpi_state(L), 1);
  tpi_Stats s;
  uint64_t total = 0;
  if (tpi_pool_broken(manager->pool))
    tpi_raise_code(L, TP_BROKEN, NULL);
  tpi_pool_stats(manager->pool, &s);
  lua_createtable(L, 0, 12);
  lua_createtable(L, 0, TPI_PRIORITIES + 1);
  for (int i = 0; i < TPI_PRIORITIES; i++) {
    set_integer(L, tpi_priorities[i], s.queued[i]);
    total += s.queued[i];
  }
  set_integer(L, "total", total);
  lua_setfield(L, -2, "queued");
  set_integer(L, "workers", s.workers);
  set_integer(L, "running", s.running);
  set_integer(L, "suspended", s.suspended);
  set_integer(L, "stopping", s.stopping);
  set_integer(L, "submitted", s.submitted);
  set_integer(L, "completed", s.completed);
  set_integer(L, "failed", s.failed);
  set_integer(L, "cancelled", s.cancelled);
  set_integer(L, "replaced", s.replaced);
  set_quantiles(L, "wait", &s.wait);
  set_quantiles(L, "run", &s.run);
  luaL_setmetatable(L, metatable);
  return 1;
}

int tpi_is_stats (lua_State *L, int index) {
  int is = 0;
  if (lua_getmetatable(L, index)) {
    luaL_getmetatable(L, metatable);
    is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
  }
  return is;
}

/* ---------------------------------------------------------------- */
/* Printing                                                          */
/* ---------------------------------------------------------------- */

/* table fields... -> table; a line of "number name", for each that is there. A
   program may have changed the table. */
static void add_counts (lua_State *L, luaL_Buffer *b, int table,
                        const char *title, const char *const *names) {
  luaL_addstring(b, title);
  for (int i = 0; names[i] != NULL; i++) {
    char text[64];
    lua_getfield(L, table, names[i]);
    snprintf(text, sizeof text, "%s%lld %s", i > 0 ? ", " : " ",
             (long long)lua_tointeger(L, -1), names[i]);
    lua_pop(L, 1);
    luaL_addstring(b, text);
  }
  luaL_addchar(b, '\n');
}

/* "1.25 ms"; 3 digits are what the numbers are good for. */
static void add_seconds (luaL_Buffer *b, double seconds) {
  static const char *const units[] = {"s", "ms", "us", "ns"};
  char number[48], text[64];
  int unit = 0;
  while (unit < 3 && seconds > 0 && seconds < 1) {
    seconds *= 1000;
    unit++;
  }
  snprintf(number, sizeof number, "%.3g %s", seconds, units[unit]);
  snprintf(text, sizeof text, "%11s", number);
  luaL_addstring(b, text);
}

static void add_times (lua_State *L, luaL_Buffer *b, const char *title,
                       const char *name) {
  static const char *const quantiles[] = {"p50", "p90", "p99", "max"};
  int known = lua_getfield(L, 1, name) == LUA_TTABLE;
  lua_replace(L, 2);
  luaL_addstring(b, title);
  for (int i = 0; known && i < 4; i++) {
    double seconds;
    lua_getfield(L, 2, quantiles[i]);
    seconds = lua_tonumber(L, -1);
    lua_pop(L, 1);
    add_seconds(b, seconds);
  }
}

static int to_string (lua_State *L) {
  static const char *const now[] = {"workers", "running", "suspended",
                                    "stopping", NULL};
  static const char *const queued[] = {"high", "normal", "low", NULL};
  static const char *const ever[] = {"submitted", "completed", "failed",
                                     "cancelled", "replaced", NULL};
  luaL_Buffer b;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  if (lua_getfield(L, 1, "queued") != LUA_TTABLE) {
    lua_newtable(L);
    lua_replace(L, 2);
  }
  luaL_buffinit(L, &b);
  add_counts(L, &b, 1, "now:   ", now);
  add_counts(L, &b, 2, "queued:", queued);
  add_counts(L, &b, 1, "so far:", ever);
  luaL_addstring(&b, "              p50        p90        p99        max");
  add_times(L, &b, "\nwait: ", "wait");
  add_times(L, &b, "\nrun:  ", "run");
  luaL_pushresult(&b);
  return 1;
}

void tpi_open_stats (lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__tostring", to_string},
                                         {NULL, NULL}};
  if (luaL_newmetatable(L, metatable))
    tpi_setfuncs(L, metamethods);
  lua_pop(L, 1);
}
