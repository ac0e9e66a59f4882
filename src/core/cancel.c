/*
** Cancelling what a pool has, all of it or what is at home with one host.
*/
#include "core/pool.h"

static int at_home (const tpi_Task *task, const tpi_Host *home) {
  return home == NULL || task->future.home == home;
}

/* Takes a task that waits out of wherever it does, and puts it in front of
   those taken before, chained by item.prev. */
static tpi_Task *steal_locked (tp_Manager *pool, tpi_Task *task,
                               tpi_Task *stolen) {
  tpi_pool_dequeue_locked(pool, task);
  task->place = TPI_TAKEN;
  task->item.prev = stolen != NULL ? &stolen->item : NULL;
  pool->stolen++;
  return task;
}

/* Those of a home, out of one ring of the queue. */
static tpi_Task *steal_ring_locked (tp_Manager *pool, const tpi_Item *ring,
                                    const tpi_Host *home, tpi_Task *stolen) {
  tpi_Item *item = ring->next;
  while (item != ring) {
    tpi_Item *next = item->next;
    if (at_home(tpi_task_at(item), home))
      stolen = steal_locked(pool, tpi_task_at(item), stolen);
    item = next;
  }
  return stolen;
}

/* ...and out of the held. What is just being filled in stays. */
static tpi_Task *steal_held_locked (tp_Manager *pool, const tpi_Host *home,
                                    tpi_Task *stolen) {
  tpi_Item *item = pool->held.next;
  while (item != &pool->held) {
    tpi_Task *task = tpi_task_held(item);
    item = item->next;
    if (task->place == TPI_HELD && at_home(task, home))
      stolen = steal_locked(pool, task, stolen);
  }
  return stolen;
}

static tpi_Task *steal (tp_Manager *pool, const tpi_Host *home) {
  tpi_Effects effects = {NULL, NULL, NULL};
  tpi_Task *stolen = NULL;
  tpi_lock(&pool->lock);
  for (int p = 0; p < TPI_PRIORITIES; p++) {
    stolen = steal_ring_locked(pool, &pool->queue.ends[p], home, stolen);
    stolen = steal_ring_locked(pool, &pool->queue.late[p], home, stolen);
  }
  stolen = steal_held_locked(pool, home, stolen);
  tpi_pool_unlock(pool, &effects);
  return stolen;
}

/* They have been cancelled. */
static void give_up_stolen (tp_Manager *pool, unsigned stolen) {
  tpi_Effects effects = {NULL, NULL, NULL};
  tpi_lock(&pool->lock);
  pool->stolen -= stolen;
  tpi_pool_look_locked(pool, &effects);
  tpi_pool_unlock(pool, &effects);
}

static int is_target (tpi_Task *task, const tpi_Host *home) {
  return at_home(task, home) && !tpi_future_settled(&task->future);
}

/* The same among those that have given their worker away. The next look begins
   with it, so that cancelling many does not look at all for each. */
static tpi_Task *parked_locked (tp_Manager *pool, const tpi_Host *home) {
  tpi_Item *item = pool->parked.next;
  while (item != &pool->parked && !is_target(tpi_parked_at(item)->task, home))
    item = item->next;
  if (item == &pool->parked)
    return NULL;
  tpi_ring_turn(&pool->parked, item);
  return tpi_parked_at(item)->task;
}

/* ...and among those that are just being filled in. */
static tpi_Task *filling_locked (tp_Manager *pool, const tpi_Host *home) {
  for (tpi_Item *i = pool->filling.next; i != &pool->filling; i = i->next) {
    if (is_target(tpi_task_at(i), home))
      return tpi_task_at(i);
  }
  return NULL;
}

/* A running task of that home that has not settled, retained; or NULL. */
static tpi_Task *running (tp_Manager *pool, const tpi_Host *home) {
  tpi_Task *found;
  tpi_lock(&pool->lock);
  found = parked_locked(pool, home);
  if (found == NULL)
    found = filling_locked(pool, home);
  if (found != NULL)
    tpi_future_retain(&found->future);
  for (tpi_Worker *w = pool->all; w != NULL && found == NULL; w = w->next) {
    for (tpi_Run *r = w->runs; r != NULL && found == NULL; r = r->outer) {
      if (r->task != NULL && is_target(r->task, home)) {
        found = r->task;
        tpi_future_retain(&found->future);
      }
    }
  }
  tpi_unlock(&pool->lock);
  return found;
}

/* What is aside does not count. */
static unsigned cancel (tpi_Task *task, const char *reason) {
  int counts = !task->aside, cancelled;
  cancelled = tpi_future_cancel(&task->future, reason);
  tpi_future_release(&task->future);
  return cancelled && counts;
}

unsigned tpi_pool_cancel (tp_Manager *pool, const tpi_Host *home,
                          const char *reason) {
  tpi_Task *task = steal(pool, home);
  unsigned stolen = 0, count = 0;
  while (task != NULL) {
    tpi_Item *item = task->item.prev;
    tpi_Task *next = item == NULL ? NULL : tpi_task_at(item);
    task->item.prev = NULL;
    count += cancel(task, reason);
    task = next;
    stolen++;
  }
  give_up_stolen(pool, stolen);
  while ((task = running(pool, home)) != NULL)
    count += cancel(task, reason);
  return count;
}
