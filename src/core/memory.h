/*
** memory.h: the one way the core gets and gives back memory.
**
** Any thread; may block as malloc does. Answers NULL when there is none, and
** callers pass that on: nothing here aborts. Builds with TPI_FAILURES count
** what is alive and can fail any single allocation, so that a test can walk
** through all of them.
*/
#ifndef TPI_MEMORY_H
#define TPI_MEMORY_H

#include <stddef.h>

#pragma GCC visibility push(hidden)

void *tpi_alloc (size_t size);
void *tpi_calloc (size_t size);
/* The same memory grown or cut, or moved; NULL, and it stays, if that cannot
   be. */
void *tpi_realloc (void *p, size_t size);
void tpi_free (void *p);

/* A copy of `length` bytes and a zero, or NULL. */
char *tpi_copy (const char *bytes, size_t length);

/* Should this other resource (a thread, a descriptor) pretend to be out?
   Counted with the allocations; always false without TPI_FAILURES. */
int tpi_denied (void);

#ifdef TPI_FAILURES
/* The n-th allocation from now fails, once; 0 for none. */
void tpi_memory_fail_at (long n);
/* Has it failed since? */
long tpi_memory_failed (void);
/* Blocks alive. */
long tpi_memory_live (void);
#endif

#pragma GCC visibility pop
#endif
