#include "core/parked.h"

#include <stdio.h>
#include <string.h>

/* Only the first may look at it after it has counted itself. */
void tpi_parked_tell (tpi_Parked *p) {
  if (atomic_fetch_add(&p->told, 1) != 0)
    return;
  if (p->worker != NULL)
    tpi_pool_go_on(p->worker->pool, p);
  else
    tpi_host_tell(p->host, &p->heard);
}

static void hear (tpi_Told *told, tpi_Host *host) {
  tpi_parked_ready_at(&told->node)->heard_of = 1;
  tpi_host_ready(host, &told->node);
}

static void tell_tie (tpi_Waiter *w, tpi_Waiter **more) {
  tpi_parked_tell(
      ((tpi_Tie *)(void *)((char *)w - offsetof(tpi_Tie, waiter)))->parked);
  (void)more;
}

static void tell_door (tpi_Waiter *w, tpi_Waiter **more) {
  tpi_parked_tell(
      (tpi_Parked *)(void *)((char *)w - offsetof(tpi_Parked, door)));
  (void)more;
}

void tpi_parked_init (tpi_Parked *p, tpi_Task *task, tpi_Worker *worker) {
  p->item.next = p->item.prev = NULL;
  p->next = NULL;
  p->task = task;
  p->worker = worker;
  p->host = NULL;
  p->nties = 0;
  tpi_waiter_init(&p->door, tell_door);
  tpi_poke(&p->told, 0);
}

void tpi_parked_init_at (tpi_Parked *p, tpi_Task *task, tpi_Host *host) {
  tpi_parked_init(p, task, NULL);
  p->heard.hear = hear;
  p->heard_of = 0;
  p->host = host;
}

/* Joined only when all are known: the first may tell at once. */
void tpi_parked_tie (tpi_Parked *p, tpi_Future *future) {
  tpi_Tie *t = &p->ties[p->nties++];
  tpi_future_retain(future);
  tpi_waiter_init(&t->waiter, tell_tie);
  t->parked = p;
  t->future = future;
}

void tpi_parked_join (tpi_Parked *p) {
  unsigned n;
  tpi_parked_tie(p, &p->task->future);
  p->ties[p->nties - 1].waiter.aside = 1;
  n = p->nties;
  for (unsigned i = 0; i < n; i++) {
    if (!tpi_future_join(p->ties[i].future, &p->ties[i].waiter))
      tpi_parked_tell(p);
  }
}

void tpi_parked_untie (tpi_Parked *p, int gone) {
  unsigned tellers = gone != 0;
  for (unsigned i = 0; i < p->nties; i++)
    tellers += !tpi_future_leave(p->ties[i].future, &p->ties[i].waiter);
  while (tpi_see(&p->told) < tellers && !tpi_future_foreign(&p->task->future))
    tpi_relax();
  for (unsigned i = 0; i < p->nties; i++)
    tpi_future_release(p->ties[i].future);
  p->nties = 0;
}

void tpi_parked_quiet (tpi_Parked *p) {
  while (tpi_see(&p->told) > 0 && !p->heard_of &&
         !tpi_future_foreign(&p->task->future)) {
    tpi_host_hear(p->host);
    tpi_relax();
  }
}

/* ---------------------------------------------------------------- */
/* Who awaits whom                                                   */
/* ---------------------------------------------------------------- */

static tpi_Lock lock;     /* guards `awaits` and `covered` of all tasks */
static tpi_Cover *covers; /* of all threads; guarded likewise */

/* What it waits for by its own will. */
static tpi_Future *wish_locked (tpi_Future *f) {
  const tpi_Task *task = tpi_task_of(f);
  if (tpi_future_foreign(f))
    return NULL;
  if (f->class->task && task->awaits != NULL)
    return task->awaits;
  return f->class->next != NULL ? f->class->next(f) : NULL;
}

/* What it waits for first. */
static tpi_Future *next_locked (tpi_Future *f) {
  const tpi_Cover *cover = covers;
  if (!f->class->task || !tpi_task_of(f)->covered || tpi_future_foreign(f))
    return wish_locked(f);
  while (&cover->task->future != f)
    cover = cover->next;
  return cover->by;
}

typedef tpi_Future *Next (tpi_Future *);

/* Up to that future, or as far as it goes. One that runs on top of a task, and
   is about to park, may wait for that: a ring, for a moment. A mark, moved on
   after 1, 2, 4... steps, is met again then. Nobody is asked twice: inputs
   settle meanwhile, and what was on the way is not any more. */
static tpi_Future *walk_locked (tpi_Future *from, const tpi_Future *to,
                                Next *next) {
  tpi_Future *mark = from, *ahead;
  size_t steps = 0, most = 1;
  while (from != to && (ahead = next(from)) != NULL && ahead != mark) {
    from = ahead;
    if (++steps == most) {
      mark = from;
      most *= 2;
      steps = 0;
    }
  }
  return from;
}

void tpi_task_cover (tpi_Cover *cover, tpi_Task *task, tpi_Future *by) {
  cover->task = task;
  cover->by = by;
  tpi_lock(&lock);
  task->covered = 1;
  cover->next = covers;
  covers = cover;
  tpi_unlock(&lock);
}

void tpi_task_uncover (tpi_Cover *cover) {
  tpi_Cover **at = &covers;
  tpi_lock(&lock);
  while (*at != NULL && *at != cover) /* in the child of a fork it is gone */
    at = &(*at)->next;
  if (*at != NULL)
    *at = cover->next;
  cover->task->covered = 0;
  tpi_unlock(&lock);
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
static void describe_locked (tpi_Future *first, tpi_Future *awaited, char *ring,
                             size_t size) {
  char *at = ring, *end = ring + size;
  add_name(first, &at, end);
  for (tpi_Future *f = awaited; f != NULL && f != first; f = wish_locked(f)) {
    add(&at, end, " > ");
    add_name(f, &at, end);
  }
  add(&at, end, " > itself");
}

int tpi_task_await (tpi_Task *task, tpi_Future *awaited, int yields, char *ring,
                    size_t size) {
  tpi_Future *own = &task->future;
  int rc = TP_OK;
  tpi_lock(&lock);
  if (walk_locked(awaited, own, wish_locked) == own) {
    describe_locked(own, awaited, ring, size);
    rc = TP_INVALID;
  } else if (!yields && walk_locked(awaited, own, next_locked) == own) {
    rc = TP_FULL;
  } else {
    tpi_future_retain(awaited);
    task->awaits = awaited;
  }
  tpi_unlock(&lock);
  return rc;
}

void tpi_task_await_first (tpi_Task *task, tpi_Future *awaited) {
  tpi_future_retain(awaited);
  tpi_lock(&lock);
  task->awaits = awaited;
  tpi_unlock(&lock);
}

void tpi_task_awaits_no_more (tpi_Task *task) {
  tpi_Future *awaited;
  tpi_lock(&lock);
  awaited = task->awaits;
  task->awaits = NULL;
  tpi_unlock(&lock);
  tpi_future_release(awaited);
}

int tpi_future_hangs_on (tpi_Future *future, const tpi_Future *other) {
  int hangs;
  tpi_lock(&lock);
  hangs = walk_locked(future, other, next_locked) == other;
  tpi_unlock(&lock);
  return hangs;
}

tpi_Future *tpi_future_leaf (tpi_Future *future) {
  tpi_lock(&lock);
  future = walk_locked(future, NULL, next_locked);
  tpi_future_retain(future);
  tpi_unlock(&lock);
  return future;
}

void tpi_waits_leave (void) {
  tpi_lock(&lock);
  tpi_unlock(&lock);
}

void tpi_parked_forget (void) {
  tpi_lock_forget(&lock);
  covers = NULL;
}
