#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "core/pool.h"
#include "core/thread.h"

enum { MOST_DEPTH = 32 };  /* tasks that help on one stack */
enum { MOST_STACKS = 16 }; /* spare workers for tasks that find theirs full */

/* One of two counters, and back again if somebody else settles first. They
   go up before, so that who has seen the future settle sees them; for a few
   instructions a cancelled task may thus count twice (tpi_pool_stats). */
static void bump (atomic_ullong *counter, int by) {
  tpi_poke(counter, tpi_peek(counter) + (unsigned long long)(long long)by);
}

/* True when it was this worker that settled the task and nobody has
   accounted for that yet. */
static int settle (tpi_Worker *worker, tpi_Task *task, tpi_Outcome outcome) {
  tpi_Future *f = &task->future;
  atomic_ullong *counter =
      outcome == TPI_RETURNED ? &worker->completed : &worker->failed;
  int won;
  if (outcome == TPI_NOROOM) { /* withdrawing accounts for it */
    tpi_future_end(f, TPI_FAILED, TPI_ERROR,
                   (char *)(uintptr_t) "out of memory", 1, NULL);
    return 0;
  }
  if (tpi_future_is_over(f))
    return 0;
  bump(counter, 1);
  won = outcome == TPI_RETURNED ? tpi_future_complete(f) : tpi_future_fail(f);
  if (!won)
    bump(counter, -1);
  return won;
}

/* What the arguments weighed was told when they were sent. */
static void tell_collector (tpi_Future *f, size_t told) {
  size_t weight = tpi_list_weight(&f->results);
  if (f->home != NULL && weight >= told + TPI_LONG)
    tpi_count(&f->home->owed, weight - told);
}

/* Runs a claimed task, or goes on with it, up to, but without, settling. */
static tpi_Outcome perform (tpi_Worker *worker, tpi_Task *task) {
  const tpi_TaskClass *class =
      (const tpi_TaskClass *)(const void *)task->future.class;
  uint64_t start = tpi_now();
  size_t told = tpi_task_weight(task);
  tpi_Outcome outcome;
  if (!task->resumed)
    tpi_histogram_add(&worker->waits,
                      start > task->submitted ? start - task->submitted : 0);
  outcome = class->run(task, worker);
  tpi_task_drop_args(task);
  task->spent += tpi_now() - start;
  if (outcome == TPI_PARKED)
    return outcome;
  tell_collector(&task->future, told);
  tpi_histogram_add(&worker->takes, task->spent);
  return outcome;
}

/* What a run has parked. */
static tpi_Parked *parked_by (tpi_Worker *worker, tpi_Outcome outcome) {
  return outcome == TPI_PARKED ? worker->parks : NULL;
}

static void let_go (tpi_Worker *worker, tpi_Task *task) {
  tpi_future_release(&task->future);
  tpi_pool_concluded(worker);
}

/* Results that came too late go at once. */
static void conclude (tpi_Worker *worker, tpi_Task *task, int won) {
  if (task->timer != NULL)
    tpi_timer_stop(task->timer);
  if (!won)
    tpi_list_fini(&task->future.results);
  let_go(worker, task);
}

/* A task that has forked returns in the child, too: there it was the last. */
static void main_loop (tpi_Worker *worker) {
  tpi_Run *run = &worker->own;
  tpi_Task *task = NULL;
  unsigned generation = tpi_generation();
  for (;;) {
    tpi_Task *next;
    if (task == NULL && (task = tpi_pool_seek(worker, run)) == NULL)
      return;
    if (worker->resumes || tpi_future_claim(&task->future)) {
      tpi_Outcome outcome = perform(worker, task);
      if (tpi_foreign(generation))
        return;
      next = tpi_pool_turn(worker, run, task, !task->resumed,
                           parked_by(worker, outcome));
      if (outcome != TPI_PARKED)
        conclude(worker, task, settle(worker, task, outcome));
    } else { /* cancelled: who did that has freed its slot */
      next = tpi_pool_turn(worker, run, task, 0, NULL);
      let_go(worker, task);
    }
    task = next;
  }
}

static void run (void *argument) {
  tpi_Worker *worker = argument;
  tpi_lock(&worker->pool->lock);
  worker->thread = pthread_self();
  tpi_unlock(&worker->pool->lock);
  main_loop(worker);
  if (tpi_pool_broken(worker->pool))
    return;
  if (worker->fini != NULL)
    worker->fini(worker->keeps);
  tpi_pool_left(worker->pool);
  tpi_host_release(worker->host);
  tpi_free(worker);
}

int tpi_worker_start (tp_Manager *pool) {
  tpi_Worker *worker = tpi_calloc(sizeof *worker);
  if (worker == NULL)
    return TP_NOMEM;
  worker->pool = pool;
  worker->runs = &worker->own;
  worker->told_end = &worker->told;
  worker->host = tpi_host_new(1);
  if (worker->host == NULL) {
    tpi_free(worker);
    return TP_NOMEM;
  }
  tpi_lock(&pool->lock);
  worker->next = pool->all;
  pool->all = worker;
  tpi_unlock(&pool->lock);
  if (tpi_thread_start_profiled(run, worker, pool->profile) == TP_OK)
    return TP_OK;
  tpi_lock(&pool->lock);
  for (tpi_Worker **w = &pool->all;; w = &(*w)->next) {
    if (*w == worker) {
      *w = worker->next;
      break;
    }
  }
  tpi_unlock(&pool->lock);
  tpi_host_release(worker->host);
  tpi_free(worker);
  return TP_NOMEM;
}

void tpi_worker_on_top (tpi_Worker *worker, tpi_Run *frame, tpi_Task *task) {
  tpi_Outcome outcome;
  worker->depth++;
  outcome = perform(worker, task);
  worker->depth--;
  tpi_pool_untake(worker, frame, task, !task->resumed,
                  parked_by(worker, outcome));
  if (outcome != TPI_PARKED)
    conclude(worker, task, settle(worker, task, outcome));
}

/* One that follows others has no arguments before it is queued. */
static int is_complete (tpi_Task *task) {
  int queued;
  if (task->follow == NULL)
    return 1;
  tpi_lock(&task->pool->lock);
  queued = task->place == TPI_QUEUED;
  tpi_unlock(&task->pool->lock);
  return queued;
}

int tpi_worker_help (tpi_Worker *worker, tpi_Task *task) {
  tpi_Run frame = {NULL, NULL};
  if (task->pool != worker->pool || worker->depth >= MOST_DEPTH ||
      !is_complete(task) || !tpi_future_claim(&task->future))
    return 0;
  tpi_pool_take(worker, &frame, task);
  tpi_worker_on_top(worker, &frame, task);
  return 1;
}

/*
** If all workers were blocked, what they wait for might stand in the queue
** and never run: then a spare one stands in. It leaves when it finds itself
** one too many. The same holds for a task that waits for room in its own pool.
** There are at most as many spares as the pool has workers, and some more where
** the stacks are full: a fresh one has room on its own.
*/
static int needs_spare_locked (const tpi_Worker *worker) {
  const tp_Manager *pool = worker->pool;
  unsigned most = 2 * pool->workers;
  if (worker->depth >= MOST_DEPTH)
    most += MOST_STACKS;
  return pool->alive == pool->blocked && pool->alive < most;
}

/* Unlocks. Does any worker move now? */
static int unlock_with_spare (tpi_Worker *worker, tpi_Effects *effects) {
  tp_Manager *pool = worker->pool;
  int spare = needs_spare_locked(worker), moves;
  pool->alive += spare ? 1 : 0;
  moves = pool->alive > pool->blocked;
  if (!moves)
    tpi_pool_unstick_locked(pool, effects);
  tpi_pool_unlock(pool, effects);
  if (spare && tpi_worker_start(pool) != TP_OK) {
    tpi_lock(&pool->lock);
    pool->alive--;
    moves = 0;
    tpi_pool_unstick_locked(pool, effects);
    tpi_pool_unlock(pool, effects);
  }
  return moves;
}

int tpi_worker_block (tpi_Worker *worker) {
  tp_Manager *pool = worker->pool;
  tpi_Effects effects = {NULL, NULL, NULL};
  if (worker->left)
    return 1; /* nobody counts on it any more */
  tpi_lock(&pool->lock);
  pool->blocked += worker->blocks++ == 0;
  tpi_pool_lend_slot_locked(worker, &effects);
  return unlock_with_spare(worker, &effects);
}

int tpi_worker_stuck (tpi_Worker *worker) {
  tpi_Effects effects = {NULL, NULL, NULL};
  tpi_lock(&worker->pool->lock);
  return !unlock_with_spare(worker, &effects);
}

void tpi_worker_unblock (tpi_Worker *worker) {
  tp_Manager *pool = worker->pool;
  tpi_Effects effects = {NULL, NULL, NULL};
  if (worker->left)
    return;
  tpi_lock(&pool->lock);
  pool->blocked -= --worker->blocks == 0;
  if (pool->alive - pool->blocked > pool->workers)
    tpi_pool_wake_all_locked(pool, &effects); /* one of the idle may leave */
  tpi_pool_unlock(pool, &effects);
}
