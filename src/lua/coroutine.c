/*
** The coroutine functions of a worker. They do what Lua's own do; besides,
** they publish which coroutine runs, and pass an await on to the base.
*/
#include <lualib.h>

#include "lua/place.h"

enum { RESUME, WRAP }; /* the context of a continuation */

static int is_waiting (lua_State *co) {
  return (int)(*(uintptr_t *)lua_getextraspace(co) & 1);
}

static lua_State *check_co (lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  luaL_argexpected(L, co, 1, "thread");
  return co;
}

/* ---------------------------------------------------------------- */
/* Resuming                                                          */
/* ---------------------------------------------------------------- */

static int fail_resume (lua_State *L, const char *why) {
  lua_pushboolean(L, 0);
  lua_pushstring(L, why);
  return 2;
}

/* What the coroutine has on its stack is the answer. */
static int answer (lua_State *L, lua_State *co, int n, int how) {
  if (!lua_checkstack(L, n + 1)) {
    lua_pop(co, n);
    if (how == RESUME)
      return fail_resume(L, "too many results to resume");
    return luaL_error(L, "too many results to resume");
  }
  if (how == RESUME)
    lua_pushboolean(L, 1);
  lua_xmove(co, L, n);
  return how == RESUME ? n + 1 : n;
}

/* The error is on top of the coroutine, which may be this one. */
static int failed (lua_State *L, lua_State *co, int how) {
  int status = lua_status(co);
  luaL_checkstack(L, 4, NULL);
  if (how == RESUME) {
    lua_xmove(co, L, 1);
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
  }
  if (status != LUA_OK && status != LUA_YIELD) {
    int closing =
        tpi_fiber_close_failed(tpi_place_at(L), co, L, tpi_fiber_close);
    status = closing != LUA_OK ? closing : status;
  } else {
    lua_xmove(co, L, 1);
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int go_on (lua_State *L, int status, lua_KContext how);

static int resume (lua_State *L, lua_State *co, int nargs, int how) {
  tpi_Place *place = tpi_place_at(L);
  tpi_Fiber *fiber = place->fiber;
  lua_State *before = tpi_peek(place->current);
  int rigid = fiber != NULL && fiber->rigid, status, n = 0;
  if (fiber != NULL && (L != before || !lua_isyieldable(L)))
    fiber->rigid = 1;
  tpi_fiber_enter(place, co);
  status = lua_resume(co, L, nargs, &n);
  tpi_fiber_enter(place, before);
  if (fiber != NULL)
    fiber->rigid = rigid;
  if (status == LUA_YIELD && place->yields != TPI_NOT) {
    lua_pop(co, n);
    if (place->yields == TPI_CLOSING)
      tpi_fiber_give_up(place, co, L);
    else
      tpi_set_waiting(co, 1);
    return lua_yieldk(L, 0, how, go_on);
  }
  return status == LUA_OK || status == LUA_YIELD ? answer(L, co, n, how)
                                                 : failed(L, co, how);
}

/* What it waited for is there: it goes on from within. */
static int go_on (lua_State *L, int status, lua_KContext how) {
  lua_State *co = lua_tothread(L, how == RESUME ? 1 : lua_upvalueindex(1));
  (void)status;
  tpi_set_waiting(co, 0);
  return resume(L, co, 0, (int)how);
}

/* Lua itself refuses a coroutine that is dead, or runs. */
static int start (lua_State *L, lua_State *co, int nargs, int how) {
  const char *why = NULL;
  if (is_waiting(co))
    why = "cannot resume a coroutine that awaits";
  else if (!lua_checkstack(co, nargs))
    why = "too many arguments to resume";
  if (why != NULL)
    return how == RESUME ? fail_resume(L, why) : luaL_error(L, "%s", why);
  lua_xmove(L, co, nargs);
  return resume(L, co, nargs, how);
}

static int co_resume (lua_State *L) {
  lua_State *co = check_co(L);
  return start(L, co, lua_gettop(L) - 1, RESUME);
}

static int call_wrapped (lua_State *L) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  return start(L, co, lua_gettop(L), WRAP);
}

/* function -> function coroutine */
static int co_create (lua_State *L) {
  lua_State *co;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  co = lua_newthread(L);
  tpi_set_waiting(co, 0);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  return 1;
}

static int co_wrap (lua_State *L) {
  co_create(L);
  lua_pushcclosure(L, call_wrapped, 1);
  return 1;
}

/* ---------------------------------------------------------------- */
/* The others: a task's base is to it what the main coroutine is     */
/* to a program                                                      */
/* ---------------------------------------------------------------- */

static int is_base (lua_State *L) {
  const tpi_Fiber *fiber = tpi_place_at(L)->fiber;
  return fiber != NULL && fiber->base == L;
}

static int co_yield (lua_State *L) {
  if (is_base(L)) {
    lua_pushliteral(L, TPI_STRAY_YIELD);
    return lua_error(L);
  }
  return lua_yield(L, lua_gettop(L));
}

static int co_isyieldable (lua_State *L) {
  lua_State *co = lua_isnone(L, 1) ? L : check_co(L);
  lua_pushboolean(L, !is_base(co) && lua_isyieldable(co));
  return 1;
}

static int co_running (lua_State *L) {
  int main = lua_pushthread(L);
  tpi_fiber_expose(tpi_place_at(L));
  lua_pushboolean(L, main || is_base(L));
  return 2;
}

static const char *busy (lua_State *L, lua_State *co) {
  lua_Debug ar;
  if (co == L)
    return "running";
  if (lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar))
    return "normal";
  return is_waiting(co) ? "waiting" : NULL;
}

static int co_close (lua_State *L) {
  lua_State *co = check_co(L);
  const char *state = busy(L, co);
  if (state != NULL)
    return luaL_error(L, "cannot close a %s coroutine", state);
  if (tpi_fiber_close(tpi_place_at(L), co, L) == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  return 2;
}

static const luaL_Reg functions[] = {{"resume", co_resume},
                                     {"wrap", co_wrap},
                                     {"create", co_create},
                                     {"yield", co_yield },
                                     {"isyieldable", co_isyieldable},
                                     {"running", co_running},
                                     {"close", co_close},
                                     {NULL, NULL}};

void tpi_open_coroutines (lua_State *L) {
  lua_getglobal(L, LUA_COLIBNAME);
  for (const luaL_Reg *f = functions; f->name != NULL; f++) {
    lua_pushcfunction(L, f->func);
    tpi_replace(L, f->name);
  }
  lua_pop(L, 1);
}
