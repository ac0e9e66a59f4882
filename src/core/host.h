/*
** host.h: whoever can be woken with finished work.
**
** A host stands for one thread of control: a worker, or the loop of a Lua
** state that the program owns. One thread owns it and drains and sleeps; any
** thread may push to its inbox, tell it news, or wake it. Only the owner
** blocks, in tpi_host_sleep. Hosts are counted: futures retain their home,
** and who is about to wake a host holds a reference while doing so.
**
** The owner sleeps on one word. Who wakes it makes a system call only when
** it is armed, that is asleep or about to be. A worker sleeps on the word
** itself; a Lua state of the program sleeps on a bell, made when it first
** has to, so that signals cannot fall between the last look and the sleep.
** When the process has no descriptor left for one, it sleeps on the word too,
** and looks for signals, and for a descriptor, some fifty times a second.
**
** Before it sleeps, an owner may look again for a while (the spin). Whether
** that pays is seen from how long its sleeps are: after one that was shorter
** than being woken takes, it spins longer, after a long one shorter.
*/
#ifndef TPI_HOST_H
#define TPI_HOST_H

#include "core/atomic.h"
#include "core/bell.h"
#include "core/waiter.h"

/* Anything that can be pushed to an inbox. */
typedef struct tpi_Node {
  struct tpi_Node *next;
} tpi_Node;

/* Many push, one takes all. */
typedef struct tpi_Inbox {
  _Atomic(tpi_Node *) head;
} tpi_Inbox;

struct tpi_Host;

/* Something of the owner's that was told; the owner hears of it when it opens
   its inbox. */
typedef struct tpi_Told {
  tpi_Node node;
  void (*hear)(struct tpi_Told *told, struct tpi_Host *host);
} tpi_Told;

typedef struct tpi_Host {
  atomic_uint refs;
  atomic_uint word;    /* TPI_AWAKE, or TPI_ARMED, TPI_WOKEN, or both: rung */
  atomic_uint news;    /* a future at home here has settled since the drain */
  atomic_uint listens; /* why news wake this host, not just its inbox */
  atomic_uint closed;  /* the owner is gone */
  atomic_size_t owed;  /* bytes settled for it, not yet told its collector */
  tpi_Inbox told;      /* what it waits for and was told: tpi_Told */
  tpi_Inbox unread;    /* failed futures that nobody looked at */
  tpi_Bell bell;
  atomic_uint bell_of;    /* 1 + the generation the bell was made in; 0: none */
  atomic_uint coroutines; /* of a program: how many wait; the owner's */
  struct tpi_Host *next_home; /* of a program; see homes.h */
  int dozes;        /* a worker: sleeps on the word, never has a bell */
  uint64_t stop_at; /* the owner's: then its sleeps are stopped, or TPI_NEVER */
  unsigned thrift;  /* the owner's: its spins are halved that often */
  int polled;       /* the owner's: news stop its parkers */
  tpi_Node *ready;  /* the owner's: what can go on, first come first... */
  tpi_Node **ready_end;
  unsigned ready_count;
} tpi_Host;

enum { TPI_AWAKE = 0, TPI_ARMED = 1, TPI_WOKEN = 2 };

/* Its descriptor is out; it sleeps until there are news; a coroutine waits for
   them. */
enum { TPI_WATCHED = 1, TPI_POLLS = 2, TPI_POLLED = 4 };

/*
** How a thread blocks until it is told: with a host, on that host's sleep;
** without one, on a word of its own. Lives on the stack of who blocks, who
** must have been told, or have left, before it returns.
*/
typedef struct tpi_Parker {
  tpi_Waiter waiter;
  tpi_Told heard;
  tpi_Host *host;          /* borrowed, or NULL */
  struct tpi_Parker *also; /* with a host: told this, it is stopped; or NULL */
  int (*stop)(void *);     /* asked after a signal, or a nudge; or NULL */
  void *argument;
  atomic_uint told;
} tpi_Parker;

#pragma GCC visibility push(hidden)

int tpi_inbox_push (tpi_Inbox *inbox, tpi_Node *node);
tpi_Node *tpi_inbox_take (tpi_Inbox *inbox); /* first come first */

/* NULL when out of memory. A worker's dozes. */
tpi_Host *tpi_host_new (int dozes);
void tpi_host_retain (tpi_Host *host);
void tpi_host_release (tpi_Host *host);

/* Any thread: a future whose home this is has settled. */
void tpi_host_news (tpi_Host *host);
/* Any thread: wake the owner. */
void tpi_host_wake (tpi_Host *host);

/* The owner: makes the bell if need be; a child of a fork needs another one,
   and so does a program that has closed it. TP_OK, or TP_NOMEM when the
   process has no descriptor left. */
int tpi_host_need_bell (tpi_Host *host);
/* The owner: is there something, but for news, that whoever watches the
   descriptor shall hear of? */
int tpi_host_has_more (tpi_Host *host);
/* The owner: were there news since the last drain? Hushes the bell. */
int tpi_host_drain (tpi_Host *host);
/* The owner: sleeps until woken, unless something is in the inbox
   or, for who waits for news, there are some. May return for no reason.
   TPI_RUNG, TPI_LATE or TPI_STOPPED; that too when it comes to `stop_at`. */
int tpi_host_sleep (tpi_Host *host, int for_news, uint64_t deadline,
                    int (*stop)(void *), void *argument);
/* The owner, a worker: about to sleep; then sleeps on the word. False if nobody
   has woken it by then; it counts as about to sleep still. */
void tpi_host_arm (tpi_Host *host);
int tpi_host_doze (tpi_Host *host, uint64_t deadline);
/* Any thread: the owner shall hear of it; from here on it may be gone. */
void tpi_host_tell (tpi_Host *host, tpi_Told *told);
/* The owner: hears of all that was told. */
void tpi_host_hear (tpi_Host *host);
/* The owner: this can go on. While anything can, no parker of the host sleeps:
   it is stopped instead (TPI_STOPPED). */
void tpi_host_ready (tpi_Host *host, tpi_Node *node);
/* The owner: the first that can go on, out of the list; or NULL. */
tpi_Node *tpi_host_next (tpi_Host *host);
/* How often to look before sleeping, given how often at most. */
unsigned tpi_host_looks (const tpi_Host *host, unsigned most);

void tpi_parker_init (tpi_Parker *p, tpi_Host *host, int (*stop)(void *),
                      void *argument);
/* Blocks until told (TPI_RUNG), late or stopped. */
int tpi_park (tpi_Parker *p, uint64_t deadline);
/* Any thread: one that blocks without a host asks its `stop` again. */
void tpi_park_nudge (tpi_Parker *p);
/* For who found the waiter gone from its list: it is told very soon. */
void tpi_park_told (tpi_Parker *p);
/* Its waiter was removed from its list and will not be told. */
void tpi_park_left (tpi_Parker *p);

#pragma GCC visibility pop
#endif
