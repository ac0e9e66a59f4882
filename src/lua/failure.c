/*
** What is left of a Lua task that failed: results with the message, and the
** Error as a value of its own.
*/
#include "lua/local.h"

#include <string.h>

#include "lua/sandbox.h"

static tpi_List *results_of (const tpi_Fiber *fiber) {
  return &tpi_fiber_future(fiber)->results;
}

static int to_text (lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

/* value -> value text */
static void push_text (lua_State *L) {
  lua_pushcfunction(L, to_text);
  lua_pushvalue(L, -2);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK)
    return;
  lua_pop(L, 1);
  lua_pushliteral(L, "an error whose __tostring raises");
}

/* Key of the registry: what the handler adds to a message. */
static const void *explained (const tpi_Fiber *fiber) {
  return (const char *)fiber + 1;
}

/* text -> text; with what the handler had to add to it */
static void explain (lua_State *L, const tpi_Fiber *fiber) {
  size_t length = lua_rawlen(L, -1);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, explained(fiber)) == LUA_TSTRING) {
    if (lua_rawlen(L, -1) > length &&
        memcmp(lua_tostring(L, -1), lua_tostring(L, -2), length) == 0)
      lua_copy(L, -1, -2);
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, explained(fiber));
  }
  lua_pop(L, 1);
}

/* value -> Error; what is said about lack of memory is the value as well */
static void make_error (lua_State *L, const tpi_Fiber *fiber, int status) {
  const tpi_Place *place = fiber->place;
  if (status == LUA_ERRMEM) {
    if (place->limit > 0)
      lua_pushstring(L, place->past);
    else
      luaL_tolstring(L, -1, NULL);
    lua_replace(L, -2);
    lua_pushvalue(L, -1);
  } else {
    push_text(L);
    explain(L, fiber);
  }
  tpi_make_error(L, fiber->sends ? TPI_KIND_TRANSFER : TPI_ERROR,
                 fiber->task->local ? NULL
                                    : tpi_name_of(tpi_fiber_future(fiber)));
}

/* Error -> Error; the first traceback stays */
static void add_traceback (lua_State *L, const tpi_Fiber *fiber,
                           int traceback) {
  const char *origin = fiber->task->origin;
  if (lua_getfield(L, -1, "traceback") == LUA_TNIL) {
    lua_pushvalue(L, traceback);
    if (origin != NULL) {
      lua_pushfstring(L, "\n%s", origin);
      lua_concat(L, 2);
    }
    lua_setfield(L, -3, "traceback");
  }
  lua_pop(L, 1);
}

/* An Error that was raised again: its own traceback is the one that counts. */
static int has_traceback (lua_State *L, const tpi_State *S) {
  int has = 0;
  lua_pushvalue(L, 1);
  if (tpi_is_error(L, S)) {
    has = lua_getfield(L, -1, "traceback") != LUA_TNIL;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return has;
}

int tpi_failure_handler (lua_State *L) {
  tpi_Place *place = lua_touserdata(L, lua_upvalueindex(1));
  tpi_Fiber *fiber = place->fiber;
  if (!tpi_fiber_runs(fiber, L) || tpi_future_settled(tpi_fiber_future(fiber)))
    return 1; /* nobody will read it */
  luaL_checkstack(L, 20, NULL);
  if (has_traceback(L, place->S))
    return 1;
  luaL_traceback(L, L, NULL, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, fiber); /* until it is sent */
  lua_pushvalue(L, 1);
  if (lua_type(L, -1) == LUA_TSTRING && tpi_sandbox_explain(L))
    lua_rawsetp(L, LUA_REGISTRYINDEX, explained(fiber));
  lua_settop(L, 1);
  return 1; /* as it was: __close handlers get to see it */
}

/* Error -> Error; with the traceback that the handler took, if it could */
static void add_noted (lua_State *L, const tpi_Fiber *fiber) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, fiber) == LUA_TSTRING) {
    lua_insert(L, -2);
    add_traceback(L, fiber, lua_gettop(L) - 1);
    lua_remove(L, -2);
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, fiber);
  } else {
    lua_pop(L, 1);
  }
}

/* A local task is read by who has its Future: as itself. */
static void send (lua_State *L, const tpi_Fiber *fiber) {
  if (fiber->task->local) {
    lua_pushinteger(L, (lua_Integer)tpi_fiber_future(fiber)->id);
    if (lua_getfield(L, -2, "id") == LUA_TNIL) {
      lua_pushvalue(L, -2);
      lua_setfield(L, -4, "id");
    }
    lua_pop(L, 2);
    lua_pushvalue(L, -1);
  }
  tpi_send_error(L, results_of(fiber));
}

/* What was raised by closing, or for lack of memory, is as it was. */
void tpi_failure_send (lua_State *L, tpi_Place *place, int status) {
  luaL_checkstack(L, 20, NULL);
  if (!tpi_is_error(L, place->S))
    make_error(L, place->fiber, status);
  add_noted(L, place->fiber);
  send(L, place->fiber);
}

/* status place -> ; the error is on top of the base, whose stack is as it
   was */
static int note (lua_State *L) {
  tpi_Place *place = lua_touserdata(L, 2);
  tpi_Fiber *fiber = place->fiber;
  int status = (int)lua_tointeger(L, 1), after;
  luaL_checkstack(L, 20, NULL);
  luaL_traceback(L, fiber->base, NULL, 0); /* 3 */
  after = tpi_fiber_close_failed(place, fiber->base, L, tpi_fiber_give_up);
  if (after != LUA_OK)
    status = after; /* 4: the error, or one of closing */
  if (!tpi_is_error(L, place->S))
    make_error(L, fiber, status);
  add_noted(L, fiber);
  add_traceback(L, fiber, 3);
  send(L, fiber);
  tpi_local_keep(L, fiber->task, lua_gettop(L));
  return 0;
}

tpi_Outcome tpi_failure_note (tpi_Place *place, tpi_Fiber *fiber, int status) {
  lua_State *L = place->L;
  int top = lua_gettop(L), rc = LUA_ERRMEM;
  if (status != LUA_OK && !tpi_future_settled(tpi_fiber_future(fiber)) &&
      lua_checkstack(L, 5)) {
    lua_pushcfunction(L, note);
    lua_pushinteger(L, status);
    lua_pushlightuserdata(L, place);
    tpi_fiber_enter(place, L); /* an error's __tostring may go on for ever */
    rc = lua_pcall(L, 2, 0, 0);
    tpi_put(place->current, NULL);
    if (place->worker != NULL)
      lua_sethook(L, NULL, 0, 0);
    lua_settop(L, top);
    if (rc == LUA_OK)
      return TPI_RAISED;
    tpi_list_fini(results_of(fiber));
  }
  tpi_fiber_give_up(place, fiber->base, L);
  if (rc == LUA_ERRMEM)
    return tpi_failure_full(place, fiber->task);
  tpi_future_end(tpi_fiber_future(fiber), TPI_FAILED, TPI_ERROR,
                 (char *)(uintptr_t) "an error whose __tostring raises", 1,
                 NULL);
  return TPI_RAISED;
}

tpi_Outcome tpi_failure_full (const tpi_Place *place, tpi_LuaTask *task) {
  if (place->limit == 0)
    return TPI_NOROOM;
  tpi_future_end_copy(&task->task.future, TPI_FAILED, TPI_ERROR, place->past,
                      "not enough memory (memory_limit)", NULL);
  return TPI_RAISED;
}

void tpi_failure_broken (const tpi_Place *place, tpi_LuaTask *task) {
  tpi_future_end_copy(&task->task.future, TPI_FAILED, TPI_KIND_BROKEN,
                      place->broken,
                      "the Lua state of its worker could not be made", NULL);
}
