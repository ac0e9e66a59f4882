/*
** call_many: many calls at once, with few wakes.
*/
#include "lua/loop.h"
#include "lua/submit.h"

enum { MOST_ARGS = 250 };

/* A batch on its way; a userdata. */
typedef struct Batch {
  size_t count, done;
  tpi_Task *tasks[];
} Batch;

/* The arguments of call i, from the table at index 3, on top. */
static void unpack_args (lua_State *L, lua_Integer i) {
  lua_Integer n;
  int exact;
  if (lua_geti(L, 3, i) != LUA_TTABLE)
    luaL_error(L, "bad call #%I (table of arguments expected, got %s)",
               (LUAI_UACINT)i, luaL_typename(L, -1));
  exact = 1;
  n = lua_getfield(L, -1, "n") == LUA_TNIL ? luaL_len(L, -2)
                                           : lua_tointegerx(L, -1, &exact);
  lua_pop(L, 1);
  if (!exact || n < 0 || n >= MOST_ARGS)
    luaL_error(L, "bad call #%I (0 to %d arguments expected)", (LUAI_UACINT)i,
               MOST_ARGS - 1);
  luaL_checkstack(L, (int)n + 8, "too many arguments");
  for (lua_Integer k = 1; k <= n; k++)
    lua_geti(L, 6, k);
  lua_remove(L, 6);
}

/* Nobody gets the futures of a batch that was broken off. */
static int break_off (const Batch *batch, int rc) {
  for (size_t i = 0; i < batch->done; i++)
    tpi_future_cancel(&batch->tasks[i]->future, "its batch was broken off");
  return rc;
}

static int submit_rest (lua_State *L, int status, lua_KContext waited);

/* The next one as call does; in a worker it may yield, and not return. */
static int submit_one (lua_State *L, tpi_State *S, const tpi_Manager *manager,
                       tpi_Task *task) {
  if (!tpi_may_yield(L, S))
    return tpi_submit(L, S, manager, task);
  return tpi_fiber_submit(L, S->loop, task, 1, submit_rest);
}

/* manager name list batch futures -> futures; as many at once as enter, then
   the next one */
static int submit_rest (lua_State *L, int status, lua_KContext waited) {
  tpi_State *S = tpi_state(L);
  tpi_Manager *manager = tpi_check_manager(L, S, 1);
  Batch *batch = lua_touserdata(L, 4);
  int entered = 0;
  int rc = waited ? tpi_fiber_submitted(L, S->loop, &entered) : TP_OK;
  (void)status;
  batch->done += entered != 0;
  while (batch->done < batch->count && rc == TP_OK) {
    size_t count = batch->count - batch->done;
    rc = tpi_pool_submit_many(manager->pool, batch->tasks + batch->done, &count,
                              manager->fails);
    batch->done += count;
    if (rc == TP_FULL && !manager->fails) {
      rc = submit_one(L, S, manager, batch->tasks[batch->done]);
      batch->done += rc == TP_OK;
    }
  }
  if (rc == TP_OK)
    return 1;
  return tpi_refused(L, S, break_off(batch, rc), batch->tasks[0]);
}

/* manager name list; 4: the batch, 5: futures; nothing is queued before all
   arguments are known to be good */
int tpi_l_call_many (lua_State *L) {
  tpi_State *S = tpi_state_open(L);
  tpi_Manager *manager = tpi_check_manager(L, S, 1);
  Batch *batch;
  tpi_Target t;
  lua_Integer n;
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  if (tpi_is_outside(L, S) && !manager->fails)
    return tpi_call_outside(L, S, "call_many");
  tpi_state_turn(L, S);
  t = tpi_target_at(L, 2);
  n = luaL_len(L, 3);
  luaL_argcheck(L, n >= 0 && n < INT32_MAX, 3, "not a list of calls");
  batch =
      lua_newuserdatauv(L, sizeof *batch + (size_t)n * sizeof *batch->tasks, 0);
  batch->count = (size_t)n;
  batch->done = 0;
  lua_createtable(L, (int)n, 0);
  for (lua_Integer i = 1; i <= n; i++) {
    unpack_args(L, i);
    if (t.function != NULL)
      tpi_check_args(L, S, t.function, 6, 1);
    batch->tasks[i - 1] = tpi_new_task(L, S, manager, &t, 6);
    tpi_tell_made(S, batch->tasks[i - 1]);
    lua_rawseti(L, 5, i);
    lua_settop(L, 5);
  }
  for (lua_Integer i = 0; i < n; i++)
    tpi_add_timer(L, batch->tasks[i], manager->timeout);
  return submit_rest(L, LUA_OK, 0);
}
