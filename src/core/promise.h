/*
** promise.h: a future that no task computes, and its write end.
**
** Any thread. Writers are counted apart from readers: when the last writer
** goes and nobody has settled the promise, it breaks. Whoever claims it first
** settles it; a promise that was resolved with another future is claimed, and
** settles with that one, in the same way. Nothing here blocks.
*/
#ifndef TPI_PROMISE_H
#define TPI_PROMISE_H

#include "core/future.h"

struct tp_Promise {
  tpi_Future future;
  atomic_uint writers;
  _Atomic(tpi_Future *) follows; /* retained until that has told; or NULL */
  tpi_Waiter waiter;             /* for that one to tell */
  tpi_Block link;                /* while it is freed */
};

#pragma GCC visibility push(hidden)

/* With one writer and one reader that are the caller's; NULL when out of
   memory. */
tp_Promise *tpi_promise_new (tpi_Host *home);
void tpi_promise_retain (void *promise);
/* One writer less; NULL is nothing. */
void tpi_promise_release (tp_Promise *promise);

/* These answer whether it was this call that decides. */

/* Takes the values, also when it does not. */
int tpi_promise_resolve (tp_Promise *promise, tpi_List *values);
/* Takes a message and an Error, likewise. */
int tpi_promise_reject (tp_Promise *promise, tpi_List *failure);
int tpi_promise_fail (tp_Promise *promise, tpi_Kind kind, const char *message);

/* It shall settle as that future does, which it retains. TP_OK; TP_CANCELLED
   when it is decided already; TP_INVALID when that future waits for this
   one: who waits for whom is described in `ring`. */
int tpi_promise_follow (tp_Promise *promise, tpi_Future *future, char *ring,
                        size_t size);

#pragma GCC visibility pop
#endif
