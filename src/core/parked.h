/*
** parked.h: a task that has given its worker away until it is told.
**
** The worker, but for telling, which any thread may do. A task that wants to
** wait fills in a tpi_Parked that its class keeps, ties it to what it waits
** for, and answers TPI_PARKED from its run. The worker then does other
** things; the first tie that is told puts the task into the list of those to
** go on with, which come before new ones. The task stays with its worker,
** holds no slot, and is given to run once more, by that worker only; then it
** unties itself. Where a program runs its own tasks, it is its host that is
** told, and what can go on is ready there (host.h). One tie is always to the task's own future, so that
** cancelling, or running out of time, wakes it too.
**
** A tie that is told counts itself; the first also hands the task over.
** Untying waits for those that are past leaving and have not counted
** themselves yet, which is a matter of instructions.
*/
#ifndef TPI_PARKED_H
#define TPI_PARKED_H

#include "core/pool.h"

#pragma GCC visibility push(hidden)

/* For one wait. Its `door` is a waiter for the door of a pool, where it may be
   joined before tpi_parked_ready. */
void tpi_parked_init (tpi_Parked *p, tpi_Task *task, tpi_Worker *worker);
/* The same in a program. */
void tpi_parked_init_at (tpi_Parked *p, tpi_Task *task, tpi_Host *host);
static inline tpi_Parked *tpi_parked_ready_at (tpi_Node *node) {
  return (tpi_Parked *)(void *)((char *)node -
                                offsetof(tpi_Parked, heard.node));
}
/* Told when the future settles, or at once if it has; retains it. At most
   TPI_TIES - 1. */
void tpi_parked_tie (tpi_Parked *p, tpi_Future *future);
/* The last tie: to the task itself. From here on it may be told. */
void tpi_parked_join (tpi_Parked *p);
/* It is to go on by itself: counts as one teller more. */
void tpi_parked_tell (tpi_Parked *p);
/* Leaves all; `gone`: the door was joined, and has told or is about to. */
void tpi_parked_untie (tpi_Parked *p, int gone);
/* In a program, for one that was untied before its host had heard of it: when
   this returns nobody refers to it, but the host if it was told. */
void tpi_parked_quiet (tpi_Parked *p);

#pragma GCC visibility pop
#endif
