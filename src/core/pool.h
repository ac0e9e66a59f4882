/*
** pool.h: the AsyncManager: a fixed pool of workers and its bounded queue.
**
** Any thread, but for what says "the worker". What may block says so, and
** blocks on the parker of its caller.
**
** Who owns what. Handles (the AsyncManagers of Lua states, or of C code) are
** counted; when the last one goes, the pool takes no more work, drains, and
** frees itself. A task in the pool keeps it alive until it has left; a
** settled future does not refer to its pool any more.
**
** The lock guards everything not said to be otherwise. Under it there is
** neither a system call nor a callback: what is to be told or woken is
** noted in an Effects and done by tpi_pool_unlock.
**
** Nobody counts what is unsettled, for that would take the lock once more for
** each task. Who waits for tasks to settle or to return leaves a Barrier, and
** whoever has brought a task to its end looks, if there is one, whether it
** still has to wait: at the heads of the queue and at the workers.
**
** A task holds a slot from its admission until its function has returned, or
** until it is cancelled before that; queued and running tasks are at most
** queue + workers. A slot is given back before the future settles, so that
** who awaited can submit at once. When nobody may enter, callers stand at
** the door with their task, and a free slot goes to the first of them.
**
** Sleeping workers cost nothing; waking one costs microseconds. So a few
** workers, the seekers, look for work without having any: each was woken for
** that, or has just run out, and spins a bounded while before it sleeps.
** Submitting wakes a worker only if nobody seeks; who found a task wakes the
** next one only if more is queued and nobody seeks.
*/
#ifndef TPI_POOL_H
#define TPI_POOL_H

#include <pthread.h>

#include "core/lock.h"
#include "core/stats.h"
#include "core/task.h"

enum { TPI_SEEKERS = 2 }; /* at a time, in one pool */

typedef struct tpi_PoolOptions {
  unsigned workers;
  unsigned queue;   /* how many tasks may wait for a worker */
  unsigned spin;    /* looks of an idle worker before it sleeps */
  const char *name; /* copied; or NULL */
} tpi_PoolOptions;

/* One call standing at the door; on the stack of who calls. */
typedef struct tpi_Admission {
  struct tpi_Admission *next;
  tpi_Task *task;
  tpi_Parker *parker;
  int outcome;
} tpi_Admission;

/* Told when nothing is left of what it waits for; on the stack of who
   does. */
typedef struct tpi_Barrier {
  struct tpi_Barrier *next;
  uint64_t before;      /* that tasks admitted before this one settle... */
  const tpi_Host *home; /* ...or, if not NULL, that those of it return */
  tpi_Parker *parker;
  int told;
} tpi_Barrier;

/* A task that a worker is running; more than one when it helps. */
typedef struct tpi_Run {
  struct tpi_Run *outer;
  tpi_Task *task;
} tpi_Run;

/* One thread. The worker's own, but for what the lock of the pool guards. */
struct tpi_Worker {
  tpi_Host *host;
  tp_Manager *pool;
  tpi_Worker *next;      /* of all; lock */
  pthread_t thread;      /* lock */
  tpi_Worker *next_idle; /* lock */
  tpi_Run *runs;         /* the innermost; lock */
  tpi_Run own;           /* the outermost */
  int awake;             /* not idle, nor on its way from there; lock */
  unsigned heard;        /* the signal when it became a seeker */
  /* The task that it is done with but that has not settled yet, or is not
     let go: written under the lock, cleared without. */
  atomic_uint concludes;
  uint64_t sequence;
  const tpi_Host *home;
  unsigned depth;        /* tasks it runs on top of each other */
  atomic_ullong completed, failed; /* it writes, any may read */
  tpi_Histogram waits, takes;
};

/* What every call needs stands together, in two lines of the cache. Seekers
   watch a line of their own, so as not to disturb those who hold the lock. */
struct tp_Manager {
  tpi_Lock lock;
  atomic_uint slots;    /* taken; a hint outside the lock */
  unsigned capacity;    /* slots there are */
  int closing;          /* takes no more */
  uint64_t submitted;
  tpi_Admission *door, **door_end;
  tpi_Worker *idle;     /* the last to fall asleep is the first to wake */
  tpi_Worker *seekers[TPI_SEEKERS]; /* or NULLs */
  tpi_Queue queue;
  char apart[TPI_LINE];
  atomic_uint signal;   /* another number after each task that came in */
  char from[TPI_LINE];
  tpi_Worker *all;
  unsigned alive, blocked; /* workers; those blocked in an await */
  int dead;             /* being freed */
  unsigned handles;
  _Atomic(tpi_Barrier *) barriers; /* changed under the lock */
  unsigned stolen;      /* tasks out of the queue, about to be cancelled */
  tpi_Waiter *closers;  /* told when the last worker has left */
  uint64_t completed, failed, cancelled; /* less what workers count */
  tpi_Histogram waits, takes;            /* of workers that have left */
  /* constant */
  unsigned workers, spin, queue_size, generation;
  char *name;
  /* guarded by the list of pools */
  tp_Manager *next, **link;
};

/* What to do once the lock is released. */
typedef struct tpi_Effects {
  tpi_Waiter *due;
  tpi_Worker *wake; /* chained by next_idle */
} tpi_Effects;

typedef struct tpi_Stats {
  unsigned workers, queued[TPI_PRIORITIES];
  unsigned running, suspended, stopping;
  uint64_t submitted, completed, failed, cancelled;
  tpi_Quantiles wait, run;
} tpi_Stats;

#pragma GCC visibility push(hidden)

/* --- making and closing (pool.c) --- */

/* A running pool with one handle. TP_OK, TP_NOMEM. */
int tpi_pool_new (const tpi_PoolOptions *options, tp_Manager **pool);
void tpi_pool_retain (tp_Manager *pool);
void tpi_pool_release (tp_Manager *pool);
/* Does it take work? */
int tpi_pool_open (tp_Manager *pool);
/* Takes no more work: what stands at the door fails, what is queued runs. */
void tpi_pool_close (tp_Manager *pool);
/* Cancels what is queued and tells what runs; of one home, if not NULL. */
void tpi_pool_cancel (tp_Manager *pool, const tpi_Host *home,
                      const char *reason);
/* Blocks until the workers have left a closed pool; as tpi_park. */
int tpi_pool_join (tp_Manager *pool, tpi_Parker *p, uint64_t deadline);
/* Blocks until all that is unsettled now has settled; as tpi_park. */
int tpi_pool_settle (tp_Manager *pool, tpi_Parker *p, uint64_t deadline);
/* Blocks until the running tasks of a home have returned; as tpi_park. */
int tpi_pool_returned (tp_Manager *pool, const tpi_Host *home, tpi_Parker *p,
                       uint64_t deadline);
void tpi_pool_stats (tp_Manager *pool, tpi_Stats *stats);

/* --- submitting and taking (dispatch.c) --- */

/*
** Submits a sealed task; on TP_OK the pool has retained it. When it is full,
** blocks on `p`, or answers TP_FULL when that is NULL. TP_CLOSED, TP_BROKEN;
** TP_CANCELLED when the parker was stopped. `p` is used up.
*/
int tpi_pool_submit (tp_Manager *pool, tpi_Task *task, tpi_Parker *p);
/* Submits as many as enter without blocking, or, if `whole`, all or none,
   with one wake. TP_OK, or why there will be no more; *count is how many
   entered. */
int tpi_pool_submit_many (tp_Manager *pool, tpi_Task **tasks, size_t *count,
                          int whole);
/* The class of every task has this as its withdraw. */
void tpi_pool_withdraw (tpi_Future *future, tpi_Phase was);
/* Was the pool made before a fork? */
int tpi_pool_broken (const tp_Manager *pool);
int tpi_task_orphaned (const tpi_Future *future);

/* The worker: it is done with a task, gives back its slot if it held that,
   and takes the next task, or NULL. */
tpi_Task *tpi_pool_turn (tpi_Worker *worker, tpi_Run *run, tpi_Task *done,
                         int held);
/* The worker: waits for a task. Blocks. NULL: leave. */
tpi_Task *tpi_pool_seek (tpi_Worker *worker, tpi_Run *run);
/* The worker: takes this very task out of the queue, having claimed it. */
void tpi_pool_take (tpi_Worker *worker, tpi_Run *run, tpi_Task *task);
/* The worker: it has run that task to its end, on top of another. */
void tpi_pool_untake (tpi_Worker *worker, tpi_Run *run, tpi_Task *task);

/* The worker: the task that it gave back has settled and is let go. */
void tpi_pool_concluded (tpi_Worker *worker);

void tpi_pool_unlock (tp_Manager *pool, tpi_Effects *effects);
void tpi_pool_wake_locked (tp_Manager *pool, tpi_Effects *effects);
void tpi_pool_wake_all_locked (tp_Manager *pool, tpi_Effects *effects);
void tpi_pool_look_locked (tp_Manager *pool, tpi_Effects *effects);
void tpi_pool_refuse_locked (tp_Manager *pool, tpi_Effects *effects);

/* --- the worker (worker.c) --- */

/* Starts one more; counted as alive before. TP_OK or TP_NOMEM. */
int tpi_worker_start (tp_Manager *pool);
/* The worker: claims and runs a pending task on top of the running one.
   False when it was claimed, or the worker is in too deep. */
int tpi_worker_help (tpi_Worker *worker, tpi_Task *task);
/* The worker: it is about to block, or no longer does. */
void tpi_worker_block (tpi_Worker *worker);
void tpi_worker_unblock (tpi_Worker *worker);

/* --- all of them (pools.c) --- */

void tpi_pools_add (tp_Manager *pool);
void tpi_pools_remove (tp_Manager *pool);

#pragma GCC visibility pop
#endif
