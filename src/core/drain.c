#include "core/drain.h"

#include "core/memory.h"
#include "core/waits.h"

typedef struct Drain {
  tpi_Future future;
  tp_Manager *pool; /* retained */
  tpi_Barrier barrier;
  tpi_Waiter waiter;
} Drain;

static Drain *drain_of (tpi_Future *future) { return (Drain *)(void *)future; }

static const char *name (const tpi_Future *future) {
  const Drain *d = (const Drain *)(const void *)future;
  return d->pool->name != NULL ? d->pool->name : "an AsyncManager";
}

/* The pool waits for its tasks that wait themselves; the others go on. */
static tpi_Future *next (tpi_Future *future, void **at) {
  const Drain *d = drain_of(future);
  tpi_Item *end = &d->pool->waiting, *item = *at != NULL ? *at : end;
  do {
    item = item->next;
  } while (item != end &&
           !tpi_barrier_counts(&d->barrier, tpi_task_that_waits(item)));
  if (item == end)
    return NULL;
  *at = item;
  return &tpi_task_that_waits(item)->future;
}

static void destroy (tpi_Future *future, tpi_List *heir) {
  Drain *d = drain_of(future);
  tp_Manager *pool = d->pool;
  if (!tpi_pool_broken(pool))
    tpi_pool_unbar(pool, &d->barrier);
  tpi_future_fini(future, heir, tpi_future_free);
  tpi_pool_release(pool);
}

static const tpi_Class class = {
    .name = name, .next = next, .destroy = destroy};

/* The pool has retained it for that. */
static void tell (tpi_Waiter *w, tpi_Waiter **more) {
  Drain *d = (Drain *)(void *)((char *)w - offsetof(Drain, waiter));
  tpi_pool_unbar(d->pool, &d->barrier); /* workers look only at what waits */
  tpi_future_settle(&d->future, TPI_COMPLETED, more);
  tpi_future_release(&d->future);
}

tpi_Future *tpi_drain_new (tp_Manager *pool, int leaves, int task) {
  Drain *d = tpi_calloc(sizeof *d);
  if (d == NULL)
    return NULL;
  tpi_future_init(&d->future, &class, NULL, NULL, 0);
  tpi_future_claim(&d->future);
  tpi_pool_retain(pool);
  d->pool = pool;
  if (task)
    tpi_poke(&pool->drains, 1);
  tpi_waiter_init(&d->waiter, tell);
  d->barrier.waiter = &d->waiter;
  d->barrier.future = &d->future;
  d->barrier.leaves = leaves;
  if (!tpi_pool_bar(pool, &d->barrier))
    tpi_future_complete(&d->future);
  return &d->future;
}
