/*
** guess.h: which known name somebody may have meant.
**
** Any thread; no allocation.
*/
#ifndef TPI_GUESS_H
#define TPI_GUESS_H

#include <stddef.h>

typedef struct tpi_Guess {
  const char *name; /* what was written */
  const char *best; /* what is nearest so far, or NULL */
  size_t least;     /* letters to change; the next one has to be nearer */
} tpi_Guess;

#pragma GCC visibility push(hidden)

void tpi_guess_begin (tpi_Guess *guess, const char *name);
void tpi_guess_try (tpi_Guess *guess, const char *candidate);
/* The same for one that is known to be so near. */
void tpi_guess_near (tpi_Guess *guess, const char *candidate, size_t distance);

#pragma GCC visibility pop
#endif
