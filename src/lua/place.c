#include "lua/place.h"

#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/random.h"
#include "lua/idle.h"

/* ---------------------------------------------------------------- */
/* Memory                                                            */
/* ---------------------------------------------------------------- */

/* Without a block, `old` says what the new one is for. */
static void *allocate (void *ud, void *block, size_t old, size_t size) {
  tpi_Place *place = ud;
  size_t before = block != NULL ? old : 0;
  void *p;
  if (size == 0) {
    tpi_free(block);
    place->used -= before;
    return NULL;
  }
  if (size > before && place->limit > 0) {
    int over = place->used - before + size > place->limit + place->reserve;
    place->ran_out |= over && place->denied; /* Lua has collected, and asks */
    place->denied = over;                    /* ...once more */
    if (over)
      return NULL;
  }
  p = tpi_realloc(block, size);
  if (p != NULL)
    place->used += size - before;
  return p;
}

/* ---------------------------------------------------------------- */
/* Warnings                                                          */
/* ---------------------------------------------------------------- */

/* As those of lua5.4: off until warn "@on"; pieces of one make one line. */
static void warn (void *ud, const char *text, int more) {
  tpi_Place *place = ud;
  if (!place->warning && !more && *text == '@') {
    place->warns =
        strcmp(text, "@on") == 0 || (place->warns && strcmp(text, "@off") != 0);
    return;
  }
  if (place->warns) {
    fprintf(stderr, "%s%s%s", place->warning ? "" : "Lua warning: ", text,
            more ? "" : "\n");
  }
  place->warning = more;
}

/* ---------------------------------------------------------------- */
/* Making                                                            */
/* ---------------------------------------------------------------- */

int luaopen_tidepool_core (lua_State *L);

/* What is kept of it ends at a zero: those in it are shown as in Lua. */
static int handler (lua_State *L) {
  size_t length;
  const char *text = luaL_tolstring(L, 1, &length);
  luaL_Buffer shown;
  luaL_buffinit(L, &shown);
  for (size_t i = 0; i < length; i++) {
    if (text[i] == '\0')
      luaL_addstring(&shown, "\\0");
    else
      luaL_addchar(&shown, text[i]);
  }
  luaL_pushresult(&shown);
  luaL_traceback(L, L, lua_tostring(L, -1), 1);
  return 1;
}

/* Lua's own seed is made of the time and addresses, which the states of two
   workers may well have in common. */
static void seed (lua_State *L) {
  uint64_t numbers[2];
  tpi_random(numbers);
  lua_getglobal(L, LUA_MATHLIBNAME);
  lua_getfield(L, -1, "randomseed");
  lua_pushinteger(L, (lua_Integer)numbers[0]);
  lua_pushinteger(L, (lua_Integer)numbers[1]);
  lua_call(L, 2, 0);
  lua_pop(L, 1);
}

/* place -> */
static int set_up (lua_State *L) {
  tpi_Place *place = lua_touserdata(L, 1);
  luaL_openlibs(L);
  seed(L);
#ifdef LUA_GCGEN /* as lua5.4 itself does */
  lua_gc(L, LUA_GCGEN, 0, 0);
#endif
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_tidepool_core);
  lua_setfield(L, -2, "tidepool.core");
  tpi_state_in_place(L, place);
  luaL_requiref(L, "tidepool.core", luaopen_tidepool_core, 0);
  place->S = tpi_state_find(L);
  lua_settop(L, 0);
  tpi_open_module(L);
  tpi_l_standard(L);
  tpi_open_coroutines(L);
  tpi_open_worklib(L);
  tpi_open_readlib(L);
  tpi_open_spawn(L);
  if (place->worker->pool->kit != NULL)
    tpi_kit_unpack(L, place->worker->pool->kit);
  else
    tpi_open_luv(L);
  return 0;
}

static void close (void *p) {
  tpi_Place *place = p;
  if (place->S != NULL)
    place->S->closing = 1;
  if (place->L != NULL)
    lua_close(place->L);
  tpi_fibers_free(place);
  tpi_pulse_give_back(place->pulse);
  tpi_free(place->broken);
  tpi_free(place);
}

static lua_State *new_lua (tpi_Place *place) {
#if LUA_VERSION_NUM >= 505
  return lua_newstate(allocate, place, luaL_makeseed(NULL));
#else
  return lua_newstate(allocate, place);
#endif
}

/* A failure is kept: it is that of all tasks here. */
static int open (tpi_Place *place) {
  lua_State *L = place->L = new_lua(place);
  const char *why;
  int status;
  if (L == NULL)
    return TP_NOMEM;
  *(tpi_Place **)lua_getextraspace(L) = place;
  lua_setwarnf(L, warn, place);
  lua_pushcfunction(L, handler);
  lua_pushcfunction(L, set_up);
  lua_pushlightuserdata(L, place);
  status = lua_pcall(L, 1, 0, 1);
  if (status != LUA_OK) {
    why = status == LUA_ERRMEM && place->limit > 0 ? place->past
                                                   : lua_tostring(L, -1);
    if (why == NULL)
      why = "the Lua state of its worker could not be made";
    place->broken = tpi_copy(why, strlen(why));
    if (place->broken == NULL)
      return TP_NOMEM;
  }
  lua_settop(L, 0);
  return TP_OK;
}

/* Objects with finalizers are not freed while Lua is short of memory, and tasks
   may not get as far as an ordinary collection: so that is made for them, twice,
   as the first only finalizes. What is full the first time may be let go of by
   the next task. */
void tpi_place_relieve (tpi_Place *place) {
  tpi_Worker *worker = place->worker;
  int again = place->full;
  place->ran_out = 0;
  tpi_place_lend(place, 1);
  tpi_place_collect(place);
  tpi_place_collect(place);
  tpi_place_lend(place, 0);
  place->full = place->used > place->limit - place->limit / 8;
  if (!place->full || !again)
    return;
  place->ran_out = 1;
  if (worker->parked > 0)
    return; /* others wait in it */
  worker->keeps = NULL;
  worker->fini = NULL;
  worker->due = NULL;
  worker->tend = NULL;
  close(place);
  tpi_count(&worker->pool->replaced, 1);
}

tpi_Place *tpi_place_of (tpi_Worker *worker) {
  const tpi_Kit *kit = worker->pool->kit;
  tpi_Place *place = worker->keeps;
  if (place != NULL)
    return place;
  place = tpi_calloc(sizeof *place);
  if (place == NULL)
    return NULL;
  place->worker = worker;
  place->limit = kit != NULL ? kit->limit : 0;
  snprintf(place->past, sizeof place->past,
           "not enough memory: the Lua state of the worker may have %zu bytes "
           "(memory_limit)",
           place->limit);
  place->pulse = tpi_pulse_take(tpi_fiber_hook);
  if (place->pulse != NULL)
    place->current = &place->pulse->current;
  if (place->pulse == NULL || open(place) != TP_OK) {
    close(place);
    return NULL;
  }
  worker->keeps = place;
  worker->fini = close;
  tpi_idle_tend(worker);
  return place;
}
