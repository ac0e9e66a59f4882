/*
** oldmod.c: a module that was compiled with the tidepool.h of 0.1.0.
**
** That header stays as it was, so this is what a binary of that time does:
**   old.describe  "table -> table"           the sum of the elements, and a field
**   old.fail      "string"                   fails with that
**   old.forward   "manager, string, any..."  calls that function and awaits it;
**                                            its result, or "kind: message"
**   old.scratch   "integer -> integer"       user data that was asked for
** Lua: layout(), promised(value), settled(future), told(): how often the
** callback of old.forward was called.
*/
#include <lua.h>

#include <lauxlib.h>
#include <stdatomic.h>
#include <string.h>

#include "../abi/tidepool-0.1.0.h"

#include "../abi/layout.h"

static const tp_Api *api;
static atomic_int calls_back;

static int describe (tp_Context *ctx) {
  const tp_Table *t = tp_totable(ctx, 1);
  const tp_Value *name = tp_field(t, "name");
  int64_t sum = 0;
  for (size_t i = 1; i <= t->length; i++)
    sum += tp_integerof(tp_item(t, i));
  tp_progress(ctx, 0.5, "half of it");
  tp_opentable(ctx, 1, 2);
  tp_pushboolean(ctx, tp_cancelled(ctx));
  tp_key(ctx, "sum");
  tp_pushinteger(ctx, sum);
  tp_key(ctx, "name");
  tp_pushvalue(ctx, name);
  return tp_closetable(ctx);
}

static int fail (tp_Context *ctx) {
  return tp_fail(ctx, "%s", tp_tobytes(ctx, 1, NULL));
}

static void told (tp_Future *future, void *userdata) {
  (void)future;
  atomic_fetch_add((atomic_int *)userdata, 1);
}

static int report (tp_Context *ctx, tp_Future *future) {
  tp_Failure failure;
  if (tp_failure(api, future, &failure))
    return tp_fail(ctx, "%s: %.*s", failure.kind, (int)failure.length,
                   failure.message);
  return tp_pushcopy(ctx, tp_result(api, future, 1));
}

static int forward (tp_Context *ctx) {
  tp_CallOptions options = {0};
  tp_Context *args = tp_values(api);
  tp_Future *future;
  int rc;
  for (int i = 3; i <= tp_argcount(ctx); i++)
    tp_pushcopy(args, tp_arg(ctx, i));
  options.timeout = 60;
  options.priority = TP_HIGH;
  options.nowait = 1;
  options.callback = told;
  options.userdata = &calls_back;
  rc = tp_submit(api, tp_managerof(ctx, tp_arg(ctx, 1)),
                 tp_tobytes(ctx, 2, NULL), args, &options, &future);
  if (rc != TP_OK)
    return tp_fail(ctx, "submit: %d", rc);
  rc = tp_await(ctx, future);
  rc = rc == TP_OK || rc == TP_FAILED ? report(ctx, future) : rc;
  tp_future_release(api, future);
  return rc;
}

static int scratch (tp_Context *ctx) {
  size_t size = (size_t)tp_tointeger(ctx, 1);
  char *p = tp_userdata(ctx, size, NULL);
  if (p == NULL)
    return TP_NOMEM;
  memset(p, 1, size);
  return tp_pushinteger(ctx, (int64_t)size);
}

static const tp_Function functions[] = {
    {"old.describe", describe, "table -> table"},
    {"old.fail", fail, "string"},
    {"old.forward", forward, "manager, string, any..."},
    {"old.scratch", scratch, "integer -> integer"},
    {NULL, NULL, NULL}};

/* integer -> a Future of it */
static int l_promised (lua_State *L) {
  tp_Promise *promise = tp_lua_promise(L, api);
  tp_Context *values = tp_values(api);
  tp_pushinteger(values, luaL_checkinteger(L, 1));
  tp_resolve(api, promise, values);
  tp_promise_release(api, promise);
  return 1;
}

static int l_settled (lua_State *L) {
  lua_pushboolean(L, tp_settled(api, tp_lua_checkfuture(L, api, 1)));
  return 1;
}

static int l_told (lua_State *L) {
  lua_pushinteger(L, atomic_load(&calls_back));
  return 1;
}

static const luaL_Reg lua[] = {{"layout", l_layout},
                               {"promised", l_promised},
                               {"settled", l_settled},
                               {"told", l_told},
                               {NULL, NULL}};

int luaopen_oldmod (lua_State *L);

int luaopen_oldmod (lua_State *L) {
  api = tp_open(L);
  tp_register(L, api, functions);
  luaL_newlib(L, lua);
  return 1;
}
