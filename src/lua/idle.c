#include "lua/idle.h"

#include "core/clock.h"
#include "lua/local.h"

enum { ASLEEP = 50 * 1000 * 1000 /* ns */, SELDOM = 20 };

uint64_t tpi_idle_due (const tpi_State *S) {
  uint64_t due;
  if (S->promises == 0 || S->collections == 0 ||
      lua_gc(S->main, LUA_GCISRUNNING) <= 0)
    return TPI_NEVER;
  due = tpi_now() + ASLEEP;
  return due > S->rested ? due : S->rested;
}

/* Finalizers that call us count as Lua that has run. */
static void collect (lua_State *L, tpi_State *S, unsigned left) {
  uint64_t start = tpi_now(), end;
  S->collections = left;
  lua_gc(L, LUA_GCCOLLECT);
  end = tpi_now();
  S->rested = end + SELDOM * (end - start);
}

void tpi_idle_collect (lua_State *L, tpi_State *S) {
  collect(L, S, S->collections - 1);
}

static uint64_t due (void *p) {
  const tpi_Place *place = p;
  return place->broken == NULL ? tpi_idle_due(place->S) : TPI_NEVER;
}

/* left -> */
static int run (lua_State *L) {
  collect(L, tpi_state(L), (unsigned)lua_tointeger(L, 1));
  return 0;
}

/* left -> */
static int spawn_run (lua_State *L) {
  static const luaL_Reg functions[] = {
      {"spawn", tpi_l_spawn}, {"run", run}, {NULL, NULL}};
  lua_createtable(L, 0, 2);
  tpi_setfuncs(L, functions);
  lua_getfield(L, 2, "spawn");
  lua_getfield(L, 2, "run");
  lua_pushvalue(L, 1);
  lua_call(L, 2, 0);
  return 0;
}

/* Without memory for a task it is done here. */
static void tend (void *p) {
  const tpi_Place *place = p;
  tpi_State *S = place->S;
  lua_State *L = place->L;
  unsigned left = S->collections - 1;
  if (!lua_checkstack(L, 3)) {
    collect(L, S, left);
    return;
  }
  lua_pushcfunction(L, spawn_run);
  lua_pushinteger(L, (lua_Integer)left);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    lua_pop(L, 1);
    collect(L, S, left);
  }
}

void tpi_idle_tend (tpi_Worker *worker) {
  worker->due = due;
  worker->tend = tend;
}
