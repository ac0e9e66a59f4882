/*
** lock.h: a lock for a few dozen instructions.
**
** Any thread. All zero is a free lock; there is nothing to destroy. Taking
** it spins a little, then sleeps. Never held over a callback, over Lua, or
** over anything that blocks. Functions ending in _locked expect it held.
**
** A lock may be freed by whoever takes it last: unlocking touches nothing
** but the address after it has let go.
*/
#ifndef TPI_LOCK_H
#define TPI_LOCK_H

#include "core/atomic.h"

typedef struct tpi_Lock {
  atomic_uint word; /* 0 free, 1 held, 2 held and somebody sleeps */
} tpi_Lock;

#pragma GCC visibility push(hidden)

void tpi_lock_slow (tpi_Lock *lock);
void tpi_unlock_slow (tpi_Lock *lock);

#pragma GCC visibility pop

static inline void tpi_lock (tpi_Lock *lock) {
  unsigned is_free = 0;
  (void)TPI_CHANCE;
  if (!atomic_compare_exchange_strong_explicit(
          &lock->word, &is_free, 1, memory_order_acquire, memory_order_relaxed))
    tpi_lock_slow(lock);
}

static inline void tpi_unlock (tpi_Lock *lock) {
  (void)TPI_CHANCE;
  /* pairs with the acquire of whoever takes it next */
  if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2)
    tpi_unlock_slow(lock);
}

#endif
