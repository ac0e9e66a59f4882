/*
** host_segv.c: a crash in a C function on a worker reaches the handler that
** the process has installed, on the thread that crashed.
*/
#include "host.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static pthread_t main_thread;

static void crashed (int signal) {
  (void)signal;
  _exit(pthread_equal(pthread_self(), main_thread) ? 41 : 42);
}

int main (int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "segv";
  struct sigaction action;
  lua_State *L = host_open();
  main_thread = pthread_self();
  memset(&action, 0, sizeof action);
  action.sa_handler = crashed;
  sigaction(strcmp(how, "abort") == 0 ? SIGABRT : SIGSEGV, &action, NULL);
  lua_pushstring(L, how);
  lua_setglobal(L, "how");
  host_run(L, "local tidepool = require 'tidepool'\n"
              "require 'testmod'\n"
              "local pool = tidepool.AsyncManager.new { workers = 2 }\n"
              "pool:call('test.crash', how):await(60)\n");
  lua_close(L);
  return 0;
}
