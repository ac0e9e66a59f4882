#define _GNU_SOURCE
#include "core/thread.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/lock.h"
#include "core/memory.h"
#include "core/word.h"
#include "tidepool.h"

/* What Lua allows a C stack, 200 calls, takes half of that. The default may be
   less: it follows `ulimit -s`, and some C libraries give 128 KiB. */
enum { STACK = 1024 * 1024 };

typedef struct Start {
  void (*run)(void *);
  void *argument;
} Start;

static atomic_uint alive; /* threads that have not reached their end */
static tpi_Lock lock;
static pthread_t ended; /* guarded by lock */
static int any_ended;   /* guarded by lock */
static sigset_t outer;  /* guarded by lock */
static int any_started; /* guarded by lock */

/* Joins the thread that ended last, if any, and names the next to be joined
   (or none). The join is short: that thread has nothing left to run. */
static void join_ended (const pthread_t *next) {
  pthread_t before;
  int join;
  tpi_lock(&lock);
  before = ended;
  join = any_ended;
  any_ended = next != NULL;
  if (next != NULL)
    ended = *next;
  tpi_unlock(&lock);
  if (join)
    pthread_join(before, NULL);
}

/* One that has forked comes to its end in the child as a thread of nobody. */
static void *trampoline (void *p) {
  Start start = *(Start *)p;
  pthread_t self = pthread_self();
  unsigned generation = tpi_generation();
  tpi_free(p);
  start.run(start.argument);
  if (tpi_foreign(generation))
    return NULL;
  join_ended(&self);
  atomic_fetch_sub(&alive, 1);
  tpi_word_wake(&alive, 1);
  return NULL;
}

static void mask_of_workers (sigset_t *set, int profile) {
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE,  SIGILL,
                            SIGTRAP, SIGSYS, SIGABRT, SIGPIPE};
  sigfillset(set);
  for (unsigned i = 0; i < sizeof own / sizeof *own; i++)
    sigdelset(set, own[i]);
  if (profile)
    sigdelset(set, SIGPROF);
}

/* The first of our threads is started by one that is not. */
static void note_outer_mask (const sigset_t *mask) {
  tpi_lock(&lock);
  if (!any_started)
    outer = *mask;
  any_started = 1;
  tpi_unlock(&lock);
}

void tpi_thread_outer_mask (sigset_t *mask) {
  tpi_lock(&lock);
  *mask = outer;
  tpi_unlock(&lock);
}

static int create (pthread_t *thread, Start *start) {
  pthread_attr_t attributes;
  size_t size;
  int rc = pthread_attr_init(&attributes);
  if (rc != 0)
    return rc;
  if (pthread_attr_getstacksize(&attributes, &size) == 0 && size < STACK)
    pthread_attr_setstacksize(&attributes, STACK);
  rc = pthread_create(thread, &attributes, trampoline, start);
  pthread_attr_destroy(&attributes);
  return rc;
}

int tpi_thread_start (void (*run)(void *), void *argument) {
  return tpi_thread_start_profiled(run, argument, 0);
}

int tpi_thread_start_profiled (void (*run)(void *), void *argument,
                               int profile) {
  sigset_t mask, before;
  pthread_t thread;
  int rc;
  Start *start = tpi_alloc(sizeof *start);
  if (start == NULL)
    return TP_NOMEM;
  start->run = run;
  start->argument = argument;
  atomic_fetch_add(&alive, 1);
  mask_of_workers(&mask, profile);
  pthread_sigmask(SIG_SETMASK, &mask, &before);
  note_outer_mask(&before);
  rc = tpi_denied() ? -1 : create(&thread, start);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (rc == 0)
    return TP_OK;
  atomic_fetch_sub(&alive, 1);
  tpi_free(start);
  return TP_NOMEM;
}

int tpi_threads_wait (uint64_t deadline) {
  unsigned n;
  while ((n = tpi_see(&alive)) != 0) {
    if (!tpi_word_wait(&alive, n, deadline))
      break;
  }
  join_ended(NULL);
  return n == 0;
}

void tpi_threads_forget (void) {
  tpi_lock_forget(&lock);
  tpi_put(&alive, 0);
  any_ended = 0;
}

int tpi_cores (void) {
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int)n : 1;
}
