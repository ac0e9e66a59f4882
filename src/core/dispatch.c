#include <stddef.h>

#include "core/clock.h"
#include "core/memory.h"
#include "core/pool.h"
#include "core/thread.h"

static tpi_Task *task_of (tpi_Item *item) {
  return (tpi_Task *)(void *)((char *)item - offsetof(tpi_Task, item));
}

int tpi_pool_broken (const tp_Manager *pool) {
  return pool->generation != tpi_see(&tpi_generation);
}

int tpi_task_orphaned (const tpi_Future *future) {
  const tpi_Task *task = (const tpi_Task *)(const void *)future;
  return task->generation != tpi_see(&tpi_generation);
}

/* ---------------------------------------------------------------- */
/* Effects                                                           */
/* ---------------------------------------------------------------- */

static void destroy (tp_Manager *pool) {
  tpi_pools_remove(pool);
  tpi_free(pool->name);
  tpi_free(pool);
}

/* Of a pool without workers: none is left that counts by itself. */
static int all_settled_locked (tp_Manager *pool) {
  return pool->submitted == pool->completed + pool->failed + pool->cancelled;
}

void tpi_pool_unlock (tp_Manager *pool, tpi_Effects *effects) {
  tpi_Worker *worker = effects->wake;
  tpi_Waiter *due = tpi_waiters_take(&effects->due);
  int dead = pool->handles == 0 && pool->alive == 0 && !pool->dead &&
             tpi_peek(&pool->slots) == 0 && all_settled_locked(pool);
  pool->dead |= dead;
  tpi_unlock(&pool->lock);
  while (worker != NULL) {
    tpi_Worker *next = worker->next_idle; /* gone once it is awake */
    tpi_host_wake(worker->host);
    worker = next;
  }
  tpi_waiters_tell(due);
  if (dead)
    destroy(pool);
}

static void pop_idle_locked (tp_Manager *pool, tpi_Effects *effects) {
  tpi_Worker *worker = pool->idle;
  pool->idle = worker->next_idle;
  worker->next_idle = effects->wake;
  effects->wake = worker;
}

static void seek_no_more_locked (tpi_Worker *worker) {
  for (int i = 0; i < TPI_SEEKERS; i++) {
    if (worker->pool->seekers[i] == worker)
      worker->pool->seekers[i] = NULL;
  }
}

/* There is work: is somebody coming for it? */
void tpi_pool_wake_locked (tp_Manager *pool, tpi_Effects *effects) {
  if (pool->idle == NULL)
    return;
  for (int i = 0; i < TPI_SEEKERS; i++) {
    if (pool->seekers[i] != NULL)
      return;
  }
  pool->seekers[0] = pool->idle;
  pop_idle_locked(pool, effects);
}

void tpi_pool_wake_all_locked (tp_Manager *pool, tpi_Effects *effects) {
  while (pool->idle != NULL)
    pop_idle_locked(pool, effects);
}

/* ---------------------------------------------------------------- */
/* Slots and accounts                                                */
/* ---------------------------------------------------------------- */

static void enqueue_locked (tp_Manager *pool, tpi_Task *task) {
  task->place = TPI_QUEUED;
  task->sequence = pool->submitted++;
  tpi_future_retain(&task->future); /* the queue's, then the worker's */
  tpi_queue_push(&pool->queue, &task->item, (tp_Priority)task->priority);
}

static void settle_admission_locked (tp_Manager *pool, tpi_Admission *first,
                                     int outcome, tpi_Effects *effects) {
  pool->door = first->next;
  if (pool->door == NULL)
    pool->door_end = &pool->door;
  first->outcome = outcome;
  tpi_waiter_add(&effects->due, &first->parker->waiter);
}

static void free_slot_locked (tp_Manager *pool, tpi_Effects *effects) {
  tpi_Admission *first = pool->door;
  if (first == NULL) {
    tpi_poke(&pool->slots, tpi_peek(&pool->slots) - 1);
    return;
  }
  settle_admission_locked(pool, first, TP_OK, effects);
  enqueue_locked(pool, first->task);
  tpi_poke(&pool->signal, (unsigned)pool->submitted);
  tpi_pool_wake_locked(pool, effects);
}

void tpi_pool_refuse_locked (tp_Manager *pool, tpi_Effects *effects) {
  while (pool->door != NULL) {
    pool->door->task->place = TPI_OUTSIDE;
    settle_admission_locked(pool, pool->door, TP_CLOSED, effects);
  }
}

static void count_withdrawn_locked (tp_Manager *pool, tpi_Future *future) {
  if (tpi_future_state(future) == TPI_CANCELLED)
    pool->cancelled++;
  else
    pool->failed++;
}

void tpi_pool_withdraw (tpi_Future *future, tpi_Phase was) {
  tpi_Task *task = tpi_task_of(future);
  tp_Manager *pool = task->pool;
  tpi_Effects effects = {NULL, NULL};
  int queued = 0;
  if (tpi_task_orphaned(future))
    return;
  if (task->timer != NULL)
    tpi_timer_stop(task->timer);
  tpi_lock(&pool->lock);
  if (task->place > TPI_AT_DOOR) {
    count_withdrawn_locked(pool, future);
    if (was == TPI_PENDING) {
      queued = tpi_queue_remove(&pool->queue, &task->item,
                                (tp_Priority)task->priority);
      task->place = TPI_TAKEN;
      free_slot_locked(pool, &effects);
    }
    tpi_pool_look_locked(pool, &effects);
  }
  tpi_pool_unlock(pool, &effects);
  if (was == TPI_PENDING)
    tpi_task_drop_args(task);
  if (queued)
    tpi_future_release(future);
}

/* ---------------------------------------------------------------- */
/* Submitting                                                        */
/* ---------------------------------------------------------------- */

static int may_enter_locked (tp_Manager *pool) {
  return pool->door == NULL && tpi_peek(&pool->slots) < pool->capacity;
}

static void enter_locked (tp_Manager *pool, tpi_Task *task) {
  tpi_poke(&pool->slots, tpi_peek(&pool->slots) + 1);
  enqueue_locked(pool, task);
}

/* Looks a while whether a slot gets free. */
static void spin_at_door (tp_Manager *pool, const tpi_Parker *p) {
  unsigned looks = tpi_host_looks(p->host, pool->spin);
  while (tpi_peek(&pool->slots) >= pool->capacity && looks-- > 0)
    tpi_relax();
}

/* The worker that runs this, in a task that submits to its own pool. */
static tpi_Worker *this_worker_locked (const tp_Manager *pool) {
  pthread_t self = pthread_self();
  tpi_Worker *worker = pool->all;
  while (worker != NULL && !pthread_equal(worker->thread, self))
    worker = worker->next;
  return worker;
}

/* The lock is held, and is released. */
static int wait_at_door (tp_Manager *pool, tpi_Task *task, tpi_Parker *p) {
  tpi_Effects effects = {NULL, NULL};
  tpi_Admission admission = {NULL, task, p, TP_OK};
  tpi_Worker *worker = this_worker_locked(pool);
  int answer;
  task->place = TPI_AT_DOOR;
  *pool->door_end = &admission;
  pool->door_end = &admission.next;
  tpi_pool_unlock(pool, &effects);
  if (worker != NULL)
    tpi_worker_block(worker);
  answer = tpi_park(p, tpi_timer_deadline(task->timer));
  if (worker != NULL)
    tpi_worker_unblock(worker);
  if (answer == TPI_RUNG)
    return admission.outcome;
  tpi_lock(&pool->lock);
  if (task->place != TPI_AT_DOOR) { /* admitted or refused meanwhile */
    tpi_pool_unlock(pool, &effects);
    tpi_park_told(p);
    return admission.outcome;
  }
  for (tpi_Admission **a = &pool->door; *a != NULL; a = &(*a)->next) {
    if (*a == &admission) {
      *a = admission.next;
      if (*a == NULL)
        pool->door_end = a;
      break;
    }
  }
  task->place = TPI_OUTSIDE;
  if (answer == TPI_LATE) { /* its time was over before it came in */
    pool->submitted++;
    pool->failed++;
  }
  tpi_pool_unlock(pool, &effects);
  tpi_park_left(p);
  if (answer == TPI_LATE)
    tpi_timer_fire(task->timer);
  return answer == TPI_LATE ? TP_OK : TP_CANCELLED;
}

/* From now on its time runs out by itself; the caller retains the task. If it
   settled before the timer was armed, nobody has stopped that. */
static void arm (tpi_Task *task) {
  if (task->timer == NULL || tpi_future_settled(&task->future))
    return;
  if (tpi_timer_start(task->timer) != TP_OK)
    tpi_future_end(&task->future, TPI_FAILED, TPI_ERROR,
                   (char *)(uintptr_t) "no memory or thread for its timeout",
                   1);
  else if (tpi_future_settled(&task->future))
    tpi_timer_stop(task->timer);
}

/* The lock is held, and is released. */
static int enter_or_wait (tp_Manager *pool, tpi_Task *task, tpi_Parker *p) {
  tpi_Effects effects = {NULL, NULL};
  unsigned signal = 0;
  int rc = TP_OK;
  if (pool->closing) {
    rc = TP_CLOSED;
  } else if (may_enter_locked(pool)) {
    enter_locked(pool, task);
    tpi_pool_wake_locked(pool, &effects);
    signal = (unsigned)pool->submitted;
  } else if (p == NULL) {
    rc = TP_FULL;
  } else {
    return wait_at_door(pool, task, p);
  }
  tpi_pool_unlock(pool, &effects);
  if (rc == TP_OK)
    tpi_poke(&pool->signal, signal); /* now who comes finds the lock free */
  if (p != NULL)
    tpi_park_left(p);
  return rc;
}

int tpi_pool_submit (tp_Manager *pool, tpi_Task *task, tpi_Parker *p) {
  int rc;
  if (tpi_pool_broken(pool)) {
    if (p != NULL)
      tpi_park_left(p);
    return TP_BROKEN;
  }
  task->submitted = tpi_now();
  task->future.patience = pool->spin;
  if (p != NULL && tpi_peek(&pool->slots) >= pool->capacity)
    spin_at_door(pool, p);
  tpi_lock(&pool->lock);
  rc = enter_or_wait(pool, task, p);
  if (rc == TP_OK)
    arm(task);
  return rc;
}

int tpi_pool_submit_many (tp_Manager *pool, tpi_Task **tasks, size_t *count,
                          int whole) {
  tpi_Effects effects = {NULL, NULL};
  uint64_t now = tpi_now();
  size_t n = *count, i = 0;
  int rc = TP_OK;
  *count = 0;
  if (tpi_pool_broken(pool))
    return TP_BROKEN;
  for (size_t k = 0; k < n; k++) {
    tasks[k]->submitted = now;
    tasks[k]->future.patience = pool->spin;
  }
  tpi_lock(&pool->lock);
  if (pool->closing)
    rc = TP_CLOSED;
  else if (whole && n > pool->capacity - tpi_peek(&pool->slots))
    rc = TP_FULL;
  for (; rc == TP_OK && i < n; i++) {
    if (!may_enter_locked(pool)) {
      rc = TP_FULL;
      break;
    }
    enter_locked(pool, tasks[i]);
  }
  if (i > 0) {
    tpi_pool_wake_locked(pool, &effects);
    tpi_poke(&pool->signal, (unsigned)pool->submitted);
  }
  tpi_pool_unlock(pool, &effects);
  for (size_t k = 0; k < i; k++)
    arm(tasks[k]);
  *count = i;
  return rc;
}

/* ---------------------------------------------------------------- */
/* Taking                                                            */
/* ---------------------------------------------------------------- */

static tpi_Task *take_locked (tpi_Worker *worker, tpi_Run *run,
                              tpi_Effects *effects) {
  tp_Manager *pool = worker->pool;
  tpi_Item *item = tpi_queue_pop(&pool->queue);
  if (item == NULL)
    return NULL;
  run->task = task_of(item);
  tpi_expect(run->task, sizeof *run->task + TPI_LINE);
  run->task->place = TPI_TAKEN;
  seek_no_more_locked(worker);
  if (pool->queue.count > 0)
    tpi_pool_wake_locked(pool, effects);
  return run->task;
}

/* It is done with a task, but for settling it and letting it go. */
static void conclude_locked (tpi_Worker *worker, const tpi_Task *done) {
  worker->sequence = done->sequence;
  worker->home = done->future.home;
  tpi_store(&worker->concludes, 1);
}

tpi_Task *tpi_pool_turn (tpi_Worker *worker, tpi_Run *run, tpi_Task *done,
                         int held) {
  tp_Manager *pool = worker->pool;
  tpi_Effects effects = {NULL, NULL};
  tpi_Task *task;
  tpi_lock(&pool->lock);
  run->task = NULL;
  conclude_locked(worker, done);
  if (held)
    free_slot_locked(pool, &effects);
  task = take_locked(worker, run, &effects);
  tpi_pool_unlock(pool, &effects);
  return task;
}

/* May it be the one that looks around, and does it want to? Who is on its
   way but not awake yet gives way. */
static int seeks_locked (tpi_Worker *worker) {
  tp_Manager *pool = worker->pool;
  if (pool->spin == 0)
    return 0;
  seek_no_more_locked(worker);
  for (int i = 0; i < TPI_SEEKERS; i++) {
    if (pool->seekers[i] == NULL || !pool->seekers[i]->awake) {
      pool->seekers[i] = worker;
      worker->heard = tpi_peek(&pool->signal);
      return 1;
    }
  }
  return 0;
}

static void spin_for_work (const tpi_Worker *worker) {
  tp_Manager *pool = worker->pool;
  unsigned looks = tpi_host_looks(worker->host, pool->spin);
  while (tpi_peek(&pool->signal) == worker->heard && looks-- > 0)
    tpi_relax();
}

/* A closed pool needs nobody once its queue is empty; and more than the
   fixed number run only while some of them are blocked. */
static int may_leave_locked (tp_Manager *pool) {
  return pool->closing || pool->alive - pool->blocked > pool->workers;
}

/* The last that a worker does to its pool. */
static void leave_locked (tpi_Worker *worker, tpi_Effects *effects) {
  tp_Manager *pool = worker->pool;
  tpi_Worker **w = &pool->all;
  while (*w != worker)
    w = &(*w)->next;
  *w = worker->next;
  tpi_histogram_merge(&pool->waits, &worker->waits);
  tpi_histogram_merge(&pool->takes, &worker->takes);
  pool->completed += tpi_peek(&worker->completed);
  pool->failed += tpi_peek(&worker->failed);
  pool->alive--;
  while (pool->alive == 0 && pool->closers != NULL) {
    tpi_Waiter *closer = pool->closers;
    tpi_waiter_remove(closer);
    tpi_waiter_add(&effects->due, closer);
  }
}

static void sleep_locked (tpi_Worker *worker) {
  worker->awake = 0;
  worker->next_idle = worker->pool->idle;
  worker->pool->idle = worker;
  tpi_host_arm(worker->host);
}

tpi_Task *tpi_pool_seek (tpi_Worker *worker, tpi_Run *run) {
  tp_Manager *pool = worker->pool;
  int seeks = 0;
  for (;;) {
    tpi_Effects effects = {NULL, NULL};
    tpi_Task *task;
    int leaves = 0, spun = seeks;
    if (spun)
      spin_for_work(worker);
    tpi_lock(&pool->lock);
    worker->awake = 1;
    task = take_locked(worker, run, &effects);
    seeks = task == NULL && !spun && seeks_locked(worker);
    if (task == NULL && !seeks) {
      seek_no_more_locked(worker);
      leaves = may_leave_locked(pool);
      if (leaves)
        leave_locked(worker, &effects);
      else
        sleep_locked(worker);
    }
    tpi_pool_unlock(pool, &effects);
    if (task != NULL || leaves)
      return task;
    if (!seeks)
      tpi_host_doze(worker->host);
  }
}

void tpi_pool_take (tpi_Worker *worker, tpi_Run *run, tpi_Task *task) {
  tp_Manager *pool = task->pool;
  tpi_Effects effects = {NULL, NULL};
  tpi_lock(&pool->lock);
  if (!tpi_queue_remove(&pool->queue, &task->item,
                        (tp_Priority)task->priority))
    tpi_future_retain(&task->future); /* another worker drops the queue's */
  task->place = TPI_TAKEN;
  run->task = task;
  run->outer = worker->runs;
  worker->runs = run;
  tpi_pool_unlock(pool, &effects);
}

void tpi_pool_untake (tpi_Worker *worker, tpi_Run *run, tpi_Task *task) {
  tp_Manager *pool = task->pool;
  tpi_Effects effects = {NULL, NULL};
  tpi_lock(&pool->lock);
  worker->runs = run->outer;
  conclude_locked(worker, task);
  free_slot_locked(pool, &effects);
  tpi_pool_unlock(pool, &effects);
}

/* Cleared first, then looked: who leaves a barrier does so first and looks
   at us then, so that one of us sees the other. */
void tpi_pool_concluded (tpi_Worker *worker) {
  tp_Manager *pool = worker->pool;
  tpi_Effects effects = {NULL, NULL};
  tpi_put(&worker->concludes, 0);
  if (tpi_see(&pool->barriers) == NULL)
    return;
  tpi_lock(&pool->lock);
  tpi_pool_look_locked(pool, &effects);
  tpi_pool_unlock(pool, &effects);
}
