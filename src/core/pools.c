#include "core/pools.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/blob.h"
#include "core/clock.h"
#include "core/functions.h"
#include "core/homes.h"
#include "core/pin.h"
#include "core/promise.h"
#include "core/thread.h"
#include "core/waits.h"
#include "core/word.h"

enum { DEFAULT_WORKERS = 4, DEFAULT_QUEUE = 40, DEFAULT_SPIN = 2000 };

static tpi_Lock lock;
static tp_Manager *pools; /* guarded by lock */
static tpi_Lock naming;   /* held while a name is looked up and then taken */
static atomic_ullong grace = TPI_SECOND;
static atomic_ullong ran_out, waited; /* when a grace last did; how long */

/* ---------------------------------------------------------------- */
/* The list                                                          */
/* ---------------------------------------------------------------- */

void tpi_pools_add (tp_Manager *pool) {
  tpi_lock(&lock);
  pool->next = pools;
  pool->link = &pools;
  if (pools != NULL)
    pools->link = &pool->next;
  pools = pool;
  tpi_unlock(&lock);
}

void tpi_pools_remove (tp_Manager *pool) {
  tpi_lock(&lock);
  *pool->link = pool->next;
  if (pool->next != NULL)
    pool->next->link = pool->link;
  tpi_unlock(&lock);
}

/* Keeps a pool for us unless it is being freed, or not of this process. */
static int keep (tp_Manager *pool) {
  int alive;
  if (tpi_pool_broken(pool))
    return 0;
  tpi_lock(&pool->lock);
  alive = !pool->dead;
  if (alive)
    pool->handles++;
  tpi_unlock(&pool->lock);
  return alive;
}

/* The first pool, or the one after; retained. Releases `before`. */
static tp_Manager *next_pool (tp_Manager *before) {
  tp_Manager *pool;
  tpi_lock(&lock);
  pool = before != NULL ? before->next : pools;
  while (pool != NULL && !keep(pool))
    pool = pool->next;
  tpi_unlock(&lock);
  tpi_pool_release(before);
  return pool;
}

tp_Manager *tpi_pools_find (const char *name) {
  tp_Manager *pool = NULL;
  while ((pool = next_pool(pool)) != NULL) {
    if (pool->name != NULL && strcmp(pool->name, name) == 0 &&
        tpi_pool_open(pool))
      return pool;
  }
  return NULL;
}

int tpi_pools_new (const tpi_PoolOptions *options, tp_Manager **out) {
  tp_Manager *same;
  int rc;
  if (options->name == NULL)
    return tpi_pool_new(options, out);
  tpi_lock(&naming);
  same = tpi_pools_find(options->name);
  rc = same != NULL ? TP_TAKEN : tpi_pool_new(options, out);
  tpi_unlock(&naming);
  tpi_pool_release(same);
  return rc;
}

int tpi_pools_default (void *kit, void (*drop)(void *), tp_Manager **out) {
  const tpi_PoolOptions options = {
      DEFAULT_WORKERS, DEFAULT_QUEUE, DEFAULT_SPIN, "default", kit, drop, 0};
  int rc = TP_OK, made;
  tpi_lock(&naming);
  *out = tpi_pools_find(options.name);
  made = *out == NULL;
  if (made)
    rc = tpi_pool_new(&options, out);
  tpi_unlock(&naming);
  if (kit != NULL && (!made || rc != TP_OK))
    drop(kit);
  return rc;
}

/* ---------------------------------------------------------------- */
/* Leaving                                                           */
/* ---------------------------------------------------------------- */

double tpi_exit_grace (void) { return (double)tpi_see(&grace) / 1e9; }

void tpi_set_exit_grace (double seconds) {
  tpi_put(&grace, (unsigned long long)(seconds * 1e9));
}

unsigned tpi_pools_leave (tpi_Host *home) {
  uint64_t deadline = tpi_now() + tpi_see(&grace);
  tp_Manager *pool = NULL;
  unsigned count = 0;
  while ((pool = next_pool(pool)) != NULL)
    count += tpi_pool_cancel(pool, home, "its Lua state was closed");
  while ((pool = next_pool(pool)) != NULL) {
    tpi_Parker p;
    tpi_parker_init(&p, NULL, NULL, NULL);
    if (tpi_pool_returned(pool, home, &p, deadline) == TPI_LATE) {
      tpi_put(&waited, tpi_see(&grace));
      tpi_put(&ran_out, tpi_now());
    }
  }
  tpi_blobs_trim();
  return count;
}

enum { SHORTLY = 100 * 1000 * 1000 }; /* ns */

/* How much of the grace was spent just now on something that still runs? */
static uint64_t spent (void) {
  tp_Manager *pool = NULL;
  int stopping = 0;
  if (tpi_now() - tpi_see(&ran_out) > SHORTLY)
    return 0;
  while ((pool = next_pool(pool)) != NULL) {
    tpi_Stats stats;
    tpi_pool_stats(pool, &stats);
    stopping |= stats.stopping > 0;
  }
  return stopping ? tpi_see(&waited) : 0;
}

/* What has not returned after the grace is left behind: it may go on using
   what it uses, for nothing of ours is freed. */
static void at_exit (void) {
  static atomic_uint done; /* it was put in front more than once */
  uint64_t left = tpi_see(&grace), gone;
  tp_Manager *pool = NULL;
  unsigned tasks = 0;
  if (tpi_swap(&done, tpi_generation() + 1) == tpi_generation() + 1)
    return;
  gone = spent(); /* nobody waits twice for the same */
  if (gone > 0)
    left = left > gone + SHORTLY ? left - gone : SHORTLY;
  while ((pool = next_pool(pool)) != NULL) {
    tpi_pool_close(pool);
    tasks += tpi_pool_cancel(pool, NULL, "the program is ending");
  }
  tpi_timers_stop();
  tpi_threads_wait(tpi_now() + left);
  tpi_homes_report(tasks);
}

void tpi_runtime_rearm (void) { atexit(at_exit); }

/* ---------------------------------------------------------------- */
/* Forking                                                           */
/* ---------------------------------------------------------------- */

static void before_fork (void) {
  tpi_lock(&naming);
  tpi_lock(&lock);
  tpi_functions_freeze();
  tpi_blobs_freeze();
}

static void after_fork (void) {
  tpi_blobs_thaw();
  tpi_functions_thaw();
  tpi_unlock(&lock);
  tpi_unlock(&naming);
}

static void in_child (void) {
  tpi_generation_next();
  tpi_locks_forget();
  tpi_words_forget(); /* before any lock is let go */
  pools = NULL;       /* the parent's, with threads that are not here */
  tpi_timers_forget();
  tpi_threads_forget();
  tpi_waits_forget();
  tpi_failures_forget();
  tpi_homes_forget();
  after_fork();
}

static void start (void) {
  tpi_pin((const void *)(uintptr_t)start);
  pthread_atfork(before_fork, after_fork, in_child);
  tpi_runtime_rearm();
}

void tpi_runtime_start (void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start);
}
