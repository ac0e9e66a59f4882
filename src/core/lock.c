#include "core/lock.h"

#include "core/clock.h"
#include "core/word.h"

enum { SPINS = 100 };

void tpi_lock_slow (tpi_Lock *lock) {
  for (int i = 0; i < SPINS; i++) {
    unsigned is_free = 0;
    if (tpi_peek(&lock->word) == 0 &&
        atomic_compare_exchange_weak_explicit(&lock->word, &is_free, 1,
                                              memory_order_acquire,
                                              memory_order_relaxed))
      return;
    tpi_relax();
  }
  /* From here on we do not know who else sleeps, so we hold it as 2. */
  while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
    tpi_word_wait(&lock->word, 2, TPI_NEVER);
}

void tpi_unlock_slow (tpi_Lock *lock) { tpi_word_wake(&lock->word, 0); }
