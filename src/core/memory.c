#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

#ifdef TPI_FAILURES

#include "core/atomic.h"

static atomic_long alive;
static atomic_long countdown; /* allocations until the one that fails */
static atomic_long failed;

void tpi_memory_fail_at (long n) {
  tpi_put(&failed, 0);
  tpi_put(&countdown, n);
}

long tpi_memory_failed (void) { return tpi_see(&failed); }

long tpi_memory_live (void) { return tpi_see(&alive); }

int tpi_denied (void) {
  if (tpi_see(&countdown) > 0 && atomic_fetch_sub(&countdown, 1) == 1) {
    tpi_put(&failed, 1);
    return 1;
  }
  return 0;
}

static void *counted (void *p) {
  if (p != NULL)
    atomic_fetch_add(&alive, 1);
  return p;
}

static void uncounted (const void *p) {
  if (p != NULL)
    atomic_fetch_sub(&alive, 1);
}

#else

int tpi_denied (void) { return 0; }

#define counted(p) (p)
#define uncounted(p) ((void)0)

#endif

void *tpi_alloc (size_t size) {
  return tpi_denied() ? NULL : counted(malloc(size));
}

void *tpi_calloc (size_t size) {
  return tpi_denied() ? NULL : counted(calloc(1, size));
}

void *tpi_realloc (void *p, size_t size) {
  void *q = tpi_denied() ? NULL : realloc(p, size);
  return p == NULL ? counted(q) : q;
}

void tpi_free (void *p) {
  uncounted(p);
  free(p);
}

char *tpi_copy (const char *bytes, size_t length) {
  char *copy = tpi_alloc(length + 1);
  if (copy != NULL) {
    memcpy(copy, bytes, length);
    copy[length] = '\0';
  }
  return copy;
}
