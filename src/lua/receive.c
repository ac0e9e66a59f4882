/*
** From values that no Lua state owns to Lua values.
*/
#include "lua/binding.h"

typedef struct Receiver {
  lua_State *L;
  int known; /* stack index of a table: address -> Lua table; 0 until needed */
  /* Keys by the address of their bytes: Lua's string stands `place` above
     `known`, so that it need not be made again for each record. */
  const char *keys[TPI_KEYS];
} Receiver;

static void push_value (Receiver *r, const tp_Value *value);

static void push_key (Receiver *r, const tp_Value *key) {
  unsigned place;
  if (tp_typeof(key) != TP_TBYTES) {
    push_value(r, key);
    return;
  }
  place = tpi_key_place(key->as.bytes);
  if (r->keys[place] == key->as.bytes) {
    lua_pushvalue(r->L, r->known + 1 + (int)place);
    return;
  }
  push_value(r, key);
  lua_copy(r->L, -1, r->known + 1 + (int)place);
  r->keys[place] = key->as.bytes;
}

/* -> table; registered before it is filled, for it may contain itself */
static void push_table (Receiver *r, const tp_Table *from) {
  lua_State *L = r->L;
  const tpi_Table *table = (const tpi_Table *)(const void *)from;
  int shared = (int)tpi_peek(&((tpi_Table *)(uintptr_t)table)->shared);
  luaL_checkstack(L, 6, "tables nest too deep");
  if (shared && lua_rawgetp(L, r->known, from) == LUA_TTABLE)
    return;
  if (shared)
    lua_pop(L, 1);
  lua_createtable(L, (int)(from->length < INT32_MAX ? from->length : 0),
                  (int)(from->pairs < INT32_MAX ? from->pairs : 0));
  if (shared) {
    lua_pushvalue(L, -1);
    lua_rawsetp(L, r->known, from);
  }
  for (size_t i = 0; i < from->length; i++) {
    push_value(r, &from->array[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  for (size_t i = 0; i < from->pairs; i++) {
    push_key(r, &from->map[2 * i]);
    push_value(r, &from->map[2 * i + 1]);
    lua_rawset(L, -3);
  }
}

static void push_object (lua_State *L, const tp_Value *value) {
  if (tp_typeof(value) == TP_TFUTURE) {
    tpi_push_future_of(L, tpi_state_find(L), tpi_value_object(value));
  } else {
    tpi_Manager *manager = tpi_push_manager_handle(L);
    manager->pool = tpi_value_object(value);
    tpi_pool_retain(manager->pool);
  }
}

static void push_value (Receiver *r, const tp_Value *value) {
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
    default: push_object(L, value);
  }
}

static int has_table (const tpi_List *list) {
  for (uint32_t i = 0; i < list->count; i++) {
    if (tp_typeof(&list->items[i]) == TP_TTABLE)
      return 1;
  }
  return 0;
}

/* ... -> ... values; between them stand, for a while, `known` and the keys */
static void receive_tables (lua_State *L, const tpi_List *list) {
  Receiver r = {L, 0, {NULL}};
  luaL_checkstack(L, TPI_KEYS + (int)list->count + 8, "too many results");
  lua_newtable(L);
  r.known = lua_gettop(L);
  lua_settop(L, r.known + TPI_KEYS);
  for (uint32_t i = 0; i < list->count; i++)
    push_value(&r, &list->items[i]);
  lua_rotate(L, r.known, (int)list->count);
  lua_pop(L, TPI_KEYS + 1);
}

int tpi_receive (lua_State *L, const tpi_List *list) {
  luaL_checkstack(L, (int)list->count + 8, "too many results");
  if (has_table(list)) {
    receive_tables(L, list);
  } else {
    Receiver r;
    r.L = L;
    for (uint32_t i = 0; i < list->count; i++)
      push_value(&r, &list->items[i]);
  }
  return (int)list->count;
}
