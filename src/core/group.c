#include "core/group.h"

#include "core/lock.h"
#include "core/memory.h"
#include "core/waits.h"

struct tpi_Group {
  atomic_uint refs; /* the owner's, and one of each member */
  tpi_Lock lock;
  tpi_Member *arrived, **end; /* lock */
  tpi_Future *signal;         /* retained; or NULL; lock */
  tpi_Member *members;        /* the owner changes them; lock */
  unsigned count;             /* the owner's */
  unsigned generation;        /* the process it is used in (generation.h) */
  int aside;                  /* constant */
};

/* ---------------------------------------------------------------- */
/* The signal                                                        */
/* ---------------------------------------------------------------- */

typedef struct Signal {
  tpi_Future future;
  tpi_Group *group; /* retained */
} Signal;

static void let_go (tpi_Group *g) {
  if (tpi_unref(&g->refs))
    tpi_free(g);
}

static void destroy (tpi_Future *future, tpi_List *heir) {
  let_go(((Signal *)(void *)future)->group);
  tpi_future_fini(future, heir, tpi_future_free);
}

/* A look (waits.h) that has come to a member goes on from there, also if it is
   taken out meanwhile. */
static tpi_Future *next (tpi_Future *future, void **at) {
  tpi_Group *g = ((Signal *)(void *)future)->group;
  tpi_Member *m = *at;
  tpi_lock(&g->lock);
  m = m == NULL ? g->members : m->older;
  tpi_unlock(&g->lock);
  if (m == NULL)
    return NULL;
  *at = m;
  return m->future;
}

static const tpi_Class class = {.next = next, .destroy = destroy, .any = 1};

static tpi_Future *new_signal (tpi_Group *g) {
  Signal *signal = tpi_alloc(sizeof *signal);
  if (signal == NULL)
    return NULL;
  tpi_future_init(&signal->future, &class, NULL, NULL, 0);
  tpi_future_claim(&signal->future);
  signal->group = g;
  tpi_ref(&g->refs);
  return &signal->future;
}

static void arrive_locked (tpi_Group *g, tpi_Member *m) {
  m->arrived = 1;
  m->next = NULL;
  m->link = g->end;
  *g->end = m;
  g->end = &m->next;
}

/*
** The owner, first of all. In the child of a fork all members have settled:
** what was pending is broken. Who was about to tell of one is not here, and
** may have left the list of those that have settled half changed.
*/
static void look_around (tpi_Group *g) {
  tpi_Member *m = g->members;
  if (!tpi_foreign(g->generation))
    return;
  g->generation = tpi_generation();
  g->signal = NULL;
  g->arrived = NULL;
  g->end = &g->arrived;
  while (m != NULL && m->older != NULL)
    m = m->older;
  for (; m != NULL; m = m->younger)
    arrive_locked(g, m);
}

/* The one that somebody waits for already, retained; or NULL. */
static tpi_Future *shared_signal (tpi_Group *g) {
  tpi_Future *signal;
  tpi_lock(&g->lock);
  signal = g->signal;
  if (signal != NULL)
    tpi_future_retain(signal);
  tpi_unlock(&g->lock);
  if (signal == NULL || !tpi_future_settled(signal))
    return signal;
  tpi_future_release(signal); /* a stranger has cancelled it */
  return NULL;
}

tpi_Future *tpi_group_signal (tpi_Group *g) {
  tpi_Future *signal, *before;
  int ready;
  look_around(g);
  signal = shared_signal(g);
  if (signal != NULL)
    return signal;
  signal = new_signal(g);
  if (signal == NULL)
    return NULL;
  tpi_future_retain(signal); /* the caller's */
  tpi_lock(&g->lock);
  before = g->signal;
  ready = g->arrived != NULL;
  g->signal = ready ? NULL : signal;
  tpi_unlock(&g->lock);
  tpi_future_release(before);
  if (ready) {
    tpi_future_complete(signal);
    tpi_future_release(signal);
  }
  return signal;
}

/* Who waits shall look again. */
static void rouse (tpi_Group *g) {
  tpi_Future *signal;
  tpi_lock(&g->lock);
  signal = g->signal;
  g->signal = NULL;
  tpi_unlock(&g->lock);
  if (signal != NULL)
    tpi_future_complete(signal);
  tpi_future_release(signal);
}

/* ---------------------------------------------------------------- */
/* Members                                                           */
/* ---------------------------------------------------------------- */

static void tell (tpi_Waiter *w, tpi_Waiter **more) {
  tpi_Member *m = (tpi_Member *)(void *)w;
  tpi_Group *g = m->group;
  tpi_Future *signal;
  tpi_ref(&g->refs); /* its owner may take the member at once, and go */
  tpi_lock(&g->lock);
  arrive_locked(g, m);
  signal = g->signal;
  g->signal = NULL;
  tpi_unlock(&g->lock);
  if (signal != NULL)
    tpi_future_settle(signal, TPI_COMPLETED, more);
  tpi_future_release(signal);
  let_go(g);
}

tpi_Group *tpi_group_new (int aside) {
  tpi_Group *g = tpi_calloc(sizeof *g);
  if (g == NULL)
    return NULL;
  tpi_poke(&g->refs, 1);
  g->end = &g->arrived;
  g->generation = tpi_generation();
  g->aside = aside;
  return g;
}

static void chain (tpi_Member *m) {
  tpi_Group *g = m->group;
  tpi_lock(&g->lock);
  m->older = g->members;
  if (m->older != NULL)
    m->older->younger = m;
  g->members = m;
  tpi_unlock(&g->lock);
  g->count++;
}

tpi_Member *tpi_group_add (tpi_Group *g, tpi_Future *future, int reference) {
  tpi_Member *m = tpi_calloc(sizeof *m);
  if (m == NULL)
    return NULL;
  look_around(g);
  tpi_waiter_init(&m->waiter, tell);
  m->waiter.aside = g->aside;
  m->group = g;
  m->future = future;
  m->reference = reference;
  tpi_ref(&g->refs);
  tpi_future_retain(future);
  tpi_future_seek(future);
  chain(m);
  if (!tpi_future_join(future, &m->waiter))
    tpi_waiter_tell(&m->waiter);
  return m;
}

static void unchain_locked (tpi_Member *m) {
  tpi_Group *g = m->group;
  if (m->younger != NULL)
    m->younger->older = m->older;
  else
    g->members = m->older;
  if (m->older != NULL)
    m->older->younger = m->younger;
  g->count--;
}

/* Out of those that have settled; the lock is held. */
static void take_locked (tpi_Group *g, const tpi_Member *m) {
  *m->link = m->next;
  if (m->next != NULL)
    m->next->link = m->link;
  else
    g->end = m->link;
}

tpi_Member *tpi_group_take (tpi_Group *g) {
  tpi_Member *m;
  look_around(g);
  tpi_lock(&g->lock);
  m = g->arrived;
  if (m != NULL) {
    take_locked(g, m);
    unchain_locked(m);
  }
  tpi_unlock(&g->lock);
  return m;
}

static int has_arrived (tpi_Member *m) {
  int arrived;
  tpi_lock(&m->group->lock);
  arrived = m->arrived;
  tpi_unlock(&m->group->lock);
  return arrived;
}

/* One that has left cannot tell any more; else it has, or will in a moment:
   false, and it stands among those that have settled. */
static int leave (tpi_Member *m) {
  if (tpi_future_leave(m->future, &m->waiter))
    return 1;
  while (!has_arrived(m))
    tpi_relax();
  return 0;
}

void tpi_group_remove (tpi_Member *m) {
  tpi_Group *g = m->group;
  int left;
  look_around(g);
  left = leave(m);
  tpi_lock(&g->lock);
  if (!left)
    take_locked(g, m);
  unchain_locked(m);
  tpi_unlock(&g->lock);
  if (g->count == 0)
    rouse(g);
}

void tpi_member_free (tpi_Member *m) {
  tpi_Group *g = m->group;
  tpi_waits_leave();
  tpi_future_release(m->future);
  tpi_free(m);
  let_go(g);
}

tpi_Member *tpi_group_members (const tpi_Group *g) { return g->members; }

unsigned tpi_group_count (const tpi_Group *g) { return g->count; }

void tpi_group_clear (tpi_Group *g) {
  tpi_Member *m, *older;
  look_around(g);
  for (m = g->members; m != NULL; m = m->older)
    leave(m);
  tpi_lock(&g->lock);
  m = g->members;
  g->members = g->arrived = NULL;
  g->end = &g->arrived;
  tpi_unlock(&g->lock);
  for (; m != NULL; m = older) {
    older = m->older;
    tpi_member_free(m);
  }
  g->count = 0;
  rouse(g);
}

void tpi_group_close (tpi_Group *g) {
  tpi_group_clear(g);
  let_go(g);
}
