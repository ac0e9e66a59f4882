#include "core/functions.h"

#include <stdio.h>
#include <string.h>

#include "core/lock.h"
#include "core/memory.h"
#include "core/pin.h"

enum { LONGEST = 64 }; /* names longer than this are not guessed at */

static tpi_Lock lock;
static tpi_Function **all; /* sorted by name; guarded by lock */
static size_t count, room; /* guarded by lock */

/* Where the name stands, or should stand. */
static size_t place_locked (const char *name, int *found) {
  size_t low = 0, high = count;
  *found = 0;
  while (low < high) {
    size_t middle = (low + high) / 2;
    int order = strcmp(all[middle]->name, name);
    if (order == 0) {
      *found = 1;
      return middle;
    }
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Has the list another function of that name, further up? */
static int twice (const tp_Function *list, const tp_Function *f) {
  while (list != f && (strcmp(list->name, f->name) != 0 || list->run == f->run))
    list++;
  return list != f;
}

static int check_locked (const tp_Function *list, const tp_Function *f,
                         char *error, size_t space) {
  tpi_Signature signature;
  const char *where;
  int found;
  size_t i = place_locked(f->name, &found);
  if (f->run == NULL || f->name[0] == '\0') {
    snprintf(error, space, "function '%s' has no name or no code", f->name);
    return TP_INVALID;
  }
  if ((found && all[i]->run != f->run) || twice(list, f)) {
    snprintf(error, space,
             "the name '%s' is taken by another function; "
             "prefix it with the name of your module",
             f->name);
    return TP_TAKEN;
  }
  if (tpi_signature_parse(&signature, f->signature, &where) != TP_OK) {
    snprintf(error, space, "signature of '%s' is malformed at '%s'", f->name,
             where);
    return TP_INVALID;
  }
  return TP_OK;
}

static int grow_locked (void) {
  size_t n = room == 0 ? 32 : room * 2;
  tpi_Function **p;
  if (count < room)
    return TP_OK;
  p = tpi_alloc(n * sizeof *p);
  if (p == NULL)
    return TP_NOMEM;
  if (count > 0)
    memcpy(p, all, count * sizeof *p);
  tpi_free(all);
  all = p;
  room = n;
  return TP_OK;
}

static int add_locked (const tp_Function *f) {
  const char *where;
  int found;
  size_t i = place_locked(f->name, &found);
  tpi_Function *function;
  if (found)
    return TP_OK;
  function = tpi_alloc(sizeof *function);
  if (function == NULL || grow_locked() != TP_OK) {
    tpi_free(function);
    return TP_NOMEM;
  }
  function->name = f->name;
  function->run = f->run;
  function->text = f->signature;
  tpi_signature_parse(&function->signature, f->signature, &where);
  memmove(all + i + 1, all + i, (count - i) * sizeof *all);
  all[i] = function;
  count++;
  return TP_OK;
}

int tpi_functions_register (const tp_Function *list, const void *where,
                            char *error, size_t space) {
  int rc = TP_OK;
  tpi_pin(where);
  tpi_lock(&lock);
  for (const tp_Function *f = list; rc == TP_OK && f->name != NULL; f++)
    rc = check_locked(list, f, error, space);
  for (const tp_Function *f = list; rc == TP_OK && f->name != NULL; f++) {
    rc = add_locked(f);
    if (rc != TP_OK)
      snprintf(error, space, "out of memory registering '%s'", f->name);
  }
  tpi_unlock(&lock);
  return rc;
}

const tpi_Function *tpi_functions_find (const char *name) {
  const tpi_Function *function;
  int found;
  size_t i;
  tpi_lock(&lock);
  i = place_locked(name, &found);
  function = found ? all[i] : NULL;
  tpi_unlock(&lock);
  return function;
}

const tpi_Function *tpi_functions_at (size_t i) {
  const tpi_Function *function;
  tpi_lock(&lock);
  function = i < count ? all[i] : NULL;
  tpi_unlock(&lock);
  return function;
}

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

/* Takes the lock for each, and not for all: there may be many. */
const char *tpi_functions_guess (const char *name) {
  const tpi_Function *f;
  const char *best = NULL;
  size_t least = strlen(name) / 3 + 2; /* must be nearer than this */
  for (size_t i = 0; (f = tpi_functions_at(i)) != NULL; i++) {
    const char *dot = strchr(f->name, '.');
    size_t d = distance(f->name, name);
    if (dot != NULL && strcmp(dot + 1, name) == 0)
      d = 1; /* only the module was forgotten */
    if (d < least) {
      least = d;
      best = f->name;
    }
  }
  return best;
}

void tpi_functions_freeze (void) { tpi_lock(&lock); }
void tpi_functions_thaw (void) { tpi_unlock(&lock); }
