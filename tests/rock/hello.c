/*
** hello.c: the smallest module that uses tidepool.h alone. tests/rock/run.sh
** builds it against an installed rock, far from this tree.
*/
#include <lua.h>

#include "tidepool.h"

static int hello_greet (tp_Context *ctx) {
  size_t len;
  const char *name = tp_tobytes(ctx, 1, &len);
  if (len == 0)
    return tp_fail(ctx, "a name of no letters");
  tp_pushstring(ctx, "hello, ");
  tp_pushbytes(ctx, name, len);
  return TP_OK;
}

static const tp_Function functions[] = {
    {"hello.greet", hello_greet, "bytes -> string, string"},
    {NULL, NULL, NULL}};

int luaopen_hello (lua_State *L);
int luaopen_hello (lua_State *L) {
  tp_register(L, tp_open(L), functions);
  lua_pushboolean(L, 1);
  return 1;
}
