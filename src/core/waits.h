/*
** waits.h: who waits for whom, and whether that can ever end.
**
** Any thread. What a future waits for is said by its class (`next`), or noted
** here, for a task that awaits. Before a task notes what it awaits, and a
** promise what it follows, what lies ahead is looked at: if all ways from
** there come back to where the look began, the wait could not end by itself.
** Then nothing is noted, and who would have waited gets an error.
**
** Most futures wait for all that they name, so one that cannot settle holds
** them up; some (`any` in the class) for the first, so that all must be stuck.
** A wait with a time limit ends by itself, and is no part of any ring. Members
** that are yet to come into a group are not counted on.
**
** One lock guards all that is noted, and a look is made under it. Who is not
** known to be waited for makes none. A look goes to each future ahead at most
** once, and once more for each group that turns out not to be stuck after
** something behind it was taken to be. It allocates nothing: the trail of a
** look is in the futures. Under the lock of a pool this lock may be taken, and
** under this one that of a group, or the bit of a future.
*/
#ifndef TPI_WAITS_H
#define TPI_WAITS_H

#include "core/pool.h"

enum {
  TPI_YIELDS = 1, /* it gives its thread away meanwhile */
  TPI_LIMITED = 2 /* and has a time limit */
};

/* On the stack of a worker, or of a loop: another task runs on top of one that
   awaits something else, and holds it up. */
typedef struct tpi_Cover {
  struct tpi_Cover *next;
  tpi_Task *task;
  tpi_Future *by;
} tpi_Cover;

#pragma GCC visibility push(hidden)

/*
** Notes what a task awaits; `how` is some of the above. TP_INVALID, and
** nothing is noted, if that closes a ring, which is then described in `ring`;
** TP_FULL if the task cannot yield and would wait for one that it runs on top
** of. A task awaits one future at a time, which it retains until it awaits no
** more.
*/
int tpi_task_await (tpi_Task *task, tpi_Future *awaited, int how, char *ring,
                    size_t size);
/* The same for a task that is new, so that nobody waits for it. */
void tpi_task_await_first (tpi_Task *task, tpi_Future *awaited);
void tpi_task_awaits_no_more (tpi_Task *task);

/* A task in its pool that waits for what its class says, and no more. */
void tpi_task_waits (tpi_Task *task);
void tpi_task_waits_no_more (tpi_Task *task);

void tpi_task_cover (tpi_Cover *cover, tpi_Task *task, tpi_Future *by);
void tpi_task_uncover (tpi_Cover *cover);

/* Claims a future that is to settle as another one does, which is retained and
   noted in *at, where its class finds it. TP_OK; TP_CANCELLED when it was
   claimed before; TP_INVALID for a ring, as above. */
int tpi_future_adopts (tpi_Future *future, tpi_Future *other,
                       _Atomic(tpi_Future *) *at, char *ring, size_t size);

/* Does the future wait for the other one, by way of others or not? If `held_up`,
   also counts what only runs on top of a task. */
int tpi_future_hangs_on (tpi_Future *future, tpi_Future *other, int held_up);
/* A task of that pool that it hangs on, or itself, that nobody has begun with
   and that waits for nothing; retained; or NULL. */
tpi_Future *tpi_future_unbegun (tpi_Future *future, const tp_Manager *pool);

/* For what was in the way of a future, guarded by a lock of its own, and was
   taken out: when this returns no look knows of it. */
void tpi_waits_leave (void);
/* In the child after a fork: nobody waits for anybody. */
void tpi_waits_forget (void);

#pragma GCC visibility pop
#endif
