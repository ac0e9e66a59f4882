/*
** follow.h: a task that runs with the results of other futures.
**
** Some of its arguments are holes. The task enters its pool, holding a slot,
** but stands apart until all its inputs have settled; whoever settles the
** last fills the holes with copies of their results and queues it: behind those
** that were filled in before, and before all that was submitted after it. No
** worker waits for that. An input that fails, or is cancelled, ends the task in
** the same way. Once all have told, or the task is over, none of them is kept,
** but for the one that failed first, to say why.
**
** The thread that submits, until it has; then any. Nothing blocks.
*/
#ifndef TPI_FOLLOW_H
#define TPI_FOLLOW_H

#include "core/pool.h"

#pragma GCC visibility push(hidden)

/* Room for so many inputs, owned by the task. TP_OK or TP_NOMEM. */
int tpi_follow_new (tpi_Task *task, unsigned count);
/* One more: argument `at` is a hole for that future, which it retains. */
void tpi_follow_add (tpi_Task *task, tpi_Future *future, uint32_t at);

/* For the pool: the task has entered. The caller retains it. */
void tpi_follow_start (tpi_Task *task);
/* For the pool: it was withdrawn. */
void tpi_follow_stop (tpi_Task *task);
/* The class of every task has this as its next. */
tpi_Future *tpi_follow_next (tpi_Future *future, void **at);
/* For the class of the task, on destroying it. */
void tpi_follow_free (tpi_Task *task, tpi_List *heir);

#pragma GCC visibility pop

/* The future whose end this one shares; itself, if it has one of its own. */
static inline tpi_Future *tpi_future_cause (tpi_Future *future) {
  while (future->literal == TPI_CAUSED)
    future = tpi_see(&tpi_task_of(future)->follow->cause);
  return future;
}

#endif
