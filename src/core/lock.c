#include "core/lock.h"

#include "core/clock.h"
#include "core/word.h"

enum { SPINS = 100 };

atomic_uint tpi_held = TPI_HELD_ALONE;

void tpi_locks_forget (void) {
  tpi_put(&tpi_held, tpi_generation() | TPI_HELD_ALONE);
}

/* Who holds it in another process will never let go of it here. */
static int is_free (unsigned word) { return word == 0 || tpi_foreign(word); }

void tpi_lock_slow (tpi_Lock *lock) {
  unsigned alone = tpi_peek(&tpi_held);
  unsigned crowded = tpi_generation() | TPI_HELD_CROWDED;
  for (int i = 0; i < SPINS; i++) {
    unsigned word = tpi_peek(&lock->word);
    if (is_free(word) && atomic_compare_exchange_weak_explicit(
                             &lock->word, &word, alone, memory_order_acquire,
                             memory_order_relaxed))
      return;
    tpi_relax();
  }
  /* From here on we do not know who else sleeps, so we hold it as crowded. */
  while (!is_free(
      atomic_exchange_explicit(&lock->word, crowded, memory_order_acquire)))
    tpi_word_wait(&lock->word, crowded, TPI_NEVER);
}

void tpi_unlock_slow (tpi_Lock *lock) { tpi_word_wake(&lock->word, 0); }
