/*
** testmod_futures.c: calls and waits from C, in tasks and in threads that
** belong to nobody's pool.
**
** Functions for pools:
**   test.await         "string, any... -> any..."
**     calls a function in its own pool, awaits it and returns its results;
**     fails as "kind: message" when that did
**   test.await_in      "manager, string, any... -> any..."  in another pool
**   test.await_future  "future -> any..."      awaits the future it was given
**   test.await_slot    "integer -> string"
**     waits until fill() has put a future into that slot, then awaits it and
**     returns the name of the answer: "ok", "failed", "invalid", ...
**   test.start         "string, any... -> future"
**     calls a function in its own pool and returns the future
**   test.start_many    "integer, string -> integer"
**     calls a function that often in its own pool, waiting for room
**   test.fib           "integer -> integer"    by fork and join
** A task that is cancelled while it awaits counts in noticed().
**
** Lua (each does its work on a new thread and waits for that):
**   submit(pool, [options,] name, ...) -> Future | nil, "full" and so on
**     with a callback; options are timeout, priority ("high", "low"), nowait
**   on_settled(future)          one more callback
**   callbacks([reset]) -> count, how many of them saw an unsettled future
**   wait_callbacks(n)
**   wait(future, seconds) -> boolean    cancel(future, reason) -> boolean
**   outcome(future) -> "completed", results | kind, message | nil
**   fill(slot, future)          slots are 1 to 64; nil empties
*/
#include "testmod.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 64

static tp_Future *slots[SLOTS]; /* guarded by tt_lock; retained */

static Counter callbacks;
static Counter wrong_callbacks;

/* ------------------------------------------------------------------ */
/* In tasks                                                            */
/* ------------------------------------------------------------------ */

/* Awaits, pushes the results, releases the future. */
static int finish (tp_Context *ctx, tp_Future *future) {
  const tp_Api *api = ctx->api;
  tp_Failure failure;
  int rc = tp_await(ctx, future);
  if (rc == TP_OK) {
    int n = tp_resultcount(api, future);
    for (int i = 1; i <= n; i++)
      tp_pushcopy(ctx, tp_result(api, future, i));
  } else if (rc == TP_FAILED && tp_failure(api, future, &failure)) {
    rc = tp_fail(ctx, "%s: %s", failure.kind, failure.message);
  } else {
    if (rc == TP_CANCELLED)
      tt_notice();
    rc = tp_fail(ctx, "testmod: tp_await answered %s", tt_codename(rc));
  }
  tp_future_release(api, future);
  return rc;
}

/* Calls the function named by argument `first` with those after it. Would
   not wait: in a task, that could be for itself. */
static int start (tp_Context *ctx, tp_Manager *manager, int first,
                  tp_Future **future) {
  tp_CallOptions options = {0};
  tp_Context *args = tp_values(ctx->api);
  int rc;
  if (args == NULL)
    return TP_NOMEM;
  for (int i = first + 1; i <= tp_argcount(ctx); i++)
    tp_pushvalue(args, tp_arg(ctx, i));
  options.nowait = 1;
  rc = tp_submit(ctx->api, manager, tp_tobytes(ctx, first, NULL), args,
                 &options, future);
  if (rc != TP_OK)
    return tp_fail(ctx, "testmod: tp_submit answered %s", tt_codename(rc));
  return TP_OK;
}

static int await (tp_Context *ctx) {
  tp_Future *future;
  int rc = start(ctx, tp_manager(ctx), 1, &future);
  return rc == TP_OK ? finish(ctx, future) : rc;
}

static int await_in (tp_Context *ctx) {
  tp_Future *future;
  int rc = start(ctx, tp_managerof(ctx, tp_arg(ctx, 1)), 2, &future);
  return rc == TP_OK ? finish(ctx, future) : rc;
}

static int await_future (tp_Context *ctx) {
  tp_Future *future = tp_futureof(ctx, tp_arg(ctx, 1));
  tp_future_retain(ctx->api, future);
  tt_enter("await_future");
  return finish(ctx, future);
}

/* The future in a slot, retained, as soon as there is one; NULL after
   LIMIT. Retaining only counts: it is the one call made under the lock. */
static tp_Future *from_slot (const tp_Api *api, int64_t slot) {
  struct timespec deadline = tt_deadline();
  tp_Future *future;
  tt_lock();
  while ((future = slots[slot - 1]) == NULL && tt_sleep_locked(&deadline))
    ;
  if (future != NULL)
    tp_future_retain(api, future);
  tt_unlock();
  return future;
}

static int await_slot (tp_Context *ctx) {
  int64_t slot = tp_tointeger(ctx, 1);
  tp_Future *future;
  int rc;
  if (slot < 1 || slot > SLOTS)
    return tp_fail(ctx, "testmod: slots are 1 to %d", SLOTS);
  future = from_slot(ctx->api, slot);
  if (future == NULL)
    return tp_fail(ctx, "testmod: slot %d stayed empty", (int)slot);
  rc = tp_await(ctx, future);
  if (rc == TP_CANCELLED)
    tt_notice();
  tp_future_release(ctx->api, future);
  return tp_pushstring(ctx, tt_codename(rc));
}

static int start_only (tp_Context *ctx) {
  tp_Future *future;
  int rc = start(ctx, tp_manager(ctx), 1, &future);
  if (rc != TP_OK)
    return rc;
  rc = tp_pushfuture(ctx, future);
  tp_future_release(ctx->api, future);
  return rc;
}

/* Submits so many calls without arguments to its own pool, each of which
   waits for room. */
static int start_many (tp_Context *ctx) {
  const char *name = tp_tobytes(ctx, 2, NULL);
  int64_t n = tp_tointeger(ctx, 1);
  for (int64_t i = 0; i < n; i++) {
    tp_Context *none = tp_values(ctx->api);
    int rc = none == NULL
                 ? TP_NOMEM
                 : tp_submit(ctx->api, tp_manager(ctx), name, none, NULL, NULL);
    if (rc != TP_OK)
      return tp_fail(ctx, "testmod: tp_submit answered %s", tt_codename(rc));
  }
  return tp_pushinteger(ctx, n);
}

static int64_t plain_fib (int64_t n) {
  return n < 2 ? n : plain_fib(n - 1) + plain_fib(n - 2);
}

/* Forks fib(n - 1), computes fib(n - 2) here, joins. Where the queue is
   full, all of it is computed here. */
static int fib (tp_Context *ctx) {
  const tp_Api *api = ctx->api;
  int64_t n = tp_tointeger(ctx, 1);
  int64_t here;
  tp_CallOptions options = {0};
  tp_Context *args;
  tp_Future *fork;
  int rc;
  if (n < 2)
    return tp_pushinteger(ctx, n);
  if ((args = tp_values(api)) == NULL)
    return TP_NOMEM;
  tp_pushinteger(args, n - 1);
  options.nowait = 1;
  rc = tp_submit(api, tp_manager(ctx), "test.fib", args, &options, &fork);
  if (rc == TP_FULL)
    return tp_pushinteger(ctx, plain_fib(n));
  if (rc != TP_OK)
    return tp_fail(ctx, "testmod: tp_submit answered %s", tt_codename(rc));
  here = plain_fib(n - 2);
  rc = tp_await(ctx, fork);
  if (rc == TP_OK)
    tp_pushinteger(ctx, here + tp_integerof(tp_result(api, fork, 1)));
  else
    rc = tp_fail(ctx, "testmod: tp_await answered %s", tt_codename(rc));
  tp_future_release(api, fork);
  return rc;
}

const tp_Function tt_future_functions[] = {
    {"test.await", await, "string, any... -> any..."},
    {"test.await_in", await_in, "manager, string, any... -> any..."},
    {"test.await_future", await_future, "future -> any..."},
    {"test.await_slot", await_slot, "integer -> string"},
    {"test.start", start_only, "string, any... -> future"},
    {"test.start_many", start_many, "integer, string -> integer"},
    {"test.fib", fib, "integer -> integer"},
    {NULL, NULL, NULL}};

/* ------------------------------------------------------------------ */
/* From threads of the module                                          */
/* ------------------------------------------------------------------ */

/* Runs where the future settles: looks at it and counts. */
static void called_back (tp_Future *future, void *userdata) {
  const tp_Api *api = userdata;
  int count = tp_resultcount(api, future);
  int fine = tp_settled(api, future) &&
             (tp_failure(api, future, NULL)
                  ? count == 0
                  : count == 0 || tp_result(api, future, count) != NULL);
  if (!fine)
    tt_count(&wrong_callbacks);
  tt_count(&callbacks);
}

typedef struct Job {
  tp_Manager *manager;
  tp_Future *future;
  const char *text; /* the function's name, or the reason */
  tp_Context *args;
  tp_CallOptions options;
  double seconds;
  int answer;
} Job;

/*
** Does the order on a new thread and fills in what came of it. The thread
** gets a copy on the heap: after LIMIT it is left alone with that. Takes
** order->args, raises when the thread cannot be had or does not end.
*/
static void do_job (lua_State *L, Job *order, void (*run)(void *)) {
  Job *job = malloc(sizeof *job);
  int rc = ENOMEM;
  if (job != NULL) {
    *job = *order;
    rc = tt_errand(run, job);
  }
  if (rc == ETIMEDOUT)
    luaL_error(L, "testmod: a call from C took more than %d s", (int)LIMIT);
  if (rc == 0)
    *order = *job;
  else
    tp_discard(tt_api(), order->args);
  free(job);
  if (rc != 0)
    luaL_error(L, "testmod: no thread: error %d", rc);
}

static void run_submit (void *p) {
  Job *job = p;
  job->answer = tp_submit(tt_api(), job->manager, job->text, job->args,
                          &job->options, &job->future);
}

static void read_options (lua_State *L, int index, tp_CallOptions *options) {
  const char *priority;
  lua_getfield(L, index, "timeout");
  options->timeout = luaL_optnumber(L, -1, 0);
  lua_getfield(L, index, "nowait");
  options->nowait = lua_toboolean(L, -1);
  lua_getfield(L, index, "priority");
  priority = luaL_optstring(L, -1, "normal");
  options->priority = strcmp(priority, "high") == 0  ? TP_HIGH
                      : strcmp(priority, "low") == 0 ? TP_LOW
                                                     : TP_NORMAL;
  lua_pop(L, 3);
}

static int l_submit (lua_State *L) {
  int name = lua_istable(L, 2) ? 3 : 2;
  Job job = {0};
  job.manager = tp_lua_checkmanager(L, tt_api(), 1);
  job.text = luaL_checkstring(L, name);
  if (name == 3)
    read_options(L, 2, &job.options);
  job.options.callback = called_back;
  job.options.userdata = (void *)tt_api();
  job.args = tt_collect(L, name + 1, lua_gettop(L));
  do_job(L, &job, run_submit);
  if (job.answer != TP_OK) {
    lua_pushnil(L);
    lua_pushstring(L, tt_codename(job.answer));
    return 2;
  }
  tp_lua_pushfuture(L, tt_api(), job.future);
  tp_future_release(tt_api(), job.future);
  return 1;
}

static void run_then (void *p) {
  Job *job = p;
  job->answer = tp_then(tt_api(), job->future, called_back, (void *)tt_api());
}

static int l_on_settled (lua_State *L) {
  Job job = {0};
  job.future = tp_lua_checkfuture(L, tt_api(), 1);
  do_job(L, &job, run_then);
  lua_pushstring(L, tt_codename(job.answer));
  return 1;
}

static void run_wait (void *p) {
  Job *job = p;
  job->answer = tp_wait(tt_api(), job->future, job->seconds);
}

static int l_wait (lua_State *L) {
  Job job = {0};
  job.future = tp_lua_checkfuture(L, tt_api(), 1);
  job.seconds = luaL_optnumber(L, 2, -1);
  do_job(L, &job, run_wait);
  lua_pushboolean(L, job.answer);
  return 1;
}

static void run_cancel (void *p) {
  Job *job = p;
  job->answer = tp_cancel(tt_api(), job->future, job->text);
}

static int l_cancel (lua_State *L) {
  Job job = {0};
  job.future = tp_lua_checkfuture(L, tt_api(), 1);
  job.text = luaL_optstring(L, 2, NULL);
  do_job(L, &job, run_cancel);
  lua_pushboolean(L, job.answer);
  return 1;
}

static int l_outcome (lua_State *L) {
  const tp_Api *api = tt_api();
  tp_Future *future = tp_lua_checkfuture(L, api, 1);
  tp_Failure failure;
  if (!tp_settled(api, future)) {
    lua_pushnil(L);
    return 1;
  }
  if (tp_failure(api, future, &failure)) {
    lua_pushstring(L, failure.kind);
    lua_pushlstring(L, failure.message, failure.length);
  } else {
    lua_pushliteral(L, "completed");
    lua_pushinteger(L, tp_resultcount(api, future));
  }
  return 2;
}

/* Kept as it was borrowed, without a reference: who calls keeps the Future. */
static tp_Future *borrowed;

static int l_borrow (lua_State *L) {
  borrowed = tp_lua_checkfuture(L, tt_api(), 1);
  return 0;
}

/* The length of the first result of that one, a string; or nil. */
static int l_borrowed (lua_State *L) {
  const tp_Api *api = tt_api();
  size_t length = 0;
  const tp_Value *value = borrowed ? tp_result(api, borrowed, 1) : NULL;
  if (value == NULL || tp_bytesof(value, &length) == NULL)
    lua_pushnil(L);
  else
    lua_pushinteger(L, (lua_Integer)length);
  borrowed = NULL;
  return 1;
}

static int l_fill (lua_State *L) {
  lua_Integer slot = luaL_checkinteger(L, 1);
  tp_Future *future = NULL, *before;
  luaL_argcheck(L, slot >= 1 && slot <= SLOTS, 1, "slots are 1 to 64");
  if (!lua_isnoneornil(L, 2)) {
    future = tp_lua_checkfuture(L, tt_api(), 2);
    tp_future_retain(tt_api(), future);
  }
  tt_lock();
  before = slots[slot - 1];
  slots[slot - 1] = future;
  tt_tell_locked();
  tt_unlock();
  if (before != NULL)
    tp_future_release(tt_api(), before);
  return 0;
}

static int l_callbacks (lua_State *L) {
  tt_readcounter(L, &callbacks);
  tt_readcounter(L, &wrong_callbacks);
  return 2;
}

static int l_wait_callbacks (lua_State *L) {
  return tt_waitcounter(L, &callbacks, "callbacks");
}

const luaL_Reg tt_future_lua[] = {{"submit", l_submit},
                                  {"on_settled", l_on_settled},
                                  {"callbacks", l_callbacks},
                                  {"wait_callbacks", l_wait_callbacks},
                                  {"wait", l_wait},
                                  {"cancel", l_cancel},
                                  {"outcome", l_outcome},
                                  {"borrow", l_borrow},
                                  {"borrowed", l_borrowed},
                                  {"fill", l_fill},
                                  {NULL, NULL}};
