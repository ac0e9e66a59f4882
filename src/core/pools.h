/*
** pools.h: all pools of the process, and what happens to them at its end.
**
** Any thread; blocks where it says so. The list of pools has a lock of its
** own, which is never taken while a pool's is held.
*/
#ifndef TPI_POOLS_H
#define TPI_POOLS_H

#include "core/pool.h"

#pragma GCC visibility push(hidden)

/* Once per load: fork handlers, the exit handler, the pin. */
void tpi_runtime_start (void);

/* Puts the exit handler before all that were registered so far. */
void tpi_runtime_rearm (void);

/* How long leaving waits for running functions, in seconds. */
double tpi_exit_grace (void);
void tpi_set_exit_grace (double seconds);

/* A pool with a name that no open pool has; TP_TAKEN otherwise. */
int tpi_pools_new (const tpi_PoolOptions *options, tp_Manager **pool);

/* An open pool by name, retained; or NULL. */
tp_Manager *tpi_pools_find (const char *name);

/* The default pool, made on first use, retained; takes the kit in any case
   (see tpi_PoolOptions). TP_OK or TP_NOMEM. */
int tpi_pools_default (void *kit, void (*drop)(void *), tp_Manager **pool);

/* A Lua state leaves: cancels what is queued for it, tells what runs, and
   blocks until that has returned, at most the exit grace. How many tasks that
   cancelled. */
unsigned tpi_pools_leave (tpi_Host *home);

#pragma GCC visibility pop
#endif
