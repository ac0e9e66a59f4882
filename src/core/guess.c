#include "core/guess.h"

#include <string.h>

enum { LONGEST = 64 }; /* names longer than this are not guessed at */

/* How many letters to add, drop or change to make one of the other. */
static size_t distance (const char *a, const char *b) {
  size_t row[LONGEST + 1], n = strlen(b);
  if (n > LONGEST)
    return LONGEST;
  for (size_t j = 0; j <= n; j++)
    row[j] = j;
  for (size_t i = 1; a[i - 1] != '\0'; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= n; j++) {
      size_t best = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      if (row[j] + 1 < best)
        best = row[j] + 1;
      if (row[j - 1] + 1 < best)
        best = row[j - 1] + 1;
      row[j] = best;
    }
  }
  return row[n];
}

void tpi_guess_begin (tpi_Guess *guess, const char *name) {
  guess->name = name;
  guess->best = NULL;
  guess->least = strlen(name) / 3 + 2;
}

void tpi_guess_near (tpi_Guess *guess, const char *candidate, size_t d) {
  if (d < guess->least) {
    guess->least = d;
    guess->best = candidate;
  }
}

void tpi_guess_try (tpi_Guess *guess, const char *candidate) {
  tpi_guess_near(guess, candidate, distance(candidate, guess->name));
}
