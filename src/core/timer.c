#include "core/timer.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/lock.h"
#include "core/memory.h"
#include "core/thread.h"
#include "core/word.h"

enum { FEW = 64 };

static tpi_Lock lock;
static tpi_Timer *few[FEW];    /* the heap, as long as there are no more */
static tpi_Timer **heap = few; /* from 1, the earliest first; guarded by lock */
static size_t count, room = FEW;
static int alive, stopping; /* guarded by lock */
static atomic_uint bell;    /* counts changes that the thread must see */

void tpi_timer_init (tpi_Timer *t, tpi_Future *future, double seconds) {
  t->future = future;
  t->deadline = tpi_deadline(seconds);
  t->place = 0;
  t->seconds = -1;
}

tpi_Timer *tpi_timer_new (tpi_Future *future, double seconds) {
  tpi_Timer *t = tpi_alloc(sizeof *t);
  if (t == NULL)
    return NULL;
  tpi_timer_init(t, future, seconds);
  t->seconds = seconds;
  return t;
}

void tpi_timer_free (tpi_Timer *timer) { tpi_free(timer); }

/* ---------------------------------------------------------------- */
/* The heap                                                          */
/* ---------------------------------------------------------------- */

static void put_locked (size_t place, tpi_Timer *t) {
  heap[place] = t;
  t->place = place;
}

static void rise_locked (size_t place, tpi_Timer *t) {
  while (place > 1 && heap[place / 2]->deadline > t->deadline) {
    put_locked(place, heap[place / 2]);
    place /= 2;
  }
  put_locked(place, t);
}

static void sink_locked (size_t place, tpi_Timer *t) {
  for (;;) {
    size_t child = place * 2;
    if (child > count)
      break;
    if (child < count && heap[child + 1]->deadline < heap[child]->deadline)
      child++;
    if (heap[child]->deadline >= t->deadline)
      break;
    put_locked(place, heap[child]);
    place = child;
  }
  put_locked(place, t);
}

static void keep_locked (tpi_Timer **fresh, size_t n) {
  if (heap != few)
    tpi_free(heap);
  heap = fresh;
  room = n;
}

static int add_locked (tpi_Timer *t) {
  if (count + 1 >= room) {
    tpi_Timer **p = tpi_alloc(2 * room * sizeof *p);
    if (p == NULL)
      return TP_NOMEM;
    memcpy(p + 1, heap + 1, count * sizeof *p);
    keep_locked(p, 2 * room);
  }
  rise_locked(++count, t);
  return TP_OK;
}

static void drop_locked (tpi_Timer *t) {
  size_t place = t->place;
  tpi_Timer *last = heap[count--];
  t->place = 0;
  if (last != t) {
    if (place > 1 && heap[place / 2]->deadline > last->deadline)
      rise_locked(place, last);
    else
      sink_locked(place, last);
  }
  if (count == 0)
    keep_locked(few, FEW);
}

/* ---------------------------------------------------------------- */
/* The thread                                                        */
/* ---------------------------------------------------------------- */

static void fire (tpi_Future *future, double seconds) {
  static const char spare[] = "timed out";
  char message[48];
  if (seconds < 0) {
    tpi_future_end(future, TPI_FAILED, TPI_KIND_TIMEOUT,
                   (char *)(uintptr_t)spare, 1, NULL);
  } else {
    snprintf(message, sizeof message, "timed out after %.6g s", seconds);
    tpi_future_end_copy(future, TPI_FAILED, TPI_KIND_TIMEOUT, message, spare,
                        NULL);
  }
  tpi_future_release(future);
}

/* Those of a crowd are fired together, which costs far less: after one has
   fired the thread sleeps at least so long. */
enum { REST = 250 * 1000 }; /* ns */

/* Fires the first if its time has come; else how long the thread may sleep: not
   long, for nobody wakes it when what it waits for is stopped, and then it has
   to end. */
static uint64_t turn (int fired, int *ended) {
  uint64_t now = tpi_now(), until = now + TPI_SECOND;
  tpi_Timer *first;
  *ended = 0;
  tpi_lock(&lock);
  first = count > 0 ? heap[1] : NULL;
  if (first != NULL && first->deadline <= now && !stopping) {
    tpi_Future *future = first->future;
    double seconds = first->seconds;
    drop_locked(first); /* the timer is its task's again, the future ours */
    tpi_unlock(&lock);
    fire(future, seconds);
    return 0;
  }
  if (first != NULL && first->deadline < until)
    until = first->deadline;
  if (fired && until < now + REST)
    until = now + REST;
  if (stopping) {
    *ended = 1;
    alive = stopping = 0;
  }
  tpi_unlock(&lock);
  return until;
}

/* Ends the thread if nothing came in the meantime. */
static int retire (void) {
  int ended;
  tpi_lock(&lock);
  ended = count == 0;
  if (ended)
    alive = 0;
  tpi_unlock(&lock);
  return ended;
}

static void run (void *unused) {
  int fired = 0;
  (void)unused;
  for (;;) {
    int ended;
    unsigned seen = tpi_see(&bell);
    uint64_t until = turn(fired, &ended);
    fired = until == 0;
    if (ended)
      return;
    if (until != 0 && !tpi_word_wait(&bell, seen, until) && retire())
      return;
  }
}

static void ring (void) {
  atomic_fetch_add(&bell, 1);
  tpi_word_wake(&bell, 0);
}

int tpi_timer_start (tpi_Timer *timer) {
  int rc, first;
  tpi_lock(&lock);
  rc = add_locked(timer);
  if (rc == TP_OK && !alive) {
    rc = tpi_thread_start(run, NULL);
    alive = rc == TP_OK;
    if (rc != TP_OK)
      drop_locked(timer);
  }
  first = rc == TP_OK && timer->place == 1;
  if (rc == TP_OK)
    tpi_future_retain(timer->future);
  tpi_unlock(&lock);
  if (first)
    ring();
  return rc;
}

void tpi_timer_stop (tpi_Timer *timer) {
  tpi_Future *future = NULL;
  tpi_lock(&lock);
  if (timer->place != 0 && !tpi_future_foreign(timer->future)) {
    drop_locked(timer);
    future = timer->future;
  }
  tpi_unlock(&lock);
  tpi_future_release(future);
}

uint64_t tpi_timer_deadline (const tpi_Timer *timer) {
  return timer != NULL ? timer->deadline : TPI_NEVER;
}

void tpi_timer_fire (tpi_Timer *timer) {
  tpi_future_retain(timer->future);
  fire(timer->future, timer->seconds);
}

void tpi_timers_stop (void) {
  tpi_lock(&lock);
  stopping = alive;
  tpi_unlock(&lock);
  ring();
}

void tpi_timers_forget (void) {
  tpi_lock_forget(&lock);
  heap = few; /* what is in there belongs to the parent's tasks */
  room = FEW;
  count = 0;
  alive = stopping = 0;
}
