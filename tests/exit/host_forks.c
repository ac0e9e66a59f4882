/*
** host_forks.c: forks at the worst of times: host_forks WHEN.
**
**   pending      the functions of tidepool.h find what was pending broken
**   locked       while other threads hold the lock of a future most of the
**                time: what the child does with it comes to an end
**   telling      while another thread has taken the waiters of a future and
**                has not told them yet: the child closes its Lua state
**   descriptors  the child closes what it inherited and opens files: they stay
**                open, and stay its own
*/
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tidepool.h"

enum { PATIENCE = 100 }; /* seconds that a child may take */

static const tp_Api *api;
static tp_Promise *promise;
static atomic_int go, inside;

/* Runs a step in a child, and complains unless that ends well. */
static void in_child (void (*step)(lua_State *, const char *), lua_State *L,
                      const char *code) {
  int status;
  pid_t pid = fork();
  if (pid < 0)
    host_die("no fork");
  if (pid == 0) {
    alarm(PATIENCE);
    step(L, code);
    _exit(0);
  }
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR)
      host_die("no such child");
  if (status != 0) {
    fprintf(stderr, "status %x of the child that ran: %s\n", (unsigned)status,
            code);
    exit(1);
  }
}

static void make_promise (lua_State *L) {
  api = tp_open(L);
  promise = tp_lua_promise(L, api);
  lua_setglobal(L, "f");
  host_run(L, "tidepool = require 'tidepool'");
}

/* ---------------------------------------------------------------- */

static void count (tp_Future *future, void *calls) {
  (void)future;
  ++*(int *)calls;
}

static void look (lua_State *L, const char *code) {
  tp_Future *f;
  tp_Failure failure;
  int calls = 0;
  lua_getglobal(L, "f");
  f = tp_lua_checkfuture(L, api, -1);
  if (!tp_wait(api, f, -1) || !tp_settled(api, f) || tp_cancel(api, f, code) ||
      tp_resolve(api, promise, NULL) || tp_then(api, f, count, &calls) != TP_OK)
    host_die("it is still pending");
  if (calls != 1)
    host_die("who asks then is not told");
  if (!tp_failure(api, f, &failure) || strcmp(failure.kind, "broken") != 0)
    host_die("it is not broken");
}

static void never (tp_Future *future, void *unused) {
  (void)future, (void)unused;
}

static void pending (lua_State *L) {
  make_promise(L);
  lua_getglobal(L, "f");
  tp_then(api, tp_lua_checkfuture(L, api, -1), never, NULL);
  lua_pop(L, 1);
  in_child(look, L, "why");
  tp_promise_release(api, promise);
}

/* ---------------------------------------------------------------- */

static void *report (void *unused) {
  (void)unused;
  while (!go)
    tp_promise_progress(api, promise, 0.5, "half");
  return NULL;
}

static void locked (lua_State *L) {
  static const char *const steps[] = {
      "f:awaited()",
      "p:resolve(1)",
      "p:reject 'x'",
      "p:progress(0.5)",
      "group:clear()",
      "group = nil collectgarbage() collectgarbage()",
      "own = tidepool.AsyncManager.new { workers = 1 } own:call(print, f)",
      "f:and_then(print):pawait(60)",
      "assert(#tidepool.wait { f, f2 } > 0)",
      "os.exit(true, true)",
  };
  pthread_t threads[2];
  make_promise(L);
  host_run(L, "f2, p = tidepool.promise() "
              "pool = tidepool.AsyncManager.new { workers = 2 } "
              "local function report (p) "
              "  while not p:cancelled() do p:progress(0.5, 'half') end "
              "end "
              "for i = 1, 2 do pool:call(report, p) end "
              "group = tidepool.group():add(f2):add(f)");
  for (int i = 0; i < 2; i++)
    pthread_create(&threads[i], NULL, report, NULL);
  for (size_t i = 0; i < 30 * sizeof steps / sizeof *steps; i++)
    in_child(host_run, L, steps[i % (sizeof steps / sizeof *steps)]);
  go = 1;
  for (int i = 0; i < 2; i++)
    pthread_join(threads[i], NULL);
  host_run(L, "f2:cancel()");
  tp_promise_release(api, promise);
}

/* ---------------------------------------------------------------- */

static void called_back (tp_Future *future, void *unused) {
  (void)future, (void)unused;
  inside = 1;
  while (!go)
    usleep(1000);
}

static void *resolve (void *unused) {
  (void)unused;
  tp_resolve(api, promise, NULL);
  return NULL;
}

static void run_and_close (lua_State *L, const char *code) {
  host_run(L, code);
  lua_close(L);
}

static void telling (lua_State *L) {
  pthread_t thread;
  make_promise(L);
  lua_getglobal(L, "f");
  tp_then(api, tp_lua_checkfuture(L, api, -1), called_back, NULL);
  lua_pop(L, 1);
  host_run(L, "group = tidepool.group():add(f) "
              "waiting = tidepool.spawn(f.await, f) tidepool.poll()");
  pthread_create(&thread, NULL, resolve, NULL);
  while (!inside)
    usleep(1000);
  in_child(run_and_close, L, "");
  in_child(run_and_close, L, "group:clear()");
  in_child(run_and_close, L, "assert(select(2, group:next(60)) == f)");
  in_child(run_and_close, L, "assert(waiting:pawait(60) == false)");
  go = 1;
  pthread_join(thread, NULL);
  tp_promise_release(api, promise);
}

/* ---------------------------------------------------------------- */

enum { FILES = 6 };

static void own_files (lua_State *L, const char *code) {
  struct stat null, now;
  int files[FILES];
  for (int i = 3; i < 100; i++)
    close(i);
  for (int i = 0; i < FILES; i++)
    files[i] = open("/dev/null", O_WRONLY);
  stat("/dev/null", &null);
  host_run(L, code);
  lua_close(L);
  for (int i = 0; i < FILES; i++) {
    if (fstat(files[i], &now) != 0 || now.st_rdev != null.st_rdev)
      host_die("a file of the child's is closed, or another one");
  }
}

static void descriptors (lua_State *L) {
  host_run(L, "tidepool = require 'tidepool' "
              "pool = tidepool.AsyncManager.new { workers = 2 } "
              "tidepool.sleep(0.01) tidepool.fd()");
  in_child(own_files, L,
           "local own = tidepool.AsyncManager.new { workers = 1 } "
           "assert(own:call('tidepool.sleep', 0.01):wait(60)) "
           "tidepool.sleep(0.01) assert(tidepool.fd() > 2)");
  /* without a fork */
  own_files(L, "assert(pool:call('tidepool.sleep', 0.01):wait(60)) "
               "tidepool.sleep(0.01) assert(tidepool.fd() > 2)");
}

int main (int argc, char **argv) {
  lua_State *L = host_open();
  const char *when = argc > 1 ? argv[1] : "";
  if (strcmp(when, "descriptors") == 0) {
    descriptors(L); /* closes it */
  } else {
    if (strcmp(when, "pending") == 0)
      pending(L);
    else if (strcmp(when, "locked") == 0)
      locked(L);
    else if (strcmp(when, "telling") == 0)
      telling(L);
    else
      host_die("when?");
    lua_close(L);
  }
  puts("forked");
  return 0;
}
