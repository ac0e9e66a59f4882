/*
** pulse.h: telling a thread that runs Lua to look up.
**
** A worker that runs Lua has a Pulse. Beating it, from any thread, sends a
** signal (SIGURG) to that thread, whose handler sets a hook on the coroutine
** that the worker has published. That is a hint and no more: it may come
** late, or for a task that is over; the hook finds out what is to be done.
** Pulses are recycled but never freed, so a late beat does no harm. Those
** that were taken in another process are nobody's in the child of a fork: the
** threads are not here, but new ones may have their ids.
**
** The program may have a handler of its own for SIGURG. Ours is put in front
** of one that is there when the first worker runs Lua, looks whether the
** signal is one of ours, and calls the other if not. One that is set later
** must do as much: call what it replaced.
*/
#ifndef TPI_PULSE_H
#define TPI_PULSE_H

#include <lua.h>
#include <pthread.h>

#include "core/atomic.h"
#include "core/lock.h"

typedef struct tpi_Pulse {
  struct tpi_Pulse *next;       /* constant once it is in the list */
  tpi_Lock lock;                /* guards taken against beats */
  atomic_uint taken;            /* 0, or the generation and how (pulse.c) */
  pthread_t thread;             /* whose it is, which is alive */
  atomic_uint beats;            /* signals sent and not yet seen */
  _Atomic(lua_State *) current; /* the coroutine it runs, or NULL */
  atomic_uint withdrawn; /* tasks that were cancelled and whose children were
                            not, yet (family.c) */
} tpi_Pulse;

#pragma GCC visibility push(hidden)

/* A pulse for the calling thread; NULL when out of memory. The hook is the
   same for all. */
tpi_Pulse *tpi_pulse_take (lua_Hook hook);
/* The thread that took it; does nothing for NULL. */
void tpi_pulse_give_back (tpi_Pulse *pulse);
/* Any thread. */
void tpi_pulse_beat (tpi_Pulse *pulse);

#pragma GCC visibility pop
#endif
