/*
** Stopping a Lua task: by an error at first, and then by closing it.
*/
#include <string.h>

#include "core/clock.h"
#include "lua/place.h"

enum { TICK = 1000 }; /* instructions between looks while a task is to end */

/* ns that a task may go on before it is closed: of a processor, and by the
   clock, for one that only waits. */
static const uint64_t GRACE = TPI_SECOND / 20, LIMIT = 5 * TPI_SECOND;

static void begin (tpi_Grace *grace) {
  grace->since = tpi_now();
  grace->used = tpi_processor_time();
}

static int may_go_on (const tpi_Grace *grace) {
  return tpi_processor_time() - grace->used < GRACE &&
         tpi_now() - grace->since < LIMIT;
}

static void hook_every (lua_State *L, int count) {
  const tpi_Fiber *fiber = tpi_place_at(L)->fiber;
  int handlers = fiber != NULL && fiber->given_up == L;
  lua_sethook(L, tpi_fiber_hook, LUA_MASKCOUNT | (handlers ? LUA_MASKCALL : 0),
              count);
}

/* The next handler of a coroutine that is being closed begins: its time is
   its own. */
static void handler_begins (lua_State *L, tpi_Fiber *fiber) {
  lua_Debug below;
  if (fiber->given_up != L || lua_getstack(L, 1, &below))
    return;
  begin(&fiber->closing);
  hook_every(L, TICK);
}

/* Published first, then looked: who settles our future beats then, so that
   either we see it settled or the beat finds this coroutine. */
void tpi_fiber_enter (tpi_Place *place, lua_State *L) {
  tpi_put(place->current, L);
  if (place->worker != NULL && tpi_family_is_over(place))
    hook_every(L, 1);
}

/* A program has no hook: there a task that goes on is closed here. */
void tpi_fiber_check (lua_State *L, tpi_Place *place) {
  tpi_Fiber *fiber = place->fiber;
  if (!tpi_family_is_over(place))
    return;
  luaL_checkstack(L, 10, NULL);
  if (fiber->told.since == 0) {
    begin(&fiber->told);
  } else if (place->worker == NULL && !may_go_on(&fiber->told) &&
             fiber->closing.since == 0 && tpi_fiber_yields(L, place)) {
    place->yields = TPI_CLOSING;
    lua_yield(L, 0);
  }
  tpi_push_failure(L, tpi_fiber_future(fiber), 0);
  lua_error(L);
}

/* Is a variable being closed at the end of its block? Lua tells of calls by Lua
   functions only, and handlers are not deep. */
static int is_closing (lua_State *L) {
  enum { MOST_LEVELS = 50 };
  lua_Debug ar;
  for (int i = 0; i < MOST_LEVELS && lua_getstack(L, i, &ar); i++) {
    if (lua_getinfo(L, "n", &ar) && strcmp(ar.namewhat, "metamethod") == 0 &&
        strcmp(ar.name, "close") == 0)
      return 1;
  }
  return 0;
}

/* What has begun to clean up for reasons of its own may do so, in the same time
   as what cleans up because of us. */
static int is_held (lua_State *L, tpi_Fiber *fiber) {
  if (!is_closing(L))
    return 0;
  if (fiber->held.since == 0)
    begin(&fiber->held);
  return may_go_on(&fiber->held);
}

/*
** Runs in a coroutine that a beat, or entering it, has hooked. At first the
** task gets an error, and then some time to clean up. If it still runs after
** that it is closed: by a yield down to the base where everything can yield;
** elsewhere by an error at each instruction, which no pcall withstands.
** While it is being closed the same holds for each of its handlers.
*/
void tpi_fiber_hook (lua_State *L, lua_Debug *ar) {
  tpi_Place *place = tpi_place_at(L);
  tpi_Fiber *fiber = place->fiber;
  int closing;
  if (!tpi_family_is_over(place)) { /* it was meant for a task that is over */
    lua_sethook(L, NULL, 0, 0);
    if (tpi_family_is_over(place)) /* a beat fell before that */
      hook_every(L, 1);
    return;
  }
  if (ar->event != LUA_HOOKCOUNT) {
    handler_begins(L, fiber);
    return;
  }
  hook_every(L, TICK);
  closing = fiber->closing.since != 0;
  if (fiber->told.since == 0 && !closing) {
    if (is_held(L, fiber))
      return;
    tpi_fiber_check(L, place);
  }
  if (may_go_on(closing ? &fiber->closing : &fiber->told))
    return;
  if (!closing && tpi_fiber_yields(L, place)) {
    place->yields = TPI_CLOSING;
    lua_yield(L, 0);
    return;
  }
  hook_every(L, 1);
  tpi_fiber_check(L, place);
}

/* Nobody could resume it but we. The function that yielded is about to return,
   which is the last place where a pcall around it catches this. */
static void refuse_yield (lua_State *L, lua_Debug *ar) {
  const tpi_Place *place = tpi_state_find(L)->loop;
  (void)ar;
  lua_sethook(L, place->hook, place->mask, place->count);
  lua_pushliteral(L, TPI_STRAY_YIELD);
  lua_error(L);
}

void tpi_fiber_refuse_yield (tpi_Place *place, lua_State *base) {
  place->hook = lua_gethook(base);
  place->mask = lua_gethookmask(base);
  place->count = lua_gethookcount(base);
  lua_sethook(base, refuse_yield, LUA_MASKRET, 0);
}

static int close_thread (lua_State *co, lua_State *from) {
#if LUA_VERSION_NUM >= 505 || LUA_VERSION_RELEASE_NUM >= 50406
  return lua_closethread(co, from);
#else
  (void)from;
  return lua_resetthread(co);
#endif
}

/* Does closing keep the error that is on top? Not if it is ours, and not the
   coroutine's; before 5.4.3 never. */
static int keeps_error (lua_State *co) {
#if LUA_VERSION_NUM == 504 && LUA_VERSION_RELEASE_NUM < 50403
  (void)co;
  return 0;
#else
  return lua_status(co) != LUA_YIELD && lua_status(co) != LUA_OK;
#endif
}

int tpi_fiber_close_failed (tpi_Place *place, lua_State *co, lua_State *L,
                            int (*close)(tpi_Place *, lua_State *,
                                         lua_State *)) {
  int status, keeps = keeps_error(co);
  if (!keeps)
    lua_xmove(co, L, 1);
  status = close(place, co, L);
  if (keeps) {
    lua_xmove(co, L, 1);
  } else if (status != LUA_OK) {
    lua_xmove(co, L, 1);
    lua_remove(L, -2);
  }
  return status;
}

void tpi_fiber_renew (tpi_Place *place) {
  tpi_Fiber *fiber = place->fiber;
  if (fiber == NULL || fiber->renewed || fiber->told.since == 0)
    return;
  fiber->renewed = 1;
  fiber->told.since = 0;
}

tpi_Turn tpi_fiber_lend (tpi_Place *place, lua_State *co) {
  tpi_Fiber *fiber = place->fiber;
  tpi_Turn turn = {tpi_peek(place->current), fiber != NULL && fiber->rigid};
  if (fiber != NULL)
    fiber->rigid = 1;
  tpi_fiber_enter(place, co);
  return turn;
}

void tpi_fiber_take_back (tpi_Place *place, lua_State *co, tpi_Turn turn) {
  if (place->worker != NULL)
    lua_sethook(co, NULL, 0, 0);
  if (turn.before != NULL)
    tpi_fiber_enter(place, turn.before); /* a beat may have found `co` */
  else
    tpi_put(place->current, NULL);
  if (place->fiber != NULL)
    place->fiber->rigid = turn.rigid;
}

int tpi_fiber_close (tpi_Place *place, lua_State *co, lua_State *from) {
  tpi_Turn turn = tpi_fiber_lend(place, co);
  int status = close_thread(co, from);
  tpi_fiber_take_back(place, co, turn);
  return status;
}

int tpi_fiber_give_up (tpi_Place *place, lua_State *co, lua_State *from) {
  tpi_Fiber *fiber = place->fiber;
  int status;
  if (tpi_future_settled(tpi_fiber_future(fiber))) {
    begin(&fiber->closing);
    fiber->given_up = co;
  }
  status = tpi_fiber_close(place, co, from);
  fiber->given_up = NULL;
  return status;
}
