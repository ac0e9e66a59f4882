#include "core/follow.h"
#include "core/memory.h"
#include "core/word.h"

int tpi_pool_broken (const tp_Manager *pool) {
  return tpi_foreign(pool->generation);
}

/* ---------------------------------------------------------------- */
/* Effects                                                           */
/* ---------------------------------------------------------------- */

static void destroy (tp_Manager *pool) {
  tpi_pools_remove(pool);
  if (pool->kit != NULL)
    pool->drop(pool->kit);
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
  atomic_uint *word = effects->word;
  int dead = pool->handles == 0 && pool->alive + pool->leaving == 0 &&
             !pool->dead && tpi_peek(&pool->slots) == 0 &&
             all_settled_locked(pool);
  effects->wake = NULL;
  effects->word = NULL;
  pool->dead |= dead;
  tpi_unlock(&pool->lock);
  while (worker != NULL) {
    tpi_Worker *next = worker->next_idle; /* gone once it is awake */
    tpi_host_wake(worker->host);
    worker = next;
  }
  if (word != NULL)
    tpi_word_wake(word, 0);
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

void tpi_pool_seek_no_more_locked (tpi_Worker *worker) {
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

void tpi_pool_enqueue_locked (tp_Manager *pool, tpi_Task *task) {
  task->sequence = pool->submitted++;
  tpi_future_retain(&task->future); /* the queue's, then the worker's */
  if (task->follow != NULL) {
    task->place = TPI_HELD;
    tpi_ring_add(&pool->held, &task->follow->held);
    pool->holding++;
    pool->holds[task->priority]++;
    return;
  }
  task->place = TPI_QUEUED;
  tpi_queue_push(&pool->queue, &task->item, (tp_Priority)task->priority);
}

void tpi_pool_leave_door_locked (tp_Manager *pool, tpi_Admission *admission) {
  *admission->link = admission->next;
  if (admission->next != NULL)
    admission->next->link = admission->link;
  else
    pool->door_end = admission->link;
}

static void settle_admission_locked (tp_Manager *pool, tpi_Admission *admission,
                                     int outcome, tpi_Effects *effects) {
  tpi_pool_leave_door_locked(pool, admission);
  admission->outcome = outcome;
  tpi_waiter_add(&effects->due, admission->waiter);
}

void tpi_pool_admit_locked (tp_Manager *pool, tpi_Admission *admission,
                            tpi_Effects *effects) {
  tpi_Task *task = admission->task;
  settle_admission_locked(pool, admission, TP_OK, effects);
  tpi_pool_enqueue_locked(pool, task);
  tpi_poke(&pool->signal, (unsigned)pool->submitted);
  tpi_pool_wake_locked(pool, effects);
}

void tpi_pool_free_slot_locked (tp_Manager *pool, tpi_Effects *effects) {
  if (pool->door == NULL || tpi_peek(&pool->slots) > pool->capacity) {
    tpi_poke(&pool->slots, tpi_peek(&pool->slots) - 1);
  } else {
    tpi_pool_admit_locked(pool, pool->door, effects);
    tpi_pool_unstick_locked(pool, effects);
  }
}

void tpi_pool_lend_slot_locked (tpi_Worker *worker, tpi_Effects *effects) {
  tpi_Task *task = worker->runs->task;
  if (task == NULL || task->resumed)
    return;
  task->resumed = 1;
  tpi_pool_free_slot_locked(worker->pool, effects);
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

/* It follows others, and was held back for that. */
static void hold_no_more_locked (tp_Manager *pool, const tpi_Task *task) {
  pool->holding--;
  pool->holds[task->priority]--;
}

int tpi_pool_dequeue_locked (tp_Manager *pool, tpi_Task *task) {
  if (task->place == TPI_FILLING)
    tpi_ring_remove(&task->item);
  if (task->place == TPI_HELD || task->place == TPI_FILLING)
    hold_no_more_locked(pool, task);
  else if (!tpi_queue_remove(&pool->queue, &task->item,
                             (tp_Priority)task->priority))
    return 0;
  if (task->follow != NULL)
    tpi_ring_remove(&task->follow->held);
  return 1;
}

void tpi_pool_stands_locked (tp_Manager *pool, tpi_Task *task, int how) {
  pool->stands[task->parked]--;
  pool->stands[how]++;
  task->parked = (unsigned char)how;
}

void tpi_pool_withdraw (tpi_Future *future, tpi_Phase was) {
  tpi_Task *task = tpi_task_of(future);
  tp_Manager *pool = task->pool;
  tpi_Effects effects = {NULL, NULL, NULL};
  int queued = 0, filling = 0, pinned = 0;
  if (task->timer != NULL)
    tpi_timer_stop(task->timer);
  tpi_lock(&pool->lock);
  if (task->place > TPI_AT_DOOR) {
    count_withdrawn_locked(pool, future);
    pinned = task->place == TPI_PINNED;
    if (task->parked != TPI_AWAY)
      tpi_pool_stands_locked(pool, task, TPI_STOPS);
    if (was == TPI_PENDING && !pinned) {
      filling = task->place == TPI_FILLING;
      queued = tpi_pool_dequeue_locked(pool, task);
      task->place = TPI_TAKEN;
      tpi_pool_free_slot_locked(pool, &effects);
      if (pool->closing) /* it may have been what workers stayed for */
        tpi_pool_wake_all_locked(pool, &effects);
    }
    tpi_pool_look_locked(pool, &effects);
  }
  tpi_pool_unlock(pool, &effects);
  if (was == TPI_PENDING && task->follow != NULL)
    tpi_follow_stop(task);
  if (was == TPI_PENDING && !filling && !pinned)
    tpi_task_drop_args(task);
  if (queued && !filling)
    tpi_future_release(future);
}

int tpi_pool_fill (tpi_Task *task) {
  tp_Manager *pool = task->pool;
  int held;
  tpi_lock(&pool->lock);
  held = task->place == TPI_HELD;
  if (held) {
    task->place = TPI_FILLING;
    tpi_ring_add(&pool->filling, &task->item);
  }
  tpi_unlock(&pool->lock);
  return held;
}

void tpi_pool_filled (tpi_Task *task) {
  tp_Manager *pool = task->pool;
  tpi_Effects effects = {NULL, NULL, NULL};
  int wanted;
  tpi_lock(&pool->lock);
  wanted = task->place == TPI_FILLING;
  if (wanted) {
    tpi_ring_remove(&task->item);
    hold_no_more_locked(pool, task);
    task->place = TPI_QUEUED;
    tpi_queue_push_late(&pool->queue, &task->item, (tp_Priority)task->priority);
    if (pool->closing) /* it may have been what workers stayed for */
      tpi_pool_wake_all_locked(pool, &effects);
    else
      tpi_pool_wake_locked(pool, &effects);
    tpi_poke(&pool->signal, tpi_peek(&pool->signal) + 1);
  }
  tpi_pool_unlock(pool, &effects);
  if (!wanted) { /* withdrawn meanwhile, but for what we had in hand */
    tpi_task_drop_args(task);
    tpi_future_release(&task->future);
  }
}
