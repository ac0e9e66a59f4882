/*
** What the loops of others build on: poll, and a descriptor to wait for.
*/
#include "core/clock.h"
#include "core/promise.h"
#include "lua/loop.h"

/* Sleeps until any future of this state settles. */
static void sleep_on_news (lua_State *L, tpi_State *S, uint64_t deadline) {
  tpi_Host *host = S->host;
  tpi_Sleep sleep;
  int answer;
  tpi_sleep_interrupt(L, S);
  tpi_sleep_init(S, &sleep);
  tpi_or(&host->listens, TPI_POLLS);
  answer = tpi_host_sleep(host, 1, deadline, tpi_sleep_hooked, &sleep);
  tpi_and(&host->listens, ~(unsigned)TPI_POLLS);
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

/* Were there any since then? Whoever polls at a time hears of all of them. */
static int has_news (tpi_State *S, unsigned since) {
  if (tpi_host_drain(S->host)) {
    S->polled++;
    tpi_loop_tell_news(S);
  }
  return S->polled != since;
}

/* ---------------------------------------------------------------- */
/* In a coroutine, which waits as for anything else                  */
/* ---------------------------------------------------------------- */

/* deadline since -> were there news? */
static int polled (lua_State *L, tpi_State *S) {
  tpi_state_turn(L, S);
  lua_pushboolean(L, has_news(S, (unsigned)lua_tointeger(L, 2)));
  return 1;
}

static int waited (lua_State *L, int status, lua_KContext context) {
  tpi_State *S = tpi_state(L);
  (void)status;
  (void)context;
  tpi_fiber_back(L, S->loop);
  return polled(L, S);
}

/* What settles when there are news (tpi_loop_turn). */
static tpi_Future *news_of (lua_State *L, tpi_State *S) {
  if (S->news == NULL) {
    S->news = tpi_promise_new(NULL);
    if (S->news == NULL)
      luaL_error(L, "not enough memory");
    S->host->polled = 1;
    tpi_or(&S->host->listens, TPI_POLLED);
  }
  return &S->news->future;
}

/* The others have had their turn. */
static int looked (lua_State *L, int status, lua_KContext context) {
  tpi_State *S = tpi_state(L);
  uint64_t deadline = (uint64_t)lua_tointeger(L, 1);
  uint64_t left = deadline != 0 ? tpi_until(deadline) : 0;
  (void)status;
  (void)context;
  tpi_fiber_back(L, S->loop);
  if (left > 0 && !has_news(S, (unsigned)lua_tointeger(L, 2)))
    tpi_fiber_await(L, S->loop, news_of(L, S),
                    deadline == TPI_NEVER ? -1 : (double)left / 1e9, 0, waited);
  return polled(L, S);
}

static int poll_in_coroutine (lua_State *L, tpi_State *S, uint64_t deadline) {
  lua_settop(L, 0);
  lua_pushinteger(L, (lua_Integer)deadline);
  lua_pushinteger(L, S->polled);
  tpi_fiber_sleep(L, S->loop, 0, 0, looked);
  return looked(L, LUA_OK, 0);
}

/* ---------------------------------------------------------------- */

enum { MOST_AT_ONCE = 100 }; /* in one poll: whoever polls has more to do */

int tpi_l_poll (lua_State *L) {
  tpi_State *S = state_of_program(L);
  double seconds = tpi_opt_seconds(L, 1, 0);
  uint64_t deadline = seconds > 0 ? tpi_deadline(seconds) : 0;
  unsigned since = S->polled;
  int news;
  tpi_state_turn(L, S);
  if (tpi_loop_yields(L, S))
    return poll_in_coroutine(L, S, deadline);
  for (;;) {
    tpi_loop_turn(L, S, NULL, MOST_AT_ONCE);
    news = has_news(S, since);
    if (news || deadline == 0 || tpi_until(deadline) == 0)
      break;
    if (S->host->ready == NULL)
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
  tpi_or(&host->listens, TPI_WATCHED);
  tpi_host_arm(host);
  if (tpi_see(&host->news) || tpi_host_has_more(host))
    tpi_host_wake(host);
  lua_pushinteger(L, host->bell.fd);
  return 1;
}
