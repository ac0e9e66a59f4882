#include <string.h>

#include "core/clock.h"
#include "lua/local.h"
#include "lua/loop.h"

void tpi_push_future_of (lua_State *L, tpi_State *S, tpi_Future *future) {
  tpi_Handle *handle = tpi_push_future_handle(L);
  tpi_future_retain(future);
  handle->future = future;
  if (tpi_future_herald(future, S->host, &handle->herald) != TP_OK)
    luaL_error(L, "not enough memory");
}

tpi_Handle *tpi_push_future_handle (lua_State *L) {
  tpi_Handle *handle = tpi_new_handle(L, 0);
  tpi_push_upvalue(L, TPI_UP_FUTURE);
  lua_setmetatable(L, -2);
  return handle;
}

static tpi_Handle *to_handle (lua_State *L, const tpi_State *S, int index) {
  void *p = lua_touserdata(L, index);
  return p != NULL && tpi_has_metatable(L, index, S->future_mt) ? p : NULL;
}

tpi_Future *tpi_to_future (lua_State *L, const tpi_State *S, int index) {
  const tpi_Handle *handle = to_handle(L, S, index);
  return handle != NULL && !handle->cleaned ? handle->future : NULL;
}

int tpi_is_future (lua_State *L, const tpi_State *S, int index) {
  return to_handle(L, S, index) != NULL;
}

tpi_Handle *tpi_check_handle (lua_State *L, const tpi_State *S, int index) {
  tpi_Handle *handle = to_handle(L, S, index);
  return handle != NULL ? handle : luaL_checkudata(L, index, "tidepool.Future");
}

tpi_Future *tpi_future_at (lua_State *L, const tpi_Handle *handle) {
  if (handle->future == NULL || handle->cleaned)
    luaL_error(L, "future was cleaned up");
  return handle->future;
}

tpi_Future *tpi_check_future (lua_State *L, const tpi_State *S, int index) {
  return tpi_future_at(L, tpi_check_handle(L, S, index));
}

/* The future of a method, at the head of it. */
static tpi_Future *self (lua_State *L, tpi_State **S) {
  *S = tpi_state(L);
  return tpi_check_future(L, *S, 1);
}

/* ---------------------------------------------------------------- */
/* Results                                                           */
/* ---------------------------------------------------------------- */

static void let_go (tpi_Handle *handle) {
  tpi_Future *future = handle->future;
  tpi_Herald *herald = handle->herald;
  handle->future = NULL;
  handle->herald = NULL;
  if (herald != NULL)
    tpi_herald_dismiss(herald, future);
  tpi_future_release(future);
}

void tpi_handle_begin (tpi_Handle *handle) { handle->readers++; }

void tpi_handle_end (tpi_Handle *handle) {
  if (--handle->readers == 0 && handle->cleaned)
    let_go(handle);
}

/* Pushes the results of the settled Future at index 1: how many; or its Error:
   -1. */
static int push_answer (lua_State *L, const tpi_State *S, tpi_Handle *handle) {
  int n = -1;
  tpi_handle_begin(handle);
  if (tpi_future_state(handle->future) == TPI_COMPLETED)
    n = tpi_push_results(L, S, handle);
  else
    tpi_push_failure(L, handle->future, 1);
  tpi_handle_end(handle);
  return n;
}

/* Pushes the Error of an await that ended without the future. */
static void push_unsettled (lua_State *L, tpi_Handle *handle, int rc,
                            double seconds) {
  tpi_Future *future = handle->future;
  tpi_handle_begin(handle);
  if (rc != TP_TIMEOUT) {
    tpi_push_code(L, rc, tpi_name_of(future));
  } else {
    lua_pushfstring(L, "not settled after %f s; the task goes on",
                    (LUAI_UACNUMBER)seconds);
    tpi_push_error(L, TPI_KIND_TIMEOUT, lua_tostring(L, -1),
                   tpi_name_of(future));
    lua_remove(L, -2);
    lua_pushinteger(L, (lua_Integer)future->id);
    lua_setfield(L, -2, "id");
  }
  tpi_handle_end(handle);
}

/* The three ways to wait, by what they answer. */
enum { AWAIT, PAWAIT, WAIT };

/* future [timeout] -> ...; the wait came to rc */
static int answer_wait (lua_State *L, int how, int rc) {
  tpi_State *S = tpi_state(L);
  tpi_Handle *handle = lua_touserdata(L, 1);
  double seconds = tpi_opt_seconds(L, 2, -1);
  int n = -1;
  tpi_future_at(L, handle);
  if (how == WAIT) {
    lua_pushboolean(L, rc == TP_OK);
    return 1;
  }
  lua_settop(L, 1);
  if (rc == TP_OK)
    n = push_answer(L, S, handle);
  else
    push_unsettled(L, handle, rc, seconds);
  if (how != PAWAIT)
    return n >= 0 ? n : lua_error(L);
  lua_pushboolean(L, n >= 0);
  lua_insert(L, 2);
  return n >= 0 ? n + 1 : 2;
}

/* It has waited, and goes on. */
static int waited (lua_State *L, int status, lua_KContext how) {
  tpi_State *S = tpi_state(L);
  int rc = tpi_wait_back(L, S, 1, tpi_opt_seconds(L, 2, -1), &how);
  (void)status;
  return answer_wait(L, (int)how, rc);
}

/* The turn comes before the look at the future, which it may clean up. */
static int start_wait (lua_State *L, int how) {
  tpi_State *S = tpi_state(L);
  double seconds = tpi_opt_seconds(L, 2, -1);
  tpi_Handle *handle = tpi_check_handle(L, S, 1);
  int rc;
  tpi_future_at(L, handle);
  tpi_state_turn(L, S);
  lua_settop(L, 2);
  rc = tpi_wait_for(L, S, 1, seconds, how, waited);
  return answer_wait(L, how, rc);
}

static int await (lua_State *L) { return start_wait(L, AWAIT); }

/* Misuse still raises; what a task or a deadline raises is answered. */
static int pawait (lua_State *L) { return start_wait(L, PAWAIT); }

static int wait (lua_State *L) { return start_wait(L, WAIT); }

static int get (lua_State *L) {
  const tpi_State *S = tpi_state(L);
  tpi_Handle *handle = tpi_check_handle(L, S, 1);
  int n;
  if (!tpi_future_settled(tpi_future_at(L, handle)))
    return luaL_error(L, "future not ready");
  n = push_answer(L, S, handle);
  return n >= 0 ? n : lua_error(L);
}

/* future -> its results; raises its Error. The coroutine of ours that runs ends
   with that, as one that follows the future: cancelled, if that was. */
int tpi_l_pass (lua_State *L) {
  const tpi_State *S = tpi_state(L);
  tpi_Future *future = tpi_check_future(L, S, 1);
  tpi_Fiber *fiber = tpi_loop_fiber(S);
  if (fiber != NULL)
    fiber->follows = tpi_future_state(future) == TPI_CANCELLED;
  return get(L);
}

/* future list at -> other results, with the elements of the first one, a list,
   in `list` from `at` on; or nothing, if it is not as simple as that */
int tpi_l_spread (lua_State *L) {
  const tpi_State *S = tpi_state(L);
  tpi_Handle *handle = tpi_check_handle(L, S, 1);
  tpi_Future *future = tpi_future_at(L, handle);
  lua_Integer at = luaL_checkinteger(L, 3);
  int n = -1;
  luaL_checktype(L, 2, LUA_TTABLE);
  if (tpi_future_state(future) == TPI_COMPLETED && !tpi_is_local(future)) {
    tpi_handle_begin(handle);
    n = tpi_spread(L, &future->results, 2, at);
    tpi_handle_end(handle);
  }
  return n >= 0 ? n : 0;
}

/* ---------------------------------------------------------------- */
/* Looking                                                           */
/* ---------------------------------------------------------------- */

static int is_ready (lua_State *L) {
  tpi_State *S;
  lua_pushboolean(L, tpi_future_settled(self(L, &S)));
  return 1;
}

static int state (lua_State *L) {
  tpi_State *S;
  lua_pushstring(L, tpi_phase_name(tpi_future_state(self(L, &S))));
  return 1;
}

static int id (lua_State *L) {
  tpi_State *S;
  lua_pushinteger(L, (lua_Integer)self(L, &S)->id);
  return 1;
}

static int progress (lua_State *L) {
  tpi_State *S;
  tpi_Progress p = tpi_future_told(self(L, &S));
  lua_pushnumber(L, p.fraction);
  if (p.note[0] == '\0')
    return 1;
  lua_pushstring(L, p.note);
  return 2;
}

static int cancel (lua_State *L) {
  tpi_State *S;
  size_t length = 0;
  const char *reason = luaL_optlstring(L, 2, NULL, &length);
  tpi_Future *future = self(L, &S);
  luaL_argcheck(L, reason == NULL || strlen(reason) == length, 2,
                "a reason has no zeros");
  if (tpi_future_orphaned(future)) {
    tpi_push_failure(L, future, 1);
    return lua_error(L);
  }
  lua_pushboolean(L, tpi_future_cancel(future, reason));
  if (lua_toboolean(L, -1))
    tpi_local_cancelled(S, future);
  return 1;
}

/* Cleaning up a failure is a way of having seen it; a task that still runs
   may yet fail, and that would be news. */
static int cleanup (lua_State *L) {
  tpi_State *S = tpi_state(L);
  tpi_Handle *handle = tpi_check_handle(L, S, 1);
  if (handle->future == NULL || handle->cleaned)
    return 0;
  handle->cleaned = 1;
  if (tpi_is_local(handle->future) && tpi_future_settled(handle->future)) {
    lua_pushnil(L);
    lua_setiuservalue(L, 1, 1);
  }
  tpi_future_read(handle->future);
  if (handle->readers == 0)
    let_go(handle);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  lua_rawset(L, lua_upvalueindex(TPI_UP_OUTCOMES));
  return 0;
}

static int collect (lua_State *L) {
  const tpi_State *S = lua_touserdata(L, lua_upvalueindex(TPI_UP_STATE));
  tpi_Handle *handle = to_handle(L, S, 1);
  if (handle == NULL)
    return 0;
  handle->cleaned = 1;
  if (handle->readers == 0 || tpi_state_collects(L))
    let_go(handle);
  return 0;
}

static int awaited (lua_State *L) {
  tpi_State *S;
  lua_pushboolean(L, tpi_future_wanted(self(L, &S), NULL));
  return 1;
}

static int to_string (lua_State *L) {
  tpi_Handle *handle = luaL_checkudata(L, 1, "tidepool.Future");
  tpi_Future *future = handle->future;
  const char *name, *phase;
  if (future == NULL || handle->cleaned) {
    lua_pushliteral(L, "tidepool.Future: cleaned up");
    return 1;
  }
  name = future->class->name != NULL ? future->class->name(future) : "promise";
  phase = tpi_phase_name(tpi_future_state(future));
  tpi_handle_begin(handle);
  lua_pushfstring(L, "tidepool.Future: %I (%s, %s)", (LUAI_UACINT)future->id,
                  phase, name);
  tpi_handle_end(handle);
  return 1;
}

static int equal (lua_State *L) {
  tpi_State *S = tpi_state(L);
  tpi_Future *a = tpi_to_future(L, S, 1), *b = tpi_to_future(L, S, 2);
  lua_pushboolean(L, a != NULL && a == b);
  return 1;
}

/* ---------------------------------------------------------------- */
/* What the loops of others ask                                      */
/* ---------------------------------------------------------------- */

static int events (lua_State *L) {
  tpi_State *S;
  self(L, &S);
  lua_pushliteral(L, "r");
  return 1;
}

/* Seconds until it is worth looking again: none once it has settled. */
static int timeout (lua_State *L) {
  tpi_State *S;
  if (tpi_future_settled(self(L, &S)))
    lua_pushinteger(L, 0);
  else
    lua_pushnil(L);
  return 1;
}

static int pollfd (lua_State *L) {
  tpi_State *S;
  self(L, &S);
  return tpi_l_fd(L);
}

static const luaL_Reg methods[] = {{"await", await},
                                   {"pawait", pawait},
                                   {"wait", wait},
                                   {"get", get},
                                   {"is_ready", is_ready},
                                   {"state", state},
                                   {"id", id},
                                   {"progress", progress},
                                   {"cancel", cancel},
                                   {"cleanup", cleanup},
                                   {"pollfd", pollfd},
                                   {"events", events},
                                   {"timeout", timeout},
                                   {"getfd", pollfd},
                                   {"dirty", is_ready},
                                   {"awaited", awaited},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__gc", collect},
                                       {"__tostring", to_string},
                                       {"__eq", equal},
                                       {NULL, NULL}};

void tpi_open_future (lua_State *L) {
  tpi_push_upvalue(L, TPI_UP_FUTURE);
  tpi_setfuncs(L, metamethods);
  lua_createtable(L, 0, sizeof methods / sizeof *methods);
  tpi_setfuncs(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
