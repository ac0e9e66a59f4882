#include "core/overdue.h"

#include <stdio.h>
#include <string.h>

#include "core/alarm.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/parked.h"

enum { MOST_NAMES = 8, LONGEST_NAME = 80, MOST_LOOKED_AT = 10000 };

struct tpi_Overdue {
  atomic_uint refs; /* of who waits, and of the waiter as long as it stands */
  tp_Manager *pool; /* retained */
  tpi_Future *alarm;
  tpi_Waiter waiter;
};

static atomic_uint said;
static atomic_ullong patience = 2 * (unsigned long long)TPI_SECOND;

double tpi_overdue_after (double seconds) {
  double before = (double)tpi_see(&patience) / 1e9;
  if (seconds >= 0)
    tpi_put(&patience, (unsigned long long)(seconds * 1e9));
  return before;
}

unsigned tpi_overdue_said (void) { return tpi_see(&said); }

/* ---------------------------------------------------------------- */
/* For what                                                          */
/* ---------------------------------------------------------------- */

/* Tasks that have not ended, by their names. */
typedef struct Census {
  struct {
    char name[LONGEST_NAME];
    unsigned count;
  } entries[MOST_NAMES];
  unsigned names, looked_at, others;
} Census;

/* Under the lock of the pool, so that the task is there. */
static void count_locked (Census *c, const tpi_Task *task) {
  const char *name;
  unsigned i = 0;
  c->looked_at++;
  if (task == NULL || task->aside)
    return; /* an idle worker; what nobody waits for */
  name = task->future.class->name(&task->future);
  while (i < c->names &&
         strncmp(c->entries[i].name, name, LONGEST_NAME - 1) != 0)
    i++;
  if (i == MOST_NAMES) {
    c->others++;
    return;
  }
  if (i == c->names) {
    snprintf(c->entries[i].name, LONGEST_NAME, "%s", name);
    c->entries[i].count = 0;
    c->names++;
  }
  c->entries[i].count++;
}

static void count_ring_locked (Census *c, tpi_Item *ring,
                               tpi_Task *(*task_at)(tpi_Item *)) {
  for (tpi_Item *i = ring->next; i != ring && c->looked_at < MOST_LOOKED_AT;
       i = i->next)
    count_locked(c, task_at(i));
}

static tpi_Task *parked_task (tpi_Item *item) {
  return tpi_parked_at(item)->task;
}

/* What runs comes first. Is anything left to wait for? */
static int take_census (tp_Manager *pool, Census *c) {
  unsigned slots;
  int waits;
  memset(c, 0, sizeof *c);
  tpi_lock(&pool->lock);
  for (const tpi_Worker *w = pool->all; w != NULL; w = w->next) {
    for (const tpi_Run *r = w->runs; r != NULL; r = r->outer)
      count_locked(c, r->task);
  }
  count_ring_locked(c, &pool->parked, parked_task);
  count_ring_locked(c, &pool->held, tpi_task_held);
  count_ring_locked(c, &pool->filling, tpi_task_held);
  for (int p = 0; p < TPI_PRIORITIES; p++) {
    count_ring_locked(c, &pool->queue.ends[p], tpi_task_at);
    count_ring_locked(c, &pool->queue.late[p], tpi_task_at);
  }
  slots = tpi_peek(&pool->slots);
  if (c->looked_at >= MOST_LOOKED_AT && slots > c->looked_at)
    c->others += slots - c->looked_at;
  waits = pool->alive + pool->leaving > 0;
  tpi_unlock(&pool->lock);
  return waits;
}

/* In one piece: other threads write, too. */
static void say (const tp_Manager *pool, const Census *c) {
  char line[128 + MOST_NAMES * (LONGEST_NAME + 32)];
  size_t at = (size_t)snprintf(
      line, 128, "tidepool: the shutdown of %s%.60s%s has waited for %g s",
      pool->name != NULL ? "'" : "",
      pool->name != NULL ? pool->name : "an AsyncManager",
      pool->name != NULL ? "'" : "", tpi_overdue_after(-1));
  for (unsigned i = 0; i < c->names; i++)
    at += (size_t)snprintf(line + at, sizeof line - at, "%s%s (%u)",
                           i == 0 ? ", for: " : ", ", c->entries[i].name,
                           c->entries[i].count);
  if (c->others > 0)
    fprintf(stderr, "%s, others (%u)\n", line, c->others);
  else
    fprintf(stderr, "%s\n", line);
}

/* ---------------------------------------------------------------- */
/* When                                                              */
/* ---------------------------------------------------------------- */

static void release (tpi_Overdue *o) {
  if (!tpi_unref(&o->refs))
    return;
  tpi_pool_release(o->pool);
  tpi_free(o);
}

static void tell (tpi_Waiter *w, tpi_Waiter **more) {
  tpi_Overdue *o =
      (tpi_Overdue *)(void *)((char *)w - offsetof(tpi_Overdue, waiter));
  Census census;
  (void)more;
  if (!tpi_pool_broken(o->pool) && take_census(o->pool, &census) &&
      !tpi_swap(&o->pool->overdue, 1)) {
    say(o->pool, &census);
    tpi_count(&said, 1);
  }
  release(o);
}

tpi_Overdue *tpi_overdue_new (tp_Manager *pool) {
  tpi_Overdue *o = tpi_alloc(sizeof *o);
  if (o == NULL)
    return NULL;
  o->alarm = tpi_alarm_new(tpi_overdue_after(-1));
  if (o->alarm == NULL) {
    tpi_free(o);
    return NULL;
  }
  tpi_pool_retain(pool);
  o->pool = pool;
  tpi_poke(&o->refs, 2);
  tpi_waiter_init(&o->waiter, tell);
  if (!tpi_future_join(o->alarm, &o->waiter)) /* its time is over already */
    tpi_waiter_tell(&o->waiter);
  return o;
}

void tpi_overdue_end (tpi_Overdue *o) {
  if (o == NULL)
    return;
  if (!tpi_future_foreign(o->alarm) &&
      tpi_future_leave(o->alarm, &o->waiter))
    release(o);
  tpi_alarm_release(o->alarm);
  release(o);
}
