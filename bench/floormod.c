/*
** floormod.c: the least that a future can cost in Lua, for bench/count.lua.
**
** pool:call(name, i) makes a userdata, future:await() reads it, and it has a
** finalizer, as whoever owns memory outside of Lua must. There are no threads,
** no queue and no checks: what tidepool counts above this is its own.
*/
#include <lauxlib.h>
#include <lua.h>

typedef struct Floor {
  lua_Integer result;
} Floor;

/* The metatable is the upvalue. */
static int floor_call (lua_State *L) {
  Floor *f = lua_newuserdatauv(L, sizeof *f, 0);
  f->result = lua_tointegerx(L, 3, NULL) + 1;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, -2);
  return 1;
}

static int floor_await (lua_State *L) {
  const Floor *f = lua_touserdata(L, 1);
  lua_pushinteger(L, f->result);
  return 1;
}

static int floor_collect (lua_State *L) {
  Floor *f = lua_touserdata(L, 1);
  f->result = 0;
  return 0;
}

int luaopen_floormod (lua_State *L);

/* require "floormod" gives the pool. */
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int luaopen_floormod (lua_State *L) {
  Floor *pool = lua_newuserdatauv(L, sizeof *pool, 0);
  pool->result = 0;
  lua_createtable(L, 0, 2); /* the metatable */
  lua_createtable(L, 0, 2); /* the methods */
  lua_pushvalue(L, -2);
  lua_pushcclosure(L, floor_call, 1);
  lua_setfield(L, -2, "call");
  lua_pushcfunction(L, floor_await);
  lua_setfield(L, -2, "await");
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, floor_collect);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  return 1;
}
