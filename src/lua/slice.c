/*
** Long lists on their way there and back, for what is written in Lua: part of
** a list is sent as a list of its own, without ever being one; and a list
** that comes back goes where it belongs.
*/
#include <limits.h>

#include "lua/send.h"

static const char name[] = "tidepool.Slice";

enum { ROW = 32 }; /* numbers that are fetched at once */

/* Its user value is the list. Messages call its elements by `what` and their
   numbers, which begin at `number`; or, for a count below 0, the user value
   itself, which is sent as it is. */
typedef struct Slice {
  lua_Integer first, count, number;
  const char *what;
} Slice;

static const char *const words[] = {"element", "the result of element",
                                    "the function", "the initial value", NULL};
enum { ELEMENT };

/* n -> a table with room for so many elements, and one field besides: to add
   that later would shrink what is still empty. */
int tpi_l_room (lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  lua_createtable(L, n > 0 && n < INT_MAX ? (int)n : 0, 1);
  return 1;
}

/* value -> slice; of the value on top */
static Slice *push_slice (lua_State *L, int word) {
  Slice *slice = lua_newuserdatauv(L, sizeof *slice, 1);
  slice->what = words[word];
  slice->first = slice->number = 0;
  slice->count = -1;
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, name);
  return slice;
}

/* list first last [number [word]] -> slice; the number of the first element is
   `first` if left out */
int tpi_l_slice (lua_State *L) {
  lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
  lua_Integer number = luaL_optinteger(L, 4, first);
  int word = luaL_checkoption(L, 5, words[ELEMENT], words);
  Slice *slice;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  slice = push_slice(L, word);
  slice->first = first;
  slice->count = last >= first ? last - first + 1 : 0;
  slice->number = number;
  return 1;
}

/* value word -> slice: the value itself, which messages call that */
int tpi_l_called (lua_State *L) {
  int word = luaL_checkoption(L, 2, NULL, words);
  lua_settop(L, 1);
  push_slice(L, word);
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

/* value -> ; which messages call by a word of its own */
static tp_Value send_called (tpi_Sender *s, const char *what,
                             lua_Integer number, int depth) {
  tpi_Sender named = *s;
  tpi_Path start = {NULL, 0, NULL, lua_gettop(s->L)};
  tp_Value value;
  named.what = what;
  named.number = number;
  value = tpi_send_value(&named, start.at, &start, depth);
  lua_pop(s->L, 1);
  return value;
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
  if (slice->count < 0) {
    lua_getiuservalue(L, index, 1);
    *value = send_called(s, slice->what, 0, depth + 1);
    return 1;
  }
  table = tpi_send_shape(s, value, TP_TTABLE, TPI_TABLE, slice,
                         (size_t)slice->count);
  lua_getiuservalue(L, index, 1);
  place = slice->first;
  left = slice->count;
  while (left > 0) {
    int most = left < ROW ? (int)left : ROW;
    int n = send_row(L, table, lua_gettop(L), place, most);
    if (n < most) {
      lua_Integer number = slice->number + place + n - slice->first;
      lua_rawgeti(L, -1, place + n);
      tpi_send_need(s, tpi_table_append(s->list, table,
                                        send_called(s, slice->what, number,
                                                    depth + 1)));
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
