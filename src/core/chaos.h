/*
** chaos.h: the thread switches that a scheduler makes once in a million.
**
** Any thread. In a build with TPI_CHAOS each atomic operation, lock and wait
** may first let others run, for a moment or for a while, and a wait may
** return for no reason; in any other build TPI_CHANCE is nothing. The choices
** come from TIDEPOOL_CHAOS_SEED, or from a seed that is printed on standard
** error. The seed repeats the choices of each thread, not their order.
*/
#ifndef TPI_CHAOS_H
#define TPI_CHAOS_H

#pragma GCC visibility push(hidden)

/* Perhaps yields or sleeps, for 0.2 ms at most; keeps errno. True once in 16
   times. */
int tpi_chaos (void);

#pragma GCC visibility pop

#ifdef TPI_CHAOS
#define TPI_CHANCE tpi_chaos()
#else
#define TPI_CHANCE 0
#endif

#endif
