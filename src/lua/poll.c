/*
** What the loops of others build on: poll, and a descriptor to wait for.
*/
#include "core/clock.h"
#include "lua/loop.h"

/* Sleeps until any future of this state settles. */
static void sleep_on_news (lua_State *L, tpi_State *S, uint64_t deadline) {
  tpi_Host *host = S->host;
  unsigned listened = tpi_peek(&host->listens);
  tpi_Sleep sleep;
  int answer;
  tpi_sleep_interrupt(L, S);
  tpi_sleep_init(S, &sleep);
  tpi_put(&host->listens, 1);
  answer = tpi_host_sleep(host, 1, deadline, tpi_sleep_hooked, &sleep);
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

enum { MOST_AT_ONCE = 100 }; /* in one poll: whoever polls has more to do */

int tpi_l_poll (lua_State *L) {
  tpi_State *S = state_of_program(L);
  double seconds = tpi_opt_seconds(L, 1, 0);
  uint64_t deadline = seconds > 0 ? tpi_deadline(seconds) : 0;
  int news;
  tpi_state_turn(L, S);
  for (;;) {
    tpi_loop_turn(L, S, NULL, MOST_AT_ONCE);
    news = tpi_host_drain(S->host);
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
  tpi_put(&host->listens, 1);
  tpi_host_arm(host);
  if (tpi_see(&host->news) || tpi_host_has_more(host))
    tpi_host_wake(host);
  lua_pushinteger(L, host->bell.fd);
  return 1;
}
