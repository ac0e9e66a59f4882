/*
** Waiting in the middle of a C task, which cannot yield.
*/
#include <stddef.h>

#include "api/api.h"
#include "core/clock.h"
#include "core/word.h"

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

static void tell_awaited (tpi_Waiter *w) {
  Either *e = (Either *)(void *)((char *)w - offsetof(Either, awaited));
  ring(&e->word, &e->awaited_done);
}

static void tell_own (tpi_Waiter *w) {
  Either *e = (Either *)(void *)((char *)w - offsetof(Either, own));
  ring(&e->word, &e->own_done);
}

static void leave (tpi_Future *future, tpi_Waiter *waiter,
                   atomic_uint *done) {
  if (tpi_future_leave(future, waiter))
    return;
  while (!tpi_see(done))
    tpi_relax();
}

static void wait_for_either (tpi_Future *awaited, tpi_Future *own) {
  Either e = {{NULL, NULL, tell_awaited}, {NULL, NULL, tell_own}, 0, 0, 0};
  unsigned awake = TPI_AWAKE;
  if (!tpi_future_join(awaited, &e.awaited))
    return;
  if (tpi_future_join(own, &e.own)) {
    tpi_cas(&e.word, &awake, TPI_ARMED);
    while (tpi_see(&e.word) == TPI_ARMED)
      tpi_word_wait(&e.word, TPI_ARMED, TPI_NEVER);
    leave(own, &e.own, &e.own_done);
  }
  leave(awaited, &e.awaited, &e.awaited_done);
}

static void block (tpi_Context *c, tpi_Future *future) {
  tpi_Future *own = &c->task->future;
  if (tpi_future_spin(future, NULL))
    return;
  tpi_future_suspend(own, 1);
  tpi_worker_block(c->worker);
  wait_for_either(future, own);
  tpi_worker_unblock(c->worker);
  tpi_future_suspend(own, 0);
}

int tpi_api_await (tp_Context *ctx, tp_Future *awaited) {
  tpi_Context *c = tpi_context(ctx);
  tpi_Future *future = tpi_future(awaited);
  if (c->task == NULL || future == &c->task->future)
    return TP_INVALID;
  if (!tpi_future_settled(future) &&
      !(future->class->help != NULL &&
        future->class->help(future, c->worker)))
    block(c, future);
  if (!tpi_future_settled(future))
    return TP_CANCELLED; /* this task, not that one */
  tpi_future_read(future);
  return tpi_future_state(future) == TPI_COMPLETED ? TP_OK : TP_FAILED;
}
