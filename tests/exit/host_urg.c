/*
** host_urg.c: a program with a SIGURG handler of its own. Argument: "before",
** it was there when the first Lua task ran; "after", it was put in front
** later and passes on what is not for it. Either way the program gets its own
** signals, on its own thread, and Lua tasks that loop are stopped.
*/
#include "host.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t got;
static pthread_t main_thread;
static struct sigaction next; /* what was there before ours */

static void on_signal (int signal, siginfo_t *info, void *context) {
  if (pthread_equal(pthread_self(), main_thread))
    got++;
  else if (next.sa_flags & SA_SIGINFO)
    next.sa_sigaction(signal, info, context);
}

static void install (void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  if (sigaction(SIGURG, &action, &next) != 0)
    host_die("sigaction");
}

static const char start[] =
    "tidepool = require 'tidepool'\n"
    "pool = tidepool.AsyncManager.new { workers = 1 }\n"
    "assert(pool:call(function () return 1 end):await(60) == 1)\n";

static const char stop[] =
    "for i = 1, 20 do\n"
    "  local future = pool:call(function () while true do end end)\n"
    "  while future:state() ~= 'running' do end\n"
    "  future:cancel()\n"
    "  assert(pool:call(function () return i end):await(60) == i)\n"
    "end\n";

/* Signals of the program's own arrive, and only those. */
static void expect (int count) {
  if (got != count)
    host_die("signals that are not the program's own, or lost ones");
}

int main (int argc, char **argv) {
  const char *when = argc > 1 ? argv[1] : "before";
  lua_State *L = host_open();
  main_thread = pthread_self();
  if (strcmp(when, "before") == 0)
    install();
  host_run(L, start);
  if (strcmp(when, "after") == 0)
    install();
  host_run(L, stop);
  expect(0);
  raise(SIGURG);
  expect(1);
  host_run(L, stop);
  pthread_kill(main_thread, SIGURG);
  expect(2);
  lua_close(L);
  raise(SIGURG);
  expect(3);
  puts(when);
  return 0;
}
