#define _GNU_SOURCE
#include "lua/pulse.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "core/memory.h"

/* Of a pulse: it is being taken; it is that thread's. */
enum { BEING_TAKEN = 2, TAKEN = 1 };

static _Atomic(tpi_Pulse *) pulses; /* grows at the front only */
static _Atomic(lua_Hook) hook;
static tpi_Lock lock; /* guards installing */

/* The program's handler, written before ours is installed for the first time
   and not after; it is passed on to unless `alone`. */
static struct sigaction before;
static atomic_uint alone;

/* ---------------------------------------------------------------- */
/* The handler                                                       */
/* ---------------------------------------------------------------- */

#if defined(__SANITIZE_THREAD__)
#define TPI_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TPI_TSAN 1
#endif
#endif

/* In that build its runtime must not be entered from a handler that it does
   not know of, and it delays those that it does know until the thread calls
   the C library, which a loop in Lua never does. */
#ifdef TPI_TSAN
#define TPI_PLAIN __attribute__((no_sanitize("thread")))
extern int __sigaction (int, const struct sigaction *, struct sigaction *);
#define set_action __sigaction
#else
#define TPI_PLAIN
#define set_action sigaction
#endif

/* The pulse of this thread, or NULL. */
TPI_PLAIN static tpi_Pulse *of_this_thread (void) {
  /* pthread_self is on the list of what a handler may call; comparing and
     the loads of atomics that are lock-free are no calls */
  pthread_t self = pthread_self();
  unsigned taken = tpi_generation() | TAKEN;
  tpi_Pulse *p = tpi_see(&pulses);
  while (p != NULL &&
         !(tpi_see(&p->taken) == taken && pthread_equal(p->thread, self)))
    p = p->next; /* constant */
  return p;
}

TPI_PLAIN static void pass_on (int signal, siginfo_t *info, void *context) {
  if (tpi_see(&alone))
    return;
  if (before.sa_flags & SA_SIGINFO)
    before.sa_sigaction(signal, info, context);
  else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
    before.sa_handler(signal);
  /* the default for SIGURG is to ignore it */
}

/*
** Runs on any thread, between any two instructions. What it does is safe
** there, line by line: errno is kept; of_this_thread and the exchange touch
** lock-free atomics and memory that is never freed; `current` is written by
** this very thread; lua_sethook is what lua.c calls from its handler of
** SIGINT too: it writes fields of that coroutine, and a flag in each of its
** calls from the running one down, none of which is freed while it is there;
** it allocates nothing.
*/
TPI_PLAIN static void on_signal (int signal, siginfo_t *info, void *context) {
  int keep = errno;
  tpi_Pulse *p = of_this_thread();
  if (p == NULL || tpi_swap(&p->beats, 0) == 0) {
    pass_on(signal, info, context);
  } else {
    lua_State *L = tpi_see(&p->current);
    if (L != NULL)
      lua_sethook(L, tpi_see(&hook), LUA_MASKCOUNT, 1);
  }
  errno = keep;
}

static int nobody_there (const struct sigaction *now) {
  return !(now->sa_flags & SA_SIGINFO) &&
         (now->sa_handler == SIG_DFL || now->sa_handler == SIG_IGN);
}

static void freeze (void) { tpi_lock(&lock); }
static void thaw (void) { tpi_unlock(&lock); }

/* Puts ours in front of what is there, once; later only if nothing is, and
   then there is nothing to pass on to either. */
static void install (void) {
  static int installed; /* guarded by lock */
  struct sigaction now, ours = {0};
  tpi_lock(&lock);
  if (!installed)
    pthread_atfork(freeze, thaw, thaw);
  set_action(SIGURG, NULL, &now);
  if (!installed || nobody_there(&now)) {
    if (!installed)
      before = now;
    else
      tpi_put(&alone, 1);
    installed = 1;
    ours.sa_sigaction = on_signal;
    ours.sa_flags = SA_SIGINFO | SA_RESTART;
    sigfillset(&ours.sa_mask);
    set_action(SIGURG, &ours, NULL);
  }
  tpi_unlock(&lock);
}

/* ---------------------------------------------------------------- */
/* Pulses                                                            */
/* ---------------------------------------------------------------- */

static tpi_Pulse *find_free (void) {
  tpi_Pulse *p = tpi_see(&pulses);
  while (p != NULL) {
    unsigned none = 0;
    if (tpi_peek(&p->taken) == 0 &&
        tpi_cas(&p->taken, &none, tpi_generation() | BEING_TAKEN))
      return p;
    p = p->next;
  }
  return NULL;
}

static tpi_Pulse *add_new (void) {
  tpi_Pulse *p = tpi_denied() ? NULL : calloc(1, sizeof *p);
  if (p == NULL)
    return NULL;
  tpi_poke(&p->taken, tpi_generation() | BEING_TAKEN);
  p->next = tpi_see(&pulses);
  while (!tpi_cas(&pulses, &p->next, p)) {
  }
  return p;
}

static void let_in (int how) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGURG);
  pthread_sigmask(how, &set, NULL);
}

tpi_Pulse *tpi_pulse_take (lua_Hook with) {
  tpi_Pulse *p = find_free();
  if (p == NULL)
    p = add_new();
  if (p == NULL)
    return NULL;
  tpi_put(&hook, with);
  install();
  tpi_put(&p->current, NULL);
  tpi_put(&p->beats, 0);
  tpi_lock(&p->lock);
  p->thread = pthread_self();
  tpi_put(&p->taken, tpi_generation() | TAKEN);
  tpi_unlock(&p->lock);
  let_in(SIG_UNBLOCK);
  return p;
}

void tpi_pulse_give_back (tpi_Pulse *p) {
  if (p == NULL)
    return;
  let_in(SIG_BLOCK);
  tpi_lock(&p->lock);
  tpi_put(&p->taken, 0);
  tpi_unlock(&p->lock);
}

void tpi_pulse_beat (tpi_Pulse *p) {
  tpi_lock(&p->lock);
  if (tpi_see(&p->taken) == (tpi_generation() | TAKEN)) {
    tpi_put(&p->beats, 1);
    pthread_kill(p->thread, SIGURG);
  }
  tpi_unlock(&p->lock);
}
