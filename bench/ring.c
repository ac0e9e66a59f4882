/*
** ring.c: how fast plain C can be, for tidepool to be measured against.
**
** A bounded ring, worker threads, and nothing else: no Lua, no values, no
** cancelling, no allocation in a call. Tasks live in an array made before
** the clock starts. Threads sleep on futexes.
**
** `spin` means what it means in tidepool: how many times an idle worker, or
** the thread that awaits, looks again (with a pause of the processor between
** two looks) before it sleeps; 0 is none. One idle worker at a time looks,
** the others sleep at once, and at most one wake-up is under way: the one
** who is woken takes the seat of the one who looks, and hands it on when it
** finds work and leaves more behind.
**
**   ring flood     workers= spin= queue= tasks= passes=
**   ring roundtrip workers= spin= queue= tasks= passes=
**   ring pool      workers= passes=
**
** prints key=value lines: the median of the passes after one to warm up.
*/
#ifndef __linux__
#include <stdio.h>
int main (void) { return puts("the C ring needs Linux"), 2; }
#else
#define _GNU_SOURCE
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LINE 64 /* bytes in a line of the cache */

typedef _Atomic uint32_t Word;

/* ---------------------------------------------------------------- */
/* Waiting                                                           */
/* ---------------------------------------------------------------- */

static void futex_wait (Word *word, uint32_t seen) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake (Word *word, int count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static inline void cpu_pause (void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ __volatile__("yield");
#endif
}

static uint64_t now (void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail (const char *why) {
  fprintf(stderr, "ring: %s\n", why);
  exit(1);
}

/* ---------------------------------------------------------------- */
/* Tasks                                                             */
/* ---------------------------------------------------------------- */

enum { PENDING, AWAITED, DONE };

/* A line each, so that two of them never share one between two cores. */
typedef struct Task {
  alignas(LINE) Word state;
  void (*run)(struct Task *task);
  int64_t argument;
  int64_t result;
} Task;

static void increment (Task *task) { task->result = task->argument + 1; }

static void task_run (Task *task) {
  task->run(task);
  if (atomic_exchange_explicit(&task->state, DONE, memory_order_acq_rel) ==
      AWAITED)
    futex_wake(&task->state, 1);
}

static int64_t task_await (Task *task, unsigned spin) {
  for (unsigned i = 0; i < spin; i++) {
    if (atomic_load_explicit(&task->state, memory_order_acquire) == DONE)
      return task->result;
    cpu_pause();
  }
  uint32_t seen = PENDING;
  atomic_compare_exchange_strong(&task->state, &seen, AWAITED);
  while (atomic_load_explicit(&task->state, memory_order_acquire) != DONE)
    futex_wait(&task->state, AWAITED);
  return task->result;
}

/* ---------------------------------------------------------------- */
/* The ring                                                          */
/* ---------------------------------------------------------------- */

/* Vyukov's queue: turn == position means free, position + 1 filled. */
typedef struct Cell {
  _Atomic size_t turn;
  Task *task;
} Cell;

typedef struct Ring {
  alignas(LINE) _Atomic size_t tail;
  alignas(LINE) _Atomic size_t head;
  alignas(LINE) Word seat; /* 1: somebody looks, or is being woken to */
  Word sleepers;
  alignas(LINE) Word permits; /* workers sleep on it */
  alignas(LINE) Word blocked; /* 1: the producer sleeps on it */
  alignas(LINE) Word stop;
  Cell *cells;
  size_t mask;
  unsigned spin, workers;
  pthread_t *threads;
} Ring;

static int ring_push (Ring *r, Task *task) {
  size_t at = atomic_load_explicit(&r->tail, memory_order_relaxed);
  for (;;) {
    Cell *cell = r->cells + (at & r->mask);
    size_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
    if (turn == at) {
      if (atomic_compare_exchange_weak_explicit(&r->tail, &at, at + 1,
                                                memory_order_relaxed,
                                                memory_order_relaxed)) {
        cell->task = task;
        atomic_store_explicit(&cell->turn, at + 1, memory_order_release);
        return 1;
      }
    } else if (turn < at)
      return 0;
    else
      at = atomic_load_explicit(&r->tail, memory_order_relaxed);
  }
}

static Task *ring_pop (Ring *r) {
  size_t at = atomic_load_explicit(&r->head, memory_order_relaxed);
  for (;;) {
    Cell *cell = r->cells + (at & r->mask);
    size_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
    if (turn == at + 1) {
      if (atomic_compare_exchange_weak_explicit(&r->head, &at, at + 1,
                                                memory_order_relaxed,
                                                memory_order_relaxed)) {
        Task *task = cell->task;
        atomic_store_explicit(&cell->turn, at + r->mask + 1,
                              memory_order_release);
        return task;
      }
    } else if (turn < at + 1)
      return NULL;
    else
      at = atomic_load_explicit(&r->head, memory_order_relaxed);
  }
}

static int ring_empty (Ring *r) {
  size_t at = atomic_load_explicit(&r->head, memory_order_relaxed);
  Cell *cell = r->cells + (at & r->mask);
  return atomic_load_explicit(&cell->turn, memory_order_acquire) != at + 1;
}

static size_t ring_count (Ring *r) {
  return atomic_load(&r->tail) - atomic_load(&r->head);
}

/* Wakes one sleeper, unless somebody looks already. */
static void ring_wake (Ring *r) {
  uint32_t empty = 0;
  if (atomic_load(&r->sleepers) == 0 || atomic_load(&r->seat) != 0 ||
      !atomic_compare_exchange_strong(&r->seat, &empty, 1))
    return;
  atomic_fetch_add(&r->permits, 1);
  futex_wake(&r->permits, 1);
}

static void ring_submit (Ring *r, Task *task) {
  unsigned looks = 0;
  while (!ring_push(r, task)) {
    if (looks++ < r->spin) {
      cpu_pause();
      continue;
    }
    atomic_store(&r->blocked, 1);
    if (ring_count(r) > r->mask)
      futex_wait(&r->blocked, 1);
    looks = 0;
  }
  atomic_thread_fence(memory_order_seq_cst); /* pairs with worker_sleep */
  ring_wake(r);
}

/* After a pop: the producer is let in again when half of the ring is free,
   so that it is not woken for every task. */
static void ring_make_room (Ring *r) {
  atomic_thread_fence(memory_order_seq_cst);
  if (atomic_load_explicit(&r->blocked, memory_order_relaxed) != 0 &&
      ring_count(r) <= (r->mask + 1) / 2 &&
      atomic_exchange(&r->blocked, 0) != 0)
    futex_wake(&r->blocked, 1);
}

/* ---------------------------------------------------------------- */
/* Workers                                                           */
/* ---------------------------------------------------------------- */

/* True when it was woken with the seat, false when there is work to see. */
static int worker_sleep (Ring *r) {
  int seated = 0;
  atomic_fetch_add(&r->sleepers, 1);
  if (ring_empty(r) && !atomic_load(&r->stop)) {
    for (;;) {
      uint32_t n = atomic_load(&r->permits);
      if (n > 0) {
        if (atomic_compare_exchange_strong(&r->permits, &n, n - 1)) {
          seated = 1;
          break;
        }
      } else
        futex_wait(&r->permits, 0);
    }
  }
  atomic_fetch_sub(&r->sleepers, 1);
  return seated;
}

/* Looks for work from the seat, then leaves it. */
static void worker_look (Ring *r) {
  for (unsigned i = 0; i < r->spin && ring_empty(r); i++)
    cpu_pause();
}

static void *worker_main (void *ring) {
  Ring *r = ring;
  int seated = 0;
  for (;;) {
    Task *task = ring_pop(r);
    if (seated) {
      atomic_store(&r->seat, 0);
      seated = 0;
      if (!ring_empty(r))
        ring_wake(r);
    }
    if (task != NULL) {
      ring_make_room(r);
      task_run(task);
      continue;
    }
    if (atomic_load(&r->stop))
      return NULL;
    uint32_t empty = 0;
    if (r->spin > 0 && atomic_compare_exchange_strong(&r->seat, &empty, 1)) {
      worker_look(r);
      if (!ring_empty(r)) {
        seated = 1;
        continue;
      }
      atomic_store(&r->seat, 0);
    }
    seated = worker_sleep(r);
    if (seated)
      worker_look(r);
  }
}

static void ring_open (Ring *r, unsigned workers, unsigned spin, size_t queue) {
  size_t size = 2;
  memset(r, 0, sizeof *r);
  while (size < queue)
    size *= 2;
  r->mask = size - 1;
  r->spin = spin;
  r->workers = workers;
  r->cells = malloc(size * sizeof *r->cells);
  r->threads = malloc(workers * sizeof *r->threads);
  if (r->cells == NULL || r->threads == NULL)
    fail("out of memory");
  for (size_t i = 0; i < size; i++)
    atomic_init(&r->cells[i].turn, i);
  for (unsigned i = 0; i < workers; i++)
    if (pthread_create(r->threads + i, NULL, worker_main, r) != 0)
      fail("cannot start a thread");
}

static void ring_close (Ring *r) {
  atomic_store(&r->stop, 1);
  atomic_fetch_add(&r->permits, r->workers);
  futex_wake(&r->permits, INT_MAX);
  for (unsigned i = 0; i < r->workers; i++)
    pthread_join(r->threads[i], NULL);
  free(r->threads);
  free(r->cells);
}

/* ---------------------------------------------------------------- */
/* The measurements                                                  */
/* ---------------------------------------------------------------- */

typedef struct Options {
  unsigned workers, spin, passes;
  size_t queue, tasks;
} Options;

static void flood (Ring *r, Task *tasks, const Options *o) {
  for (size_t i = 0; i < o->tasks; i++) {
    tasks[i].run = increment;
    tasks[i].argument = (int64_t)i;
    atomic_store_explicit(&tasks[i].state, PENDING, memory_order_relaxed);
    ring_submit(r, tasks + i);
  }
  for (size_t i = 0; i < o->tasks; i++)
    if (task_await(tasks + i, o->spin) != (int64_t)i + 1)
      fail("wrong result");
}

static void roundtrip (Ring *r, Task *task, const Options *o) {
  for (size_t i = 0; i < o->tasks; i++) {
    task->run = increment;
    task->argument = (int64_t)i;
    atomic_store_explicit(&task->state, PENDING, memory_order_relaxed);
    ring_submit(r, task);
    if (task_await(task, o->spin) != (int64_t)i + 1)
      fail("wrong result");
  }
}

static int ascending (const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double measure (const char *what, const Options *o) {
  double *seconds = malloc((o->passes + 1) * sizeof *seconds), median;
  Task *tasks = aligned_alloc(LINE, o->tasks * sizeof *tasks);
  int pool = strcmp(what, "pool") == 0;
  Ring ring;
  if (seconds == NULL || tasks == NULL)
    fail("out of memory");
  memset(tasks, 0, o->tasks * sizeof *tasks);
  if (!pool)
    ring_open(&ring, o->workers, o->spin, o->queue);
  for (unsigned pass = 0; pass <= o->passes; pass++) {
    uint64_t start = now();
    if (pool) {
      ring_open(&ring, o->workers, o->spin, o->queue);
      ring_close(&ring);
    } else if (strcmp(what, "flood") == 0)
      flood(&ring, tasks, o);
    else
      roundtrip(&ring, tasks, o);
    seconds[pass] = (double)(now() - start) / 1e9;
  }
  if (!pool)
    ring_close(&ring);
  qsort(seconds + 1, o->passes, sizeof *seconds, ascending);
  median = seconds[1 + o->passes / 2];
  free(tasks);
  free(seconds);
  return median;
}

int main (int argc, char **argv) {
  Options o = {4, 2000, 5, 131072, 100000};
  for (int i = 2; i < argc; i++) {
    char *equals = strchr(argv[i], '=');
    unsigned long n = equals != NULL ? strtoul(equals + 1, NULL, 10) : 0;
    if (strncmp(argv[i], "workers=", 8) == 0)
      o.workers = (unsigned)n;
    else if (strncmp(argv[i], "spin=", 5) == 0)
      o.spin = (unsigned)n;
    else if (strncmp(argv[i], "passes=", 7) == 0)
      o.passes = (unsigned)n;
    else if (strncmp(argv[i], "queue=", 6) == 0)
      o.queue = n;
    else if (strncmp(argv[i], "tasks=", 6) == 0)
      o.tasks = n;
    else
      fail("unknown option");
  }
  if (argc < 2 || o.workers == 0 || o.passes == 0 || o.tasks == 0)
    fail("usage: ring flood|roundtrip|pool [key=number...]");
  double seconds = measure(argv[1], &o);
  printf("seconds=%.9f\n", seconds);
  printf("rate=%.1f\n", (double)o.tasks / seconds);
  printf("us=%.4f\n", seconds * 1e6 / (double)o.tasks);
  return 0;
}
#endif
