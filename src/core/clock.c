#define _POSIX_C_SOURCE 200809L
#include "core/clock.h"

#include <time.h>

uint64_t tpi_now (void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * TPI_SECOND + (uint64_t)t.tv_nsec;
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
