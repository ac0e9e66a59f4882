/*
** waiter.h: whoever is told, once, that something has happened.
**
** A waiter belongs to who waits, often on the stack, and stands in one list
** at a time. The list belongs to what is waited for, and so does the lock
** that guards it. Telling is done outside that lock, from any thread: the
** list is taken whole, then each waiter is told, and is not touched after.
**
** Leaving early means removing it from its list under the lock. Who finds it
** gone has been told, or will be in a moment, and must wait for that.
*/
#ifndef TPI_WAITER_H
#define TPI_WAITER_H

#include <stddef.h>

typedef struct tpi_Waiter {
  struct tpi_Waiter *next;
  struct tpi_Waiter **link; /* what points here; NULL in no list */
  /* If telling it settles something else, those who wait for that are put in
     front of *more, to be told next: a chain of them, as long as a program
     cares to make, is told by a loop and not by recursion. */
  void (*tell)(struct tpi_Waiter *waiter, struct tpi_Waiter **more);
  int aside; /* it only looks on: a task its own future, a herald */
} tpi_Waiter;

static inline void tpi_waiter_init (tpi_Waiter *w,
                                    void (*tell)(tpi_Waiter *, tpi_Waiter **)) {
  w->next = NULL;
  w->link = NULL;
  w->tell = tell;
  w->aside = 0;
}

static inline void tpi_waiter_add (tpi_Waiter **list, tpi_Waiter *w) {
  w->next = *list;
  w->link = list;
  if (w->next != NULL)
    w->next->link = &w->next;
  *list = w;
}

/* False when it stands in no list. */
static inline int tpi_waiter_remove (tpi_Waiter *w) {
  if (w->link == NULL)
    return 0;
  *w->link = w->next;
  if (w->next != NULL)
    w->next->link = w->link;
  w->link = NULL;
  return 1;
}

/* Empties the list and answers what was in it, first come first. */
static inline tpi_Waiter *tpi_waiters_take (tpi_Waiter **list) {
  tpi_Waiter *first = NULL, *w = *list;
  *list = NULL;
  while (w != NULL) {
    tpi_Waiter *next = w->next;
    w->link = NULL;
    w->next = first;
    first = w;
    w = next;
  }
  return first;
}

/* Puts waiters, chained by next, in front of *more. */
static inline void tpi_waiters_push (tpi_Waiter **more, tpi_Waiter *waiters) {
  tpi_Waiter *last = waiters;
  if (waiters == NULL)
    return;
  while (last->next != NULL)
    last = last->next;
  last->next = *more;
  *more = waiters;
}

static inline void tpi_waiters_tell (tpi_Waiter *w) {
  while (w != NULL) {
    tpi_Waiter *next = w->next; /* telling it may free it */
    w->tell(w, &next);
    w = next;
  }
}

/* One that stands in no list. */
static inline void tpi_waiter_tell (tpi_Waiter *w) {
  w->next = NULL;
  tpi_waiters_tell(w);
}

#endif
