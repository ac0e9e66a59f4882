/*
** wait_all, shutdown and <close> of an AsyncManager: they wait for a future that
** settles when the pool has nothing left, as one waits for any other.
*/
#include "core/clock.h"
#include "core/drain.h"
#include "core/pools.h"
#include "lua/idle.h"
#include "lua/loop.h"

static const char shut_down[] = "the manager was shut down";

enum { WAIT_ALL, DRAINS, CANCELS, CLOSES = 4 }; /* what a wait is for */

static double seconds_at (lua_State *L, int index) {
  return lua_isnil(L, index) ? -1 : lua_tonumber(L, index);
}

/* It goes at once, and not when it is collected: workers look at it. */
static void drop (tpi_Handle *drain) {
  if (drain == NULL)
    return;
  tpi_future_release(drain->future);
  drain->future = NULL;
}

/* manager seconds [Future] -> */
static int waited (lua_State *L, int how, int rc) {
  tpi_State *S = tpi_state(L);
  tpi_Manager *manager = lua_touserdata(L, 1);
  tpi_Parker p;
  drop(lua_touserdata(L, 3));
  if (rc == TP_BROKEN)
    return tpi_raise_code(L, rc, NULL);
  if (rc != TP_OK && how & DRAINS)
    tpi_pool_cancel(manager->pool, NULL, shut_down);
  if (rc != TP_OK && how != WAIT_ALL) {
    /* what a worker has just returned settles in a moment */
    tpi_parker_init(&p, NULL, NULL, NULL);
    tpi_pool_settle(manager->pool, &p, TPI_NEVER);
  }
  tpi_state_turn(L, S);
  lua_pushboolean(L, rc == TP_OK);
  return !(how & CLOSES);
}

static int go_on (lua_State *L, int status, lua_KContext how) {
  int rc = tpi_wait_back(L, tpi_state(L), 3, seconds_at(L, 2), &how);
  (void)status;
  return waited(L, (int)how, rc);
}

/* manager seconds -> */
static int wait (lua_State *L, tpi_State *S, tpi_Manager *manager, int how) {
  int rc;
  tpi_Handle *drain;
  lua_settop(L, 2);
  tpi_idle_ran(S);
  drain = tpi_push_future_handle(L);
  drain->future = tpi_drain_new(manager->pool, how != WAIT_ALL,
                                tpi_loop_fiber(S) != NULL);
  if (drain->future == NULL)
    luaL_error(L, "not enough memory");
  rc = tpi_wait_for(L, S, 3, seconds_at(L, 2), how, go_on);
  return waited(L, how, rc);
}

int tpi_l_wait_all (lua_State *L) {
  tpi_State *S = tpi_state(L);
  tpi_Manager *manager = tpi_check_manager(L, S, 1);
  tpi_opt_seconds(L, 2, -1);
  if (tpi_pool_broken(manager->pool))
    tpi_raise_code(L, TP_BROKEN, NULL);
  if (S->place != NULL && tpi_place_pool(S->place) == manager->pool)
    return luaL_error(L, "a task cannot wait for all of the manager that it "
                         "runs in");
  tpi_state_turn(L, S);
  return wait(L, S, manager, WAIT_ALL);
}

static void begin_shutdown (tpi_Manager *manager, int drain) {
  tpi_pool_close(manager->pool);
  if (!drain)
    tpi_pool_cancel(manager->pool, NULL, shut_down);
}

int tpi_l_shutdown (lua_State *L) {
  tpi_State *S = tpi_state(L);
  tpi_Manager *manager = tpi_check_manager(L, S, 1);
  int drain;
  double seconds;
  lua_settop(L, 2);
  tpi_options_shutdown(L, 2, &drain, &seconds);
  if (manager->borrowed)
    return luaL_error(L, "a task cannot shut down the manager that it runs "
                         "in");
  if (tpi_pool_broken(manager->pool)) {
    lua_pushboolean(L, 1);
    return 1;
  }
  begin_shutdown(manager, drain);
  lua_settop(L, 1);
  if (seconds < 0)
    lua_pushnil(L);
  else
    lua_pushnumber(L, seconds);
  return wait(L, S, manager, drain ? DRAINS : CANCELS);
}

/* Is there nobody to be suspended? A Lua state of a worker that is being made
   or closed has no task; one that is over would only be told so, which it need
   not be while it leaves by an error. */
static int is_alone (const tpi_State *S, int fails) {
  tpi_Fiber *fiber = tpi_loop_fiber(S);
  return fiber == NULL ? S->place != NULL
                       : fails && tpi_future_settled(tpi_fiber_future(fiber));
}

static int block (const tpi_State *S, tp_Manager *pool, double seconds) {
  tpi_Worker *worker = S->place != NULL ? S->place->worker : NULL;
  tpi_Parker p;
  int answer;
  tpi_parker_init(&p, NULL, NULL, NULL);
  if (worker != NULL)
    tpi_worker_block(worker);
  answer = tpi_pool_join(pool, &p, tpi_deadline(seconds));
  if (worker != NULL)
    tpi_worker_unblock(worker);
  return answer == TPI_RUNG ? TP_OK : TP_TIMEOUT;
}

/* Leaving by an error cancels, and waits no longer than leaving the program
   would: what raised wants to be heard. */
int tpi_l_close_manager (lua_State *L) {
  tpi_State *S = tpi_state(L);
  tpi_Manager *manager = tpi_to_manager(L, S, 1);
  int fails = !lua_isnoneornil(L, 2);
  int how = CLOSES | (fails ? CANCELS : DRAINS);
  double seconds = fails ? tpi_exit_grace() : -1;
  if (manager == NULL || manager->borrowed || tpi_pool_broken(manager->pool))
    return 0;
  begin_shutdown(manager, !fails);
  lua_settop(L, 1);
  if (is_alone(S, fails))
    return waited(L, how, block(S, manager->pool, seconds));
  if (fails)
    lua_pushnumber(L, seconds);
  else
    lua_pushnil(L);
  return wait(L, S, manager, how);
}
