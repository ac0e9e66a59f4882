/*
** Getting a task into its pool, past the door if there is no slot.
*/
#include "core/clock.h"
#include "core/follow.h"
#include "core/thread.h"

static int may_enter_locked (tp_Manager *pool) {
  return pool->door == NULL && tpi_peek(&pool->slots) < pool->capacity;
}

static void enter_locked (tp_Manager *pool, tpi_Task *task) {
  tpi_poke(&pool->slots, tpi_peek(&pool->slots) + 1);
  tpi_pool_enqueue_locked(pool, task);
}

/* TP_OK, TP_CLOSED, or TP_FULL. */
static int try_enter_locked (tp_Manager *pool, tpi_Task *task,
                             tpi_Effects *effects) {
  if (pool->closing)
    return TP_CLOSED;
  if (!may_enter_locked(pool))
    return TP_FULL;
  enter_locked(pool, task);
  tpi_pool_wake_locked(pool, effects);
  return TP_OK;
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

static void line_up_locked (tp_Manager *pool, tpi_Task *task,
                            tpi_Admission *admission, tpi_Waiter *waiter,
                            tpi_Effects *effects) {
  admission->next = NULL;
  admission->link = pool->door_end;
  admission->task = task;
  admission->waiter = waiter;
  admission->outcome = TP_OK;
  task->place = TPI_AT_DOOR;
  *pool->door_end = admission;
  pool->door_end = &admission->next;
  tpi_pool_unstick_locked(pool, effects);
}

int tpi_pool_leave_line (tp_Manager *pool, tpi_Admission *admission, int late) {
  tpi_Effects effects = {NULL, NULL, NULL};
  tpi_Task *task = admission->task;
  int stands;
  tpi_lock(&pool->lock);
  stands = task->place == TPI_AT_DOOR; /* else admitted or refused */
  if (stands) {
    tpi_pool_leave_door_locked(pool, admission);
    task->place = TPI_OUTSIDE;
  }
  if (stands && late) { /* its time was over before it came in */
    pool->submitted++;
    pool->failed++;
  }
  tpi_pool_unlock(pool, &effects);
  if (stands && late)
    tpi_timer_fire(task->timer);
  return stands;
}

/* The lock is held, and is released. */
static int wait_at_door (tp_Manager *pool, tpi_Task *visitor, tpi_Task *task,
                         tpi_Parker *p) {
  tpi_Effects effects = {NULL, NULL, NULL};
  tpi_Admission admission;
  tpi_Worker *worker = this_worker_locked(pool);
  int answer;
  admission.visitor =
      visitor == NULL && worker != NULL ? worker->runs->task : visitor;
  admission.blocks = worker != NULL;
  line_up_locked(pool, task, &admission, &p->waiter, &effects);
  tpi_pool_unlock(pool, &effects);
  if (worker != NULL)
    tpi_worker_block(worker);
  answer = tpi_park(p, tpi_timer_deadline(task->timer));
  if (worker != NULL)
    tpi_worker_unblock(worker);
  if (answer == TPI_RUNG)
    return admission.outcome;
  if (!tpi_pool_leave_line(pool, &admission, answer == TPI_LATE)) {
    tpi_park_told(p);
    return admission.outcome;
  }
  tpi_park_left(p);
  return answer == TPI_LATE ? TP_OK : TP_CANCELLED;
}

/* If it settled before the timer was armed, nobody has stopped that. */
void tpi_pool_admitted (tpi_Task *task) {
  if (task->follow != NULL)
    tpi_follow_start(task);
  if (task->timer == NULL || tpi_future_settled(&task->future))
    return;
  if (tpi_timer_start(task->timer) != TP_OK)
    tpi_future_end(&task->future, TPI_FAILED, TPI_ERROR,
                   (char *)(uintptr_t) "no memory or thread for its timeout", 1,
                   NULL);
  else if (tpi_future_settled(&task->future))
    tpi_timer_stop(task->timer);
}

/* The lock is held, and is released. */
static int enter_or_wait (tp_Manager *pool, tpi_Task *visitor, tpi_Task *task,
                          tpi_Parker *p) {
  tpi_Effects effects = {NULL, NULL, NULL};
  int rc = try_enter_locked(pool, task, &effects);
  unsigned signal = (unsigned)pool->submitted;
  if (rc == TP_FULL && p != NULL)
    return wait_at_door(pool, visitor, task, p);
  tpi_pool_unlock(pool, &effects);
  if (rc == TP_OK)
    tpi_poke(&pool->signal, signal); /* now who comes finds the lock free */
  if (p != NULL)
    tpi_park_left(p);
  return rc;
}

static int submit (tp_Manager *pool, tpi_Task *visitor, tpi_Task *task,
                   tpi_Parker *p) {
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
  rc = enter_or_wait(pool, visitor, task, p);
  if (rc == TP_OK)
    tpi_pool_admitted(task);
  return rc;
}

int tpi_pool_submit (tp_Manager *pool, tpi_Task *task, tpi_Parker *p) {
  return submit(pool, NULL, task, p);
}

int tpi_pool_submit_for (tpi_Task *visitor, tpi_Task *task, tpi_Parker *p) {
  return submit(task->pool, visitor, task, p);
}

int tpi_pool_line_up (tp_Manager *pool, tpi_Task *task,
                      tpi_Admission *admission, tpi_Waiter *waiter) {
  tpi_Effects effects = {NULL, NULL, NULL};
  int rc;
  if (tpi_pool_broken(pool))
    return TP_BROKEN;
  tpi_lock(&pool->lock);
  rc = try_enter_locked(pool, task, &effects);
  if (rc == TP_OK)
    tpi_poke(&pool->signal, (unsigned)pool->submitted);
  else if (rc == TP_FULL)
    line_up_locked(pool, task, admission, waiter, &effects);
  tpi_pool_unlock(pool, &effects);
  if (rc == TP_OK)
    tpi_pool_admitted(task);
  return rc;
}

int tpi_pool_submit_many (tp_Manager *pool, tpi_Task **tasks, size_t *count,
                          int whole) {
  tpi_Effects effects = {NULL, NULL, NULL};
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
  else if (whole && tpi_peek(&pool->slots) + n > pool->capacity)
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
    tpi_pool_admitted(tasks[k]);
  *count = i;
  return rc;
}
