/*
** Long lists on their way there and back, for what is written in Lua: part of
** a list is sent as a list of its own, without ever being one; and a list
** that comes back goes where it belongs.
*/
#include <limits.h>

#include "lua/send.h"

static const char name[] = "tidepool.Slice";

enum { ROW = 32 }; /* numbers that are fetched at once */

/* Its user value is the list. */
typedef struct Slice {
  lua_Integer first, count;
} Slice;

/* n -> a table with room for so many elements, and one field besides: to add
   that later would shrink what is still empty. */
int tpi_l_room (lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  lua_createtable(L, n > 0 && n < INT_MAX ? (int)n : 0, 1);
  return 1;
}

/* list first last -> slice */
int tpi_l_slice (lua_State *L) {
  lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
  Slice *slice;
  luaL_checktype(L, 1, LUA_TTABLE);
  slice = lua_newuserdatauv(L, sizeof *slice, 1);
  slice->first = first;
  slice->count = last >= first ? last - first + 1 : 0;
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, name);
  return 1;
}

/* The next elements, as long as they are numbers: how many. There is room. */
static int send_row (lua_State *L, tpi_Table *table, int list,
                     lua_Integer first, lua_Integer most) {
  tp_Value *to = (tp_Value *)(uintptr_t)table->table.array;
  int top = lua_gettop(L), n = 0;
  to += table->table.length;
  while (n < most && lua_rawgeti(L, list, first + n) == LUA_TNUMBER)
    n++;
  for (int i = 0; i < n; i++) {
    if (lua_isinteger(L, top + 1 + i)) {
      to[i] = tpi_integer(lua_tointeger(L, top + 1 + i));
    } else {
      to[i].tag = TP_TFLOAT;
      to[i].as.number = lua_tonumber(L, top + 1 + i);
    }
  }
  table->table.length += (size_t)n;
  lua_settop(L, top);
  return n;
}

/* What is no number; the path to it has its place in the list. */
static void send_element (tpi_Sender *s, tpi_Table *table, int list,
                          lua_Integer place, const tpi_Path *path, int depth) {
  lua_State *L = s->L;
  tpi_Path here = {path, lua_gettop(L) + 1, NULL};
  tp_Value value;
  lua_pushinteger(L, place);
  lua_rawgeti(L, list, place);
  value = tpi_send_value(s, here.key + 1, &here, depth + 1);
  tpi_send_need(s, tpi_table_append(s->list, table, value));
  lua_pop(L, 2);
}

int tpi_send_slice (tpi_Sender *s, tp_Value *value, int index,
                    const tpi_Path *path, int depth) {
  lua_State *L = s->L;
  const Slice *slice = luaL_testudata(L, index, name);
  lua_Integer place, left;
  tpi_Table *table;
  if (slice == NULL)
    return 0;
  tpi_send_deeper(s, path, depth);
  luaL_checkstack(L, ROW + 4, NULL);
  table = tpi_send_shape(s, value, TP_TTABLE, TPI_TABLE, slice,
                         (size_t)slice->count);
  lua_getiuservalue(L, index, 1);
  place = slice->first;
  left = slice->count;
  while (left > 0) {
    int most = left < ROW ? (int)left : ROW;
    int n = send_row(L, table, lua_gettop(L), place, most);
    if (n < most) {
      send_element(s, table, lua_gettop(L), place + n, path, depth);
      n++;
    }
    place += n;
    left -= n;
  }
  lua_pop(L, 1);
  return 1;
}

/* Can it be handed out element by element? */
static int is_flat (const tp_Value *value) {
  const tpi_Table *table = tpi_tableof(value);
  if (table == NULL || table->shape != TPI_TABLE || table->table.pairs > 0)
    return 0;
  for (size_t i = 0; i < table->table.length; i++) {
    if (tp_typeof(&table->table.array[i]) > TP_TBYTES)
      return 0;
  }
  return 1;
}

int tpi_spread (lua_State *L, const tpi_List *results, int list,
                lua_Integer at) {
  tpi_Receiver r;
  const tp_Table *from;
  if (results->items == NULL || results->count == 0 ||
      !is_flat(&results->items[0]))
    return -1;
  for (uint32_t i = 1; i < results->count; i++) {
    if (tp_typeof(&results->items[i]) > TP_TBYTES)
      return -1;
  }
  r.L = L;
  luaL_checkstack(L, (int)results->count + 4, "too many results");
  from = results->items[0].as.table;
  for (size_t i = 0; i < from->length; i++) {
    const tp_Value *value = &from->array[i];
    if (tp_typeof(value) == TP_TINTEGER)
      lua_pushinteger(L, value->as.integer);
    else
      tpi_push_value(&r, value);
    lua_rawseti(L, list, at + (lua_Integer)i);
  }
  for (uint32_t i = 1; i < results->count; i++)
    tpi_push_value(&r, &results->items[i]);
  return (int)results->count - 1;
}

void tpi_open_slice (lua_State *L) {
  luaL_newmetatable(L, name);
  lua_pop(L, 1);
}
