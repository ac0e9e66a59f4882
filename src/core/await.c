/*
** Waiting in the middle of a task that cannot yield, for a future or at the
** door of a pool: a C function, or Lua below one.
*/
#include <stddef.h>

#include "core/clock.h"
#include "core/parked.h"
#include "core/waits.h"
#include "core/word.h"

enum { MOST_DEPTH = 64 }; /* twice what may help: these cannot go elsewhere */
static const double LOOK = 0.05; /* seconds */

/* Told by either of two futures. The two flags are the last that a teller
   touches, so that we know when this may leave the stack. */
typedef struct Either {
  tpi_Waiter awaited, own;
  atomic_uint word;
  atomic_uint awaited_done, own_done;
} Either;

static void ring (atomic_uint *word, atomic_uint *done) {
  if (tpi_swap(word, TPI_WOKEN) == TPI_ARMED)
    tpi_word_wake(word, 0);
  tpi_put(done, 1);
}

static void tell_awaited (tpi_Waiter *w, tpi_Waiter **more) {
  Either *e = (Either *)(void *)((char *)w - offsetof(Either, awaited));
  ring(&e->word, &e->awaited_done);
  (void)more;
}

static void tell_own (tpi_Waiter *w, tpi_Waiter **more) {
  Either *e = (Either *)(void *)((char *)w - offsetof(Either, own));
  ring(&e->word, &e->own_done);
  (void)more;
}

/* Who was about to tell may have stayed with the parent. */
static void leave (tpi_Future *future, tpi_Waiter *waiter, atomic_uint *done) {
  if (tpi_future_leave(future, waiter) || tpi_future_foreign(future))
    return;
  while (!tpi_see(done))
    tpi_relax();
}

/* Goes on with a parked task of this worker that the future, or a blocked
   worker, waits for, or with a coroutine that one of them spawned: nobody else
   can. One at a time, for some go on again and again. What runs on top of our
   task holds it up until it returns or parks, so it must not wait for it. False
   when it would come too deep on the stack. */
static int untangle (tpi_Worker *worker, tpi_Task *task, tpi_Future *future,
                     int *helped) {
  tpi_Run frame = {NULL, NULL};
  tpi_Task *other;
  tpi_Cover cover;
  if (worker->depth >= MOST_DEPTH)
    return tpi_pool_untangle(worker, NULL, future) == NULL;
  other = tpi_pool_untangle(worker, &frame, future);
  if (other == NULL)
    return 1;
  *helped = 1;
  tpi_future_retain(&other->future);
  tpi_task_cover(&cover, task, &other->future);
  tpi_worker_on_top(worker, &frame, other);
  tpi_task_uncover(&cover);
  tpi_future_release(&other->future);
  return 1;
}

/* What the future hangs on in the end may stand in the queue, with all other
   workers blocked too. Runs that; false when it would come too deep. */
static int help_leaf (tpi_Worker *worker, tpi_Future *future, int *helped) {
  tpi_Future *leaf = tpi_future_unbegun(future, worker->pool);
  int stuck;
  if (leaf == NULL)
    return 1;
  *helped = leaf->class->help(leaf, worker);
  stuck = !*helped && tpi_worker_stuck(worker) &&
          tpi_future_state(leaf) == TPI_PENDING;
  tpi_future_release(leaf);
  return !stuck;
}

/* What is awaited may come to hang on something in the queue of this pool by
   way of another one, of which nobody tells us. So it looks again now and
   then, also when it is not woken. */
static uint64_t next_look (uint64_t deadline) {
  uint64_t soon = tpi_deadline(LOOK);
  return soon < deadline ? soon : deadline;
}

/* Until one of the two has settled. The word is cleared before we look, so
   that whatever comes after the look is seen by the sleep. */
static int sleep_on (tpi_Worker *worker, Either *e, tpi_Future *future,
                     tpi_Future *own, uint64_t deadline) {
  tpi_Task *task = tpi_task_of(own);
  for (;;) {
    unsigned awake = TPI_AWAKE;
    int helped = 0;
    tpi_put(&e->word, TPI_AWAKE);
    if (!untangle(worker, task, future, &helped))
      return TP_FULL;
    if (!helped && !tpi_future_settled(future) &&
        !help_leaf(worker, future, &helped))
      return TP_FULL;
    if (tpi_future_settled(future))
      return TP_OK;
    if (tpi_future_settled(own))
      return TP_CANCELLED;
    if (deadline != TPI_NEVER && tpi_until(deadline) == 0)
      return TP_TIMEOUT;
    if (helped || tpi_pool_unstick(worker->pool))
      continue;
    if (tpi_cas(&e->word, &awake, TPI_ARMED))
      tpi_word_wait(&e->word, TPI_ARMED, next_look(deadline));
  }
}

static int sleep_for_either (tpi_Worker *worker, tpi_Future *future,
                             tpi_Future *own, uint64_t deadline) {
  Either e;
  atomic_uint *below;
  int rc = TP_OK;
  tpi_waiter_init(&e.awaited, tell_awaited);
  tpi_waiter_init(&e.own, tell_own);
  e.own.aside = 1;
  tpi_poke(&e.word, TPI_AWAKE);
  tpi_poke(&e.awaited_done, 0);
  tpi_poke(&e.own_done, 0);
  if (!tpi_future_join(future, &e.awaited))
    return TP_OK;
  if (tpi_future_join(own, &e.own)) {
    below = tpi_pool_sleeps(worker, &e.word);
    tpi_pool_stir(worker->pool);
    rc = sleep_on(worker, &e, future, own, deadline);
    tpi_pool_sleeps(worker, below);
    leave(own, &e.own, &e.own_done);
  } else {
    rc = TP_CANCELLED;
  }
  leave(future, &e.awaited, &e.awaited_done);
  return rc;
}

/* If nobody can begin with what is awaited, waiting for it would be for
   ever. */
static int block (tpi_Worker *worker, tpi_Task *task, tpi_Future *future,
                  uint64_t deadline) {
  tpi_Future *own = &task->future;
  int rc = TP_FULL;
  if (tpi_future_spin(future, NULL))
    return TP_OK;
  tpi_future_suspend(own, 1);
  if (tpi_worker_block(worker) || tpi_future_state(future) != TPI_PENDING ||
      future->class->help == NULL || tpi_task_of(future)->pool != worker->pool)
    rc = sleep_for_either(worker, future, own, deadline);
  tpi_worker_unblock(worker);
  tpi_future_suspend(own, 0);
  return rc;
}

int tpi_worker_await (tpi_Worker *worker, tpi_Task *task, tpi_Future *future,
                      uint64_t deadline, int limited, char *ring_text,
                      size_t size) {
  int rc;
  if (tpi_future_settled(future))
    return TP_OK;
  rc = tpi_task_await(task, future, limited ? TPI_LIMITED : 0, ring_text, size);
  if (rc != TP_OK)
    return rc;
  if (future->class->help != NULL)
    future->class->help(future, worker);
  if (!tpi_future_settled(future))
    rc = block(worker, task, future, deadline);
  tpi_task_awaits_no_more(task);
  return rc;
}

/* ---------------------------------------------------------------- */
/* At the door                                                       */
/* ---------------------------------------------------------------- */

/* Told by the pool, or nudged by the running task's future, of which the flag
   is the last that it touches. */
typedef struct Visitor {
  tpi_Parker parker;
  tpi_Waiter own;
  atomic_uint own_done;
} Visitor;

static void nudge (tpi_Waiter *w, tpi_Waiter **more) {
  Visitor *v = (Visitor *)(void *)((char *)w - offsetof(Visitor, own));
  tpi_park_nudge(&v->parker);
  tpi_put(&v->own_done, 1);
  (void)more;
}

static int is_over (void *task) {
  return tpi_future_settled(&((tpi_Task *)task)->future);
}

/* The caller has found the pool full. At the door of another pool the worker
   is blocked in its own as well. */
int tpi_worker_submit (tpi_Worker *worker, tpi_Task *running, tpi_Task *task) {
  int elsewhere = task->pool != worker->pool, rc;
  Visitor v;
  tpi_parker_init(&v.parker, NULL, is_over, running);
  tpi_waiter_init(&v.own, nudge);
  v.own.aside = 1;
  tpi_poke(&v.own_done, 0);
  if (!tpi_future_join(&running->future, &v.own)) {
    tpi_park_left(&v.parker);
    return TP_CANCELLED;
  }
  if (elsewhere)
    tpi_worker_block(worker);
  rc = tpi_pool_submit_for(running, task, &v.parker);
  if (elsewhere)
    tpi_worker_unblock(worker);
  leave(&running->future, &v.own, &v.own_done);
  return rc;
}
