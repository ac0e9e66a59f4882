/*
** clock.h: monotonic time in nanoseconds.
**
** Any thread; never blocks. Deadlines are absolute; TPI_NEVER is none.
*/
#ifndef TPI_CLOCK_H
#define TPI_CLOCK_H

#include <stdint.h>

#define TPI_NEVER UINT64_MAX
#define TPI_SECOND UINT64_C(1000000000)

#pragma GCC visibility push(hidden)

uint64_t tpi_now (void);

/* What the calling thread has used of a processor. A system call. */
uint64_t tpi_processor_time (void);

/* The deadline `seconds` from now; negative, NaN or too far is TPI_NEVER. */
uint64_t tpi_deadline (double seconds);

/* Nanoseconds until the deadline, 0 when it has passed. */
uint64_t tpi_until (uint64_t deadline);

#pragma GCC visibility pop
#endif
