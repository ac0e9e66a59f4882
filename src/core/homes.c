#include "core/homes.h"

#include <stdio.h>

#include "core/lock.h"

static tpi_Lock lock;
static tpi_Host *homes; /* guarded by lock */
/* Of the last that was closed, and not told; guarded by lock. */
static unsigned lost_tasks, lost_coroutines;

void tpi_homes_add (tpi_Host *host) {
  tpi_lock(&lock);
  host->next_home = homes;
  homes = host;
  tpi_unlock(&lock);
}

static void tell (unsigned tasks, unsigned coroutines) {
  if (tasks + coroutines == 0)
    return;
  fprintf(stderr, "tidepool: cancelled at the end:");
  if (tasks > 0)
    fprintf(stderr, " %u task%s", tasks, tasks > 1 ? "s" : "");
  if (coroutines > 0)
    fprintf(stderr, "%s %u coroutine%s", tasks > 0 ? "," : "", coroutines,
            coroutines > 1 ? "s" : "");
  fprintf(stderr, "\n");
}

void tpi_homes_leave (tpi_Host *host, unsigned tasks, unsigned coroutines) {
  tpi_Host **at = &homes;
  int last;
  tpi_lock(&lock);
  while (*at != NULL && *at != host)
    at = &(*at)->next_home;
  if (*at != NULL) /* else it is a parent's */
    *at = host->next_home;
  last = homes == NULL;
  if (last) {
    lost_tasks += tasks;
    lost_coroutines += coroutines;
  }
  tpi_unlock(&lock);
  if (!last)
    tell(tasks, coroutines);
}

void tpi_homes_forget (void) {
  tpi_lock_forget(&lock);
  homes = NULL;
  lost_tasks = lost_coroutines = 0;
}

static void report (tpi_Future *f) {
  const char *name = f->class->name != NULL ? f->class->name(f) : NULL;
  size_t length = 0;
  const char *message = tpi_future_message(f, &length);
  fprintf(stderr, "tidepool: a failure that nobody read: %s%s%.*s\n",
          name != NULL ? name : "", name != NULL ? ": " : "",
          message != NULL ? (int)length : 0, message != NULL ? message : "");
}

/* Those of some home that were let go of already, chained; or NULL. */
static tpi_Future *take_dropped (void) {
  tpi_Future *first = NULL;
  tpi_lock(&lock);
  for (tpi_Host *h = homes; h != NULL && first == NULL; h = h->next_home)
    first = tpi_future_unread(h);
  tpi_unlock(&lock);
  return first;
}

void tpi_homes_report (unsigned tasks) {
  tpi_Future *f, *next;
  unsigned coroutines;
  while ((f = take_dropped()) != NULL) {
    for (; f != NULL; f = next) {
      next = tpi_future_next_unread(f);
      tpi_future_read(f);
      report(f);
      tpi_future_release(f);
    }
  }
  while ((f = tpi_failures_take()) != NULL) {
    report(f);
    tpi_future_release(f);
  }
  tpi_lock(&lock);
  tasks += lost_tasks;
  coroutines = lost_coroutines;
  for (const tpi_Host *h = homes; h != NULL; h = h->next_home)
    coroutines += tpi_peek(&h->coroutines);
  tpi_unlock(&lock);
  tell(tasks, coroutines);
}
