/*
** lock.h: a lock for a few dozen instructions.
**
** Any thread. All zero is a free lock; there is nothing to destroy. Taking
** it spins a little, then sleeps. Never held over a callback, over Lua, or
** over anything that blocks. Functions ending in _locked expect it held.
**
** A lock knows in which process it was taken. One that a thread of the parent
** held at a fork is free in the child; what it guards may be half changed, so
** whoever has a lock in static storage either holds it over the fork
** (freezes it) or begins anew in the child (forgets it): scripts/forks.lua
** looks that every one does.
**
** A lock may be freed by whoever takes it last: unlocking touches nothing
** but the address after it has let go.
*/
#ifndef TPI_LOCK_H
#define TPI_LOCK_H

#include "core/generation.h"

typedef struct tpi_Lock {
  atomic_uint word; /* 0 free, or the generation and one of these */
} tpi_Lock;

enum { TPI_HELD_ALONE = 1, TPI_HELD_CROWDED = 2 }; /* ...somebody sleeps */

#pragma GCC visibility push(hidden)

/* The word of a lock that is held here, and alone. */
extern atomic_uint tpi_held;
/* In the child after a fork: what is held from now on is held here. */
void tpi_locks_forget (void);

void tpi_lock_slow (tpi_Lock *lock);
void tpi_unlock_slow (tpi_Lock *lock);

#pragma GCC visibility pop

static inline void tpi_lock (tpi_Lock *lock) {
  unsigned is_free = 0;
  (void)TPI_CHANCE;
  if (!atomic_compare_exchange_strong_explicit(
          &lock->word, &is_free, tpi_peek(&tpi_held), memory_order_acquire,
          memory_order_relaxed))
    tpi_lock_slow(lock);
}

static inline void tpi_unlock (tpi_Lock *lock) {
  (void)TPI_CHANCE;
  /* pairs with the acquire of whoever takes it next */
  if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) &
      TPI_HELD_CROWDED)
    tpi_unlock_slow(lock);
}

/* In the child after a fork: nobody holds it. */
static inline void tpi_lock_forget (tpi_Lock *lock) { tpi_put(&lock->word, 0); }

#endif
