#define _POSIX_C_SOURCE 200809L
#include "core/clock.h"

#include <time.h>

static uint64_t read_clock (clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * TPI_SECOND + (uint64_t)t.tv_nsec;
}

uint64_t tpi_now (void) { return read_clock(CLOCK_MONOTONIC); }

uint64_t tpi_processor_time (void) {
  return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t tpi_deadline (double seconds) {
  if (!(seconds >= 0 && seconds < 1e9))
    return TPI_NEVER;
  return tpi_now() + (uint64_t)(seconds * 1e9);
}

uint64_t tpi_until (uint64_t deadline) {
  uint64_t now = tpi_now();
  return deadline > now ? deadline - now : 0;
}
