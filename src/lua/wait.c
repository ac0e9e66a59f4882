/*
** How a Lua state of the program blocks: polling, the descriptor, interrupts.
*/
#include "core/clock.h"
#include "lua/binding.h"

/* ---------------------------------------------------------------- */
/* Interrupts                                                        */
/*
** On Ctrl-C the signal handler of lua.c hooks the main thread of the Lua
** state, and the hook raises at the next instruction. A thread that sleeps
** in C has no next instruction, so after a signal we look for a new hook on
** the main thread, and if there is one make it happen by calling a function.
*/

static int nothing (lua_State *L) {
  (void)L;
  return 0;
}

/* A hook on everything, at each instruction: nobody debugs like that. */
static int pending (lua_State *main) {
  return lua_gethookmask(main) ==
             (LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT) &&
         lua_gethookcount(main) == 1;
}

/* Calls the hook of the main thread, here; a coroutine borrows it. */
static void let_hook_run (lua_State *L, tpi_State *S) {
  lua_Hook before = lua_gethook(L);
  int mask = lua_gethookmask(L), count = lua_gethookcount(L);
  luaL_checkstack(L, 2, NULL);
  if (L != S->main)
    lua_sethook(L, lua_gethook(S->main), lua_gethookmask(S->main),
                lua_gethookcount(S->main));
  lua_pushcfunction(L, nothing);
  lua_call(L, 0, 0);
  if (L != S->main)
    lua_sethook(L, before, mask, count);
}

static int hooked (void *argument) {
  const tpi_Sleep *sleep = argument;
  return lua_gethook(sleep->main) != sleep->hook ||
         (!sleep->deaf && pending(sleep->main));
}

/* What was set until now runs: from here on a new hook is an interrupt. In a
   finalizer Lua runs no hooks, and the one that is due stays. */
void tpi_sleep_prepare (lua_State *L, tpi_State *S) {
  if (tpi_host_need_bell(S->host) != TP_OK)
    luaL_error(L, "cannot wait: no descriptor left for this process");
  if (pending(S->main))
    let_hook_run(L, S);
}

void tpi_sleep_init (tpi_State *S, tpi_Sleep *sleep) {
  sleep->main = S->main;
  sleep->hook = lua_gethook(S->main);
  sleep->deaf = pending(S->main);
  tpi_parker_init(&sleep->parker, S->host, hooked, sleep);
}

void tpi_sleep_stopped (lua_State *L, tpi_State *S) {
  if (lua_gethook(S->main) != NULL)
    let_hook_run(L, S);
}

static int stopped (lua_State *L) {
  tpi_sleep_stopped(L, lua_touserdata(L, 1));
  return 0;
}

int tpi_sleep_interrupted (lua_State *L, tpi_State *S) {
  luaL_checkstack(L, 3, NULL);
  lua_pushcfunction(L, stopped);
  lua_pushlightuserdata(L, S);
  return lua_pcall(L, 1, 0, 0) != LUA_OK;
}

/* ---------------------------------------------------------------- */

/* Hooks may run wherever we may be interrupted, and clean the future up: it
   is looked at anew each time. */
static int block (lua_State *L, tpi_State *S, const tpi_Handle *handle,
                  uint64_t deadline) {
  tpi_Future *future = tpi_future_at(L, handle);
  if (tpi_future_settled(future))
    return TP_OK;
  if (future->class->orphaned != NULL && future->class->orphaned(future))
    return TP_BROKEN;
  if (deadline == 0)
    return TP_TIMEOUT;
  if (tpi_future_spin(future, S->host))
    return TP_OK;
  for (;;) {
    tpi_Sleep sleep;
    int answer;
    tpi_sleep_prepare(L, S);
    future = tpi_future_at(L, handle);
    tpi_sleep_init(S, &sleep);
    answer = tpi_future_wait(future, &sleep.parker, deadline);
    if (answer != TPI_STOPPED)
      return answer == TPI_RUNG ? TP_OK : TP_TIMEOUT;
    tpi_sleep_stopped(L, S);
  }
}

/* Who watches the descriptor takes this for a look at what has settled. */
int tpi_await (lua_State *L, tpi_State *S, const tpi_Handle *handle,
               uint64_t deadline) {
  int rc = block(L, S, handle, deadline);
  if (tpi_peek(&S->host->listens))
    tpi_host_drain(S->host);
  return rc;
}

double tpi_opt_seconds (lua_State *L, int index, double absent) {
  double seconds;
  if (lua_isnoneornil(L, index))
    return absent;
  seconds = luaL_checknumber(L, index);
  luaL_argcheck(L, seconds >= 0, index, "seconds must be 0 or more");
  return seconds;
}

/* Sleeps until any future of this state settles. */
static void sleep_on_news (lua_State *L, tpi_State *S, uint64_t deadline) {
  tpi_Host *host = S->host;
  unsigned listened = tpi_peek(&host->listens);
  tpi_Sleep sleep;
  int answer;
  tpi_sleep_prepare(L, S);
  tpi_sleep_init(S, &sleep);
  tpi_put(&host->listens, 1);
  answer = tpi_host_sleep(host, 1, deadline, hooked, &sleep);
  tpi_put(&host->listens, listened);
  tpi_park_left(&sleep.parker);
  if (answer == TPI_STOPPED)
    tpi_sleep_stopped(L, S);
}

/* A worker has no loop but its own. */
static tpi_State *state_of_program (lua_State *L) {
  tpi_State *S = tpi_state(L);
  if (S->place != NULL)
    luaL_error(L, "a task has no descriptor to wait on; it awaits futures");
  return S;
}

int tpi_l_poll (lua_State *L) {
  tpi_State *S = state_of_program(L);
  double seconds = tpi_opt_seconds(L, 1, 0);
  uint64_t deadline = seconds > 0 ? tpi_deadline(seconds) : 0;
  int news;
  tpi_state_turn(L, S);
  while (!(news = tpi_host_drain(S->host)) && deadline != 0) {
    if (tpi_until(deadline) == 0)
      break;
    sleep_on_news(L, S, deadline);
  }
  tpi_state_turn(L, S);
  lua_pushboolean(L, news);
  return 1;
}

/* From now on news ring the bell; those of before do so now. */
int tpi_l_fd (lua_State *L) {
  tpi_State *S = state_of_program(L);
  tpi_Host *host = S->host;
  if (tpi_host_need_bell(host) != TP_OK)
    return luaL_error(L, "no descriptor left for this process");
  tpi_put(&host->listens, 1);
  tpi_host_arm(host);
  if (tpi_see(&host->news))
    tpi_host_wake(host);
  lua_pushinteger(L, host->bell.fd);
  return 1;
}
