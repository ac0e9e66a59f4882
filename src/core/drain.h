/*
** drain.h: a future that settles when a pool has nothing left to wait for.
**
** Any thread. Nothing here blocks. It stands for all unsettled tasks of the
** pool, so that a task that waits for one of its own kind by way of the pool
** is told (waits.h). It keeps the pool, and is gone with who holds it, whether
** it has settled or not.
*/
#ifndef TPI_DRAIN_H
#define TPI_DRAIN_H

#include "core/pool.h"

#pragma GCC visibility push(hidden)

/* Completes once all that is unsettled now has settled; or, if `leaves`, once
   the workers of a closed pool have left. `task`: one will await it. NULL when
   out of memory. */
tpi_Future *tpi_drain_new (tp_Manager *pool, int leaves, int task);

#pragma GCC visibility pop
#endif
