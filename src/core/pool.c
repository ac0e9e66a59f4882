#include "core/pool.h"

#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "core/thread.h"

static tp_Manager *allocate (const tpi_PoolOptions *options) {
  tp_Manager *pool = tpi_calloc(sizeof *pool);
  if (pool == NULL)
    return NULL;
  if (options->name != NULL) {
    pool->name = tpi_copy(options->name, strlen(options->name));
    if (pool->name == NULL) {
      tpi_free(pool);
      return NULL;
    }
  }
  pool->workers = options->workers;
  pool->queue_size = options->queue;
  pool->capacity = options->workers + options->queue;
  pool->spin = tpi_cores() > 1 ? options->spin : 0;
  pool->kit = options->kit;
  pool->drop = options->drop;
  pool->profile = options->profile;
  pool->generation = tpi_generation();
  pool->door_end = &pool->door;
  pool->handles = 1;
  tpi_queue_init(&pool->queue);
  tpi_ring_init(&pool->parked);
  tpi_ring_init(&pool->held);
  tpi_ring_init(&pool->filling);
  tpi_ring_init(&pool->waiting);
  return pool;
}

int tpi_pool_new (const tpi_PoolOptions *options, tp_Manager **out) {
  tp_Manager *pool = allocate(options);
  if (pool == NULL)
    return TP_NOMEM;
  pool->alive = pool->workers;
  tpi_pools_add(pool);
  for (unsigned i = 0; i < pool->workers; i++) {
    if (tpi_worker_start(pool) != TP_OK) {
      tpi_lock(&pool->lock);
      pool->kit = NULL;                 /* still its maker's */
      pool->alive -= pool->workers - i; /* those that do not exist */
      tpi_unlock(&pool->lock);
      tpi_pool_release(pool);
      return TP_NOMEM;
    }
  }
  *out = pool;
  return TP_OK;
}

void tpi_pool_retain (tp_Manager *pool) {
  if (tpi_pool_broken(pool))
    return;
  tpi_lock(&pool->lock);
  pool->handles++;
  tpi_unlock(&pool->lock);
}

void tpi_pool_release (tp_Manager *pool) {
  tpi_Effects effects = {NULL, NULL, NULL};
  if (pool == NULL || tpi_pool_broken(pool))
    return; /* a child of a fork leaves the parent's pools alone */
  tpi_lock(&pool->lock);
  if (--pool->handles == 0) {
    pool->closing = 1;
    tpi_pool_wake_all_locked(pool, &effects);
  }
  tpi_pool_unlock(pool, &effects);
}

int tpi_pool_open (tp_Manager *pool) {
  int open;
  if (tpi_pool_broken(pool))
    return 0;
  tpi_lock(&pool->lock);
  open = !pool->closing;
  tpi_unlock(&pool->lock);
  return open;
}

void tpi_pool_close (tp_Manager *pool) {
  tpi_Effects effects = {NULL, NULL, NULL};
  tpi_lock(&pool->lock);
  pool->closing = 1;
  tpi_pool_refuse_locked(pool, &effects);
  tpi_pool_wake_all_locked(pool, &effects);
  tpi_pool_unlock(pool, &effects);
}

/* ---------------------------------------------------------------- */
/* Waiting                                                           */
/* ---------------------------------------------------------------- */

/* Does it wait for this task, which a worker has taken? */
static int waits_for (const tpi_Barrier *b, tpi_Task *task) {
  return b->home != NULL
             ? task->future.home == b->home
             : task->sequence < b->before && !tpi_future_settled(&task->future);
}

static int waits_for_worker (const tpi_Barrier *b, tpi_Worker *w) {
  for (const tpi_Run *r = w->runs; r != NULL; r = r->outer) {
    if (r->task != NULL && waits_for(b, r->task))
      return 1;
  }
  return tpi_see(&w->concludes) &&
         (b->home != NULL ? w->home == b->home : w->sequence < b->before);
}

/* The first of each was admitted before all others there; what came late is
   among the held. */
static int waits_for_queued (const tpi_Barrier *b, const tp_Manager *pool) {
  if (b->home != NULL)
    return 0;
  if (pool->held.next != &pool->held &&
      tpi_task_held(pool->held.next)->sequence < b->before)
    return 1;
  for (int p = 0; p < TPI_PRIORITIES; p++) {
    const tpi_Item *first = pool->queue.ends[p].next;
    if (first != &pool->queue.ends[p] &&
        tpi_task_at_const(first)->sequence < b->before)
      return 1;
  }
  return pool->stolen > 0;
}

/* The one that it waits for is the first when it looks again, so that it does
   not pass by the same ones for each task that settles. */
static int waits_for_parked (const tpi_Barrier *b, tp_Manager *pool) {
  tpi_Item *item = pool->parked.next;
  while (item != &pool->parked && (tpi_parked_at(item)->task->aside ||
                                   !waits_for(b, tpi_parked_at(item)->task)))
    item = item->next;
  if (item == &pool->parked)
    return 0;
  tpi_ring_turn(&pool->parked, item);
  return 1;
}

static int waits_locked (const tpi_Barrier *b, tp_Manager *pool) {
  if (b->leaves)
    return pool->alive + pool->leaving > 0;
  if (waits_for_queued(b, pool) || waits_for_parked(b, pool))
    return 1;
  for (tpi_Worker *w = pool->all; w != NULL; w = w->next) {
    if (waits_for_worker(b, w))
      return 1;
  }
  return 0;
}

/* One that is about to be freed is not told. */
static int is_there (tpi_Barrier *b) {
  unsigned refs = b->future != NULL ? tpi_see(&b->future->refs) : 0;
  while (refs > 0 && !tpi_cas(&b->future->refs, &refs, refs + 1)) {
  }
  return b->future == NULL || refs > 0;
}

void tpi_pool_look_locked (tp_Manager *pool, tpi_Effects *effects) {
  for (tpi_Barrier *b = tpi_peek(&pool->barriers); b != NULL; b = b->next) {
    if (!b->told && !waits_locked(b, pool) && is_there(b)) {
      b->told = 1;
      tpi_waiter_add(&effects->due, b->waiter);
    }
  }
}

int tpi_pool_bar (tp_Manager *pool, tpi_Barrier *b) {
  int stands;
  tpi_lock(&pool->lock);
  b->before = pool->submitted;
  b->next = tpi_peek(&pool->barriers);
  tpi_put(&pool->barriers, b); /* before we look: see tpi_pool_concluded */
  stands = b->stands = waits_locked(b, pool);
  if (!stands)
    tpi_put(&pool->barriers, b->next);
  tpi_unlock(&pool->lock);
  return stands; /* from here on it may be told, and taken away */
}

void tpi_pool_unbar (tp_Manager *pool, tpi_Barrier *b) {
  tpi_Barrier *before;
  tpi_lock(&pool->lock);
  before = tpi_peek(&pool->barriers);
  if (before == b) {
    tpi_put(&pool->barriers, b->next);
  } else if (b->stands) {
    while (before->next != b)
      before = before->next;
    before->next = b->next;
  }
  b->stands = 0;
  tpi_unlock(&pool->lock);
}

static int wait_for (tp_Manager *pool, tpi_Barrier *b, tpi_Parker *p,
                     uint64_t deadline) {
  int answer;
  b->waiter = &p->waiter;
  if (!tpi_pool_bar(pool, b)) {
    tpi_park_left(p);
    return TPI_RUNG;
  }
  answer = tpi_park(p, deadline);
  tpi_pool_unbar(pool, b);
  if (answer == TPI_RUNG)
    return answer;
  if (b->told) {
    tpi_park_told(p);
    return TPI_RUNG;
  }
  tpi_park_left(p);
  return answer;
}

int tpi_pool_join (tp_Manager *pool, tpi_Parker *p, uint64_t deadline) {
  tpi_Barrier b = {.leaves = 1};
  return wait_for(pool, &b, p, deadline);
}

int tpi_pool_settle (tp_Manager *pool, tpi_Parker *p, uint64_t deadline) {
  tpi_Barrier b = {.leaves = 0};
  return wait_for(pool, &b, p, deadline);
}

int tpi_pool_returned (tp_Manager *pool, const tpi_Host *home, tpi_Parker *p,
                       uint64_t deadline) {
  tpi_Barrier b = {.home = home};
  return wait_for(pool, &b, p, deadline);
}

/* ---------------------------------------------------------------- */
/* Looking                                                           */
/* ---------------------------------------------------------------- */

static void count_task (tpi_Task *task, tpi_Stats *s) {
  if (task == NULL)
    return;
  switch (tpi_future_state(&task->future)) {
    case TPI_PENDING: break; /* taken, and claimed in a moment */
    case TPI_RUNNING: s->running++; break;
    case TPI_SUSPENDED: s->suspended++; break;
    default: s->stopping++; break;
  }
}

void tpi_pool_stats (tp_Manager *pool, tpi_Stats *s) {
  /* large, and only ever used here: not on the stack of a small thread */
  tpi_Histogram *sums = tpi_calloc(2 * sizeof *sums);
  uint64_t settled;
  memset(s, 0, sizeof *s);
  tpi_lock(&pool->lock);
  s->workers = pool->workers;
  s->replaced = tpi_peek(&pool->replaced);
  for (int p = 0; p < TPI_PRIORITIES; p++)
    s->queued[p] = pool->queue.counts[p] + pool->holds[p];
  s->submitted = pool->submitted;
  s->completed = pool->completed;
  s->failed = pool->failed;
  s->cancelled = pool->cancelled;
  s->suspended = pool->stands[TPI_WAITS];
  s->stopping = pool->stands[TPI_STOPS];
  for (tpi_Worker *w = pool->all; w != NULL; w = w->next) {
    s->completed += tpi_peek(&w->completed);
    s->failed += tpi_peek(&w->failed);
    for (const tpi_Run *r = w->runs; r != NULL; r = r->outer)
      count_task(r->task, s);
    if (sums != NULL) {
      tpi_histogram_merge(&sums[0], &w->waits);
      tpi_histogram_merge(&sums[1], &w->takes);
    }
  }
  if (sums != NULL) {
    tpi_histogram_merge(&sums[0], &pool->waits);
    tpi_histogram_merge(&sums[1], &pool->takes);
  }
  settled = s->completed + s->failed + s->cancelled;
  if (settled > s->submitted) { /* some are settling right now */
    uint64_t twice = settled - s->submitted;
    s->completed -= twice < s->completed ? twice : s->completed;
  }
  tpi_unlock(&pool->lock);
  if (sums != NULL) {
    s->wait = tpi_histogram_read(&sums[0]);
    s->run = tpi_histogram_read(&sums[1]);
  }
  tpi_free(sums);
}
