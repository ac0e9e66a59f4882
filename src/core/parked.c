#include "core/parked.h"

#include <stdio.h>
#include <string.h>

#include "core/follow.h"

static void tell (tpi_Parked *p) {
  tp_Manager *pool = p->worker->pool; /* there until p is handed over */
  if (atomic_fetch_add(&p->told, 1) == 0)
    tpi_pool_go_on(pool, p);
}

static void tell_tie (tpi_Waiter *w) {
  tell(((tpi_Tie *)(void *)((char *)w - offsetof(tpi_Tie, waiter)))->parked);
}

static void tell_door (tpi_Waiter *w) {
  tell((tpi_Parked *)(void *)((char *)w - offsetof(tpi_Parked, door)));
}

void tpi_parked_init (tpi_Parked *p, tpi_Task *task, tpi_Worker *worker) {
  memset(p, 0, sizeof *p);
  p->task = task;
  p->worker = worker;
  p->door.tell = tell_door;
  tpi_poke(&p->told, 0);
}

/* Joined only when all are known: the first may tell at once. */
void tpi_parked_tie (tpi_Parked *p, tpi_Future *future) {
  tpi_Tie *t = &p->ties[p->nties++];
  tpi_future_retain(future);
  t->waiter.tell = tell_tie;
  t->parked = p;
  t->future = future;
}

void tpi_parked_ready (tpi_Parked *p) {
  unsigned n;
  tpi_parked_tie(p, &p->task->future);
  n = p->nties;
  for (unsigned i = 0; i < n; i++) {
    if (!tpi_future_join(p->ties[i].future, &p->ties[i].waiter))
      tell(p);
  }
}

void tpi_parked_untie (tpi_Parked *p, int gone) {
  unsigned tellers = gone != 0;
  for (unsigned i = 0; i < p->nties; i++)
    tellers += !tpi_future_leave(p->ties[i].future, &p->ties[i].waiter);
  while (tpi_see(&p->told) < tellers)
    tpi_relax();
  for (unsigned i = 0; i < p->nties; i++)
    tpi_future_release(p->ties[i].future);
  p->nties = 0;
}

/* ---------------------------------------------------------------- */
/* Who awaits whom                                                   */
/* ---------------------------------------------------------------- */

static tpi_Lock lock; /* guards `awaits` of all tasks */

static tpi_Future *next_locked (tpi_Future *f) {
  const tpi_Task *task = tpi_task_of(f);
  if (!f->class->task)
    return NULL;
  return task->awaits != NULL ? task->awaits : tpi_follow_next(task);
}

/* What does not fit is cut. */
static void add (char **at, const char *end, const char *text) {
  while (*at < end - 1 && *text != '\0')
    *(*at)++ = *text++;
  **at = '\0';
}

static void add_name (tpi_Future *f, char **at, const char *end) {
  char id[32];
  const char *name = f->class->name != NULL ? f->class->name(f) : NULL;
  snprintf(id, sizeof id, " (id %llu)", (unsigned long long)f->id);
  add(at, end, name != NULL ? name : "a future");
  add(at, end, id);
}

/* a (id 1) > b (id 2) > itself */
static void describe_locked (tpi_Future *first, tpi_Future *awaited,
                             char *ring, size_t size) {
  char *at = ring, *end = ring + size;
  add_name(first, &at, end);
  for (tpi_Future *f = awaited; f != first; f = next_locked(f)) {
    add(&at, end, " > ");
    add_name(f, &at, end);
  }
  add(&at, end, " > itself");
}

int tpi_task_await (tpi_Task *task, tpi_Future *awaited, char *ring,
                    size_t size) {
  tpi_Future *own = &task->future, *f = awaited;
  tpi_lock(&lock);
  while (f != NULL && f != own)
    f = next_locked(f);
  if (f == NULL) {
    tpi_future_retain(awaited);
    task->awaits = awaited;
  } else {
    describe_locked(own, awaited, ring, size);
  }
  tpi_unlock(&lock);
  return f == NULL;
}

void tpi_task_awaits_no_more (tpi_Task *task) {
  tpi_Future *awaited;
  tpi_lock(&lock);
  awaited = task->awaits;
  task->awaits = NULL;
  tpi_unlock(&lock);
  tpi_future_release(awaited);
}

tpi_Future *tpi_task_awaits_instead (tpi_Task *task, tpi_Future *future) {
  tpi_Future *before;
  tpi_lock(&lock);
  before = task->awaits;
  task->awaits = future;
  tpi_unlock(&lock);
  return before;
}

int tpi_future_hangs_on (tpi_Future *future, const tpi_Future *other) {
  tpi_lock(&lock);
  while (future != NULL && future != other)
    future = next_locked(future);
  tpi_unlock(&lock);
  return future != NULL;
}

tpi_Future *tpi_future_leaf (tpi_Future *future) {
  tpi_Future *next;
  tpi_lock(&lock);
  while ((next = next_locked(future)) != NULL)
    future = next;
  tpi_future_retain(future);
  tpi_unlock(&lock);
  return future;
}
