/*
** timer.h: deadlines of futures, kept by one thread made on need.
**
** Any thread. When a timer fires, its future fails with kind "timeout". An
** armed timer retains its future; who stops it, or fires it, lets go of that.
** The pool arms the timers of tasks that it has let in, so that one that
** fires for an unsettled task never meets a pool that is gone. The thread
** ends by itself when there has been nothing to wait for in a while.
**
** One lock guards all timers. Under it a timer moves by as many places as the
** number of timers has binary digits; when they are twice as many as ever, from
** 64 on, they are copied to more memory, and the first of a while starts the
** thread.
*/
#ifndef TPI_TIMER_H
#define TPI_TIMER_H

#include "core/future.h"

typedef struct tpi_Timer {
  tpi_Future *future; /* retained while armed */
  uint64_t deadline;
  size_t place;   /* in the heap, from 1; 0 when not armed */
  double seconds; /* for the message; negative: nobody reads that */
} tpi_Timer;

#pragma GCC visibility push(hidden)

/* One in storage of the future's own, not armed, and quiet. */
void tpi_timer_init (tpi_Timer *timer, tpi_Future *future, double seconds);
/* A timer for a future, not armed; freed with tpi_timer_free when it is not
   armed any more. NULL when out of memory. */
tpi_Timer *tpi_timer_new (tpi_Future *future, double seconds);
void tpi_timer_free (tpi_Timer *timer);

/* TP_OK, or TP_NOMEM: not armed. */
int tpi_timer_start (tpi_Timer *timer);
void tpi_timer_stop (tpi_Timer *timer);
/* When it fires, or TPI_NEVER for no timer. */
uint64_t tpi_timer_deadline (const tpi_Timer *timer);
/* Fires one that is not armed, on this thread. */
void tpi_timer_fire (tpi_Timer *timer);

/* At exit: the thread shall end now. */
void tpi_timers_stop (void);
/* In the child after a fork: there is no thread, and no timer. */
void tpi_timers_forget (void);

#pragma GCC visibility pop
#endif
