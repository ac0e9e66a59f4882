/*
** luaopen_tidepool_core: what `require "tidepool"` builds on.
*/
#include <pthread.h>

#include "api/table.h"
#include "core/clock.h"
#include "core/lock.h"
#include "core/pools.h"
#include "lua/local.h"

static int is_future (lua_State *L) {
  lua_pushboolean(L, luaL_testudata(L, 1, "tidepool.Future") != NULL);
  return 1;
}

/* -> seconds */
static int now (lua_State *L) {
  lua_pushnumber(L, (double)tpi_now() / 1e9);
  return 1;
}

/* [seconds] -> the seconds of before */
static int exit_grace (lua_State *L) {
  double seconds = tpi_opt_seconds(L, 1, -1);
  lua_pushnumber(L, tpi_exit_grace());
  luaL_argcheck(L, seconds < 1e9, 1, "too many seconds");
  if (seconds >= 0)
    tpi_set_exit_grace(seconds);
  return 1;
}

static const luaL_Reg functions[] = {{"poll", tpi_l_poll},
                                     {"fd", tpi_l_fd},
                                     {"on_unhandled", tpi_l_on_unhandled},
                                     {"exit_grace", exit_grace},
                                     {"is_future", is_future},
                                     {"now", now},
                                     {"promise", tpi_l_promise},
                                     {"spawn", tpi_l_spawn},
                                     {"after", tpi_l_after},
                                     {"sleep", tpi_l_sleep},
                                     {"group", tpi_l_group},
                                     {"error", tpi_l_error},
                                     {"current", tpi_l_current},
                                     {"task", tpi_l_task},
                                     {"invoke", tpi_l_invoke},
                                     {NULL, NULL}};

/* name of a metatable -> the methods in it */
static int methods (lua_State *L) {
  luaL_getmetatable(L, luaL_checkstring(L, 1));
  lua_getfield(L, -1, "__index");
  return 1;
}

/* name mode -> a table that is weak like that, the same for the same name: a
   part of ours may be loaded a second time while it is loaded. */
static int kept (lua_State *L) {
  luaL_checkstring(L, 1);
  tpi_push_weak(L, luaL_checkstring(L, 2)); /* 3 */
  tpi_push_upvalue(L, TPI_UP_KEPT);         /* 4 */
  lua_pushvalue(L, 1);
  if (lua_rawget(L, 4) != LUA_TNIL)
    return 1;
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 3);
  lua_rawset(L, 4);
  lua_settop(L, 3);
  return 1;
}

/* What the Lua part is written with. */
static const luaL_Reg private[] = {{"spawn_within", tpi_l_spawn_within},
                                   {"child", tpi_l_child},
                                   {"waits_for_this", tpi_l_waits_for_this},
                                   {"outside", tpi_l_outside},
                                   {"timer", tpi_l_timer},
                                   {"chain", tpi_l_chain},
                                   {"watch", tpi_l_watch},
                                   {"pass", tpi_l_pass},
                                   {"detach", tpi_l_detach},
                                   {"lookout", tpi_l_lookout},
                                   {"members", tpi_l_members},
                                   {"kept", kept},
                                   {"own", tpi_l_own},
                                   {"methods", methods},
                                   {"room", tpi_l_room},
                                   {"slice", tpi_l_slice},
                                   {"spread", tpi_l_spread},
                                   {NULL, NULL}};

static tpi_Lock opening; /* the table of the C API is filled in once a time */

static void freeze (void) { tpi_lock(&opening); }
static void thaw (void) { tpi_unlock(&opening); }
static void watch_forks (void) { pthread_atfork(freeze, thaw, thaw); }

static void start (lua_State *L) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  char error[256];
  int rc;
  tpi_runtime_start(); /* before: it freezes what is locked under ours */
  pthread_once(&once, watch_forks);
  tpi_lock(&opening);
  rc = tpi_api_start(error, sizeof error);
  if (rc == TP_OK)
    tpi_fill_capi(&tpi_api);
  tpi_unlock(&opening);
  if (rc != TP_OK)
    luaL_error(L, "tidepool: %s", error);
}

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int luaopen_tidepool_core (lua_State *L);

int luaopen_tidepool_core (lua_State *L) {
  tpi_state_refuse_copies(L);
  start(L);
  tpi_state_push(L);
  lua_pop(L, 1);
  tpi_open_error(L);
  tpi_open_future(L);
  tpi_open_task(L);
  tpi_open_promise(L);
  tpi_open_group(L);
  tpi_open_codes(L);
  tpi_open_slice(L);
  tpi_push_module(L);
  tpi_setfuncs(L, functions);
  tpi_open_manager(L);
  lua_createtable(L, 0, sizeof private / sizeof *private);
  tpi_setfuncs(L, private);
  lua_setfield(L, -2, "private");
  lua_pushlightuserdata(L, &tpi_api);
  lua_setfield(L, -2, "api");
  lua_pushliteral(L, "tidepool " TIDEPOOL_VERSION);
  lua_setfield(L, -2, "_VERSION");
  return 1;
}
