/*
** From values that no Lua state owns to Lua values.
*/
#include <string.h>

#include "lua/send.h"

static void push_key (tpi_Receiver *r, const tp_Value *key) {
  unsigned place;
  if (tp_typeof(key) != TP_TBYTES) {
    tpi_push_value(r, key);
    return;
  }
  place = tpi_key_place(key->as.bytes);
  if (r->keys[place] == key->as.bytes) {
    lua_pushvalue(r->L, r->known + 1 + (int)place);
    return;
  }
  tpi_push_value(r, key);
  lua_copy(r->L, -1, r->known + 1 + (int)place);
  r->keys[place] = key->as.bytes;
}

int tpi_push_known (tpi_Receiver *r, const tpi_Table *table) {
  if (!tpi_peek(&((tpi_Table *)(uintptr_t)table)->shared))
    return 0;
  if (lua_rawgetp(r->L, r->known, table) != LUA_TNIL)
    return 1;
  lua_pop(r->L, 1);
  return 0;
}

void tpi_remember (tpi_Receiver *r, const tpi_Table *table) {
  if (!tpi_peek(&((tpi_Table *)(uintptr_t)table)->shared))
    return;
  lua_pushvalue(r->L, -1);
  lua_rawsetp(r->L, r->known, table);
}

/* -> table; registered before it is filled, for it may contain itself */
static void push_table (tpi_Receiver *r, const tp_Table *from) {
  lua_State *L = r->L;
  const tpi_Table *table = (const tpi_Table *)(const void *)from;
  luaL_checkstack(L, 8, "tables nest too deep");
  if (tpi_push_known(r, table))
    return;
  lua_createtable(L, (int)(from->length < INT32_MAX ? from->length : 0),
                  (int)(from->pairs < INT32_MAX ? from->pairs : 0));
  tpi_remember(r, table);
  for (size_t i = 0; i < from->length; i++) {
    tpi_push_value(r, &from->array[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  for (size_t i = 0; i < from->pairs; i++) {
    push_key(r, &from->map[2 * i]);
    tpi_push_value(r, &from->map[2 * i + 1]);
    lua_rawset(L, -3);
  }
  if (table->shape == TPI_AN_ERROR) {
    tpi_push_upvalue(L, TPI_UP_ERROR);
    lua_setmetatable(L, -2);
  }
}

static void push_object (lua_State *L, const tp_Value *value) {
  if (tp_typeof(value) == TP_TFUTURE) {
    tpi_push_future_of(L, tpi_state_find(L), tpi_value_object(value));
  } else {
    tpi_push_manager_of(L, tpi_state_find(L), tpi_value_object(value));
  }
}

void tpi_push_value (tpi_Receiver *r, const tp_Value *value) {
  lua_State *L = r->L;
  switch (tp_typeof(value)) {
    case TP_TNIL: lua_pushnil(L); break;
    case TP_TBOOLEAN: lua_pushboolean(L, value->as.boolean); break;
    case TP_TINTEGER: lua_pushinteger(L, value->as.integer); break;
    case TP_TFLOAT: lua_pushnumber(L, value->as.number); break;
    case TP_TBYTES:
      lua_pushlstring(L, value->as.bytes, (size_t)(value->tag >> 8));
      break;
    case TP_TTABLE: push_table(r, value->as.table); break;
    case TP_TFUNCTION: tpi_push_function(r, value); break;
    case TP_TOTHER: tpi_push_other(r, value); break;
    default: push_object(L, value);
  }
}

int tpi_has_table (const tpi_List *list) {
  for (uint32_t i = 0; i < list->count; i++) {
    if (tpi_tableof(&list->items[i]) != NULL)
      return 1;
  }
  return 0;
}

/* ... -> ... values; between them stand, for a while, `known` and the keys */
static void receive_tables (lua_State *L, const tpi_List *list) {
  tpi_Receiver r = {L, 0, {NULL}};
  luaL_checkstack(L, TPI_KEYS + (int)list->count + 8, "too many results");
  lua_newtable(L);
  r.known = lua_gettop(L);
  lua_settop(L, r.known + TPI_KEYS);
  for (uint32_t i = 0; i < list->count; i++)
    tpi_push_value(&r, &list->items[i]);
  lua_rotate(L, r.known, (int)list->count);
  lua_pop(L, TPI_KEYS + 1);
}

int tpi_receive (lua_State *L, const tpi_List *list) {
  luaL_checkstack(L, (int)list->count + 8, "too many results");
  if (tpi_has_table(list)) {
    receive_tables(L, list);
  } else {
    tpi_Receiver r;
    r.L = L;
    for (uint32_t i = 0; i < list->count; i++)
      tpi_push_value(&r, &list->items[i]);
  }
  return (int)list->count;
}

/* The message handler: was it raised by a hook, and not by what was called? */
static int note_hook (lua_State *L) {
  tpi_State *S = tpi_state_find(L);
  lua_Debug ar;
  for (int i = 0; !S->hooked && lua_getstack(L, i, &ar); i++)
    S->hooked = lua_getinfo(L, "n", &ar) && strcmp(ar.namewhat, "hook") == 0;
  return 1;
}

int tpi_guard (lua_State *L, tpi_State *S, int nargs, int nresults) {
  int handler = lua_gettop(L) - nargs, status;
  luaL_checkstack(L, 2, NULL);
  lua_pushcfunction(L, note_hook);
  lua_insert(L, handler);
  S->hooked = 0;
  status = lua_pcall(L, nargs, nresults, handler);
  lua_remove(L, handler);
  return status;
}

int tpi_receive_safely (lua_State *L, tpi_State *S, lua_CFunction receive,
                        const tpi_List *list) {
  int status;
  luaL_checkstack(L, 4, NULL);
  lua_pushcfunction(L, receive);
  lua_pushlightuserdata(L, (void *)(uintptr_t)list);
  status = tpi_guard(L, S, 1, 1);
  if (tpi_passes_on(S, status))
    lua_error(L);
  return status == LUA_OK;
}
