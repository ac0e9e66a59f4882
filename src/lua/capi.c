/*
** The parts of the C API that need a Lua state.
*/
#include "lua/binding.h"

static tp_Promise *lua_promise (lua_State *L) {
  tpi_State *S = tpi_state_find(L);
  tpi_Handle *handle = tpi_push_future_handle(L);
  tp_Promise *promise = tpi_promise_new(S->host);
  if (promise == NULL)
    luaL_error(L, "not enough memory");
  handle->future = &promise->future;
  return promise;
}

static void lua_pushfuture (lua_State *L, tp_Future *future) {
  tpi_push_future_of(L, tpi_state_find(L), (tpi_Future *)(void *)future);
}

static tp_Future *lua_checkfuture (lua_State *L, int index) {
  tpi_Future *f = tpi_check_future(L, tpi_state_find(L), index);
  tpi_restore_results(L, f, index);
  tpi_poke(&f->lent, 1);
  return (tp_Future *)(void *)f;
}

static tp_Manager *lua_checkmanager (lua_State *L, int index) {
  return tpi_check_manager(L, tpi_state_find(L), index)->pool;
}

void tpi_fill_capi (tp_Api *api) {
  if (api->lua_promise != NULL)
    return; /* other states may be using it */
  api->lua_pushfuture = lua_pushfuture;
  api->lua_checkfuture = lua_checkfuture;
  api->lua_checkmanager = lua_checkmanager;
  api->lua_promise = lua_promise;
}
