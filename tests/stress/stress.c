/*
** stress.c: many threads at one copy of the library, for STRESS_SECONDS
** (10). Two thirds of the STRESS_THREADS (9) run sessions of worker.lua, or
** of async.lua, each in a new Lua state that is closed with calls in flight;
** the others use the C API alone and count their callbacks. STRESS_SEED
** repeats the choices of a run, though not the order in which threads make
** them; STRESS_WORKER names the one script that all sessions run, and
** STRESS_WORKERS and STRESS_SPIN say what managers of sessions are like.
**
** Ends with status 0 if every future settled once and the numbers of every
** manager add up; with 1 when not; a hang aborts.
*/
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <lua.h>

#include <dirent.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tidepool.h>

#define THREADS_MAX 256
#define BATCH 64
/* Seconds beyond the run after which it is taken for hung. */
#define PATIENCE 120.0

static const tp_Api *api;
static tp_Manager *manager; /* shared by the threads of the C API */
static double deadline;
static uint64_t seed;

static atomic_llong calls;
static atomic_llong sessions;
static atomic_int failed;
static atomic_int running;

static double now (void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void nap (void) {
  struct timespec t = {0, 1000000};
  nanosleep(&t, NULL);
}

static void complain (const char *what) {
  fprintf(stderr, "stress: %s (STRESS_SEED=%llu)\n", what,
          (unsigned long long)seed);
  atomic_store(&failed, 1);
}

/* xorshift64*: a generator for each thread. */
static uint64_t next (uint64_t *state) {
  uint64_t x = *state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  *state = x;
  return x * UINT64_C(2685821657736338717);
}

static uint64_t below (uint64_t *state, uint64_t limit) {
  return (next(state) >> 11) % limit;
}

/* ------------------------------------------------------------------ */
/* Sessions in Lua                                                     */
/* ------------------------------------------------------------------ */

static int tick (lua_State *L) {
  atomic_fetch_add(&calls, luaL_checkinteger(L, 1));
  return 0;
}

static int traceback (lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

static const char *choose_script (uint64_t *state) {
  const char *one = getenv("STRESS_WORKER");
  int async = below(state, 2) == 0;
  if (one != NULL)
    return one;
  return async ? "tests/stress/async.lua" : "tests/stress/worker.lua";
}

static void session (int number, uint64_t *state) {
  const char *script = choose_script(state);
  lua_State *L = luaL_newstate();
  double left = deadline - now();
  double span = (double)below(state, 400) / 1000;
  if (L == NULL) {
    complain("no Lua state");
    return;
  }
  luaL_openlibs(L);
  lua_register(L, "tick", tick);
  lua_pushcfunction(L, traceback);
  if (luaL_loadfile(L, script)) {
    complain(lua_tostring(L, -1));
    lua_close(L);
    return;
  }
  lua_pushinteger(L, number);
  lua_pushinteger(L, (lua_Integer)next(state));
  lua_pushnumber(L, span < left ? span : left);
  if (lua_pcall(L, 3, 0, 1) != LUA_OK)
    complain(lua_tostring(L, -1));
  lua_close(L);
  atomic_fetch_add(&sessions, 1);
}

/* ------------------------------------------------------------------ */
/* The C API alone                                                     */
/* ------------------------------------------------------------------ */

typedef struct Item {
  tp_Future *future; /* NULL when the call was not taken */
  int expected;      /* callbacks */
  int cancelled;     /* did tp_cancel say that it settled it? */
  int64_t sum;       /* of a test.add */
  atomic_int called;
} Item;

static void called (tp_Future *future, void *userdata) {
  Item *item = userdata;
  if (!tp_settled(api, future))
    complain("a callback for an unsettled future");
  atomic_fetch_add(&item->called, 1);
}

static void submit (Item *item, uint64_t *state) {
  static const char *const names[] = {"test.add",  "test.add",
                                      "test.echo", "test.fail",
                                      "test.fib",  "tidepool.sleep"};
  size_t which = (size_t)below(state, sizeof names / sizeof names[0]);
  tp_CallOptions options = {0};
  tp_Context *args = tp_values(api);
  int64_t a = (int64_t)below(state, 1000);
  int rc;
  memset(item, 0, sizeof *item);
  item->sum = -1;
  if (which <= 1) {
    tp_pushinteger(args, a);
    tp_pushinteger(args, 7);
    item->sum = a + 7;
  } else if (which == 2) {
    tp_opentable(args, 1, 1);
    tp_pushinteger(args, a);
    tp_key(args, "text");
    tp_pushstring(args, "of a thread in C");
    tp_closetable(args);
  } else if (which == 3) {
    tp_pushstring(args, "on purpose");
  } else if (which == 4) {
    tp_pushinteger(args, 10);
  } else {
    tp_pushnumber(args, (double)a / 1e6);
  }
  options.priority = (tp_Priority)below(state, 3);
  options.nowait = below(state, 4) == 0;
  options.timeout = below(state, 8) == 0 ? (double)(a + 1) / 1e5 : 0;
  options.callback = called;
  options.userdata = item;
  rc = tp_submit(api, manager, names[which], args, &options, &item->future);
  if (rc == TP_OK) {
    item->expected = 1;
    atomic_fetch_add(&calls, 1);
  } else {
    item->future = NULL;
    if (rc != TP_FULL)
      complain("tp_submit: an answer that cannot be");
  }
}

static void meddle (Item *item, uint64_t *state) {
  if (item->future == NULL)
    return;
  switch (below(state, 4)) {
    case 0:
      if (tp_cancel(api, item->future, "stress"))
        item->cancelled++;
      break;
    case 1:
      if (tp_then(api, item->future, called, item) == TP_OK)
        item->expected++;
      break;
    case 2: tp_wait(api, item->future, 0.0005); break;
    default: break;
  }
}

static void examine (Item *item) {
  tp_Failure failure;
  double limit = now() + PATIENCE / 2;
  if (item->future == NULL)
    return;
  if (!tp_wait(api, item->future, PATIENCE / 2))
    complain("a future that never settled");
  if (item->cancelled > 1)
    complain("a future that was settled twice");
  if (tp_failure(api, item->future, &failure)) {
    if (item->cancelled && strcmp(failure.kind, "cancelled") != 0)
      complain("a cancelled future that failed otherwise");
  } else if (item->cancelled) {
    complain("a cancelled future that completed");
  } else if (item->sum >= 0 &&
             tp_integerof(tp_result(api, item->future, 1)) != item->sum) {
    complain("a wrong result");
  }
  while (atomic_load(&item->called) < item->expected && now() < limit)
    nap();
  if (atomic_load(&item->called) != item->expected)
    complain("a wrong number of callbacks");
  tp_future_release(api, item->future);
}

static void batch (uint64_t *state) {
  Item items[BATCH];
  for (int i = 0; i < BATCH; i++) {
    submit(&items[i], state);
    meddle(&items[below(state, (uint64_t)i + 1)], state);
  }
  for (int i = 0; i < BATCH; i++)
    meddle(&items[i], state);
  for (int i = 0; i < BATCH; i++)
    examine(&items[i]);
}

static void promises (uint64_t *state) {
  for (int i = 0; i < 16; i++) {
    Item item = {0};
    tp_Context *values = tp_values(api);
    tp_Promise *promise = tp_promise(api, &item.future);
    int won;
    tp_pushinteger(values, i);
    if (tp_then(api, item.future, called, &item) == TP_OK)
      item.expected = 1;
    item.cancelled =
        below(state, 3) == 0 ? tp_cancel(api, item.future, NULL) : 0;
    if (below(state, 3) == 0) {
      tp_discard(api, values); /* dropped unsettled: broken */
    } else {
      won = tp_resolve(api, promise, values);
      if (won == item.cancelled)
        complain("a promise that was settled twice, or never");
      item.sum = i;
    }
    tp_promise_release(api, promise);
    if (item.sum == 0)
      item.sum = -1;
    examine(&item);
  }
}

/* ------------------------------------------------------------------ */
/* The run                                                             */
/* ------------------------------------------------------------------ */

static void *work (void *arg) {
  int number = *(int *)arg;
  uint64_t state = seed * 1000003u + (uint64_t)number * 7919u + 1u;
  if (state == 0)
    state = 1;
  next(&state);
  while (now() < deadline && !atomic_load(&failed)) {
    if (number % 3 != 2) {
      session(number, &state);
    } else {
      batch(&state);
      promises(&state);
    }
  }
  atomic_fetch_sub(&running, 1);
  return NULL;
}

/* Watches until all threads have ended. */
static void watch (void) {
  int terminal = isatty(STDERR_FILENO);
  double shown = now();
  while (atomic_load(&running) > 0) {
    nap();
    if (now() > deadline + PATIENCE) {
      complain("hung");
      abort();
    }
    if (terminal && now() - shown >= 2) {
      shown = now();
      fprintf(stderr, "\rstress: %lld calls, %lld sessions, %.0f s left ",
              (long long)atomic_load(&calls), (long long)atomic_load(&sessions),
              deadline > shown ? deadline - shown : 0);
    }
  }
  if (terminal)
    fputs("\n", stderr);
}

static double setting (const char *name, double otherwise) {
  const char *value = getenv(name);
  return value != NULL && value[0] != '\0' ? strtod(value, NULL) : otherwise;
}

static void run (lua_State *L, const char *code) {
  if (luaL_dostring(L, code) != LUA_OK)
    complain(lua_tostring(L, -1));
}

static void setup (lua_State *L) {
  luaL_openlibs(L);
  run(L, "tidepool = require 'tidepool'\n"
         "require 'testmod'\n"
         "tidepool.exit_grace(60)\n"
         "tidepool.on_unhandled(function () end)\n"
         "pool = tidepool.AsyncManager.new { workers = 3, queue = 50 }\n");
  if (atomic_load(&failed))
    exit(1);
  api = tp_open(L);
  lua_getglobal(L, "pool");
  manager = tp_lua_checkmanager(L, api, -1);
}

/* Every manager that is left has to come to rest with numbers that add up. */
static const char ending[] =
    "local function rest(pool)\n"
    "  assert(pool:wait_all(60), 'tasks that never end')\n"
    "  for i = 1, 10000 do\n"
    "    local s = pool:stats()\n"
    "    if s.running == 0 and s.stopping == 0 then break end\n"
    "    assert(i < 10000, 'tasks that never return')\n"
    "    tidepool.poll(0.005)\n"
    "  end\n"
    "  local s = pool:stats()\n"
    "  assert(s.queued.total == 0 and s.suspended == 0)\n"
    "  assert(s.submitted == s.completed + s.failed + s.cancelled,\n"
    "    'the numbers do not add up')\n"
    "end\n"
    "for i = 1, 3 do\n"
    "  local ok, other = pcall(tidepool.attach, 'stress-' .. i)\n"
    "  if ok then rest(other) end\n"
    "end\n"
    "rest(pool)\n"
    "rest(tidepool.default())\n"
    "assert(pool:shutdown())\n";

/* What stands in that folder, or 0 where there is none. */
static int count_in (const char *folder) {
  DIR *dir = opendir(folder);
  int count = 0;
  if (dir == NULL)
    return 0;
  while (readdir(dir) != NULL)
    count++;
  closedir(dir);
  return count;
}

/* Soon after the last Lua state: no descriptor and no thread but those that
   were there before the first one. */
static void nothing_left (int descriptors, int threads) {
  double limit = now() + 60;
  while ((count_in("/proc/self/fd") > descriptors ||
          count_in("/proc/self/task") > threads) &&
         now() < limit)
    nap();
  if (count_in("/proc/self/fd") > descriptors)
    complain("descriptors are left");
  if (count_in("/proc/self/task") > threads)
    complain("threads are left");
}

static void *nothing (void *unused) { return unused; }

/* A checker may start a thread of its own with the first one. */
static void first_thread (void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, nothing, NULL) == 0)
    pthread_join(thread, NULL);
}

static void start_threads (pthread_t *threads, int *numbers, int count) {
  atomic_store(&running, count);
  for (int i = 0; i < count; i++) {
    numbers[i] = i;
    if (pthread_create(&threads[i], NULL, work, &numbers[i]) != 0) {
      complain("no thread");
      exit(1);
    }
  }
}

int main (void) {
  pthread_t threads[THREADS_MAX];
  int numbers[THREADS_MAX];
  int count = (int)setting("STRESS_THREADS", 9);
  double seconds = setting("STRESS_SECONDS", 10);
  lua_State *L = luaL_newstate();
  int descriptors, tasks;
  first_thread();
  descriptors = count_in("/proc/self/fd");
  tasks = count_in("/proc/self/task");
  if (L == NULL || count < 1 || count > THREADS_MAX)
    return 2;
  seed = (uint64_t)setting("STRESS_SEED", (double)time(NULL));
  printf("stress: STRESS_SEED=%llu, %d threads, %g s\n",
         (unsigned long long)seed, count, seconds);
  fflush(stdout);
  setup(L);
  deadline = now() + seconds;
  start_threads(threads, numbers, count);
  watch();
  for (int i = 0; i < count; i++)
    pthread_join(threads[i], NULL);
  run(L, ending);
  lua_close(L);
  nothing_left(descriptors, tasks);
  printf("stress: %lld calls in %lld sessions, %s\n",
         (long long)atomic_load(&calls), (long long)atomic_load(&sessions),
         atomic_load(&failed) ? "FAILED" : "fine");
  return atomic_load(&failed);
}
