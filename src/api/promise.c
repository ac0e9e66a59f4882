#include "api/api.h"
#include "api/table.h"

static tp_Promise *api_promise (tp_Future **future) {
  tp_Promise *promise = tpi_promise_new(NULL);
  *future = promise != NULL ? (tp_Future *)(void *)&promise->future : NULL;
  return promise;
}

/* What is wrong with the values is the failure of whoever wins. */
static int resolve (tp_Promise *promise, tpi_Context *c) {
  tpi_List values;
  tpi_Outcome outcome = TPI_RETURNED;
  tpi_list_init(&values, NULL, 0);
  if (c != NULL) {
    outcome = tpi_context_fini(c, TP_OK);
    values = c->own;
    tpi_list_init(&c->own, NULL, 0);
  }
  switch (outcome) {
    case TPI_RETURNED: return tpi_promise_resolve(promise, &values);
    case TPI_RAISED: return tpi_promise_reject(promise, &values);
    default:
      tpi_list_fini(&values);
      return tpi_promise_fail(promise, TPI_ERROR, "out of memory");
  }
}

static int api_resolve (tp_Promise *promise, tp_Context *values) {
  int won = resolve(promise, tpi_context(values));
  tpi_api_discard(values);
  return won;
}

static int api_reject (tp_Promise *promise, const char *message) {
  return tpi_promise_fail(
      promise, TPI_ERROR,
      message != NULL ? message : "rejected without a message (NULL)");
}

static int api_cancelled (tp_Promise *promise) {
  return tpi_future_state(&promise->future) == TPI_CANCELLED;
}

static void api_progress (tp_Promise *promise, double fraction,
                          const char *note) {
  tpi_future_progress(&promise->future, fraction, note);
}

static void api_retain (tp_Promise *promise) {
  if (promise != NULL)
    tpi_promise_retain(promise);
}

void tpi_api_add_promises (tp_Api *api) {
  api->promise = api_promise;
  api->resolve = api_resolve;
  api->reject = api_reject;
  api->promise_cancelled = api_cancelled;
  api->promise_progress = api_progress;
  api->promise_retain = api_retain;
  api->promise_release = tpi_promise_release;
}
