/*
** testmod_process.c: descriptors and signals of the process.
**
** Lua, from any thread that runs it:
**   close_from(n)       closes all descriptors from n to 255
**   blocks(name)        -> does the calling thread block that signal?
**   signal(name, how)   the process ignores it ("ignore") or does what is
**     done by default ("default") from now on
**   block(name, on)     the calling thread blocks that signal, or does not
**   profile(seconds)    -> did SIGPROF interrupt the calling thread, before it
**     had burned that much processor time?
*/
#define _GNU_SOURCE
#include "testmod.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int signal_at (lua_State *L, int index) {
  static const char *const names[] = {"PIPE", "PROF", "URG", "INT", NULL};
  static const int numbers[] = {SIGPIPE, SIGPROF, SIGURG, SIGINT};
  return numbers[luaL_checkoption(L, index, NULL, names)];
}

static int l_close_from (lua_State *L) {
  for (int fd = (int)luaL_checkinteger(L, 1); fd < 256; fd++)
    close(fd);
  return 0;
}

static int l_blocks (lua_State *L) {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  lua_pushboolean(L, sigismember(&mask, signal_at(L, 1)));
  return 1;
}

static int l_block (lua_State *L) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal_at(L, 1));
  pthread_sigmask(lua_toboolean(L, 2) ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
  return 0;
}

static int l_signal (lua_State *L) {
  static const char *const ways[] = {"ignore", "default", NULL};
  int way = luaL_checkoption(L, 2, NULL, ways);
  signal(signal_at(L, 1), way == 0 ? SIG_IGN : SIG_DFL);
  return 0;
}

static pthread_t profiled;
static atomic_int samples;

static void sample (int number) {
  (void)number;
  if (pthread_equal(pthread_self(), profiled))
    samples++;
}

static double spent (void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int l_profile (lua_State *L) {
  struct itimerval each = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};
  struct sigaction action = {0};
  double until = spent() + luaL_checknumber(L, 1);
  profiled = pthread_self();
  samples = 0;
  action.sa_handler = sample;
  action.sa_flags = SA_RESTART;
  sigaction(SIGPROF, &action, NULL);
  setitimer(ITIMER_PROF, &each, NULL);
  while (samples == 0 && spent() < until) {
  }
  setitimer(ITIMER_PROF, &off, NULL);
  action.sa_handler = SIG_IGN; /* one may be on its way */
  sigaction(SIGPROF, &action, NULL);
  lua_pushboolean(L, samples > 0);
  return 1;
}

const luaL_Reg tt_process_lua[] = {{"close_from", l_close_from},
                                   {"blocks", l_blocks},
                                   {"block", l_block},
                                   {"signal", l_signal},
                                   {"profile", l_profile},
                                   {NULL, NULL}};
