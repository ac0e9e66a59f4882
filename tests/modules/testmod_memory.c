/*
** testmod_memory.c: how much memory of C the process has in use.
**
** Lua: allocated(), the bytes that malloc has given out and not got back, in all
** threads together; nil where the C library does not tell. What each thread
** keeps for itself, to give out again, counts as given out: it is bounded.
*/
#include "testmod.h"

#include <stdlib.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

static int l_allocated (lua_State *L) {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
  struct mallinfo2 info = mallinfo2();
  lua_pushinteger(L, (lua_Integer)(info.uordblks + info.hblkhd));
#else
  lua_pushnil(L);
#endif
  return 1;
}

const luaL_Reg tt_memory_lua[] = {{"allocated", l_allocated}, {NULL, NULL}};
