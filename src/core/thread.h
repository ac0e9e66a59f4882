/*
** thread.h: starting our threads and getting rid of them.
**
** Any thread. Our threads start with all signals blocked but those that are
** raised by, and for, the thread itself: by a fault, or by writing to a pipe
** that nobody reads. Their stack is 1 MiB or the default size, whichever is
** more. Nobody needs to join them: a thread that ends
** joins the one that ended before it, so at most one ended thread is left,
** and tpi_threads_wait takes that one.
*/
#ifndef TPI_THREAD_H
#define TPI_THREAD_H

#include <signal.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* Runs run(argument) on a new thread. TP_OK, or TP_NOMEM when the system
   has no more threads to give. */
int tpi_thread_start (void (*run)(void *), void *argument);
/* The same with SIGPROF, the clock of profilers, let in if `profile`. */
int tpi_thread_start_profiled (void (*run)(void *), void *argument,
                               int profile);

/* The signal mask of the program, as it was when the first of our threads was
   started: for the children of one. */
void tpi_thread_outer_mask (sigset_t *mask);

/* Blocks until none of our threads is alive, or the deadline: true when
   none is. Not to be called from one of them. */
int tpi_threads_wait (uint64_t deadline);

/* In the child after a fork: there are no threads. */
void tpi_threads_forget (void);

/* Processors that are online, at least 1. */
int tpi_cores (void);

#pragma GCC visibility pop
#endif
