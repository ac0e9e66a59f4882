#define _GNU_SOURCE
#include "core/chaos.h"

#ifdef TPI_CHAOS

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t seed;
static _Atomic uint64_t threads;
static _Thread_local uint64_t state; /* 0 before the first choice */

static void choose_seed (void) {
  const char *text = getenv("TIDEPOOL_CHAOS_SEED");
  struct timespec t;
  if (text != NULL) {
    seed = strtoull(text, NULL, 10);
  } else {
    clock_gettime(CLOCK_REALTIME, &t);
    seed = (uint64_t)t.tv_sec ^ (uint64_t)t.tv_nsec << 20;
  }
  fprintf(stderr, "tidepool: TIDEPOOL_CHAOS_SEED=%llu\n",
          (unsigned long long)seed);
}

/* splitmix64: any state will do, and neighbours have nothing in common. */
static uint64_t next (void) {
  uint64_t x = state += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

static void let_others_run (uint64_t choice) {
  int error = errno;
  if (choice % 2048 == 0) {
    struct timespec t = {0, (long)(choice >> 32) % 200000};
    nanosleep(&t, NULL);
  } else if (choice % 32 == 0) {
    sched_yield();
  }
  errno = error;
}

int tpi_chaos (void) {
  uint64_t choice;
  if (state == 0) {
    pthread_once(&once, choose_seed);
    state = seed + (atomic_fetch_add(&threads, 1) << 32 | 1);
  }
  choice = next();
  let_others_run(choice);
  return choice >> 60 == 0;
}

#endif
