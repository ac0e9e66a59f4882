#include "core/promise.h"

#include <stddef.h>
#include <string.h>

#include "core/copy.h"
#include "core/follow.h"
#include "core/memory.h"
#include "core/waits.h"

static void tell (tpi_Waiter *w, tpi_Waiter **more);

static tp_Promise *promise_of (tpi_Future *future) {
  return (tp_Promise *)(void *)future;
}

/* ---------------------------------------------------------------- */
/* The class                                                         */
/* ---------------------------------------------------------------- */

static tpi_Future *next (tpi_Future *future, void **at) {
  tpi_Future *follows = tpi_see(&promise_of(future)->follows);
  if (*at != NULL)
    return NULL;
  *at = follows;
  return follows;
}

static void let_go (tpi_Block *link, tpi_List *list) {
  tp_Promise *promise =
      (tp_Promise *)(void *)((char *)link - offsetof(tp_Promise, link));
  tpi_future_let_go(tpi_peek(&promise->follows), list);
}

static void leave (tp_Promise *promise, tpi_Future *follows) {
  if (tpi_future_leave(follows, &promise->waiter))
    tpi_future_release(&promise->future);
}

/* What it followed belongs to who takes it out of there: the one that tells, or
   that ends the promise before. */
static tpi_Future *take_followed (tp_Promise *promise) {
  tpi_Future *follows = tpi_swap(&promise->follows, NULL);
  if (follows != NULL)
    tpi_waits_leave();
  return follows;
}

/* What it followed goes first, for the promise itself is one of the blocks. */
static void destroy (tpi_Future *future, tpi_List *heir) {
  tp_Promise *promise = promise_of(future);
  tpi_future_fini(future, heir, tpi_future_free);
  if (tpi_peek(&promise->follows) == NULL)
    return;
  promise->link.next = NULL;
  promise->link.release = let_go;
  promise->link.size = 0;
  tpi_list_bequeath(heir, &promise->link);
}

/* It was cancelled, or failed, while it followed another one, and waits for that
   no longer. One that is about to join looks itself (tpi_promise_follow). */
static void withdraw (tpi_Future *future, tpi_Phase was) {
  tp_Promise *promise = promise_of(future);
  tpi_Future *follows = take_followed(promise);
  (void)was;
  if (follows != NULL)
    leave(promise, follows);
  tpi_future_release(follows);
}

static const tpi_Class promised = {
    .withdraw = withdraw, .next = next, .destroy = destroy};

/* ---------------------------------------------------------------- */
/* Owning                                                            */
/* ---------------------------------------------------------------- */

tp_Promise *tpi_promise_new (tpi_Host *home) {
  tp_Promise *promise = tpi_alloc(sizeof *promise);
  if (promise == NULL)
    return NULL;
  tpi_future_init(&promise->future, &promised, home, NULL, 0);
  promise->future.id = tpi_future_ids(1);
  tpi_future_retain(&promise->future); /* the writers' */
  tpi_poke(&promise->writers, 1);
  tpi_poke(&promise->follows, NULL);
  tpi_waiter_init(&promise->waiter, tell);
  return promise;
}

void tpi_promise_retain (void *promise) {
  tpi_ref(&((tp_Promise *)promise)->writers);
}

/* One that follows was decided by its last writer. */
void tpi_promise_release (tp_Promise *promise) {
  if (promise == NULL || !tpi_unref(&promise->writers))
    return;
  if (tpi_future_state(&promise->future) == TPI_PENDING) {
    tpi_promise_fail(promise, TPI_KIND_BROKEN,
                     "the promise was dropped unresolved");
    tpi_future_read(&promise->future); /* news for who waits, and no other */
  }
  tpi_future_release(&promise->future);
}

/* ---------------------------------------------------------------- */
/* Settling                                                          */
/* ---------------------------------------------------------------- */

/* A claimed one. Results that came too late go at once. */
static int settle (tp_Promise *promise, tpi_List *results, tpi_Phase state,
                   tpi_Waiter **more) {
  tpi_Future *f = &promise->future;
  int won;
  f->results = *results;
  tpi_list_init(results, NULL, 0);
  if (f->home != NULL)
    tpi_count(&f->home->owed, tpi_list_weight(&f->results));
  won = tpi_future_settle(f, state, more);
  if (!won)
    tpi_list_fini(&f->results);
  return won;
}

/* Who claims it writes the results, so that two resolvers never meet. */
static int decide (tp_Promise *promise, tpi_List *results, tpi_Phase state) {
  if (tpi_future_claim(&promise->future))
    return settle(promise, results, state, NULL);
  tpi_list_fini(results);
  return 0;
}

int tpi_promise_resolve (tp_Promise *promise, tpi_List *values) {
  return decide(promise, values, TPI_COMPLETED);
}

int tpi_promise_reject (tp_Promise *promise, tpi_List *failure) {
  return decide(promise, failure, TPI_FAILED);
}

int tpi_promise_fail (tp_Promise *promise, tpi_Kind kind, const char *message) {
  return tpi_future_end_copy(&promise->future, TPI_FAILED, kind, message,
                             "out of memory", NULL) >= 0;
}

/* ---------------------------------------------------------------- */
/* Following                                                         */
/* ---------------------------------------------------------------- */

/* The input has settled; or the one that it ended because of. */
static void copy_end (tp_Promise *promise, tpi_Future *input,
                      tpi_Waiter **more) {
  tpi_Phase state = tpi_future_state(input);
  const char *why = tpi_future_message(input, NULL);
  tpi_List results;
  if (state == TPI_CANCELLED || input->reason != NULL) {
    tpi_future_end_copy(&promise->future, state, (tpi_Kind)input->kind,
                        why != NULL ? why : "cancelled", "out of memory", more);
    return;
  }
  tpi_list_init(&results, NULL, 0);
  if (tpi_list_copy_first(&results, &input->results, input->results.count) ==
      TP_OK) {
    settle(promise, &results, state, more);
    return;
  }
  tpi_list_fini(&results);
  tpi_promise_fail(promise, TPI_ERROR, "out of memory");
}

static void tell (tpi_Waiter *w, tpi_Waiter **more) {
  tp_Promise *promise =
      (tp_Promise *)(void *)((char *)w - offsetof(tp_Promise, waiter));
  tpi_Future *input = take_followed(promise);
  if (input != NULL) {      /* else the promise is over */
    tpi_future_read(input); /* the promise hands it on */
    copy_end(promise, tpi_future_cause(input), more);
    tpi_future_release(input);
  }
  tpi_future_release(&promise->future);
}

int tpi_promise_follow (tp_Promise *promise, tpi_Future *future, char *ring,
                        size_t size) {
  tpi_Future *own = &promise->future;
  int rc;
  if (tpi_future_settled(own))
    return TP_CANCELLED;
  rc = tpi_future_adopts(own, future, &promise->follows, ring, size);
  if (rc != TP_OK)
    return rc;
  tpi_future_retain(own); /* until it has heard */
  if (!tpi_future_join(future, &promise->waiter))
    tpi_waiter_tell(&promise->waiter);
  else if (tpi_future_settled(own)) /* it was cancelled meanwhile */
    leave(promise, future);
  return TP_OK;
}
