/*
** future.h: the read end of one result; settles exactly once.
**
** Any thread. Nothing here blocks but tpi_future_wait. Counted: a future is
** freed by its last owner, through its class. It knows no pool: its class
** says how to withdraw it from wherever its task stands, how to run it on
** the spot, and how to free it.
**
** The word is the state, with a lock bit that guards the waiters and the
** outcome while it is being settled, flags, and above them the generation of
** the process that made it. It changes by one compare-and-swap a step:
**
**   pending -> running <-> suspended -> completed | failed | cancelled
**
** `pending -> running` is the claim. Who wins a step does what belongs to
** it; who loses drops what he had. The results are written by the claimer
** before it settles and are read only after the future has completed, or
** has failed with no `reason`; the reason and the kind are written under the
** lock bit by whoever settles otherwise. Settling allocates nothing.
**
** In the child of a fork what the parent left unsettled is broken: whoever
** looks at it first fails it (tpi_future_break), whatever was being done to
** it. Those who waited are not told: they stayed with the parent, or know by
** their own generation. It is never freed, for it may be half changed.
*/
#ifndef TPI_FUTURE_H
#define TPI_FUTURE_H

#include <stddef.h>

#include "core/generation.h"
#include "core/host.h"
#include "core/value.h"

typedef enum tpi_Phase {
  TPI_PENDING,
  TPI_RUNNING,
  TPI_SUSPENDED,
  TPI_COMPLETED, /* this and what follows is settled */
  TPI_FAILED,
  TPI_CANCELLED
} tpi_Phase;

enum {
  TPI_STATE = 7,    /* mask of the state in the word */
  TPI_LOCKED = 8,   /* the waiters and the outcome are being changed */
  TPI_AWAITED = 16, /* there are waiters */
  TPI_READ = 32     /* somebody has looked at the failure */
};

typedef enum tpi_Kind {
  TPI_ERROR,
  TPI_KIND_CANCELLED,
  TPI_KIND_TIMEOUT,
  TPI_KIND_CLOSED,
  TPI_KIND_BROKEN,
  TPI_KIND_TRANSFER,
  TPI_KIND_FULL
} tpi_Kind;

/* Not a literal, but that of another future (follow.h). */
enum { TPI_CAUSED = 2 };

typedef struct tpi_Future tpi_Future;
typedef struct tpi_Herald tpi_Herald;

typedef struct tpi_Class {
  /* The future was settled by somebody who had not claimed it; `was` is the
     state before. Called before the waiters are told. */
  void (*withdraw)(tpi_Future *future, tpi_Phase was);
  /* Claims and runs a pending future on this thread; false if it cannot.
     NULL if it never can. `here` is what the awaiter runs on. */
  int (*help)(tpi_Future *future, void *here);
  /* The name of what computes it, or NULL. */
  const char *(*name)(const tpi_Future *future);
  /* What it waits for by itself, one after the other, borrowed: the first if
     *at is NULL, which says for the next call where it stands; in the end
     NULL. Some may have settled. Or NULL. See waits.h. */
  tpi_Future *(*next)(tpi_Future *future, void **at);
  /* The last owner is gone: bequeaths its blocks (value.h). */
  void (*destroy)(tpi_Future *future, tpi_List *heir);
  int task; /* it is a tpi_Task */
  int any;  /* it waits for the first of those only */
} tpi_Class;

/* What a look at who waits for whom leaves behind (waits.c). */
typedef struct tpi_Trail {
  uint64_t mark;   /* which pass was here; the lowest bit: and went on freely */
  tpi_Future *via; /* where it came from */
  void *at;        /* which of those that come next it is at */
} tpi_Trail;

/* What a task said of itself; made when it first does. */
typedef struct tpi_Progress {
  double fraction;
  char note[64];
} tpi_Progress;

struct tpi_Future {
  const tpi_Class *class;
  atomic_uint word;
  atomic_uint refs;
  tpi_Host *home; /* retained; or NULL */
  union {
    tpi_Waiter *waiters; /* guarded by the lock bit; NULL once settled */
    tpi_Node unread;     /* in the inbox of its home, after its last owner */
    tpi_Future *failure; /* the next of those that nobody has read */
  } in;
  tpi_Future **link; /* what points here among those; or NULL */
  uint64_t id;
  union {
    tpi_List results; /* or the message of a failure with no reason */
    tpi_Block shell;  /* after its last owner: the last of its blocks */
  };
  char *reason;           /* owned, unless it is a literal */
  tpi_Progress *progress; /* guarded by the lock bit */
  unsigned wanted;        /* how many wait, but for who looks on; lock bit */
  unsigned patience;      /* looks an awaiter may spend before it sleeps */
  unsigned char literal;  /* the reason is not to be freed; or TPI_CAUSED */
  unsigned char kind;     /* a tpi_Kind */
  atomic_uchar lent;      /* C code may be reading the results */
  atomic_uchar sought;    /* some other future may wait for it, or has */
  tpi_Trail trail;
};

#pragma GCC visibility push(hidden)

/* n numbers that no other future of the process has; the first of them. */
uint64_t tpi_future_ids (unsigned n);

void tpi_future_init (tpi_Future *future, const tpi_Class *class,
                      tpi_Host *home, void *buffer, size_t size);
/* For destroy: frees what it owns, but for its blocks and, as the last of
   these, itself, which it bequeaths. */
void tpi_future_fini (tpi_Future *future, tpi_List *heir,
                      void (*release)(tpi_Block *shell, tpi_List *));
/* The release for one that stands first in a block of tpi_alloc. */
void tpi_future_free (tpi_Block *shell, tpi_List *list);
void tpi_future_retain (tpi_Future *future);
void tpi_future_release (tpi_Future *future);
/* The same on behalf of a list that is being freed. */
void tpi_future_let_go (void *future, tpi_List *heir);

/* pending -> running: did this call do it? */
int tpi_future_claim (tpi_Future *future);
/* running <-> suspended, by who claimed it; false if it was settled. */
int tpi_future_suspend (tpi_Future *future, int suspended);
/* By who claimed it: settles with the results it has written. */
int tpi_future_complete (tpi_Future *future);
/* By who claimed it: fails with the message it has written as result 1. */
int tpi_future_fail (tpi_Future *future);
/* Either, TPI_COMPLETED or TPI_FAILED; `more` as below. */
int tpi_future_settle (tpi_Future *future, tpi_Phase state, tpi_Waiter **more);
/*
** By anyone: settles as `state` with a kind and a reason, which is taken
** when this call settled it, unless `literal`. What it was before, or -1. Who
** waits is told; or, unless `more` is NULL, is put there (waiter.h).
*/
int tpi_future_end (tpi_Future *future, tpi_Phase state, tpi_Kind kind,
                    char *reason, int literal, tpi_Waiter **more);
/* The same with a copy of the reason; `spare`, a literal, if there is no
   memory for one. */
int tpi_future_end_copy (tpi_Future *future, tpi_Phase state, tpi_Kind kind,
                         const char *reason, const char *spare,
                         tpi_Waiter **more);
/* Cancels, with a copy of the reason (or NULL). */
int tpi_future_cancel (tpi_Future *future, const char *reason);

/* The waiter is told when it settles; false if it has, and it will not be.*/
int tpi_future_join (tpi_Future *future, tpi_Waiter *waiter);
/* False if the waiter has been told, or is about to be. */
int tpi_future_leave (tpi_Future *future, tpi_Waiter *waiter);

/* Does anybody wait for it, but for what only looks on, and except `but`, which
   is a waiter of its own, or of none; or NULL? */
int tpi_future_wanted (tpi_Future *future, const tpi_Waiter *but);

/*
** Its settling is news for this host as well as at home, until its herald is
** dismissed. TP_OK, with *herald NULL where none is needed: at home, on a worker,
** which nobody tells news, and once the future has settled; TP_NOMEM.
*/
int tpi_future_herald (tpi_Future *future, tpi_Host *host, tpi_Herald **herald);
/* By who has asked for it, once; the future is still retained. */
void tpi_herald_dismiss (tpi_Herald *herald, tpi_Future *future);

/* One of another process that was not settled there fails, here. */
tpi_Phase tpi_future_break (tpi_Future *future);
/* Has it failed by that? */
int tpi_future_orphaned (tpi_Future *future);

/* Blocks: TPI_RUNG when it has settled, TPI_LATE, or TPI_STOPPED. `p` is
   initialised and may be used for one wait. */
int tpi_future_wait (tpi_Future *future, tpi_Parker *p, uint64_t deadline);
/* Looks a while, without sleeping, whether it settles; on behalf of a host,
   or of NULL. */
int tpi_future_spin (tpi_Future *future, const tpi_Host *host);

void tpi_future_progress (tpi_Future *future, double fraction,
                          const char *note);
tpi_Progress tpi_future_told (tpi_Future *future);

/* The message of a settled failure, zero-terminated, borrowed. */
const char *tpi_future_message (tpi_Future *future, size_t *length);
/* The owner of a host: the failed futures that nobody has read, first come
   first; NULL for none. The caller owns a reference to each. */
tpi_Future *tpi_future_unread (tpi_Host *home);
tpi_Future *tpi_future_next_unread (tpi_Future *future);
/* Some failed future of a Lua state of the program that nobody has read, and
   that has owners; read by this, and retained for the caller. NULL: none. */
tpi_Future *tpi_failures_take (void);
/* In the child after a fork: those are the parent's. */
void tpi_failures_forget (void);
/* Lets them go, for a host that is closed. */
void tpi_future_forget_unread (tpi_Host *home);
/* Somebody has seen the failure. */
void tpi_future_read (tpi_Future *future);
const char *tpi_kind_name (tpi_Kind kind);
const char *tpi_phase_name (tpi_Phase state);

#pragma GCC visibility pop

static inline tpi_Phase tpi_future_state (tpi_Future *future) {
  unsigned word = tpi_see(&future->word);
  if ((word & TPI_STATE) < TPI_COMPLETED && tpi_foreign(word))
    return tpi_future_break(future);
  return (tpi_Phase)(word & TPI_STATE);
}

/* Was it made before a fork, in another process? */
static inline int tpi_future_foreign (const tpi_Future *future) {
  return tpi_foreign(tpi_peek(&future->word));
}

/* Another future is about to wait for it: said before that is seen in any way. */
static inline void tpi_future_seek (tpi_Future *future) {
  tpi_poke(&future->sought, 1);
}

static inline tpi_Future *tpi_future_of (tpi_Block *shell) {
  return (tpi_Future *)(void *)((char *)shell - offsetof(tpi_Future, shell));
}

static inline int tpi_future_settled (tpi_Future *future) {
  return tpi_future_state(future) >= TPI_COMPLETED;
}

/* The same for who has claimed it, in the process that made it. */
static inline int tpi_future_is_over (tpi_Future *future) {
  return (tpi_see(&future->word) & TPI_STATE) >= TPI_COMPLETED;
}

#endif
