/*
** What a worker does next: the parked tasks that were told, then those in
** the queue, and else looking around, sleeping, leaving.
*/
#include "core/clock.h"
#include "core/parked.h"
#include "core/thread.h"
#include "core/waits.h"
#include "core/word.h"

/* Parked tasks that were told come before new ones. */
static tpi_Task *resume_locked (tpi_Worker *worker, tpi_Run *run,
                                tpi_Parked **at) {
  tpi_Parked *p = *at;
  *at = p->next;
  if (p->next == NULL)
    worker->told_end = at;
  tpi_ring_remove(&p->item);
  worker->parked--;
  worker->aside -= p->task->aside;
  tpi_pool_stands_locked(worker->pool, p->task, TPI_AWAY);
  run->task = p->task;
  p->task->resumed = 1;
  worker->resumes = 1;
  return p->task;
}

static int before (const tpi_Item *a, const tpi_Item *b) {
  return tpi_task_at_const(a)->sequence < tpi_task_at_const(b)->sequence;
}

/* But they must not keep the queue out for ever. */
static int resumes_locked (tpi_Worker *worker) {
  enum { MOST_IN_A_ROW = 64 };
  if (worker->told == NULL || (worker->resumed >= MOST_IN_A_ROW &&
                               worker->pool->queue.count > 0)) {
    worker->resumed = 0;
    return 0;
  }
  worker->resumed++;
  return 1;
}

static tpi_Task *take_locked (tpi_Worker *worker, tpi_Run *run,
                              tpi_Effects *effects) {
  tp_Manager *pool = worker->pool;
  tpi_Item *item;
  if (resumes_locked(worker)) {
    tpi_pool_seek_no_more_locked(worker);
    return resume_locked(worker, run, &worker->told);
  }
  item = tpi_queue_pop(&pool->queue, before);
  worker->resumes = 0;
  if (item == NULL)
    return NULL;
  run->task = tpi_task_at(item);
  tpi_expect(run->task, sizeof *run->task + TPI_LINE);
  run->task->place = TPI_TAKEN;
  if (run->task->follow != NULL)
    tpi_ring_remove(&run->task->follow->held);
  tpi_pool_seek_no_more_locked(worker);
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

/* If it settles at this moment, who did that waits for the lock, and says so
   then. */
static void park_locked (tpi_Worker *worker, tpi_Parked *parked, int how) {
  if (tpi_future_settled(&parked->task->future))
    how = TPI_STOPS;
  tpi_pool_stands_locked(worker->pool, parked->task, how);
  tpi_ring_add(&worker->pool->parked, &parked->item);
  worker->parked++;
  worker->aside += parked->task->aside;
}

/* It has run a task to its end, or parked it. */
static void put_down_locked (tpi_Worker *worker, const tpi_Task *task, int held,
                             tpi_Parked *parked, tpi_Effects *effects) {
  if (parked != NULL)
    park_locked(worker, parked, TPI_WAITS);
  else
    conclude_locked(worker, task);
  if (held)
    tpi_pool_free_slot_locked(worker->pool, effects);
}

static void add_told_locked (tpi_Worker *worker, tpi_Parked *parked) {
  parked->next = NULL;
  *worker->told_end = parked;
  worker->told_end = &parked->next;
}

void tpi_pool_pin (tpi_Worker *worker, tpi_Parked *parked, int told) {
  tp_Manager *pool = worker->pool;
  tpi_lock(&pool->lock);
  parked->task->sequence = pool->submitted++;
  parked->task->place = TPI_PINNED;
  park_locked(worker, parked, TPI_NEW);
  if (told)
    add_told_locked(worker, parked);
  tpi_unlock(&pool->lock);
}

/* Wakes the worker if it sleeps; if not, it looks before it does. */
void tpi_pool_go_on (tp_Manager *pool, tpi_Parked *parked) {
  tpi_Effects effects = {NULL, NULL, NULL};
  tpi_Worker *worker = parked->worker;
  tpi_lock(&pool->lock);
  add_told_locked(worker, parked);
  tpi_poke(&worker->hailed, tpi_peek(&worker->hailed) + 1);
  for (tpi_Worker **w = &pool->idle; *w != NULL; w = &(*w)->next_idle) {
    if (*w == worker) {
      *w = worker->next_idle;
      worker->next_idle = effects.wake;
      effects.wake = worker;
      break;
    }
  }
  if (worker->sleeps != NULL &&
      tpi_swap(worker->sleeps, TPI_WOKEN) == TPI_ARMED)
    effects.word = worker->sleeps;
  tpi_pool_unlock(pool, &effects);
}

/* Is a task that blocks some worker held up by that one? */
static int is_wanted_locked (const tp_Manager *pool, tpi_Task *task) {
  for (const tpi_Worker *w = pool->all; w != NULL; w = w->next) {
    for (const tpi_Run *r = w->runs; r != NULL && w->sleeps != NULL;
         r = r->outer) {
      if (r->task != NULL && r->task != task &&
          tpi_future_hangs_on(&r->task->future, &task->future, 1))
        return 1;
    }
  }
  return 0;
}

/* Does a task that follows others wait for that one in the end? */
static int is_followed_locked (const tp_Manager *pool, tpi_Task *task) {
  for (tpi_Item *i = pool->held.next; i != &pool->held; i = i->next) {
    if (tpi_future_hangs_on(&tpi_task_held(i)->future, &task->future, 1))
      return 1;
  }
  return 0;
}

static int must_enter_locked (tp_Manager *pool, const tpi_Admission *a) {
  int stuck = pool->alive <= pool->blocked;
  if (stuck && a->blocks)
    return 1;
  if (a->visitor == NULL)
    return 0;
  return (stuck && is_wanted_locked(pool, a->visitor)) ||
         (tpi_peek(&pool->slots) <= pool->holding &&
          is_followed_locked(pool, a->visitor));
}

int tpi_pool_unstick_locked (tp_Manager *pool, tpi_Effects *effects) {
  tpi_Admission *next = pool->door;
  int any = 0;
  if (pool->alive > pool->blocked && tpi_peek(&pool->slots) > pool->holding)
    return 0; /* as nearly always */
  while (next != NULL) {
    tpi_Admission *admission = next;
    next = admission->next;
    if (must_enter_locked(pool, admission)) {
      tpi_poke(&pool->slots, tpi_peek(&pool->slots) + 1);
      tpi_pool_admit_locked(pool, admission, effects);
      any = 1;
    }
  }
  return any;
}

int tpi_pool_unstick (tp_Manager *pool) {
  tpi_Effects effects = {NULL, NULL, NULL};
  int any;
  tpi_lock(&pool->lock);
  any = tpi_pool_unstick_locked(pool, &effects);
  tpi_pool_unlock(pool, &effects);
  return any;
}

tpi_Task *tpi_pool_untangle (tpi_Worker *worker, tpi_Run *run,
                             tpi_Future *future) {
  tp_Manager *pool = worker->pool;
  tpi_Task *found = NULL;
  tpi_Parked **p;
  tpi_lock(&pool->lock);
  for (p = &worker->told; *p != NULL; p = &(*p)->next) {
    if ((*p)->task->place == TPI_PINNED ||
        tpi_future_hangs_on(future, &(*p)->task->future, 1) ||
        is_wanted_locked(pool, (*p)->task)) {
      found = (*p)->task;
      break;
    }
  }
  if (found != NULL && run != NULL) {
    resume_locked(worker, run, p);
    run->outer = worker->runs;
    worker->runs = run;
  }
  tpi_unlock(&pool->lock);
  return found;
}

/* Wakes a blocked worker, from the n-th on, that could go on with something;
   which one, or 0. */
static unsigned stir (tp_Manager *pool, unsigned n) {
  tpi_Effects effects = {NULL, NULL, NULL};
  unsigned i = 0, found = 0;
  tpi_lock(&pool->lock);
  for (tpi_Worker *w = pool->all; w != NULL && found == 0; w = w->next) {
    if (++i > n && w->told != NULL && w->sleeps != NULL &&
        tpi_swap(w->sleeps, TPI_WOKEN) == TPI_ARMED) {
      effects.word = w->sleeps;
      found = i;
    }
  }
  tpi_pool_unlock(pool, &effects);
  return found;
}

void tpi_pool_stir (tp_Manager *pool) {
  unsigned n = 0;
  do {
    n = stir(pool, n);
  } while (n != 0);
}

atomic_uint *tpi_pool_sleeps (tpi_Worker *worker, atomic_uint *word) {
  atomic_uint *before;
  tpi_lock(&worker->pool->lock);
  before = worker->sleeps;
  worker->sleeps = word;
  tpi_unlock(&worker->pool->lock);
  return before;
}

tpi_Task *tpi_pool_turn (tpi_Worker *worker, tpi_Run *run, tpi_Task *done,
                         int held, tpi_Parked *parked) {
  tp_Manager *pool = worker->pool;
  tpi_Effects effects = {NULL, NULL, NULL};
  tpi_Task *task;
  tpi_lock(&pool->lock);
  run->task = NULL;
  put_down_locked(worker, done, held, parked, &effects);
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
  tpi_pool_seek_no_more_locked(worker);
  for (int i = 0; i < TPI_SEEKERS; i++) {
    if (pool->seekers[i] == NULL || !pool->seekers[i]->awake) {
      pool->seekers[i] = worker;
      worker->heard = tpi_peek(&pool->signal);
      worker->hails = tpi_peek(&worker->hailed);
      return 1;
    }
  }
  return 0;
}

static void spin_for_work (const tpi_Worker *worker) {
  tp_Manager *pool = worker->pool;
  unsigned looks = tpi_host_looks(worker->host, pool->spin);
  while (tpi_peek(&pool->signal) == worker->heard &&
         tpi_peek(&worker->hailed) == worker->hails && looks-- > 0)
    tpi_relax();
}

/* A closed pool needs nobody once its queue is empty; and more than the
   fixed number run only while some of them are blocked. */
static int is_spare_locked (const tp_Manager *pool) {
  int drained = pool->closing && pool->held.next == &pool->held;
  return drained || pool->alive - pool->blocked > pool->workers;
}

/* But nobody else can go on with what was parked here. */
static int may_leave_locked (const tpi_Worker *worker) {
  return worker->parked == 0 && is_spare_locked(worker->pool);
}

/* When nothing keeps it but what waits aside, one of these, retained. */
static tpi_Task *last_aside_locked (const tpi_Worker *worker) {
  tp_Manager *pool = worker->pool;
  if (worker->aside == 0 || worker->parked != worker->aside || !pool->closing ||
      !is_spare_locked(pool))
    return NULL;
  for (tpi_Item *i = pool->parked.next; i != &pool->parked; i = i->next) {
    tpi_Parked *p = tpi_parked_at(i);
    if (p->worker == worker && !tpi_future_settled(&p->task->future)) {
      tpi_ring_turn(&pool->parked, i); /* the next look begins with it */
      tpi_future_retain(&p->task->future);
      return p->task;
    }
  }
  return NULL;
}

/* From here on the others do not count on it. */
static void leave_locked (tpi_Worker *worker) {
  tp_Manager *pool = worker->pool;
  tpi_Worker **w = &pool->all;
  while (*w != worker)
    w = &(*w)->next;
  *w = worker->next;
  tpi_histogram_merge(&pool->waits, &worker->waits);
  tpi_histogram_merge(&pool->takes, &worker->takes);
  pool->completed += tpi_peek(&worker->completed);
  pool->failed += tpi_peek(&worker->failed);
  worker->left = 1;
  pool->alive--;
  pool->leaving++;
}

void tpi_pool_left (tp_Manager *pool) {
  tpi_Effects effects = {NULL, NULL, NULL};
  tpi_lock(&pool->lock);
  pool->leaving--;
  tpi_pool_look_locked(pool, &effects);
  tpi_pool_unlock(pool, &effects);
}

static void sleep_locked (tpi_Worker *worker) {
  worker->awake = 0;
  worker->next_idle = worker->pool->idle;
  worker->pool->idle = worker;
  tpi_host_arm(worker->host);
}

/* Has anybody taken it out of there to wake it? */
static int leave_idle (tpi_Worker *worker) {
  tp_Manager *pool = worker->pool;
  tpi_Worker **w = &pool->idle;
  int found;
  tpi_lock(&pool->lock);
  while (*w != NULL && *w != worker)
    w = &(*w)->next_idle;
  found = *w != NULL;
  if (found) {
    *w = worker->next_idle;
    worker->awake = 1;
  }
  tpi_unlock(&pool->lock);
  return found;
}

/* Until it is woken; false when it is not, and has to tend what it keeps. Who
   is about to wake it uses it until it has, which is waited for. */
static int rest (tpi_Worker *worker) {
  uint64_t due = worker->due != NULL ? worker->due(worker->keeps) : TPI_NEVER;
  if (tpi_host_doze(worker->host, due))
    return 1;
  return !leave_idle(worker) && tpi_host_doze(worker->host, TPI_NEVER);
}

tpi_Task *tpi_pool_seek (tpi_Worker *worker, tpi_Run *run) {
  tp_Manager *pool = worker->pool;
  int seeks = 0;
  for (;;) {
    tpi_Effects effects = {NULL, NULL, NULL};
    tpi_Task *task, *aside = NULL;
    int leaves = 0, spun = seeks;
    if (spun)
      spin_for_work(worker);
    tpi_lock(&pool->lock);
    worker->awake = 1;
    task = take_locked(worker, run, &effects);
    seeks = task == NULL && !spun && seeks_locked(worker);
    if (task == NULL && !seeks) {
      tpi_pool_seek_no_more_locked(worker);
      leaves = may_leave_locked(worker);
      aside = last_aside_locked(worker);
      if (leaves)
        leave_locked(worker);
      else if (aside == NULL)
        sleep_locked(worker);
    }
    tpi_pool_unlock(pool, &effects);
    if (task != NULL || leaves)
      return task;
    if (aside != NULL) {
      tpi_future_cancel(&aside->future, "the manager was shut down");
      tpi_future_release(&aside->future);
    } else if (!seeks && !rest(worker)) {
      worker->tend(worker->keeps);
    }
  }
}

void tpi_pool_take (tpi_Worker *worker, tpi_Run *run, tpi_Task *task) {
  tp_Manager *pool = task->pool;
  tpi_Effects effects = {NULL, NULL, NULL};
  tpi_lock(&pool->lock);
  if (!tpi_pool_dequeue_locked(pool, task))
    tpi_future_retain(&task->future); /* another worker drops the queue's */
  else
    task->place = TPI_TAKEN;
  tpi_pool_lend_slot_locked(worker, &effects);
  run->task = task;
  run->outer = worker->runs;
  worker->runs = run;
  tpi_pool_unlock(pool, &effects);
}

void tpi_pool_untake (tpi_Worker *worker, tpi_Run *run, tpi_Task *task,
                      int held, tpi_Parked *parked) {
  tp_Manager *pool = task->pool;
  tpi_Effects effects = {NULL, NULL, NULL};
  tpi_lock(&pool->lock);
  worker->runs = run->outer;
  put_down_locked(worker, task, held, parked, &effects);
  tpi_pool_unlock(pool, &effects);
}

/* Cleared first, then looked: who leaves a barrier does so first and looks
   at us then, so that one of us sees the other. */
void tpi_pool_concluded (tpi_Worker *worker) {
  tp_Manager *pool = worker->pool;
  tpi_Effects effects = {NULL, NULL, NULL};
  tpi_put(&worker->concludes, 0);
  if (tpi_see(&pool->barriers) == NULL)
    return;
  tpi_lock(&pool->lock);
  tpi_pool_look_locked(pool, &effects);
  tpi_pool_unlock(pool, &effects);
}
