/*
** task.h: a future that a pool computes.
**
** A task is made, given its arguments, and submitted; then it belongs to the
** pool as well as to whoever holds the future. The pool runs it through its
** class, so that C functions, Lua functions and whatever comes are kinds of
** task and not cases in the pool.
**
** Arguments are built in future.results, which stands empty until the task
** has run, and moved aside on submitting (tpi_task_seal), so that one buffer
** at the end of the task serves both. Whoever takes a task out of `pending`
** owns its arguments and, when it is done with them, its slot in the pool.
*/
#ifndef TPI_TASK_H
#define TPI_TASK_H

#include "core/future.h"
#include "core/queue.h"
#include "core/timer.h"

typedef struct tpi_Task tpi_Task;
typedef struct tpi_Worker tpi_Worker;
typedef struct tpi_Follow tpi_Follow;

/* How running a task ended. */
typedef enum tpi_Outcome {
  TPI_RETURNED, /* the results are in future.results */
  TPI_RAISED,   /* the message is in future.results */
  TPI_NOROOM,   /* there was no memory for either */
  TPI_PARKED    /* it waits, in worker->parks, and is to be run again */
} tpi_Outcome;

typedef struct tpi_TaskClass {
  tpi_Class future;
  /* Runs a claimed task on this worker, or goes on with it. May block. */
  tpi_Outcome (*run)(tpi_Task *task, tpi_Worker *worker);
  size_t size; /* of what begins with the tpi_Task */
  /* What it follows has filled in its arguments, in this list, which it may
     convert: TP_OK, and *why (allocated) if they will not do; TP_NOMEM. May
     be NULL. */
  int (*refuse)(const tpi_Task *task, tpi_List *args, char **why);
} tpi_TaskClass;

/* Where a task stands; guarded by the lock of its pool. */
enum {
  TPI_OUTSIDE,
  TPI_AT_DOOR,
  TPI_HELD,    /* it follows others (follow.h) */
  TPI_FILLING, /* ...which are all there */
  TPI_QUEUED,
  TPI_TAKEN,
  TPI_PINNED /* to the worker that made it: it has no slot, nor had one */
};

/* How a task stands among those that have given their worker away; likewise. */
enum {
  TPI_AWAY, /* not at all */
  TPI_NEW,  /* it is to begin */
  TPI_WAITS,
  TPI_STOPS, /* it has settled, and is to go on because of that */
  TPI_STANDS /* how many of these there are */
};

struct tpi_Task {
  tpi_Future future;
  tpi_Item item;      /* guarded by the lock of the pool */
  tp_Manager *pool;   /* not touched once settled */
  uint64_t sequence;  /* how many were admitted before; guarded likewise */
  uint64_t submitted; /* when */
  uint64_t spent;     /* running; the worker's */
  tpi_Future *awaits; /* retained, or NULL; see waits.h */
  tpi_Item waits;     /* among those of its pool that wait; likewise */
  tpi_Follow *follow; /* owned, or NULL */
  tpi_Timer *timer;   /* owned; or NULL */
  const void *code;   /* what to run: its class knows */
  tp_Value *args;
  tpi_Block *blocks; /* the memory of the arguments */
  uint32_t nargs;
  unsigned char priority; /* a tp_Priority */
  unsigned char place;    /* one of the above... */
  unsigned char parked;   /* ...and another */
  unsigned char resumed;  /* parked, or waiting for a slot itself, it gave up
                             its own; of the worker that claimed it */
  unsigned char aside;    /* pinned, and of no weight: nobody waits for it */
  unsigned char covered;  /* another one runs on top of it: see waits.h */
  unsigned char limited;  /* what it awaits, it awaits for some time only */
};

/* One of the futures that a task follows, and all of them: see follow.h. */
typedef struct tpi_Input {
  tpi_Waiter waiter;
  tpi_Follow *follow;
  tpi_Future *future; /* retained */
  uint32_t at;        /* which argument, from 0 */
} tpi_Input;

struct tpi_Follow {
  tpi_Block shell; /* while it is freed */
  tpi_Item held;   /* among those of the pool, until it is taken; lock */
  tpi_Task *task;
  _Atomic(tpi_Future *) cause; /* what failed first, retained; or NULL */
  atomic_uint left;            /* inputs that have not told, and who joins or
                                  leaves them; 0 before it has entered */
  unsigned count;
  tpi_Input inputs[];
};

#pragma GCC visibility push(hidden)

/* A task for a pool, not yet submitted, with `room` bytes for its arguments
   and first results; NULL when out of memory. What its class has added is
   all zero. Let go of it with tpi_future_release. */
tpi_Task *tpi_task_new (const tpi_TaskClass *class, const void *code,
                        tp_Manager *pool, tpi_Host *home, size_t room);
/* For the destroy of a class. */
void tpi_task_destroy (tpi_Future *future, tpi_List *heir);

/* The arguments are complete. */
void tpi_task_seal (tpi_Task *task);
/* Bytes of memory the arguments own outside the task. */
size_t tpi_task_weight (const tpi_Task *task);
/* Frees the arguments, or hands them over to results that borrow them. */
void tpi_task_drop_args (tpi_Task *task);

#pragma GCC visibility pop

static inline tpi_Task *tpi_task_of (tpi_Future *future) {
  return (tpi_Task *)(void *)future;
}

static inline tpi_Task *tpi_task_held (tpi_Item *item) {
  return ((tpi_Follow *)(void *)((char *)item - offsetof(tpi_Follow, held)))
      ->task;
}

#endif
