#include <string.h>

#include "api/api.h"
#include "api/table.h"
#include "core/memory.h"
#include "core/thread.h"

static void destroy (tpi_Future *future, tpi_List *heir) {
  tpi_future_fini(future, heir, tpi_future_free);
}

/* Who was to resolve it stayed with the parent. */
static int orphaned (const tpi_Future *future) {
  return ((const tp_Promise *)(const void *)future)->generation !=
         tpi_see(&tpi_generation);
}

static const tpi_Class promised = {NULL, NULL, NULL, orphaned, destroy, 0};

tp_Promise *tpi_promise_new (tpi_Host *home) {
  tp_Promise *promise = tpi_alloc(sizeof *promise);
  if (promise == NULL)
    return NULL;
  tpi_future_init(&promise->future, &promised, home, NULL, 0);
  promise->future.id = tpi_future_ids(1);
  tpi_poke(&promise->writers, 1);
  promise->generation = tpi_see(&tpi_generation);
  return promise;
}

static tp_Promise *api_promise (tp_Future **future) {
  tp_Promise *promise = tpi_promise_new(NULL);
  *future = NULL;
  if (promise != NULL) {
    tpi_future_retain(&promise->future);
    *future = (tp_Future *)(void *)&promise->future;
  }
  return promise;
}

/* Who claims it writes the results, so that two resolvers never meet. */
static int api_resolve (tp_Promise *promise, tp_Context *values) {
  tpi_Future *f = &promise->future;
  tpi_Context *c = tpi_context(values);
  tpi_Outcome outcome = TPI_RETURNED;
  int won = 0;
  if (tpi_future_claim(f)) {
    if (c != NULL) {
      outcome = tpi_context_fini(c, TP_OK);
      f->results = c->own;
      tpi_list_init(&c->own, NULL, 0);
    }
    if (f->home != NULL)
      tpi_count(&f->home->owed, tpi_list_weight(&f->results));
    switch (outcome) {
      case TPI_RETURNED: won = tpi_future_complete(f); break;
      case TPI_RAISED: won = tpi_future_fail(f); break;
      default:
        won = tpi_future_end(f, TPI_FAILED, TPI_ERROR,
                             (char *)(uintptr_t) "out of memory", 1) >= 0;
    }
    if (!won)
      tpi_list_fini(&f->results);
  }
  tpi_api_discard(values);
  return won;
}

static int end (tp_Promise *promise, tpi_Kind kind, const char *message) {
  char *copy = tpi_copy(message, strlen(message));
  int literal = copy == NULL;
  if (literal)
    copy = (char *)(uintptr_t) "out of memory";
  if (tpi_future_end(&promise->future, TPI_FAILED, kind, copy, literal) >= 0)
    return 1;
  if (!literal)
    tpi_free(copy);
  return 0;
}

static int api_reject (tp_Promise *promise, const char *message) {
  return end(promise, TPI_ERROR, message);
}

static int api_cancelled (tp_Promise *promise) {
  return tpi_future_state(&promise->future) == TPI_CANCELLED;
}

static void api_progress (tp_Promise *promise, double fraction,
                          const char *note) {
  tpi_future_progress(&promise->future, fraction, note);
}

static void api_retain (tp_Promise *promise) { tpi_ref(&promise->writers); }

void tpi_api_promise_release (tp_Promise *promise) {
  if (promise == NULL || !tpi_unref(&promise->writers))
    return;
  if (!tpi_future_settled(&promise->future))
    end(promise, TPI_KIND_BROKEN, "the promise was dropped unresolved");
  tpi_future_release(&promise->future);
}

void tpi_api_add_promises (tp_Api *api) {
  api->promise = api_promise;
  api->resolve = api_resolve;
  api->reject = api_reject;
  api->promise_cancelled = api_cancelled;
  api->promise_progress = api_progress;
  api->promise_retain = api_retain;
  api->promise_release = tpi_api_promise_release;
}
