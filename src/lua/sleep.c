/*
** How a Lua state of the program sleeps, and is interrupted.
**
** On Ctrl-C the signal handler of lua.c hooks the main thread of the Lua
** state, and the hook raises at the next instruction. A thread that sleeps
** in C has no next instruction, so after a signal we look for a new hook on
** the main thread, and if there is one make it happen by calling a function.
*/
#include <limits.h>

#include "core/clock.h"
#include "lua/idle.h"
#include "lua/loop.h"

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

int tpi_sleep_hooked (void *argument) {
  const tpi_Sleep *sleep = argument;
  return lua_gethook(sleep->main) != sleep->hook ||
         (!sleep->deaf && pending(sleep->main));
}

/* In a finalizer Lua runs no hooks, and the one that is due stays. */
void tpi_sleep_interrupt (lua_State *L, tpi_State *S) {
  if (pending(S->main))
    let_hook_run(L, S);
}

void tpi_sleep_prepare (lua_State *L, tpi_State *S) {
  tpi_loop_turn(L, S, NULL, UINT_MAX);
  tpi_sleep_interrupt(L, S);
}

void tpi_sleep_init (tpi_State *S, tpi_Sleep *sleep) {
  sleep->main = S->main;
  sleep->hook = lua_gethook(S->main);
  sleep->deaf = pending(S->main);
  S->host->stop_at = tpi_idle_due(S);
  tpi_parker_init(&sleep->parker, S->host, tpi_sleep_hooked, sleep);
}

void tpi_sleep_stopped (lua_State *L, tpi_State *S) {
  if (lua_gethook(S->main) != NULL)
    let_hook_run(L, S);
  if (tpi_now() >= S->host->stop_at)
    tpi_idle_collect(L, S);
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
