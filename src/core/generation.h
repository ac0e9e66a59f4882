/*
** generation.h: how many forks led to this process.
**
** Any thread. Nothing here blocks. What was made, or is held, under another
** number belongs to a parent: its threads are not here, so nobody will let go
** of it, settle it, or tell of it. The number stands in the upper bits of a
** word; below it there is room for flags (TPI_FLAGS). It changes only in the
** child of a fork, while that has a single thread.
*/
#ifndef TPI_GENERATION_H
#define TPI_GENERATION_H

#include "core/atomic.h"

enum { TPI_FLAGS = 255 };

#pragma GCC visibility push(hidden)

extern atomic_uint tpi_forks; /* TPI_FLAGS + 1 for each */

/* In the child after a fork. */
void tpi_generation_next (void);

#pragma GCC visibility pop

static inline unsigned tpi_generation (void) { return tpi_peek(&tpi_forks); }

/* Was this word written in another process? */
static inline int tpi_foreign (unsigned word) {
  return (word ^ tpi_generation()) > TPI_FLAGS;
}

#endif
