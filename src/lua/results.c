/*
** What awaiting a completed future answers: the same values each time.
**
** Tables are made once. Long strings are Lua's once they have been read: when
** nobody else can reach the future, its own copy goes, so that its memory
** serves the next call instead of waiting for the collector. It is made anew
** if the future is handed on after all. Either way the values stand in a list
** that TPI_UP_OUTCOMES keeps for as long as the Future lives.
*/
#include "lua/local.h"

enum { HEAVY = 64 * 1024 }; /* bytes from which on a copy is worth freeing */

/* Its values are Lua's; only their number is left. */
static int is_light (const tpi_Future *future) {
  return future->results.items == NULL && future->results.count > 0;
}

/* Nobody can change them, and they can be sent again. */
static int is_plain (const tpi_List *results) {
  for (uint32_t i = 0; i < results->count; i++) {
    if (tp_typeof(&results->items[i]) > TP_TBYTES)
      return 0;
  }
  return 1;
}

/* light userdata of a list -> table of its values */
static int receive_all (lua_State *L) {
  const tpi_List *results = lua_touserdata(L, 1);
  lua_createtable(L, (int)results->count, 0);
  tpi_receive(L, results);
  for (lua_Integer i = results->count; i >= 1; i--)
    lua_rawseti(L, 2, i);
  return 1;
}

/* what was raised -> Error */
static void make_error (lua_State *L, const tpi_Future *future) {
  luaL_tolstring(L, -1, NULL);
  lua_pushliteral(L, "a result could not be rebuilt: ");
  lua_insert(L, -2);
  lua_concat(L, 2);
  tpi_make_error(L, TPI_KIND_TRANSFER, tpi_name_of(future));
  lua_pushinteger(L, (lua_Integer)future->id);
  lua_setfield(L, -2, "id");
}

/* -> list, or Error; kept for the Future at index 1. Rebuilding objects calls
   functions of theirs. */
static void keep (lua_State *L, tpi_Future *future) {
  if (!tpi_receive_safely(L, tpi_state(L), receive_all, &future->results))
    make_error(L, future);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -2);
  lua_rawset(L, lua_upvalueindex(TPI_UP_OUTCOMES));
}

static void free_values (tpi_List *results) {
  uint32_t count = results->count;
  tpi_list_fini(results);
  results->count = count;
}

int tpi_push_results (lua_State *L, const tpi_State *S,
                      const tpi_Handle *handle) {
  tpi_Future *future = handle->future;
  tpi_List *results = &future->results;
  int n = tpi_is_local(future) ? tpi_local_results(L, future, 1) : -1;
  int heavy;
  if (n >= 0)
    return n;
  n = (int)results->count;
  heavy = !is_light(future) && !tpi_peek(&future->lent) &&
          tpi_list_weight(results) >= HEAVY && is_plain(results);
  if (!heavy && !is_light(future) && !tpi_has_table(results))
    return tpi_receive(L, results);
  lua_pushvalue(L, 1);
  if (lua_rawget(L, lua_upvalueindex(TPI_UP_OUTCOMES)) != LUA_TTABLE) {
    lua_pop(L, 1);
    keep(L, future);
  }
  if (tpi_has_metatable(L, -1, S->error_mt))
    return -1;
  /* Keeping them may have run a finalizer that lent them to C code. The load
     pairs with the releases of the future. */
  if (heavy && handle->readers == 1 && !tpi_peek(&future->lent) &&
      tpi_load(&future->refs) == 1)
    free_values(results);
  luaL_checkstack(L, n, "too many results");
  for (int i = 1; i <= n; i++)
    lua_rawgeti(L, -i, i);
  lua_remove(L, -n - 1);
  return n;
}

/* Nothing raises while it is half done. May run on behalf of another
   module's function, whose upvalues are not ours. */
void tpi_restore_results (lua_State *L, tpi_Future *future, int index) {
  tpi_List fresh;
  uint32_t n;
  int rc;
  if (tpi_is_local(future))
    tpi_local_lend(L, tpi_state_find(L), future, index);
  if (tpi_future_state(future) != TPI_COMPLETED || !is_light(future))
    return;
  n = future->results.count;
  luaL_checkstack(L, 6, NULL);
  index = lua_absindex(L, index);
  tpi_push_upvalue(L, TPI_UP_OUTCOMES);
  lua_pushvalue(L, index);
  lua_rawget(L, -2);
  tpi_list_init(&fresh, NULL, 0);
  rc = tpi_list_reserve(&fresh, n);
  for (uint32_t i = 1; rc == TP_OK && i <= n; i++) {
    tp_Value value;
    lua_rawgeti(L, -1, (lua_Integer)i);
    rc = tpi_send_plain(L, &fresh, &value, -1);
    if (rc == TP_OK)
      rc = tpi_list_push(&fresh, value);
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  if (rc == TP_OK) {
    future->results = fresh;
    return;
  }
  tpi_list_fini(&fresh);
  luaL_error(L, "not enough memory");
}
