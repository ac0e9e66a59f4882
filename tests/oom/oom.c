/*
** oom.c: every allocation of a scripted session fails once. Runs session.lua
** again and again, each time with the next allocation failing, until a run
** needs no more allocations than that. After each run all futures must have
** settled, the library must work, and what was alive before the run must be
** alive after it, no more.
**
** Built with -DTPI_FAILURES and linked with the core itself. Each plan runs
** in child processes (OOM_JOBS of them, 4), which share out the numbers;
** this process starts no thread. OOM_PLAN and OOM_AT run a single case here.
*/
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <lua.h>

#include <lauxlib.h>
#include <lualib.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/memory.h"

/* Seconds after which a run is taken for hung. */
#define PATIENCE 120
/* Runs without a failure that end a plan: threads make counts vary. */
#define QUIET 3
#define JOBS_MAX 64

int luaopen_tidepool_core (lua_State *L);

/* ------------------------------------------------------------------ */
/* Plans                                                               */
/* ------------------------------------------------------------------ */

typedef struct Plan {
  const char *name;
  int lua;     /* how many requests of Lua's fail in a row: one makes Lua
                  collect everything and try again, two make it give up */
  int closing; /* during lua_close instead of during the session */
  int cold;    /* in a process that has not used the library before */
} Plan;

static const Plan plans[] = {
    {"core", 0, 0, 0}, {"core-cold", 0, 0, 1},    {"core-closing", 0, 1, 0},
    {"lua", 2, 0, 0},  {"lua-collects", 1, 0, 0}, {"lua-closing", 2, 1, 0},
};

#define NPLANS (int)(sizeof plans / sizeof plans[0])

/* ------------------------------------------------------------------ */
/* Lua's allocator                                                     */
/* ------------------------------------------------------------------ */

/* A Lua state is used by one thread at a time. */
typedef struct Heap {
  long until; /* requests until one fails; 0 for never */
  int width;  /* how many fail then */
  int fired;
  long blocks;
} Heap;

static int heap_fails (Heap *heap) {
  if (heap->until == 0 || --heap->until > 0)
    return 0;
  heap->fired++;
  heap->until = heap->fired < heap->width ? 1 : 0;
  return 1;
}

static void *heap_alloc (void *ud, void *block, size_t old, size_t size) {
  Heap *heap = ud;
  void *result;
  if (size == 0) {
    heap->blocks -= block != NULL;
    free(block);
    return NULL;
  }
  /* Lua trusts that making a block smaller cannot fail. */
  if ((block == NULL || size > old) && heap_fails(heap))
    return NULL;
  result = realloc(block, size);
  if (result != NULL)
    heap->blocks += block == NULL;
  return result;
}

/* ------------------------------------------------------------------ */
/* One run                                                             */
/* ------------------------------------------------------------------ */

typedef struct Run {
  const Plan *plan;
  long at; /* the allocation that fails; 0 for none */
  Heap heap;
  int fired;
  int bad;
} Run;

static void blame (Run *run, const char *what, const char *detail) {
  fprintf(stderr, "oom: OOM_PLAN=%s OOM_AT=%ld: %s: %s\n", run->plan->name,
          run->at, what, detail == NULL ? "?" : detail);
  run->bad = 1;
}

static void arm (Run *run) {
  if (run->plan->lua > 0) {
    run->heap.width = run->plan->lua;
    run->heap.fired = 0;
    run->heap.until = run->at;
  } else {
    tpi_memory_fail_at(run->at);
  }
}

static void disarm (Run *run) {
  run->fired = run->plan->lua > 0 ? run->heap.fired > 0
                                  : run->at > 0 && tpi_memory_failed() != 0;
  run->heap.until = 0;
  tpi_memory_fail_at(0);
}

static const char *script (const char *name) {
  static char path[4096];
  const char *root = getenv("TIDEPOOL");
  snprintf(path, sizeof path, "%s/tests/oom/%s", root ? root : ".", name);
  return path;
}

static int prepare (lua_State *L) {
  const Run *run = lua_touserdata(L, 1);
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_tidepool_core);
  lua_setfield(L, -2, "tidepool.core");
  lua_newtable(L);
  lua_setglobal(L, "pools");
  lua_newtable(L);
  lua_setglobal(L, "futures");
  lua_pushboolean(L, run->plan->closing);
  lua_setglobal(L, "leave");
  if (luaL_loadfile(L, script("session.lua")) != LUA_OK)
    lua_error(L);
  return 1;
}

static int after (lua_State *L) {
  if (luaL_loadfile(L, script("afterwards.lua")) != LUA_OK)
    lua_error(L);
  lua_call(L, 0, 0);
  return 0;
}

static int to_string (lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

/* The error on the top of the stack as text, with memory again. */
static const char *message (lua_State *L) {
  lua_pushcfunction(L, to_string);
  lua_insert(L, -2);
  lua_pcall(L, 1, 1, 0);
  return lua_tostring(L, -1);
}

/* With the failure somewhere in it. */
static void session (Run *run, lua_State *L) {
  int rc;
  if (!run->plan->closing)
    arm(run);
  rc = lua_pcall(L, 0, 0, 0);
  if (!run->plan->closing)
    disarm(run);
  if (rc != LUA_OK) {
    const char *text = message(L);
    if (getenv("OOM_VERBOSE"))
      printf("%s %ld: %s\n", run->plan->name, run->at, text);
    if (text == NULL || strstr(text, "WRONG") != NULL)
      blame(run, "wrong", text);
    else if (!run->fired)
      blame(run, "an error though nothing failed", text);
  }
  lua_settop(L, 0);
}

static void finish (Run *run, lua_State *L) {
  if (!run->plan->closing) {
    lua_pushcfunction(L, after);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK)
      blame(run, "afterwards", message(L));
  } else {
    arm(run);
  }
  lua_close(L);
  if (run->plan->closing)
    disarm(run);
}

/* 5.5 wants a seed for its hashes; the same one makes each run alike. */
static lua_State *open_state (Run *run) {
#if LUA_VERSION_NUM >= 505
  return lua_newstate(heap_alloc, &run->heap, 0);
#else
  return lua_newstate(heap_alloc, &run->heap);
#endif
}

static void one_run (Run *run) {
  lua_State *L = open_state(run);
  alarm(PATIENCE);
  if (L == NULL) {
    blame(run, "no Lua state", NULL);
    return;
  }
  lua_pushcfunction(L, prepare);
  lua_pushlightuserdata(L, run);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
    blame(run, "preparing", message(L));
    lua_close(L);
    return;
  }
  session(run, L);
  finish(run, L);
  alarm(0);
  if (run->heap.blocks != 0)
    blame(run, "a leak", "blocks of the Lua state");
}

/* Tasks that were let go end on threads that nobody waits for: gives what is
   alive time to come down to `base`. */
static int back_to (long base) {
  for (int i = 0; i < 5000; i++) {
    struct timespec t = {0, 1000000};
    if (tpi_memory_live() <= base)
      return 1;
    nanosleep(&t, NULL);
  }
  return 0;
}

static void checked_run (Run *run, long base) {
  char detail[64];
  one_run(run);
  if (!back_to(base)) {
    snprintf(detail, sizeof detail, "%ld blocks, %ld before", tpi_memory_live(),
             base);
    blame(run, "a leak", detail);
  }
}

/* ------------------------------------------------------------------ */
/* Many runs                                                           */
/* ------------------------------------------------------------------ */

/* Runs two sessions with nothing failing; answers what then stays alive. */
static long warm_up (const Plan *plan, int *bad) {
  long base = 0;
  for (int i = 0; i < 2; i++) {
    Run run = {0};
    run.plan = plan;
    if (i == 0)
      one_run(&run);
    else
      checked_run(&run, base);
    if (i == 0)
      base = tpi_memory_live();
    *bad |= run.bad;
  }
  return base;
}

/* Allocations first, first + step, ...: the status of this process. */
static int share (const Plan *plan, long first, long step) {
  int bad = 0, quiet = 0;
  long base = warm_up(plan, &bad);
  long at;
  for (at = first; quiet < QUIET && !bad; at += step) {
    Run run = {0};
    run.plan = plan;
    run.at = at;
    checked_run(&run, base);
    quiet = run.fired ? 0 : quiet + 1;
    bad |= run.bad;
  }
  if (first == 1)
    printf("oom: %-12s %ld allocations\n", plan->name, at - 1);
  fflush(stdout);
  return bad;
}

/* One run in a fresh process: 0 fine, 1 bad, 2 fine and nothing failed. */
static int cold (const Plan *plan, long at) {
  Run run = {0};
  run.plan = plan;
  run.at = at;
  one_run(&run);
  return run.bad ? 1 : run.fired ? 0 : 2;
}

static int status_of (pid_t pid) {
  int status;
  if (waitpid(pid, &status, 0) != pid)
    return 1;
  if (WIFSIGNALED(status)) {
    fprintf(stderr, "oom: a child ended by signal %d\n", WTERMSIG(status));
    return 1;
  }
  return WEXITSTATUS(status);
}

static int run_cold (const Plan *plan, int jobs) {
  pid_t pids[JOBS_MAX];
  int bad = 0, quiet = 0;
  long at = 1;
  while (quiet < QUIET && !bad) {
    for (int i = 0; i < jobs; i++) {
      pids[i] = fork();
      if (pids[i] == 0)
        exit(cold(plan, at + i));
    }
    for (int i = 0; i < jobs; i++) {
      int status = status_of(pids[i]);
      if (status != 0 && status != 2) {
        fprintf(stderr, "oom: OOM_PLAN=%s OOM_AT=%ld: status %d\n", plan->name,
                at + i, status);
        bad = 1;
      }
      quiet = status == 2 ? quiet + 1 : 0;
    }
    at += jobs;
  }
  printf("oom: %-12s %ld allocations\n", plan->name, at - 1);
  fflush(stdout);
  return bad;
}

static int run_warm (const Plan *plan, int jobs) {
  pid_t pids[JOBS_MAX];
  int bad = 0;
  for (int i = 0; i < jobs; i++) {
    pids[i] = fork();
    if (pids[i] == 0)
      exit(share(plan, i + 1, jobs));
  }
  for (int i = 0; i < jobs; i++)
    bad |= status_of(pids[i]);
  return bad != 0;
}

static int single (const char *name, const char *at) {
  for (int i = 0; i < NPLANS; i++) {
    Run run = {0};
    int bad = 0;
    if (strcmp(plans[i].name, name) != 0)
      continue;
    run.plan = &plans[i];
    run.at = at ? strtol(at, NULL, 10) : 0;
    if (plans[i].cold)
      return cold(&plans[i], run.at) == 1;
    checked_run(&run, warm_up(&plans[i], &bad));
    printf("%s\n", run.fired ? "it failed" : "nothing failed");
    return run.bad || bad;
  }
  fprintf(stderr, "oom: no plan is named '%s'\n", name);
  return 2;
}

int main (void) {
  const char *jobs_text = getenv("OOM_JOBS");
  int jobs = jobs_text ? (int)strtol(jobs_text, NULL, 10) : 4;
  int bad = 0;
  if (jobs < 1 || jobs > JOBS_MAX)
    jobs = 4;
  if (getenv("OOM_PLAN") != NULL)
    return single(getenv("OOM_PLAN"), getenv("OOM_AT"));
  for (int i = 0; i < NPLANS; i++) {
    int failed =
        plans[i].cold ? run_cold(&plans[i], jobs) : run_warm(&plans[i], jobs);
    if (failed)
      fprintf(stderr, "oom: plan %s failed\n", plans[i].name);
    bad |= failed;
  }
  return bad;
}
