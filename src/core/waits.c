#include "core/waits.h"

#include <stdio.h>
#include <string.h>

static tpi_Lock lock;       /* guards all in this file, and all trails */
static tpi_Cover *covers;   /* of all threads */
static uint64_t passes;     /* so many there were */
static atomic_uint looking; /* who holds the lock knows of what lies ahead */

/* ---------------------------------------------------------------- */
/* Looking                                                           */
/* ---------------------------------------------------------------- */

/* What a look learns of a future: that it may settle; that it may not, before
   the one does that the look is about; or nothing yet, being on its way. */
typedef enum Finding { FREE, STUCK, ENTERED } Finding;

typedef struct Look Look;

struct Look {
  /* Is it what is looked for? That is stuck. */
  int (*is_it)(const Look *look, tpi_Future *future);
  const void *what;
  int held_up;   /* also what holds them up, not only what they wait for */
  int limited;   /* also what they wait for with a time limit */
  int any;       /* one that waits for the first of several is stuck only when
                    all are; else one will do, as everywhere */
  uint64_t first, pass;
  tpi_Future *top;    /* where it is, by `via` back to where it began */
  tpi_Future *found;  /* what was looked for, once met... */
  tpi_Future *before; /* ...and what led there, or NULL */
  int doubt; /* something was taken to be stuck because of what is on the way */
  int again; /* and that has turned out not to be */
};

static tpi_Future *covered_by (const tpi_Future *f) {
  const tpi_Cover *cover = covers;
  while (&cover->task->future != f)
    cover = cover->next;
  return cover->by;
}

static tpi_Future *only (tpi_Future *f, tpi_Future *next) {
  if (f->trail.at != NULL)
    return NULL;
  f->trail.at = f;
  return next;
}

/* The next of those that it waits for, or NULL. */
static tpi_Future *ahead (const Look *look, tpi_Future *f) {
  const tpi_Task *task = tpi_task_of(f);
  if (f->class->task && task->covered && look->held_up)
    return only(f, covered_by(f));
  if (f->class->task && task->awaits != NULL)
    return task->limited && !look->limited ? NULL : only(f, task->awaits);
  return f->class->next != NULL ? f->class->next(f, &f->trail.at) : NULL;
}

static int waits_for_any (const Look *look, const tpi_Future *f) {
  return look->any && f->class->any;
}

/* It has been come upon. */
static Finding enter (Look *look, tpi_Future *f) {
  tpi_Trail *trail = &f->trail;
  if (look->is_it(look, f)) {
    look->found = f;
    look->before = look->top;
    return STUCK;
  }
  if (tpi_future_foreign(f) || tpi_future_settled(f) ||
      ((trail->mark & 1) && trail->mark >> 1 >= look->first))
    return FREE;
  if (trail->mark == look->pass << 1) {
    look->doubt = 1;
    return look->any ? STUCK : FREE;
  }
  trail->mark = look->pass << 1;
  trail->at = NULL;
  trail->via = look->top;
  look->top = f;
  return ENTERED;
}

static Finding leave (Look *look, Finding finding) {
  tpi_Future *f = look->top;
  look->top = f->trail.via;
  if (finding == FREE) {
    f->trail.mark |= 1;
    look->again |= look->doubt && f->class->any;
  } else {
    look->doubt = 1;
  }
  return finding;
}

static Finding pass (Look *look, tpi_Future *from) {
  Finding finding;
  look->pass = ++passes;
  look->doubt = look->again = 0;
  finding = enter(look, from);
  while (look->top != NULL) {
    tpi_Future *f = look->top, *next;
    Finding decides = waits_for_any(look, f) ? FREE : STUCK;
    if (finding == decides)
      finding = leave(look, finding);
    else if ((next = ahead(look, f)) != NULL)
      finding = enter(look, next);
    else if (f->trail.at == NULL)
      finding = leave(look, FREE);
    else
      finding = leave(look, decides == FREE ? STUCK : FREE);
  }
  return finding;
}

/* Is what is looked for in its way? */
static int look_locked (Look *look, tpi_Future *from) {
  Finding finding;
  look->top = look->found = look->before = NULL;
  look->first = passes + 1;
  tpi_put(&looking, 1);
  do {
    finding = pass(look, from);
  } while (finding == STUCK && look->again && look->any);
  return finding == STUCK && look->found != NULL;
}

static int is_this (const Look *look, tpi_Future *f) { return f == look->what; }

/* Can it not settle before `own` has? */
static int is_stuck_locked (tpi_Future *f, const tpi_Future *own,
                            int held_up) {
  Look look = {.is_it = is_this, .what = own, .held_up = held_up, .any = 1};
  return look_locked(&look, f);
}

static void unlock (void) {
  if (tpi_peek(&looking))
    tpi_put(&looking, 0);
  tpi_unlock(&lock);
}

void tpi_waits_leave (void) {
  if (!tpi_see(&looking))
    return;
  tpi_lock(&lock);
  tpi_unlock(&lock);
}

/* ---------------------------------------------------------------- */
/* Telling                                                           */
/* ---------------------------------------------------------------- */

/* What does not fit is cut. */
static void add (char **at, const char *end, const char *text) {
  while (*at < end - 1 && *text != '\0')
    *(*at)++ = *text++;
  **at = '\0';
}

/* A signal of a group has neither name nor number: it is nobody's to know. */
static void add_name (tpi_Future *f, char **at, const char *end) {
  char id[32];
  const char *name = f->class->name != NULL ? f->class->name(f) : NULL;
  if (name == NULL && f->id == 0)
    return;
  add(at, end, name != NULL ? name : "a future");
  if (f->id != 0) {
    snprintf(id, sizeof id, " (id %llu)", (unsigned long long)f->id);
    add(at, end, id);
  }
  add(at, end, " > ");
}

/* a (id 1) > b (id 2) > itself */
static void describe_locked (tpi_Future *own, tpi_Future *awaited, char *ring,
                             size_t size) {
  Look look = {.is_it = is_this, .what = own};
  tpi_Future *first = NULL, *f;
  char *at = ring;
  look_locked(&look, awaited);
  for (f = look.before; f != NULL;) { /* the way back, turned round */
    tpi_Future *via = f->trail.via;
    f->trail.via = first;
    first = f;
    f = via;
  }
  add_name(own, &at, ring + size);
  for (f = first; f != NULL; f = f->trail.via)
    add_name(f, &at, ring + size);
  add(&at, ring + size, "itself");
}

/* ---------------------------------------------------------------- */
/* Noting                                                            */
/* ---------------------------------------------------------------- */

static void note_locked (tpi_Task *task, tpi_Future *awaited, int how) {
  tpi_future_retain(awaited);
  task->awaits = awaited;
  task->limited = (how & TPI_LIMITED) != 0;
  if (task->pool != NULL)
    tpi_ring_add(&task->pool->waiting, &task->waits);
}

static tpi_Future *forget_locked (tpi_Task *task) {
  tpi_Future *awaited = task->awaits;
  task->awaits = NULL;
  if (task->pool != NULL)
    tpi_ring_remove(&task->waits);
  return awaited;
}

/* May somebody wait for it? Who does has said so before we could have come
   here, or comes here after us. */
static int is_sought (tpi_Task *task) {
  return tpi_peek(&task->future.sought) ||
         (task->pool != NULL && tpi_peek(&task->pool->drains));
}

static int check_locked (tpi_Task *task, tpi_Future *awaited, int how,
                         char *ring, size_t size) {
  tpi_Future *own = &task->future;
  if ((how & TPI_LIMITED) || !is_sought(task))
    return TP_OK;
  if (is_stuck_locked(awaited, own, 0)) {
    describe_locked(own, awaited, ring, size);
    return TP_INVALID;
  }
  return !(how & TPI_YIELDS) && is_stuck_locked(awaited, own, 1) ? TP_FULL
                                                                 : TP_OK;
}

int tpi_task_await (tpi_Task *task, tpi_Future *awaited, int how, char *ring,
                    size_t size) {
  tpi_Future *not_awaited = NULL;
  int rc;
  tpi_lock(&lock);
  tpi_future_seek(awaited);
  note_locked(task, awaited, how);
  rc = check_locked(task, awaited, how, ring, size);
  if (rc != TP_OK)
    not_awaited = forget_locked(task);
  unlock();
  tpi_future_release(not_awaited);
  return rc;
}

void tpi_task_await_first (tpi_Task *task, tpi_Future *awaited) {
  tpi_lock(&lock);
  tpi_future_seek(awaited);
  note_locked(task, awaited, 0);
  unlock();
}

void tpi_task_awaits_no_more (tpi_Task *task) {
  tpi_Future *awaited;
  tpi_lock(&lock);
  awaited = forget_locked(task);
  unlock();
  tpi_future_release(awaited);
}

void tpi_task_waits (tpi_Task *task) {
  tpi_lock(&lock);
  tpi_ring_add(&task->pool->waiting, &task->waits);
  unlock();
}

void tpi_task_waits_no_more (tpi_Task *task) {
  tpi_lock(&lock);
  tpi_ring_remove(&task->waits);
  unlock();
}

int tpi_future_adopts (tpi_Future *future, tpi_Future *other,
                       _Atomic(tpi_Future *) *at, char *ring, size_t size) {
  int rc = TP_OK;
  tpi_lock(&lock);
  tpi_future_seek(other);
  if (other == future || (tpi_peek(&future->sought) &&
                          is_stuck_locked(other, future, 0))) {
    describe_locked(future, other, ring, size);
    rc = TP_INVALID;
  } else if (!tpi_future_claim(future)) {
    rc = TP_CANCELLED;
  } else {
    tpi_future_retain(other);
    tpi_put(at, other);
  }
  unlock();
  return rc;
}

void tpi_task_cover (tpi_Cover *cover, tpi_Task *task, tpi_Future *by) {
  cover->task = task;
  cover->by = by;
  tpi_lock(&lock);
  tpi_future_seek(by);
  task->covered = 1;
  cover->next = covers;
  covers = cover;
  unlock();
}

void tpi_task_uncover (tpi_Cover *cover) {
  tpi_Cover **at = &covers;
  tpi_lock(&lock);
  while (*at != NULL && *at != cover) /* in the child of a fork it is gone */
    at = &(*at)->next;
  if (*at != NULL)
    *at = cover->next;
  cover->task->covered = 0;
  unlock();
}

/* ---------------------------------------------------------------- */
/* What must run first                                               */
/* ---------------------------------------------------------------- */

int tpi_future_hangs_on (tpi_Future *future, tpi_Future *other, int held_up) {
  Look look = {
      .is_it = is_this, .what = other, .held_up = held_up, .limited = 1};
  int hangs;
  tpi_lock(&lock);
  hangs = look_locked(&look, future);
  unlock();
  return hangs;
}

static int is_unbegun (const Look *look, tpi_Future *f) {
  return f->class->task && f->class->help != NULL && !tpi_future_foreign(f) &&
         tpi_future_state(f) == TPI_PENDING &&
         tpi_task_of(f)->pool == look->what && tpi_task_of(f)->follow == NULL;
}

tpi_Future *tpi_future_unbegun (tpi_Future *future, const tp_Manager *pool) {
  Look look = {.is_it = is_unbegun, .what = pool, .held_up = 1, .limited = 1};
  tpi_Future *found = NULL;
  tpi_lock(&lock);
  if (look_locked(&look, future))
    found = look.found;
  if (found != NULL)
    tpi_future_retain(found);
  unlock();
  return found;
}

void tpi_waits_forget (void) {
  tpi_lock_forget(&lock);
  tpi_put(&looking, 0);
  covers = NULL;
}
