/*
** benchmod.c: what the benchmarks need from C. A module of tidepool's like
** any user's: it includes tidepool.h alone and links against nothing.
**
** require "benchmod" gives a clock and the figures the system keeps, and
** does not load tidepool (bench/cases/require.lua times that); register()
** does, and adds the functions bench.*.
*/
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#include "tidepool.h"

/* ---------------------------------------------------------------- */
/* Functions for the pool                                            */
/* ---------------------------------------------------------------- */

static int bench_noop (tp_Context *ctx) {
  (void)ctx;
  return TP_OK;
}

static int bench_inc (tp_Context *ctx) {
  tp_pushinteger(ctx, tp_tointeger(ctx, 1) + 1);
  return TP_OK;
}

/* Moves its argument into its result: no copy. */
static int bench_echo (tp_Context *ctx) {
  tp_pusharg(ctx, 1);
  return TP_OK;
}

/* Copies it, as a function does that makes something new of the same size. */
static void copy (tp_Context *ctx, const tp_Value *value) {
  const tp_Table *t = tp_tableof(value);
  size_t i, len;
  const char *bytes = tp_bytesof(value, &len);
  if (bytes != NULL) {
    tp_pushbytes(ctx, bytes, len);
    return;
  }
  if (t == NULL) {
    tp_pushvalue(ctx, value);
    return;
  }
  tp_opentable(ctx, t->length, t->pairs);
  for (i = 1; i <= t->length; i++)
    copy(ctx, tp_item(t, i));
  for (i = 1; i <= t->pairs; i++) {
    tp_pushkey(ctx);
    copy(ctx, tp_pairkey(t, i));
    copy(ctx, tp_pairvalue(t, i));
  }
  tp_closetable(ctx);
}

static int bench_copy (tp_Context *ctx) {
  copy(ctx, tp_arg(ctx, 1));
  return TP_OK;
}

/* Work that takes the same number of steps on any machine. */
static double work (int64_t steps) {
  volatile double x = 1;
  for (int64_t i = 0; i < steps; i++)
    x = x * 1.0000001 + 1e-9;
  return x;
}

static int bench_work (tp_Context *ctx) {
  tp_pushnumber(ctx, work(tp_tointeger(ctx, 1)));
  return TP_OK;
}

/* ---------------------------------------------------------------- */
/* A gate that holds workers up                                      */
/* ---------------------------------------------------------------- */

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_opened = PTHREAD_COND_INITIALIZER;
static int gate_open = 0; /* under gate_lock */

static int bench_gate (tp_Context *ctx) {
  (void)ctx;
  pthread_mutex_lock(&gate_lock);
  while (!gate_open)
    pthread_cond_wait(&gate_opened, &gate_lock);
  pthread_mutex_unlock(&gate_lock);
  return TP_OK;
}

static int l_opengate (lua_State *L) {
  (void)L;
  pthread_mutex_lock(&gate_lock);
  gate_open = 1;
  pthread_cond_broadcast(&gate_opened);
  pthread_mutex_unlock(&gate_lock);
  return 0;
}

/* ---------------------------------------------------------------- */
/* The clock and the system's figures                                */
/* ---------------------------------------------------------------- */

static int l_now (lua_State *L) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  lua_pushinteger(L, (lua_Integer)t.tv_sec * 1000000000 + t.tv_nsec);
  return 1;
}

static int l_sleep (lua_State *L) {
  double seconds = luaL_checknumber(L, 1);
  struct timespec t;
  t.tv_sec = (time_t)seconds;
  t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
  while (nanosleep(&t, &t) != 0 && errno == EINTR)
    continue;
  return 0;
}

/* Seconds of processor time that this process has used. */
static int l_cpu (lua_State *L) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  lua_pushnumber(L,
                 (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                     (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
  return 1;
}

/* Bytes of memory that this process has resident. */
static int l_resident (lua_State *L) {
  long pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (f != NULL) {
    if (fscanf(f, "%*s %ld", &pages) != 1)
      pages = 0;
    fclose(f);
  }
  lua_pushinteger(L, (lua_Integer)pages * sysconf(_SC_PAGESIZE));
  return 1;
}

/* How often the threads other than the first have left their processor, of
   their own will or not, since they started. */
static int l_switches (lua_State *L) {
  lua_Integer sum = 0;
  char path[300], line[128];
  struct dirent *entry;
  DIR *tasks = opendir("/proc/self/task");
  while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
    long count;
    FILE *f;
    if (entry->d_name[0] == '.' || /* ".." would be the first thread */
        strtol(entry->d_name, NULL, 10) == (long)getpid())
      continue;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
    f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
      if (sscanf(line, "voluntary_ctxt_switches: %ld", &count) == 1 ||
          sscanf(line, "nonvoluntary_ctxt_switches: %ld", &count) == 1)
        sum += count;
    if (f != NULL)
      fclose(f);
  }
  if (tasks != NULL)
    closedir(tasks);
  lua_pushinteger(L, sum);
  return 1;
}

static int l_cores (lua_State *L) {
  lua_pushinteger(L, sysconf(_SC_NPROCESSORS_ONLN));
  return 1;
}

/* ---------------------------------------------------------------- */
/* Neighbours: threads that compute and count what they get done      */
/* ---------------------------------------------------------------- */

enum { MAX_NEIGHBOURS = 64 };

static _Atomic int neighbours_stop;
static _Atomic long neighbours_steps;
static pthread_t neighbours[MAX_NEIGHBOURS];
static int neighbours_count = 0;

static void *neighbour (void *unused) {
  (void)unused;
  while (!atomic_load_explicit(&neighbours_stop, memory_order_relaxed)) {
    work(1000);
    atomic_fetch_add_explicit(&neighbours_steps, 1, memory_order_relaxed);
  }
  return NULL;
}

static int l_neighbours (lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n >= 0 && n <= MAX_NEIGHBOURS, 1, "out of range");
  atomic_store(&neighbours_stop, 0);
  atomic_store(&neighbours_steps, 0);
  for (neighbours_count = 0; neighbours_count < n; neighbours_count++)
    if (pthread_create(neighbours + neighbours_count, NULL, neighbour, NULL) !=
        0)
      return luaL_error(L, "cannot start a thread");
  return 0;
}

/* Ends them and answers how many thousand steps they took together. */
static int l_leave (lua_State *L) {
  atomic_store(&neighbours_stop, 1);
  for (int i = 0; i < neighbours_count; i++)
    pthread_join(neighbours[i], NULL);
  lua_pushinteger(L, atomic_load(&neighbours_steps));
  return 1;
}

/* ---------------------------------------------------------------- */
/* A bare future: no threads, no queue                               */
/* ---------------------------------------------------------------- */

/*
** What Lua itself asks for a call that answers an object with a method:
** pool:call(name, i) makes a userdata with a metatable, future:await() reads
** it. Everything tidepool adds stands above this.
*/
typedef struct Bare {
  lua_Integer result;
} Bare;

static int bare_call (lua_State *L) {
  Bare *f;
  luaL_checkudata(L, 1, "bench.Bare");
  luaL_checkstring(L, 2);
  f = lua_newuserdatauv(L, sizeof *f, 0);
  f->result = luaL_checkinteger(L, 3) + 1;
  luaL_setmetatable(L, "bench.Bare");
  return 1;
}

static int bare_await (lua_State *L) {
  Bare *f = luaL_checkudata(L, 1, "bench.Bare");
  lua_pushinteger(L, f->result);
  return 1;
}

static int bare_gc (lua_State *L) {
  Bare *f = lua_touserdata(L, 1);
  f->result = 0;
  return 0;
}

static int l_bare (lua_State *L) {
  static const luaL_Reg methods[] = {
      {"call", bare_call}, {"await", bare_await}, {NULL, NULL}};
  Bare *f = lua_newuserdatauv(L, sizeof *f, 0);
  f->result = 0;
  if (luaL_newmetatable(L, "bench.Bare")) {
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, bare_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return 1;
}

/* ---------------------------------------------------------------- */

static int l_register (lua_State *L) {
  static const tp_Function functions[] = {
      {"bench.noop", bench_noop, ""},
      {"bench.inc", bench_inc, "integer -> integer"},
      {"bench.echo", bench_echo, "any -> any"},
      {"bench.copy", bench_copy, "any -> any"},
      {"bench.work", bench_work, "integer -> number"},
      {"bench.gate", bench_gate, ""},
      {NULL, NULL, NULL}};
  tp_register(L, tp_open(L), functions);
  return 0;
}

int luaopen_benchmod (lua_State *L);

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int luaopen_benchmod (lua_State *L) {
  static const luaL_Reg library[] = {{"now", l_now},
                                     {"sleep", l_sleep},
                                     {"cpu", l_cpu},
                                     {"resident", l_resident},
                                     {"cores", l_cores},
                                     {"switches", l_switches},
                                     {"opengate", l_opengate},
                                     {"bare", l_bare},
                                     {"neighbours", l_neighbours},
                                     {"leave", l_leave},
                                     {"register", l_register},
                                     {NULL, NULL}};
  luaL_newlib(L, library);
  return 1;
}
