#define _GNU_SOURCE
#include "core/word.h"

#include "core/chaos.h"
#include "core/clock.h"

/* The system would let us sleep for its timer slack, 50 us. */
static int is_over (uint64_t deadline) {
  return deadline != TPI_NEVER && tpi_until(deadline) == 0;
}

#if defined(__linux__) && !defined(TPI_PORTABLE)

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int tpi_word_wait (atomic_uint *word, unsigned value, uint64_t deadline) {
  struct timespec t;
  /* the BITSET form takes an absolute time on the monotonic clock */
  int op = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG;
  long rc;
  if (TPI_CHANCE)
    return 1;
  if (is_over(deadline))
    return 0;
  if (deadline != TPI_NEVER) {
    t.tv_sec = (time_t)(deadline / TPI_SECOND);
    t.tv_nsec = (long)(deadline % TPI_SECOND);
  }
  rc = syscall(SYS_futex, word, op, value, deadline == TPI_NEVER ? NULL : &t,
               NULL, FUTEX_BITSET_MATCH_ANY);
  return !(rc == -1 && errno == ETIMEDOUT);
}

void tpi_word_wake (atomic_uint *word, int all) {
  (void)TPI_CHANCE;
  syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, all ? INT_MAX : 1,
          NULL, NULL, 0);
}

void tpi_words_forget (void) {}

#else

#include <pthread.h>
#include <time.h>

enum { BUCKETS = 64 };

static struct {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
} buckets[BUCKETS];

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_buckets (void) {
  for (int i = 0; i < BUCKETS; i++) {
    pthread_mutex_init(&buckets[i].mutex, NULL);
    pthread_cond_init(&buckets[i].cond, NULL);
  }
}

static unsigned bucket_of (const void *p) {
  pthread_once(&once, make_buckets);
  return (unsigned)(((uintptr_t)p >> 4) * UINT32_C(2654435761) >> 7) % BUCKETS;
}

/* Condition variables tell the time of day where the monotonic clock cannot
   be chosen; a deadline is at most one step of that clock off. */
static struct timespec time_of_day (uint64_t deadline) {
  struct timespec t;
  uint64_t ns;
  clock_gettime(CLOCK_REALTIME, &t);
  ns = (uint64_t)t.tv_nsec + tpi_until(deadline);
  t.tv_sec += (time_t)(ns / TPI_SECOND);
  t.tv_nsec = (long)(ns % TPI_SECOND);
  return t;
}

int tpi_word_wait (atomic_uint *word, unsigned value, uint64_t deadline) {
  unsigned b = bucket_of(word);
  int rc = 0;
  if (TPI_CHANCE)
    return 1;
  if (is_over(deadline))
    return 0;
  pthread_mutex_lock(&buckets[b].mutex);
  if (atomic_load(word) == value) {
    if (deadline == TPI_NEVER) {
      pthread_cond_wait(&buckets[b].cond, &buckets[b].mutex);
    } else {
      struct timespec t = time_of_day(deadline);
      rc = pthread_cond_timedwait(&buckets[b].cond, &buckets[b].mutex, &t);
    }
  }
  pthread_mutex_unlock(&buckets[b].mutex);
  return rc == 0 || tpi_until(deadline) > 0;
}

void tpi_word_wake (atomic_uint *word, int all) {
  unsigned b = bucket_of(word);
  (void)TPI_CHANCE;
  (void)all; /* others share the bucket: only waking all finds the right one */
  pthread_mutex_lock(&buckets[b].mutex);
  pthread_cond_broadcast(&buckets[b].cond);
  pthread_mutex_unlock(&buckets[b].mutex);
}

/* A thread that stayed with the parent may have held any of them. */
void tpi_words_forget (void) { make_buckets(); }

#endif
