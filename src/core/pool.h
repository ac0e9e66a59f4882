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
** noted in an Effects and done by tpi_pool_unlock. It is held for a few dozen
** instructions, however long the queue is and however many tasks are parked, but
** for these:
** - once for each task: submitting many at once, cancelling all that a pool or a
**   Lua state has queued, turning away what stands at the door as it closes;
** - for each worker, and each task on its stack: a look at what is left for who
**   waits for all, stats (which add up histograms of some 500 steps), a worker
**   that leaves, or blocks where it cannot yield;
** - for each caller at the door, only while all workers are blocked, or tasks that
**   follow others have all the slots: a look at what those wait for (unstick);
** - for each task that may go on on a worker that is blocked: the same (untangle).
**
** Nobody counts what is unsettled, for that would take the lock once more for
** each task. Who waits for tasks to settle or to return leaves a Barrier, and
** whoever has brought a task to its end looks, if there is one, whether it
** still has to wait: at the heads of the queue and at the workers.
**
** A task holds a slot from its admission until its function returns or waits
** (what is suspended has none, and goes on without), or until it is cancelled
** before it began; queued and running tasks are at most queue + workers, but
** for those that go on. A slot is given back before the future settles, so that
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
  void *kit;        /* for kinds of tasks that want one; the pool's from then
                       on if it was made; or NULL */
  void (*drop)(void *kit);
  int profile; /* its workers let SIGPROF in */
} tpi_PoolOptions;

/* One call standing at the door; who calls keeps it while it does. */
typedef struct tpi_Admission {
  struct tpi_Admission *next, **link; /* what points here */
  tpi_Task *task;
  tpi_Waiter *waiter;
  tpi_Task *visitor; /* who calls, if that is a task; or NULL */
  int blocks;        /* it keeps a worker of the pool blocked */
  int outcome;       /* once the waiter was told: TP_OK or TP_CLOSED */
} tpi_Admission;

/* Told when nothing is left of what it waits for; owned by who does. */
typedef struct tpi_Barrier {
  struct tpi_Barrier *next;
  uint64_t before;      /* that tasks admitted before this one settle... */
  const tpi_Host *home; /* ...or, if not NULL, that those of it return... */
  int leaves;           /* ...or, if not 0, that all workers leave */
  int stands;           /* it is among those of the pool; lock */
  int told;             /* lock */
  tpi_Waiter *waiter;
  tpi_Future *future; /* what it is a part of, retained when told; or NULL */
} tpi_Barrier;

enum { TPI_TIES = 3 };

typedef struct tpi_Parked tpi_Parked;

typedef struct tpi_Tie {
  tpi_Waiter waiter;
  tpi_Parked *parked;
  tpi_Future *future; /* retained */
} tpi_Tie;

/* A task that has given its worker away (parked.h). */
struct tpi_Parked {
  tpi_Item item;    /* among those of the pool; lock */
  tpi_Parked *next; /* among those that the worker shall go on with; lock */
  tpi_Task *task;
  tpi_Worker *worker; /* or NULL, in a program: */
  tpi_Host *host;     /* borrowed */
  tpi_Told heard;
  tpi_Waiter door;
  tpi_Tie ties[TPI_TIES];
  unsigned nties;
  atomic_uint told;
  int heard_of; /* in a program: the host knows that it was told */
};

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
  unsigned depth;               /* tasks it runs on top of each other */
  unsigned blocks;              /* how many of them wait; lock */
  tpi_Parked *parks;            /* what a run left that answered TPI_PARKED */
  unsigned parked;              /* tasks that will be back here; lock */
  unsigned aside;               /* those of them that are aside; lock */
  int resumes;                  /* what it took last is one of those: claimed */
  unsigned resumed;             /* so many of them in a row; lock */
  int left;                     /* it takes no more, but cleans up */
  tpi_Parked *told, **told_end; /* those to go on with; lock */
  atomic_uint *sleeps;          /* the word it is blocked on in a task; lock */
  atomic_uint hailed;           /* how many were told */
  unsigned hails;               /* ...when it became a seeker */
  void *keeps;          /* of a kind of tasks that needs a place here, ... */
  void (*fini)(void *); /* ...and what becomes of it, on the worker, as long
                            as the pool is there */
  uint64_t (*due)(
      void *);          /* if not NULL, asked when it falls asleep: when... */
  void (*tend)(void *); /* ...to call this, on the worker, if it is still
                               asleep then; or TPI_NEVER */
  atomic_ullong completed, failed; /* it writes, any may read */
  tpi_Histogram waits, takes;
};

/* What every call needs stands together, in two lines of the cache. Seekers
   watch a line of their own, so as not to disturb those who hold the lock. */
struct tp_Manager {
  tpi_Lock lock;
  atomic_uint slots; /* taken; a hint outside the lock */
  unsigned capacity; /* slots there are */
  int closing;       /* takes no more */
  uint64_t submitted;
  tpi_Admission *door, **door_end;
  tpi_Worker *idle; /* the last to fall asleep is the first to wake */
  tpi_Worker *seekers[TPI_SEEKERS]; /* or NULLs */
  tpi_Queue queue;
  char apart[TPI_LINE];
  atomic_uint signal; /* another number after each task that came in */
  char from[TPI_LINE];
  tpi_Worker *all;
  unsigned alive, blocked; /* workers; those blocked in an await */
  unsigned leaving;        /* workers that take no more, but clean up */
  tpi_Item parked;         /* a ring: tasks that have given their worker away */
  unsigned stands[TPI_STANDS]; /* how many of those there are, by `parked` */
  tpi_Item held;    /* another: those that follow futures and were not taken */
  tpi_Item filling; /* those of them that are just being filled in */
  unsigned holding; /* those of them that are not queued yet... */
  unsigned holds[TPI_PRIORITIES]; /* ...of each priority */
  tpi_Item waiting;    /* tasks that wait, by the lock of waits.c */
  atomic_uchar drains; /* a task has waited for all of it */
  int dead;            /* being freed */
  unsigned handles;
  _Atomic(tpi_Barrier *) barriers; /* changed under the lock */
  unsigned stolen;      /* tasks out of the queue, about to be cancelled */
  atomic_uint replaced; /* Lua states of workers, for lack of memory */
  uint64_t completed, failed, cancelled; /* less what workers count */
  tpi_Histogram waits, takes;            /* of workers that have left */
  /* constant */
  unsigned workers, spin, queue_size, generation;
  int profile;
  char *name;
  void *kit; /* what its maker gave it for its tasks */
  void (*drop)(void *kit);
  /* guarded by the list of pools */
  tp_Manager *next, **link;
};

/* What to do once the lock is released. */
typedef struct tpi_Effects {
  tpi_Waiter *due;
  tpi_Worker *wake;  /* chained by next_idle */
  atomic_uint *word; /* one more that sleeps */
} tpi_Effects;

typedef struct tpi_Stats {
  unsigned workers, queued[TPI_PRIORITIES];
  unsigned running, suspended, stopping, replaced;
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
/* Cancels what is queued and tells what runs; of one home, if not NULL. How
   many tasks that settled. */
unsigned tpi_pool_cancel (tp_Manager *pool, const tpi_Host *home,
                          const char *reason);
/* Blocks until the workers have left a closed pool; as tpi_park. */
int tpi_pool_join (tp_Manager *pool, tpi_Parker *p, uint64_t deadline);
/* Blocks until all that is unsettled now has settled; as tpi_park. */
int tpi_pool_settle (tp_Manager *pool, tpi_Parker *p, uint64_t deadline);
/* Has the barrier told when it has nothing to wait for; true if it is to
   wait. It is taken away, told or not. */
int tpi_pool_bar (tp_Manager *pool, tpi_Barrier *barrier);
void tpi_pool_unbar (tp_Manager *pool, tpi_Barrier *barrier);
/* Blocks until the running tasks of a home have returned; as tpi_park. */
int tpi_pool_returned (tp_Manager *pool, const tpi_Host *home, tpi_Parker *p,
                       uint64_t deadline);
void tpi_pool_stats (tp_Manager *pool, tpi_Stats *stats);

/* --- submitting and taking (submit.c, dispatch.c, seek.c) --- */

/*
** Submits a sealed task; on TP_OK the pool has retained it. When it is full,
** blocks on `p`, or answers TP_FULL when that is NULL. TP_CLOSED, TP_BROKEN;
** TP_CANCELLED when the parker was stopped. `p` is used up.
*/
int tpi_pool_submit (tp_Manager *pool, tpi_Task *task, tpi_Parker *p);
/* The same on behalf of a running task. */
int tpi_pool_submit_for (tpi_Task *visitor, tpi_Task *task, tpi_Parker *p);
/*
** For who cannot block: TP_FULL when the task stands at the door now. Then
** the waiter is told once it came in or never will, unless it leaves before:
** true if it did, and then `late` says whether its time was over.
*/
int tpi_pool_line_up (tp_Manager *pool, tpi_Task *task,
                      tpi_Admission *admission, tpi_Waiter *waiter);
int tpi_pool_leave_line (tp_Manager *pool, tpi_Admission *admission, int late);
/* What has come in: from now on its time runs out by itself, and what it
   follows may tell. The caller retains the task. */
void tpi_pool_admitted (tpi_Task *task);

/* Submits as many as enter without blocking, or, if `whole`, all or none,
   with one wake. TP_OK, or why there will be no more; *count is how many
   entered. */
int tpi_pool_submit_many (tp_Manager *pool, tpi_Task **tasks, size_t *count,
                          int whole);
/* A held task: its arguments are about to be filled in, unless it was
   withdrawn (false); it has them, and is queued if it was not meanwhile. */
int tpi_pool_fill (tpi_Task *task);
void tpi_pool_filled (tpi_Task *task);
/* The class of every task has this as its withdraw. */
void tpi_pool_withdraw (tpi_Future *future, tpi_Phase was);
/* Was the pool made before a fork? */
int tpi_pool_broken (const tp_Manager *pool);

/* The worker: it is done with a task, or has parked it, gives back its slot
   if it held that, and takes the next task, or NULL. */
tpi_Task *tpi_pool_turn (tpi_Worker *worker, tpi_Run *run, tpi_Task *done,
                         int held, tpi_Parked *parked);
/* The worker: a task of its own, begun with by nobody else, that is to run
   (`told`), or is parked. It counts as submitted, and has no slot. */
void tpi_pool_pin (tpi_Worker *worker, tpi_Parked *parked, int told);
/* Any thread: a parked task is told. */
void tpi_pool_go_on (tp_Manager *pool, tpi_Parked *parked);
/* Another worker is about to block: those that do and have parked tasks that
   were told look whether they are wanted now. */
void tpi_pool_stir (tp_Manager *pool);
/* The worker, blocked: takes up a parked task again that was told and that
   this future, or a blocked worker, waits for, or one that is pinned to it, for
   nobody can say who waits for those; with `run`
   NULL only says which. */
tpi_Task *tpi_pool_untangle (tpi_Worker *worker, tpi_Run *run,
                             tpi_Future *future);
/* The worker: from now on it sleeps on that word, or on none (NULL); on which
   it did before. */
atomic_uint *tpi_pool_sleeps (tpi_Worker *worker, atomic_uint *word);
/* The worker: waits for a task. Blocks. NULL: leave. */
tpi_Task *tpi_pool_seek (tpi_Worker *worker, tpi_Run *run);
/* The worker: takes this very task out of the queue, having claimed it. */
void tpi_pool_take (tpi_Worker *worker, tpi_Run *run, tpi_Task *task);
/* The worker: it has run that task to its end, or parked it, on top of
   another. */
void tpi_pool_untake (tpi_Worker *worker, tpi_Run *run, tpi_Task *task,
                      int held, tpi_Parked *parked);

/* The worker: the task that it gave back has settled and is let go. */
void tpi_pool_concluded (tpi_Worker *worker);

/* It comes among the parked, leaves them, or stands otherwise there. */
void tpi_pool_stands_locked (tp_Manager *pool, tpi_Task *task, int how);

/* Does what was noted; the Effects are empty then. */
void tpi_pool_unlock (tp_Manager *pool, tpi_Effects *effects);
/* Into the queue, or among the held; the pool retains it. */
void tpi_pool_enqueue_locked (tp_Manager *pool, tpi_Task *task);
/* It is taken, or withdrawn: out of wherever it stands, if that is in the queue
   or among the held. Did it? */
int tpi_pool_dequeue_locked (tp_Manager *pool, tpi_Task *task);
/* What stands at the door leaves it. */
void tpi_pool_leave_door_locked (tp_Manager *pool, tpi_Admission *admission);
/* The one that stands at the door comes in, with the slot that there is for
   it. */
void tpi_pool_admit_locked (tp_Manager *pool, tpi_Admission *admission,
                            tpi_Effects *effects);
/* A slot is free: the first at the door gets it. */
void tpi_pool_free_slot_locked (tp_Manager *pool, tpi_Effects *effects);
void tpi_pool_seek_no_more_locked (tpi_Worker *worker);
void tpi_pool_wake_locked (tp_Manager *pool, tpi_Effects *effects);
void tpi_pool_wake_all_locked (tp_Manager *pool, tpi_Effects *effects);
void tpi_pool_look_locked (tp_Manager *pool, tpi_Effects *effects);
void tpi_pool_refuse_locked (tp_Manager *pool, tpi_Effects *effects);
/*
** Lets in, though there is no slot, those at the door without whom nobody
** might ever free one. They are few. Did any come in?
**
** - All workers are blocked: those of them that stand there, and tasks that a
**   blocked worker waits for.
** - What follows others has all the slots: tasks that it waits for.
*/
int tpi_pool_unstick (tp_Manager *pool);
int tpi_pool_unstick_locked (tp_Manager *pool, tpi_Effects *effects);
/* What is suspended takes no slot. If it did, all slots might be held by
   tasks that wait for one, or for tasks that do. */
void tpi_pool_lend_slot_locked (tpi_Worker *worker, tpi_Effects *effects);
/* The worker has left, and cleaned up. The last that it does to its pool. */
void tpi_pool_left (tp_Manager *pool);

/* --- the worker (worker.c) --- */

/* Starts one more; counted as alive before. TP_OK or TP_NOMEM. */
int tpi_worker_start (tp_Manager *pool);
/*
** The worker, in a task that cannot yield: waits until a future has settled
** (TP_OK), the task itself has (TP_CANCELLED), or the deadline (TP_TIMEOUT).
** Runs what it waits for itself if nobody has begun with it, to a depth of
** 32; past that TP_FULL. TP_INVALID if tasks would wait for each other, with
** their names in `ring`, unless `limited`: at the deadline it is given up. Blocks.
*/
int tpi_worker_await (tpi_Worker *worker, tpi_Task *task, tpi_Future *future,
                      uint64_t deadline, int limited, char *ring, size_t size);
/* The same, in a running task: submits another one, waiting for a slot. As
   tpi_pool_submit; TP_CANCELLED when `running` settles meanwhile. Blocks. */
int tpi_worker_submit (tpi_Worker *worker, tpi_Task *running, tpi_Task *task);
/* The worker: claims and runs a pending task on top of the running one.
   False when it was claimed, or the worker is in too deep. */
int tpi_worker_help (tpi_Worker *worker, tpi_Task *task);
/* The worker: runs a task that it took on top of another one. */
void tpi_worker_on_top (tpi_Worker *worker, tpi_Run *frame, tpi_Task *task);
/* The worker: it is about to block (does anyone still work?), or no longer
   does. */
int tpi_worker_block (tpi_Worker *worker);
/* Are all workers of the pool blocked? Starts a spare one first, if there may
   be one more. */
int tpi_worker_stuck (tpi_Worker *worker);
void tpi_worker_unblock (tpi_Worker *worker);

/* --- all of them (pools.c) --- */

void tpi_pools_add (tp_Manager *pool);
void tpi_pools_remove (tp_Manager *pool);

#pragma GCC visibility pop

static inline tpi_Task *tpi_task_at (tpi_Item *item) {
  return (tpi_Task *)(void *)((char *)item - offsetof(tpi_Task, item));
}

static inline const tpi_Task *tpi_task_at_const (const tpi_Item *item) {
  return (const tpi_Task *)(const void *)((const char *)item -
                                          offsetof(tpi_Task, item));
}

static inline tpi_Task *tpi_task_that_waits (tpi_Item *item) {
  return (tpi_Task *)(void *)((char *)item - offsetof(tpi_Task, waits));
}

/* Is that task, which has been admitted, one that it waits for? */
static inline int tpi_barrier_counts (const tpi_Barrier *b,
                                      const tpi_Task *task) {
  return !task->aside && (b->leaves || task->sequence < b->before);
}

static inline tpi_Parked *tpi_parked_at (tpi_Item *item) {
  return (tpi_Parked *)(void *)((char *)item - offsetof(tpi_Parked, item));
}

#endif
