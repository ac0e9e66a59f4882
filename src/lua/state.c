#include "lua/state.h"

#include <string.h>

#include "core/future.h"
#include "core/homes.h"
#include "core/memory.h"
#include "core/pin.h"
#include "core/pools.h"
#include "lua/idle.h"
#include "lua/loop.h"

enum { IDS = 1024, OWED = 4 * 1024 * 1024 };

static const char key; /* its address is ours in every registry */
static const char place_key;
static const char copy_name[] = "tidepool.copy"; /* its path, for all copies */

uint64_t tpi_state_id (tpi_State *S) {
  if (S->next_id == S->end_id) {
    S->next_id = tpi_future_ids(IDS);
    S->end_id = S->next_id + IDS;
  }
  return S->next_id++;
}

tpi_State *tpi_state (lua_State *L) {
  tpi_State *S = lua_touserdata(L, lua_upvalueindex(TPI_UP_STATE));
  if (S->host == NULL)
    luaL_error(L, "tidepool: this Lua state is closing");
  return S;
}

tpi_State *tpi_state_open (lua_State *L) {
  tpi_State *S = tpi_state(L);
  if (S->closing)
    luaL_error(L, "tidepool: this Lua state is closing");
  return S;
}

tpi_State *tpi_state_find (lua_State *L) {
  tpi_State *S;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
  lua_rawgeti(L, -1, TPI_UP_STATE);
  S = lua_touserdata(L, -1);
  lua_pop(L, 2);
  if (S == NULL || S->host == NULL)
    luaL_error(L, "tidepool: this Lua state is closing");
  return S;
}

/* 5.5 counts the step in bytes where 5.4 counts in kilobytes. */
static void step_collector (lua_State *L, size_t bytes) {
#if LUA_VERSION_NUM >= 505
  lua_gc(L, LUA_GCSTEP, bytes);
#else
  size_t kilobytes = bytes / 1024;
  lua_gc(L, LUA_GCSTEP, (int)(kilobytes < 1 << 30 ? kilobytes : 1 << 30));
#endif
}

void tpi_state_turn (lua_State *L, tpi_State *S) {
  tpi_Host *host = S->host;
  tpi_idle_ran(S);
  if (tpi_peek(&host->unread.head) != NULL)
    tpi_report_unread(L, S);
  if (tpi_peek(&host->owed) + S->made >= OWED) {
    size_t owed = atomic_exchange(&host->owed, 0) + S->made;
    S->made = 0;
    if (lua_gc(L, LUA_GCISRUNNING))
      step_collector(L, owed);
  }
}

void tpi_state_note_late (lua_State *L) {
  luaL_checkstack(L, 4, NULL);
  tpi_push_upvalue(L, TPI_UP_LATE);
  if (lua_istable(L, -1)) {
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
  }
  lua_pop(L, 1);
}

/* Lua has a name for the call of a finalizer, but where a hook has led to it;
   until 5.4.2 it gave that to the function that the finalizer interrupts. */
static int is_from_collector (lua_State *L) {
  lua_Debug ar;
#if LUA_VERSION_NUM == 504 && LUA_VERSION_RELEASE_NUM < 50403
  if (!lua_getstack(L, 1, &ar))
    return 1;
#else
  lua_getstack(L, 0, &ar);
#endif
  lua_getinfo(L, "n", &ar);
  return strcmp(ar.namewhat, "hook") == 0 ||
         (strcmp(ar.namewhat, "metamethod") == 0 &&
          strcmp(ar.name, "__gc") == 0);
}

int tpi_state_collects (lua_State *L) {
  const tpi_State *S = lua_touserdata(L, lua_upvalueindex(TPI_UP_STATE));
  return S->sweeping || is_from_collector(L);
}

/* Finalizes what the collector will not. A State that memory did not suffice
   to set up has no table of upvalues, and nothing in it. */
static void sweep (lua_State *L, tpi_State *S) {
  if (!lua_checkstack(L, 8) ||
      lua_rawgetp(L, LUA_REGISTRYINDEX, &key) != LUA_TTABLE)
    return;
  S->sweeping = 1;
  lua_rawgeti(L, -1, TPI_UP_LATE);
  lua_pushnil(L); /* it stays as it is from here on */
  lua_rawseti(L, -3, TPI_UP_LATE);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (luaL_getmetafield(L, -2, "__gc") != LUA_TNIL) {
      lua_pushvalue(L, -3);
      if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        lua_pop(L, 1);
    }
  }
  lua_pop(L, 2);
  S->sweeping = 0;
}

/* Futures and managers of this state are gone by now, but for what finalizers
   have made: their finalizers run before the one of the State, which is older
   than all of them. */
static int close_state (lua_State *L) {
  tpi_State *S = lua_touserdata(L, 1);
  tpi_Host *host = S->host;
  unsigned tasks = 0, coroutines = 0;
  if (host == NULL)
    return 0;
  S->closing = 1;
  if (S->place == NULL)
    coroutines = tpi_loop_close(L, S);
  sweep(L, S);
  if (S->place == NULL) /* what a task began goes on without it */
    tasks = tpi_pools_leave(host);
  tpi_report_unread(L, S);
  if (S->place == NULL)
    tpi_homes_leave(host, tasks, coroutines);
  S->host = NULL;
  tpi_put(&host->closed, 1);
  tpi_future_forget_unread(host);
  tpi_host_release(host);
  tpi_map_fini(&S->seen);
  return 0;
}

static lua_State *main_thread (lua_State *L) {
  lua_State *main;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  main = lua_tothread(L, -1);
  lua_pop(L, 1);
  return main;
}

/* The userdata first, closed; then what it owns. */
static tpi_State *new_state (lua_State *L) {
  tpi_State *S = lua_newuserdatauv(L, sizeof *S, 0);
  static const tpi_State closed;
  *S = closed;
  S->handler = S->outside = LUA_NOREF;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, close_state);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  S->main = main_thread(L);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &place_key);
  S->place = S->loop = lua_touserdata(L, -1);
  lua_pop(L, 1);
  S->host = S->place != NULL ? tpi_place_host(S->place) : tpi_host_new(0);
  if (S->host == NULL)
    luaL_error(L, "not enough memory");
  if (S->place == NULL)
    tpi_homes_add(S->host);
  else
    tpi_put(&S->host->closed, 0); /* of a worker: its last Lua state was */
  return S;
}

void tpi_state_in_place (lua_State *L, struct tpi_Place *place) {
  lua_pushlightuserdata(L, place);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &place_key);
}

static const void *new_metatable (lua_State *L, const char *name) {
  luaL_newmetatable(L, name);
  return lua_topointer(L, -1);
}

void tpi_push_weak (lua_State *L, const char *mode) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

void tpi_state_refuse_copies (lua_State *L) {
  const char *path;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TNIL &&
      lua_getfield(L, LUA_REGISTRYINDEX, copy_name) == LUA_TSTRING) {
    path = lua_tostring(L, -1);
    luaL_error(L,
               "this Lua state has another copy of tidepool, from '%s', and "
               "cannot have one from '%s' as well: leave one of them out of "
               "package.cpath",
               path, tpi_pin_path(&key));
  }
  lua_settop(L, 0);
}

void tpi_state_push (lua_State *L) {
  tpi_State *S;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_createtable(L, TPI_UP_STANDARD, 0); /* upvalues */
  S = new_state(L);                       /* upvalues State */
  lua_rawseti(L, -2, TPI_UP_STATE);       /* upvalues */
  S->future_mt = new_metatable(L, "tidepool.Future");
  lua_rawseti(L, -2, TPI_UP_FUTURE);
  S->manager_mt = new_metatable(L, "tidepool.AsyncManager");
  lua_rawseti(L, -2, TPI_UP_MANAGER);
  S->error_mt = new_metatable(L, "tidepool.Error");
  lua_rawseti(L, -2, TPI_UP_ERROR);
  S->promise_mt = new_metatable(L, "tidepool.Promise");
  lua_pop(L, 1);
  lua_newtable(L);
  lua_rawseti(L, -2, TPI_UP_FUNCTIONS);
  tpi_push_weak(L, "k");
  lua_rawseti(L, -2, TPI_UP_OUTCOMES);
  lua_newtable(L);
  lua_rawseti(L, -2, TPI_UP_CODES);
  tpi_push_weak(L, "k");
  lua_rawseti(L, -2, TPI_UP_LATE);
  lua_newtable(L);
  lua_rawseti(L, -2, TPI_UP_KEPT);
  lua_newtable(L);
  S->module = lua_topointer(L, -1);
  lua_pushglobaltable(L);
  S->globals = lua_topointer(L, -1);
  lua_pop(L, 1);
  lua_rawseti(L, -2, TPI_UP_MODULE);
  lua_pushstring(L, tpi_pin_path(&key));
  lua_setfield(L, LUA_REGISTRYINDEX, copy_name);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
}

void tpi_push_upvalue (lua_State *L, int i) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
  lua_rawgeti(L, -1, i);
  lua_remove(L, -2);
}

void tpi_set_upvalue (lua_State *L, int i) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
  lua_insert(L, -2);
  lua_rawseti(L, -2, i);
  lua_pop(L, 1);
}

void tpi_setfuncs (lua_State *L, const luaL_Reg *list) {
  for (int i = 1; i <= TPI_UPVALUES; i++)
    tpi_push_upvalue(L, i);
  luaL_setfuncs(L, list, TPI_UPVALUES);
}
