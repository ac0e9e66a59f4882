/*
** The table that tp_open answers, and what a running task may ask.
*/
#include <stddef.h>

#include "api/api.h"
#include "api/table.h"
#include "core/clock.h"
#include "core/functions.h"
#include "core/pools.h"

static int api_cancelled (tp_Context *ctx) {
  tpi_Context *c = tpi_context(ctx);
  return c->task != NULL && tpi_future_settled(&c->task->future);
}

/* A task is told by its own future, like everybody else. */
static int api_wait_cancelled (tp_Context *ctx, double seconds) {
  tpi_Context *c = tpi_context(ctx);
  tpi_Parker p;
  if (c->task == NULL)
    return 0;
  tpi_parker_init(&p, NULL, NULL, NULL);
  p.waiter.aside = 1;
  return tpi_future_wait(&c->task->future, &p, tpi_deadline(seconds)) ==
         TPI_RUNG;
}

static void api_progress (tp_Context *ctx, double fraction, const char *note) {
  tpi_Context *c = tpi_context(ctx);
  if (c->task != NULL)
    tpi_future_progress(&c->task->future, fraction, note);
}

static uint64_t api_id (tp_Context *ctx) {
  tpi_Context *c = tpi_context(ctx);
  return c->task != NULL ? c->task->future.id : 0;
}

static const char *api_name (tp_Context *ctx) {
  tpi_Context *c = tpi_context(ctx);
  return c->task != NULL ? c->task->future.class->name(&c->task->future) : NULL;
}

static tp_Manager *api_manager (tp_Context *ctx) {
  tpi_Context *c = tpi_context(ctx);
  return c->task != NULL ? c->task->pool : NULL;
}

static int api_register (const tp_Function *functions, const void *where,
                         char *error, size_t room) {
  int rc = tpi_functions_register(functions, where, error, room);
  /* What the module's libraries left to atexit shall run after ours. */
  if (rc == TP_OK)
    tpi_runtime_rearm();
  return rc;
}

tp_Api tpi_api = {
    .version = TP_API_VERSION,
    .size = sizeof(tp_Api),
    .do_register = api_register,
    .pushvalue = tpi_api_pushvalue,
    .pushcopy = tpi_api_pushcopy,
    .pushscalar = tpi_api_pushscalar,
    .pushbytes = tpi_api_pushbytes,
    .pushbuffer = tpi_api_pushbuffer,
    .pushfuture = tpi_api_pushfuture,
    .opentable = tpi_api_opentable,
    .key = tpi_api_key,
    .closetable = tpi_api_closetable,
    .fail = tpi_api_fail,
    .cancelled = api_cancelled,
    .wait_cancelled = api_wait_cancelled,
    .progress = api_progress,
    .userdata = tpi_api_userdata,
    .await = tpi_api_await,
    .id = api_id,
    .name = api_name,
    .manager = api_manager,
    .values = tpi_api_values,
    .discard = tpi_api_discard,
};

int tpi_api_start (char *error, size_t room) {
  tpi_runtime_start();
  if (tpi_api.submit == NULL) { /* else other threads may be using it */
    tpi_api_add_promises(&tpi_api);
    tpi_api_add_calls(&tpi_api);
  }
  return tpi_functions_register(tpi_builtin, tpi_builtin, error, room);
}
