/*
** stats.h: how long things took, in a few kilobytes.
**
** A histogram has one writer; any thread may read it meanwhile and sees each
** count whole. Never blocks, never allocates. Steps of an eighth of a power
** of two: what it answers is at most an eighth too high.
*/
#ifndef TPI_STATS_H
#define TPI_STATS_H

#include <stdint.h>

#include "core/atomic.h"

enum { TPI_STEPS = 8 * 62 };

typedef struct tpi_Histogram {
  atomic_uint counts[TPI_STEPS];
  atomic_ullong longest;
} tpi_Histogram;

/* Seconds. */
typedef struct tpi_Quantiles {
  double p50, p90, p99, max;
} tpi_Quantiles;

#pragma GCC visibility push(hidden)

void tpi_histogram_add (tpi_Histogram *h, uint64_t nanoseconds);
/* Adds what `from` holds. */
void tpi_histogram_merge (tpi_Histogram *h, tpi_Histogram *from);
tpi_Quantiles tpi_histogram_read (tpi_Histogram *h);

#pragma GCC visibility pop
#endif
