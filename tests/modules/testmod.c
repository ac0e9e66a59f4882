/*
** testmod.c: `require "testmod"`, the module itself.
**
** Registered functions (test.*) are described where they are defined:
**   testmod_functions.c  values in and out, failures, crashes
**   testmod_tables.c     tables walked and built
**   testmod_abuse.c      misuse of the API that must not crash
**   testmod_nulls.c      NULL where something is due
**   testmod_events.c     gates, cancellation, progress
**   testmod_futures.c    calls and waits from C, in and out of tasks
**   testmod_promises.c   promises settled by threads of the module
**   testmod_memory.c     how much is in use
**   testmod_states.c     Lua states on threads of their own
**   testmod_process.c    descriptors and signals of the process
*/
#include "testmod.h"

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int luaopen_testmod (lua_State *L);

int luaopen_testmod (lua_State *L) {
  const tp_Api *api = tp_open(L);
  tt_setapi(api);
  tp_register(L, api, tt_plain_functions);
  tp_register(L, api, tt_table_functions);
  tp_register(L, api, tt_abuse_functions);
  tp_register(L, api, tt_null_functions);
  tp_register(L, api, tt_event_functions);
  tp_register(L, api, tt_future_functions);
  tt_promise_open(L);
  tt_state_open(L);
  lua_newtable(L);
  luaL_setfuncs(L, tt_plain_lua, 0);
  luaL_setfuncs(L, tt_event_lua, 0);
  luaL_setfuncs(L, tt_future_lua, 0);
  luaL_setfuncs(L, tt_promise_lua, 0);
  luaL_setfuncs(L, tt_memory_lua, 0);
  luaL_setfuncs(L, tt_state_lua, 0);
  luaL_setfuncs(L, tt_process_lua, 0);
  return 1;
}
