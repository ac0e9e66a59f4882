/*
** Who spawned whom: a task that is cancelled, or fails, takes along what it
** has spawned and not let go of. Links between fibers of one place. And what a
** link of a chain that is cancelled takes along: the links before it.
*/
#include "lua/local.h"

/* Counted before it says so: whoever takes it off the count finds it there. */
int tpi_family_withdraw (tpi_LuaTask *task, tpi_Pulse *pulse) {
  unsigned char parental = TPI_PARENTAL;
  if (tpi_see(&task->kin) != TPI_PARENTAL)
    return 0;
  atomic_fetch_add(&pulse->withdrawn, 1);
  if (tpi_cas(&task->kin, &parental, TPI_CANCELS))
    return 1;
  atomic_fetch_sub(&pulse->withdrawn, 1);
  return 0;
}

/* Its children were cancelled, or are others' now. */
static void took_along (tpi_Fiber *fiber) {
  atomic_uchar *kin = &fiber->task->kin;
  if (tpi_peek(kin) != TPI_CHILDLESS &&
      tpi_swap(kin, TPI_TOOK_ALONG) == TPI_CANCELS)
    atomic_fetch_sub(&fiber->place->pulse->withdrawn, 1);
}

void tpi_family_add (tpi_Fiber *parent, tpi_Fiber *child) {
  child->parent = parent;
  if (parent == NULL)
    return;
  if (tpi_peek(&parent->task->kin) == TPI_CHILDLESS)
    tpi_put(&parent->task->kin, TPI_PARENTAL);
  child->older = parent->children;
  child->younger = NULL;
  if (child->older != NULL)
    child->older->younger = child;
  parent->children = child;
}

void tpi_family_leave (tpi_Fiber *child) {
  if (child->parent == NULL)
    return;
  if (child->younger != NULL)
    child->younger->older = child->older;
  else
    child->parent->children = child->older;
  if (child->older != NULL)
    child->older->younger = child->younger;
  child->parent = child->older = child->younger = NULL;
}

static int cancel (tpi_Fiber *fiber) {
  return tpi_future_cancel(tpi_fiber_future(fiber),
                           "what had spawned it was cancelled");
}

/* A link of a chain that was cancelled before it began. */
static void note_link (tpi_Fiber *fiber, tpi_Fiber **links) {
  if (fiber->before == NULL || fiber->started)
    return;
  fiber->next = *links;
  *links = fiber;
}

/* The tree below it, without recursion. Cancelling tells waiters, which run no
   Lua here, so the family stays as it is. One that had settled before sees to
   its children itself. */
static void cancel_tree (tpi_Fiber *top, tpi_Fiber **links) {
  tpi_Fiber *f = top;
  int goes_down = 1;
  for (;;) {
    if (goes_down && f->children != NULL) {
      f = f->children;
    } else {
      while (f != top && f->older == NULL)
        f = f->parent;
      if (f == top)
        return;
      f = f->older;
    }
    goes_down = cancel(f);
    if (goes_down)
      note_link(f, links);
  }
}

/* What the link hangs on is cancelled as well, unless somebody else waits for
   it; but not the one that this began with: that ends in its own way. */
static void call_off (const tpi_Fiber *top, const tpi_Fiber *link,
                      tpi_Fiber **links) {
  tpi_Future *before = link->before;
  const tpi_Tie *tie = &link->parked.ties[0];
  tpi_Fiber *fiber = tpi_local_fiber(link->place->S, before);
  if (before == tpi_fiber_future(top) ||
      tpi_future_wanted(before, tie->future == before ? &tie->waiter : NULL) ||
      !tpi_future_cancel(before, "what was chained to it was cancelled") ||
      fiber == NULL)
    return;
  cancel_tree(fiber, links);
  note_link(fiber, links);
}

void tpi_family_cancel (tpi_Fiber *fiber) {
  tpi_Fiber *links = NULL;
  cancel_tree(fiber, &links);
  took_along(fiber);
  if (tpi_future_state(tpi_fiber_future(fiber)) == TPI_CANCELLED)
    note_link(fiber, &links);
  while (links != NULL) { /* no recursion: chains may be long */
    const tpi_Fiber *link = links;
    links = link->next;
    call_off(fiber, link, &links);
  }
}

/* A worker may run a child while its parent, which was cancelled, waits for
   its turn. */
int tpi_family_is_over (const tpi_Place *place) {
  tpi_Fiber *fiber = place->fiber;
  if (fiber == NULL)
    return 0;
  if (tpi_future_settled(tpi_fiber_future(fiber)))
    return 1;
  if (place->worker == NULL || tpi_see(&place->pulse->withdrawn) == 0)
    return 0;
  for (tpi_Fiber *f = fiber->parent; f != NULL; f = f->parent) {
    if (tpi_future_settled(tpi_fiber_future(f))) {
      tpi_family_cancel(f);
      return tpi_future_settled(tpi_fiber_future(fiber));
    }
  }
  return 0;
}

static void bequeath (tpi_Fiber *fiber) {
  while (fiber->children != NULL) {
    tpi_Fiber *child = fiber->children;
    tpi_family_leave(child);
    tpi_family_add(fiber->parent, child);
  }
}

static void disown (tpi_Fiber *fiber) {
  while (fiber->children != NULL)
    tpi_family_leave(fiber->children);
}

void tpi_family_end (tpi_Fiber *fiber) {
  if (fiber->failed || tpi_future_settled(tpi_fiber_future(fiber))) {
    tpi_family_cancel(fiber);
    disown(fiber);
  } else {
    bequeath(fiber);
    took_along(fiber);
  }
  tpi_family_leave(fiber);
}
