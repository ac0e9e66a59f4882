/*
** reading.h: taking bytes from a stream without waiting under its lock.
**
** A worker. A thread that waits for input in the C library holds the lock of
** the stream meanwhile, and whoever flushes all streams waits for that: popen,
** fork and exit in the program do. So here a stream is locked only to take
** what is there; a thread waits for its descriptor.
**
** What is read for one call stands together, as it does in the C library:
** while one worker waits for the rest of a line, no other one reads from that
** stream (a turn).
*/
#ifndef TPI_READING_H
#define TPI_READING_H

#include <stdio.h>

#include "lua/place.h"

/* Can we know what a stream has buffered? Else Lua's functions stay. */
#if defined(__GLIBC__) || defined(__APPLE__) || defined(__linux__)
#define TPI_READS 1
#else
#define TPI_READS 0
#endif

/* One call that reads; on the C stack of who reads. */
typedef struct tpi_Reading {
  struct tpi_Reading *next;
  FILE *file;
} tpi_Reading;

#pragma GCC visibility push(hidden)

/* Waits for its turn, and begins it; raises when the task is over. From here
   on nothing raises past the caller until it ends. Blocks. */
void tpi_reading_begin (lua_State *L, tpi_Reading *reading, FILE *file);
void tpi_reading_end (tpi_Reading *reading);

/* In a turn: at least one byte, and at most `most`; or 0 at the end of the
   file, or after an error (ferror). With `line` not past the end of one.
   Raises when the task is over. Blocks. */
size_t tpi_reading_take (lua_State *L, FILE *file, char *to, size_t most,
                         int line);

#pragma GCC visibility pop
#endif
