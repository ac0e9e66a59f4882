/*
** testmod_nulls.c: NULL where a string, a value or an object is due.
**
** Functions for pools:
**   test.null_pushes  "-> nil..."      what is pushed for each sort of NULL
**   test.null_reads   "-> ..."         what a value that is not there reads as
**   test.null_bytes   ""               NULL for a string that has a length
**   test.null_key     ""               NULL for the name of a field
**   test.null_fail    ""               tp_fail without a format
**   test.null_await   "-> integer"     what tp_await of none answers
**   test.null_submit  "-> integer..."  what calls without a name, or a manager
**                                      answer
**   test.null_reject  "-> string"      the message of a promise rejected so
*/
#include "testmod.h"

static int pushes (tp_Context *ctx) {
  tp_pushstring(ctx, NULL);
  tp_pushvalue(ctx, NULL);
  tp_pushcopy(ctx, NULL);
  tp_pushfuture(ctx, NULL);
  tp_pushbytes(ctx, NULL, 0);
  return TP_OK;
}

static int reads (tp_Context *ctx) {
  const tp_Table *none = tp_totable(ctx, 1); /* there is no argument */
  const tp_Value *value = tp_field(none, "name");
  size_t length = 1;
  tp_pushboolean(ctx, tp_typeof(value) == TP_TNIL);
  tp_pushboolean(ctx, tp_booleanof(value));
  tp_pushinteger(ctx, tp_integerof(value));
  tp_pushnumber(ctx, tp_numberof(value));
  tp_pushstring(ctx, tp_bytesof(value, &length));
  tp_pushinteger(ctx, (int64_t)length);
  tp_pushboolean(ctx, tp_tableof(value) == NULL && tp_item(none, 1) == NULL &&
                          tp_pairkey(none, 1) == NULL &&
                          tp_pairvalue(none, 1) == NULL &&
                          tp_futureof(ctx, value) == NULL &&
                          tp_managerof(ctx, value) == NULL);
  return TP_OK;
}

static int bytes (tp_Context *ctx) {
  tp_pushbytes(ctx, NULL, 1);
  return TP_OK;
}

static int key (tp_Context *ctx) {
  tp_opentable(ctx, 0, 1);
  tp_key(ctx, NULL);
  tp_pushinteger(ctx, 1);
  tp_closetable(ctx);
  return TP_OK;
}

static int fail (tp_Context *ctx) {
  const char *format = NULL;
  return ctx->api->fail(ctx, format);
}

static int await (tp_Context *ctx) {
  return tp_pushinteger(ctx, tp_await(ctx, NULL));
}

static int submit (tp_Context *ctx) {
  const tp_Api *api = ctx->api;
  tp_pushinteger(
      ctx, tp_submit(api, tp_manager(ctx), NULL, tp_values(api), NULL, NULL));
  tp_pushinteger(ctx,
                 tp_submit(api, NULL, "test.add", tp_values(api), NULL, NULL));
  tp_manager_retain(api, NULL);
  tp_manager_release(api, NULL);
  tp_future_retain(api, NULL);
  tp_future_release(api, NULL);
  tp_promise_retain(api, NULL);
  tp_promise_release(api, NULL);
  tp_discard(api, NULL);
  return TP_OK;
}

static int reject (tp_Context *ctx) {
  const tp_Api *api = ctx->api;
  tp_Failure failure = {NULL, NULL, 0};
  tp_Future *future;
  tp_Promise *promise = tp_promise(api, &future);
  if (promise == NULL)
    return tp_fail(ctx, "out of memory");
  tp_reject(api, promise, NULL);
  tp_failure(api, future, &failure);
  tp_pushstring(ctx, failure.message);
  tp_promise_release(api, promise);
  tp_future_release(api, future);
  return TP_OK;
}

const tp_Function tt_null_functions[] = {{"test.null_pushes", pushes, NULL},
                                         {"test.null_reads", reads, NULL},
                                         {"test.null_bytes", bytes, NULL},
                                         {"test.null_key", key, NULL},
                                         {"test.null_fail", fail, NULL},
                                         {"test.null_await", await, NULL},
                                         {"test.null_submit", submit, NULL},
                                         {"test.null_reject", reject, NULL},
                                         {NULL, NULL, NULL}};
