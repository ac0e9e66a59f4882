/*
** random.h: numbers that nobody else has drawn.
**
** Any thread; never waits for randomness to be gathered. From the system; if
** it has none to give, from what differs between threads, processes and times.
*/
#ifndef TPI_RANDOM_H
#define TPI_RANDOM_H

#include <stdint.h>

#pragma GCC visibility push(hidden)

void tpi_random (uint64_t numbers[2]);

#pragma GCC visibility pop
#endif
