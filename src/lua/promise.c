/*
** Promises: futures that Lua code settles.
*/
#include <string.h>

#include "lua/binding.h"

static const char name[] = "tidepool.Promise";

/* A Promise. */
typedef struct Slot {
  tp_Promise *promise; /* retained; or NULL */
  int open;            /* it counts as one that this state has not settled */
} Slot;

/* One of its own, empty, on top. */
static Slot *push_slot (lua_State *L) {
  Slot *slot = lua_newuserdatauv(L, sizeof *slot, 0);
  slot->promise = NULL;
  slot->open = 0;
  luaL_setmetatable(L, name);
  tpi_state_note(L);
  return slot;
}

static void fill (tpi_State *S, Slot *slot, tp_Promise *promise) {
  slot->promise = promise;
  slot->open = 1;
  S->promises++;
}

static void settled (tpi_State *S, Slot *slot) {
  S->promises -= slot->open != 0;
  slot->open = 0;
}

/* -> Future Promise */
int tpi_l_promise (lua_State *L) {
  tpi_State *S = tpi_state_open(L);
  tpi_Handle *handle = tpi_push_future_handle(L);
  Slot *slot = push_slot(L);
  tp_Promise *promise = tpi_promise_new(S->host);
  if (promise == NULL)
    luaL_error(L, "not enough memory");
  fill(S, slot, promise);
  handle->future = &promise->future;
  return 2;
}

tp_Promise *tpi_to_promise (lua_State *L, const tpi_State *S, int index) {
  const Slot *slot = lua_touserdata(L, index);
  return slot != NULL && tpi_has_metatable(L, index, S->promise_mt)
             ? slot->promise
             : NULL;
}

void tpi_push_promise_of (lua_State *L, tpi_State *S, tp_Promise *promise) {
  Slot *slot = push_slot(L);
  tpi_promise_retain(promise);
  fill(S, slot, promise);
}

static tp_Promise *self (lua_State *L) {
  tp_Promise *promise = ((Slot *)luaL_checkudata(L, 1, name))->promise;
  if (promise == NULL)
    luaL_error(L, "this Promise was collected");
  return promise;
}

/* ---------------------------------------------------------------- */
/* Settling                                                          */
/* ---------------------------------------------------------------- */

static int follow (lua_State *L, tpi_State *S, tp_Promise *promise) {
  tpi_Future *future = tpi_check_future(L, S, 2);
  char ring[256];
  int rc;
  tpi_restore_results(L, future, 2);
  tpi_poke(&future->lent, 1);
  rc = tpi_promise_follow(promise, future, ring, sizeof ring);
  if (rc == TP_INVALID)
    return luaL_error(L, "this promise would wait for itself: %s", ring);
  settled(S, lua_touserdata(L, 1));
  lua_pushboolean(L, rc == TP_OK);
  return 1;
}

/* promise values... -> was it this call? */
static int resolve (lua_State *L) {
  tpi_State *S = tpi_state(L);
  tp_Promise *promise = self(L);
  int top = lua_gettop(L);
  tpi_List *values;
  if (top == 2 && tpi_is_future(L, S, 2))
    return follow(L, S, promise);
  values = tpi_push_list(L);
  tpi_send_begin_results(L, S, &promise->future);
  for (int i = 2; i <= top; i++)
    tpi_send(L, S, values, i, "value", i - 1);
  tpi_send_end(L, S, values);
  lua_pushboolean(L, tpi_promise_resolve(promise, values));
  settled(S, lua_touserdata(L, 1));
  return 1;
}

/* promise value -> was it this call? */
static int reject (lua_State *L) {
  tpi_State *S = tpi_state(L);
  tp_Promise *promise = self(L);
  tpi_List *failure;
  lua_settop(L, 2);
  failure = tpi_push_list(L);
  lua_pushvalue(L, 2);
  if (!tpi_is_error(L, S)) {
    luaL_tolstring(L, -1, NULL);
    tpi_make_error(L, TPI_ERROR, NULL);
  }
  tpi_send_error(L, failure);
  lua_pushboolean(L, tpi_promise_reject(promise, failure));
  settled(S, lua_touserdata(L, 1));
  return 1;
}

/* ---------------------------------------------------------------- */
/* Looking                                                           */
/* ---------------------------------------------------------------- */

void tpi_tell_progress (lua_State *L, tpi_Future *future, int index) {
  double fraction = luaL_checknumber(L, index);
  size_t length = 0;
  const char *note = luaL_optlstring(L, index + 1, NULL, &length);
  luaL_argcheck(L, fraction >= 0 && fraction <= 1, index, "0 to 1 expected");
  luaL_argcheck(L, note == NULL || strlen(note) == length, index + 1,
                "a note has no zeros");
  tpi_future_progress(future, fraction, note);
}

static int progress (lua_State *L) {
  tpi_tell_progress(L, &self(L)->future, 2);
  return 0;
}

/* promise -> Future */
static int future (lua_State *L) {
  tpi_push_future_of(L, tpi_state_open(L), &self(L)->future);
  return 1;
}

static int cancelled (lua_State *L) {
  lua_pushboolean(L, tpi_future_state(&self(L)->future) == TPI_CANCELLED);
  return 1;
}

static int to_string (lua_State *L) {
  tpi_Future *future = &self(L)->future;
  lua_pushfstring(L, "%s: %I (%s)", name, (LUAI_UACINT)future->id,
                  tpi_phase_name(tpi_future_state(future)));
  return 1;
}

static int equal (lua_State *L) {
  const tpi_State *S = tpi_state(L);
  const tp_Promise *a = tpi_to_promise(L, S, 1), *b = tpi_to_promise(L, S, 2);
  lua_pushboolean(L, a != NULL && a == b);
  return 1;
}

static int collect (lua_State *L) {
  Slot *slot = luaL_checkudata(L, 1, name);
  tp_Promise *promise = slot->promise;
  if (!tpi_state_collects(L))
    return 0;
  slot->promise = NULL;
  settled(lua_touserdata(L, lua_upvalueindex(TPI_UP_STATE)), slot);
  tpi_promise_release(promise);
  return 0;
}

void tpi_open_promise (lua_State *L) {
  static const luaL_Reg methods[] = {
      {"resolve", resolve},     {"reject", reject}, {"progress", progress},
      {"cancelled", cancelled}, {"future", future}, {NULL, NULL}};
  static const luaL_Reg metamethods[] = {{"__gc", collect},
                                         {"__tostring", to_string},
                                         {"__eq", equal},
                                         {NULL, NULL}};
  luaL_getmetatable(L, name);
  tpi_setfuncs(L, metamethods);
  lua_createtable(L, 0, sizeof methods / sizeof *methods);
  tpi_setfuncs(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
