#include "core/parked.h"

/* Only the first may look at it after it has counted itself. */
void tpi_parked_tell (tpi_Parked *p) {
  if (atomic_fetch_add(&p->told, 1) != 0)
    return;
  if (p->worker != NULL)
    tpi_pool_go_on(p->worker->pool, p);
  else
    tpi_host_tell(p->host, &p->heard);
}

static void hear (tpi_Told *told, tpi_Host *host) {
  tpi_parked_ready_at(&told->node)->heard_of = 1;
  tpi_host_ready(host, &told->node);
}

static void tell_tie (tpi_Waiter *w, tpi_Waiter **more) {
  tpi_parked_tell(
      ((tpi_Tie *)(void *)((char *)w - offsetof(tpi_Tie, waiter)))->parked);
  (void)more;
}

static void tell_door (tpi_Waiter *w, tpi_Waiter **more) {
  tpi_parked_tell(
      (tpi_Parked *)(void *)((char *)w - offsetof(tpi_Parked, door)));
  (void)more;
}

void tpi_parked_init (tpi_Parked *p, tpi_Task *task, tpi_Worker *worker) {
  p->item.next = p->item.prev = NULL;
  p->next = NULL;
  p->task = task;
  p->worker = worker;
  p->host = NULL;
  p->nties = 0;
  tpi_waiter_init(&p->door, tell_door);
  tpi_poke(&p->told, 0);
}

void tpi_parked_init_at (tpi_Parked *p, tpi_Task *task, tpi_Host *host) {
  tpi_parked_init(p, task, NULL);
  p->heard.hear = hear;
  p->heard_of = 0;
  p->host = host;
}

/* Joined only when all are known: the first may tell at once. */
void tpi_parked_tie (tpi_Parked *p, tpi_Future *future) {
  tpi_Tie *t = &p->ties[p->nties++];
  tpi_future_retain(future);
  tpi_waiter_init(&t->waiter, tell_tie);
  t->parked = p;
  t->future = future;
}

void tpi_parked_join (tpi_Parked *p) {
  unsigned n;
  tpi_parked_tie(p, &p->task->future);
  p->ties[p->nties - 1].waiter.aside = 1;
  n = p->nties;
  for (unsigned i = 0; i < n; i++) {
    if (!tpi_future_join(p->ties[i].future, &p->ties[i].waiter))
      tpi_parked_tell(p);
  }
}

void tpi_parked_untie (tpi_Parked *p, int gone) {
  unsigned tellers = gone != 0;
  for (unsigned i = 0; i < p->nties; i++)
    tellers += !tpi_future_leave(p->ties[i].future, &p->ties[i].waiter);
  while (tpi_see(&p->told) < tellers && !tpi_future_foreign(&p->task->future))
    tpi_relax();
  for (unsigned i = 0; i < p->nties; i++)
    tpi_future_release(p->ties[i].future);
  p->nties = 0;
}

void tpi_parked_quiet (tpi_Parked *p) {
  while (tpi_see(&p->told) > 0 && !p->heard_of &&
         !tpi_future_foreign(&p->task->future)) {
    tpi_host_hear(p->host);
    tpi_relax();
  }
}
