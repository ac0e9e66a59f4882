/*
** testmod_events.c: gates, counters, cancellation and progress: what specs
** wait for.
**
** Functions for pools:
**   test.gate             "string -> string"
**     enters the gate of that name and waits until it is open, deaf to being
**     cancelled; returns the name
**   test.until_cancelled  "number? -> string"
**     enters the gate "until_cancelled", sleeps until it is cancelled (30 s
**     at most, or as many as given; negative: for ever), counts that it
**     noticed and returns "late"
**   test.poll_cancelled   "-> string"
**     the same, but it asks again and again without sleeping
**   test.spin             "number"
**     enters the gate "spin", then is busy for so many seconds
**   test.progress         "number, string?, string?"
**     tells a fraction and a note, then passes the gate given third
**
** Lua: open(name), close(name), entered(name), wait_entered(name, n),
** noticed([reset]), wait_noticed(n). A gate is made by whoever names it
** first, closed. Its count grows with every task that enters; close() shuts
** it again and sets the count to the tasks that still stand in it.
*/
#include "testmod.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* macOS cannot tell a condition which clock to use. */
#ifdef __APPLE__
#define WAIT_CLOCK CLOCK_REALTIME
#else
#define WAIT_CLOCK CLOCK_MONOTONIC
#endif

#define GATES_MAX 256
#define GATE_NAME 64

typedef struct Gate {
  char name[GATE_NAME];
  int open;
  long long entered;
  long long inside;
} Gate;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static Gate gates[GATES_MAX]; /* guarded by lock */
static int ngates;            /* guarded by lock */

static Counter noticed;

/* ------------------------------------------------------------------ */
/* Waiting                                                             */
/* ------------------------------------------------------------------ */

static void setup (void) {
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
#ifndef __APPLE__
  pthread_condattr_setclock(&attr, WAIT_CLOCK);
#endif
  pthread_cond_init(&changed, &attr);
  pthread_condattr_destroy(&attr);
}

void tt_lock (void) {
  pthread_once(&once, setup);
  pthread_mutex_lock(&lock);
}

void tt_unlock (void) { pthread_mutex_unlock(&lock); }

void tt_tell_locked (void) { pthread_cond_broadcast(&changed); }

struct timespec tt_deadline (void) {
  struct timespec t;
  clock_gettime(WAIT_CLOCK, &t);
  t.tv_sec += (time_t)LIMIT;
  return t;
}

int tt_sleep_locked (const struct timespec *deadline) {
  return pthread_cond_timedwait(&changed, &lock, deadline) != ETIMEDOUT;
}

double tt_now (void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void tt_pause (double seconds) {
  struct timespec t;
  t.tv_sec = (time_t)seconds;
  t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
  while (nanosleep(&t, &t) != 0 && errno == EINTR)
    ;
}

int tt_thread (pthread_t *thread, void *(*run)(void *), void *arg) {
  sigset_t all, before;
  int rc;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  rc = pthread_create(thread, NULL, run, arg);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return rc;
}

typedef struct Errand {
  void (*run)(void *);
  void *arg;
  int done; /* guarded by lock */
} Errand;

static void *run_errand (void *p) {
  Errand *errand = p;
  errand->run(errand->arg);
  tt_lock();
  errand->done = 1;
  tt_tell_locked();
  tt_unlock();
  return NULL;
}

/* An errand that takes too long is left with its memory, for ever. */
int tt_errand (void (*run)(void *), void *arg) {
  struct timespec deadline = tt_deadline();
  Errand *errand = malloc(sizeof *errand);
  pthread_t thread;
  int rc, done;
  if (errand == NULL)
    return ENOMEM;
  errand->run = run;
  errand->arg = arg;
  errand->done = 0;
  rc = tt_thread(&thread, run_errand, errand);
  if (rc != 0) {
    free(errand);
    return rc;
  }
  tt_lock();
  while (!(done = errand->done) && tt_sleep_locked(&deadline))
    ;
  tt_unlock();
  if (!done) {
    pthread_detach(thread);
    return ETIMEDOUT;
  }
  pthread_join(thread, NULL);
  free(errand);
  return 0;
}

/* ------------------------------------------------------------------ */
/* Counters                                                            */
/* ------------------------------------------------------------------ */

/* Pairs with tt_waitcounter: either this sees that somebody waits, or that
   one sees the new count before it sleeps (both sequentially consistent). */
void tt_count (Counter *counter) {
  atomic_fetch_add(&counter->count, 1);
  if (atomic_load(&counter->waiting) > 0) {
    tt_lock();
    tt_tell_locked();
    tt_unlock();
  }
}

int tt_readcounter (lua_State *L, Counter *counter) {
  long long count = lua_toboolean(L, 1) ? atomic_exchange(&counter->count, 0)
                                        : atomic_load(&counter->count);
  lua_pushinteger(L, (lua_Integer)count);
  return 1;
}

int tt_waitcounter (lua_State *L, Counter *counter, const char *what) {
  lua_Integer wanted = luaL_checkinteger(L, 1);
  struct timespec deadline = tt_deadline();
  int reached;
  atomic_fetch_add(&counter->waiting, 1);
  tt_lock();
  while (!(reached = atomic_load(&counter->count) >= wanted) &&
         tt_sleep_locked(&deadline))
    ;
  tt_unlock();
  atomic_fetch_sub(&counter->waiting, 1);
  if (!reached)
    return luaL_error(L, "testmod: %I %s were awaited for %d s, came %I",
                      (LUAI_UACINT)wanted, what, (int)LIMIT,
                      (LUAI_UACINT)atomic_load(&counter->count));
  return 0;
}

/* ------------------------------------------------------------------ */
/* Gates                                                               */
/* ------------------------------------------------------------------ */

/* The gate of that name, made closed on first use. Names are compared as far
   as they are kept. */
static Gate *gate_locked (const char *name) {
  Gate *gate;
  for (gate = gates; gate < gates + ngates; gate++)
    if (strncmp(gate->name, name, GATE_NAME - 1) == 0)
      return gate;
  if (ngates == GATES_MAX) {
    fputs("testmod: more gates than GATES_MAX\n", stderr);
    abort();
  }
  ngates++;
  strncpy(gate->name, name, GATE_NAME - 1);
  return gate;
}

static void enter_locked (Gate *gate) {
  gate->entered++;
  tt_tell_locked();
}

void tt_enter (const char *name) {
  tt_lock();
  enter_locked(gate_locked(name));
  tt_unlock();
}

int tt_pass (const char *name) {
  struct timespec deadline = tt_deadline();
  Gate *gate;
  int open;
  tt_lock();
  gate = gate_locked(name);
  enter_locked(gate);
  gate->inside++;
  while (!(open = gate->open) && tt_sleep_locked(&deadline))
    ;
  gate->inside--;
  tt_unlock();
  return open;
}

static int set_gate (lua_State *L, int open) {
  const char *name = luaL_checkstring(L, 1);
  Gate *gate;
  tt_lock();
  gate = gate_locked(name);
  gate->open = open;
  if (!open)
    gate->entered = gate->inside;
  tt_tell_locked();
  tt_unlock();
  return 0;
}

static int gate_open (lua_State *L) { return set_gate(L, 1); }

static int gate_close (lua_State *L) { return set_gate(L, 0); }

static int gate_entered (lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  long long entered;
  tt_lock();
  entered = gate_locked(name)->entered;
  tt_unlock();
  lua_pushinteger(L, (lua_Integer)entered);
  return 1;
}

static int gate_wait_entered (lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  lua_Integer wanted = luaL_optinteger(L, 2, 1);
  struct timespec deadline = tt_deadline();
  long long entered;
  Gate *gate;
  tt_lock();
  gate = gate_locked(name);
  while ((entered = gate->entered) < wanted && tt_sleep_locked(&deadline))
    ;
  tt_unlock();
  if (entered < wanted)
    return luaL_error(L,
                      "testmod: %I tasks were awaited at gate '%s' for %d s, "
                      "came %I",
                      (LUAI_UACINT)wanted, name, (int)LIMIT,
                      (LUAI_UACINT)entered);
  return 0;
}

/* ------------------------------------------------------------------ */
/* Functions for pools                                                 */
/* ------------------------------------------------------------------ */

void tt_notice (void) { tt_count(&noticed); }

static int gate (tp_Context *ctx) {
  const char *name = tp_tobytes(ctx, 1, NULL);
  if (!tt_pass(name))
    return tp_fail(ctx, "testmod: gate '%s' stayed closed for %d s", name,
                   (int)LIMIT);
  return tp_pusharg(ctx, 1);
}

static int until_cancelled (tp_Context *ctx) {
  double seconds = tp_type(ctx, 1) == TP_TNIL ? LIMIT : tp_tonumber(ctx, 1);
  tt_enter("until_cancelled");
  if (!tp_wait_cancelled(ctx, seconds))
    return tp_fail(ctx, "testmod: not cancelled for %g s", seconds);
  tt_notice();
  return tp_pushstring(ctx, "late");
}

static int poll_cancelled (tp_Context *ctx) {
  double end = tt_now() + LIMIT;
  tt_enter("until_cancelled");
  while (!tp_cancelled(ctx))
    if (tt_now() > end)
      return tp_fail(ctx, "testmod: not cancelled for %d s", (int)LIMIT);
  tt_notice();
  return tp_pushstring(ctx, "late");
}

static int spin (tp_Context *ctx) {
  double end = tt_now() + tp_tonumber(ctx, 1);
  tt_enter("spin");
  while (tt_now() < end)
    ;
  return TP_OK;
}

static int progress (tp_Context *ctx) {
  const char *name = tp_tobytes(ctx, 3, NULL);
  tp_progress(ctx, tp_tonumber(ctx, 1), tp_tobytes(ctx, 2, NULL));
  if (name != NULL && !tt_pass(name))
    return tp_fail(ctx, "testmod: gate '%s' stayed closed for %d s", name,
                   (int)LIMIT);
  return TP_OK;
}

const tp_Function tt_event_functions[] = {
    {"test.gate", gate, "string -> string"},
    {"test.until_cancelled", until_cancelled, "number? -> string"},
    {"test.poll_cancelled", poll_cancelled, "-> string"},
    {"test.spin", spin, "number"},
    {"test.progress", progress, "number, string?, string?"},
    {NULL, NULL, NULL}};

static int l_noticed (lua_State *L) { return tt_readcounter(L, &noticed); }

static int l_wait_noticed (lua_State *L) {
  return tt_waitcounter(L, &noticed, "noticed cancellations");
}

const luaL_Reg tt_event_lua[] = {{"open", gate_open},
                                 {"close", gate_close},
                                 {"entered", gate_entered},
                                 {"wait_entered", gate_wait_entered},
                                 {"noticed", l_noticed},
                                 {"wait_noticed", l_wait_noticed},
                                 {NULL, NULL}};
