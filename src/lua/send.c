/*
** From Lua values to values that no Lua state owns.
*/
#include <string.h>

#include "lua/send.h"

#include "lua/local.h"

enum {
  MANY = 64 * 1024, /* elements that are not taken on trust */
  MOST_STEPS = 30   /* of a path that a message tells */
};

/* ---------------------------------------------------------------- */
/* Refusing                                                          */
/* ---------------------------------------------------------------- */

static void add_step (lua_State *L, luaL_Buffer *b, int key, int first) {
  char number[48];
  size_t length;
  const char *name;
  switch (key == 0 ? LUA_TNIL : lua_type(L, key)) {
    case LUA_TSTRING:
      if (!first)
        luaL_addchar(b, '.');
      name = lua_tolstring(L, key, &length);
      luaL_addlstring(b, name, length);
      break;
    case LUA_TNUMBER:
      if (lua_isinteger(L, key))
        lua_pushfstring(L, "[%I]", (LUAI_UACINT)lua_tointeger(L, key));
      else
        lua_pushfstring(L, "[%f]", (LUAI_UACNUMBER)lua_tonumber(L, key));
      strncpy(number, lua_tostring(L, -1), sizeof number - 1);
      number[sizeof number - 1] = '\0';
      lua_pop(L, 1);
      luaL_addstring(b, number);
      break;
    case LUA_TNIL: luaL_addstring(b, "(a key)"); break;
    default:
      luaL_addchar(b, '[');
      luaL_addstring(b, luaL_typename(L, key));
      luaL_addchar(b, ']');
  }
}

static void add_upvalue (lua_State *L, luaL_Buffer *b, const char *name,
                         int first) {
  (void)L;
  if (!first)
    luaL_addstring(b, ".upvalue ");
  luaL_addstring(b, name);
}

/* The outermost step first, up to a few dozen; what sort of step that was. */
static const char *add_path (lua_State *L, luaL_Buffer *b, const tpi_Path *path,
                             int *steps) {
  int first = path->outer->outer == NULL;
  const char *sort = path->upvalue != NULL ? "upvalue" : "field";
  if (!first)
    sort = add_path(L, b, path->outer, steps);
  if (++*steps == MOST_STEPS)
    luaL_addstring(b, "...");
  if (*steps >= MOST_STEPS)
    return sort;
  if (path->upvalue != NULL)
    add_upvalue(L, b, path->upvalue, first);
  else
    add_step(L, b, path->key, first);
  return sort;
}

int tpi_refuse (tpi_Sender *s, const tpi_Path *path, const char *why) {
  lua_State *L = s->L;
  const char *sort;
  luaL_Buffer b;
  int steps = 0;
  luaL_checkstack(L, 10, NULL);
  if (s->number > 0)
    lua_pushfstring(L, "%s %d", s->what, s->number);
  else
    lua_pushstring(L, s->what);
  if (path->outer == NULL)
    return luaL_error(L, "%s: %s", lua_tostring(L, -1), why);
  luaL_buffinit(L, &b);
  sort = add_path(L, &b, path, &steps);
  luaL_pushresult(&b);
  lua_pushfstring(L, "%s, %s \"", lua_tostring(L, -2), sort);
  lua_pushfstring(L, "\": %s", why);
  return tpi_raise_about(L, lua_tostring(L, -2), -3, lua_tostring(L, -1));
}

static int refuse_type (tpi_Sender *s, int index, const tpi_Path *path) {
  char why[64];
  int type = lua_type(s->L, index);
  const char *name = type == LUA_TTHREAD          ? "coroutine"
                     : type == LUA_TLIGHTUSERDATA ? "light userdata"
                                                  : lua_typename(s->L, type);
  strcpy(why, "a ");
  strcat(why, name);
  strcat(why, " cannot be sent");
  return tpi_refuse(s, path, why);
}

void tpi_send_need (tpi_Sender *s, int rc) {
  if (rc != TP_OK)
    luaL_error(s->L, "not enough memory");
}

/* ---------------------------------------------------------------- */
/* Tables                                                            */
/* ---------------------------------------------------------------- */

/*
** Records have the same keys again and again: each is copied once, and one
** that comes back to Lua is looked up once. Lua keeps one copy of a short
** string, which stays where it is while a table that is being sent has it.
*/
static tp_Value send_key (tpi_Sender *s, int index, const tpi_Path *path,
                          int depth) {
  const char *string;
  tpi_Key *known;
  if (lua_type(s->L, index) != LUA_TSTRING)
    return tpi_send_value(s, index, path, depth);
  if (!s->S->keyed) {
    memset(s->S->keys, 0, sizeof s->S->keys);
    s->S->keyed = 1;
  }
  string = lua_tostring(s->L, index);
  known = &s->S->keys[tpi_key_place(string)];
  if (known->string != string) {
    known->string = NULL; /* should the next line raise */
    known->value = tpi_send_value(s, index, path, depth);
    known->string = string;
  }
  return known->value;
}

/* stack: ... key value -> ... key */
static void send_pair (tpi_Sender *s, tpi_Table *table, const tpi_Path *path,
                       int depth) {
  lua_State *L = s->L;
  int key = lua_gettop(L) - 1;
  tpi_Path at_value = {path, key, NULL}, at_key = {path, 0, NULL};
  tp_Value k, v = tpi_send_value(s, key + 1, &at_value, depth);
  lua_Integer next = (lua_Integer)table->table.length + 1;
  if (lua_isinteger(L, key) && lua_tointeger(L, key) == next) {
    tpi_send_need(s, tpi_table_append(s->list, table, v));
  } else {
    k = send_key(s, key, &at_key, depth);
    tpi_send_need(s, tpi_table_put(s->list, table, k, v));
  }
  lua_pop(L, 1);
}

static int is_item (const tp_Value *key, size_t length) {
  return tp_typeof(key) == TP_TINTEGER && key->as.integer >= 1 &&
         (uint64_t)key->as.integer <= length;
}

/* Elements that Lua keeps out of order (built backwards, say) were met as
   pairs: those that follow the array part join it. */
static void straighten (tpi_Sender *s, tpi_Table *table, int index,
                        const tpi_Path *path, int depth) {
  lua_State *L = s->L;
  tp_Value *map = (tp_Value *)(uintptr_t)table->table.map;
  size_t before = table->table.length, kept = 0;
  while (lua_rawgeti(L, index, (lua_Integer)table->table.length + 1) !=
         LUA_TNIL) {
    tp_Value v = tpi_send_value(s, lua_gettop(L), path, depth);
    tpi_send_need(s, tpi_table_append(s->list, table, v));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  if (table->table.length == before)
    return;
  for (size_t i = 0; i < table->table.pairs; i++) {
    if (!is_item(&map[2 * i], table->table.length)) {
      map[2 * kept] = map[2 * i];
      map[2 * kept + 1] = map[2 * i + 1];
      kept++;
    }
  }
  table->table.pairs = kept;
}

/* How many elements to make room for. What Lua calls the length of a table
   with holes may be far more than what stands in it. */
static size_t elements (lua_State *L, int index) {
  size_t n = (size_t)lua_rawlen(L, index);
  for (size_t part = n; part > MANY / 2; part /= 2) {
    lua_Integer at = (lua_Integer)(part - part / 4);
    int hole = lua_rawgeti(L, index, at) == LUA_TNIL;
    lua_pop(L, 1);
    if (hole)
      return MANY;
  }
  return n;
}

tpi_Table *tpi_send_shape (tpi_Sender *s, tp_Value *value, tp_Type type,
                           tpi_Shape shape, const void *address, size_t n) {
  tpi_Table *table;
  tpi_send_need(s, tpi_list_table(s->list, value, n, 0));
  table = tpi_tableof(value);
  table->shape = shape;
  value->tag = type == TP_TTABLE ? TP_TTABLE : (uint64_t)type | TPI_SHAPED;
  tpi_send_need(s, tpi_map_put(&s->S->seen, address, table));
  return table;
}

int tpi_send_again (tpi_Sender *s, tp_Value *value, uint64_t tag,
                    const void *address) {
  tpi_Table *table = tpi_map_get(&s->S->seen, address);
  if (table == NULL && s->before != NULL)
    table = tpi_map_get(s->before, address);
  if (table == NULL)
    return 0;
  tpi_poke(&table->shared, 1);
  if (table->shape == TPI_OWN || table->shape == TPI_REBUILT)
    tag = TP_TOTHER | TPI_SHAPED; /* whatever it is in Lua */
  value->tag = tag;
  value->as.table = &table->table;
  return 1;
}

void tpi_send_deeper (tpi_Sender *s, const tpi_Path *path, int depth) {
  if (depth == TPI_MAXDEPTH)
    tpi_refuse(s, path, "values nest deeper than 200");
  luaL_checkstack(s->L, 12, "tables nest too deep");
}

static tp_Value send_table (tpi_Sender *s, int index, const tpi_Path *path,
                            int depth) {
  lua_State *L = s->L;
  const void *address = lua_topointer(L, index);
  tpi_Table *table;
  tp_Value value;
  if (tpi_send_again(s, &value, TP_TTABLE, address))
    return value;
  tpi_send_deeper(s, path, depth);
  if (tpi_send_object(s, &value, index, path, depth))
    return value;
  table = tpi_send_shape(s, &value, TP_TTABLE, TPI_TABLE, address,
                         elements(L, index));
  lua_pushnil(L);
  while (lua_next(L, index))
    send_pair(s, table, path, depth + 1);
  if (table->table.pairs > 0)
    straighten(s, table, index, path, depth + 1);
  return value;
}

/* ---------------------------------------------------------------- */

static void let_go (void *promise, tpi_List *heir) {
  (void)heir;
  tpi_promise_release(promise);
}

/* Future -> */
static int lend (lua_State *L) {
  tpi_State *S = tpi_state_find(L);
  tpi_local_lend(L, S, tpi_check_future(L, S, 1), 1);
  return 0;
}

/* From here on its results are sent as well; those that are there, now. */
static void lend_local (tpi_Sender *s, int index, tpi_Future *future) {
  luaL_checkstack(s->L, 8, NULL);
  lua_pushcfunction(s->L, lend);
  lua_pushvalue(s->L, index);
  tpi_send_aside(s, 1, 0);
  tpi_poke(&future->lent, 1);
}

static tp_Value send_userdata (tpi_Sender *s, int index, const tpi_Path *path,
                               int depth) {
  tp_Value value = tpi_nil();
  tpi_Future *future = tpi_to_future(s->L, s->S, index);
  tpi_Manager *manager = tpi_to_manager(s->L, s->S, index);
  tp_Promise *promise = tpi_to_promise(s->L, s->S, index);
  const tpi_Future *own = promise != NULL ? &promise->future : future;
  if (own != NULL && own == s->S->whose)
    tpi_refuse(s, path, "a future cannot be among its own results, "
                        "for it would keep itself");
  if (future != NULL) {
    if (tpi_is_local(future))
      lend_local(s, index, future);
    else
      tpi_restore_results(s->L, future, index);
    tpi_send_need(s, tpi_push_future(s->list, &value, future));
  } else if (manager != NULL) {
    tpi_send_need(s, tpi_push_manager(s->list, &value, manager->pool));
  } else if (promise != NULL) {
    tpi_send_need(s, tpi_list_object(s->list, &value, TP_TOTHER | TPI_OBJECT,
                                     promise, tpi_promise_retain, let_go));
  } else if (tpi_is_future(s->L, s->S, index)) {
    tpi_refuse(s, path, "future was cleaned up");
  } else if (!tpi_send_again(s, &value, TP_TOTHER | TPI_SHAPED,
                             lua_topointer(s->L, index)) &&
             !tpi_send_slice(s, &value, index, path, depth) &&
             !tpi_send_object(s, &value, index, path, depth)) {
    refuse_type(s, index, path);
  }
  return value;
}

int tpi_send_plain (lua_State *L, tpi_List *list, tp_Value *value, int index) {
  size_t length;
  const char *bytes;
  *value = tpi_nil();
  switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TNONE: return TP_OK;
    case LUA_TBOOLEAN:
      value->tag = TP_TBOOLEAN;
      value->as.boolean = lua_toboolean(L, index);
      return TP_OK;
    case LUA_TNUMBER:
      if (lua_isinteger(L, index)) {
        *value = tpi_integer(lua_tointeger(L, index));
      } else {
        value->tag = TP_TFLOAT;
        value->as.number = lua_tonumber(L, index);
      }
      return TP_OK;
    case LUA_TSTRING:
      bytes = lua_tolstring(L, index, &length);
      return tpi_list_bytes(list, value, bytes, length) != NULL ? TP_OK
                                                                : TP_NOMEM;
    default: return TP_INVALID;
  }
}

tp_Value tpi_send_value (tpi_Sender *s, int index, const tpi_Path *path,
                         int depth) {
  tp_Value value;
  int rc = tpi_send_plain(s->L, s->list, &value, index);
  if (rc != TP_INVALID) {
    tpi_send_need(s, rc);
    return value;
  }
  switch (lua_type(s->L, index)) {
    case LUA_TTABLE: return send_table(s, index, path, depth);
    case LUA_TFUNCTION: return tpi_send_function(s, index, path, depth);
    case LUA_TUSERDATA: return send_userdata(s, index, path, depth);
    default: refuse_type(s, index, path);
  }
  return value;
}

static void forget (lua_State *L, tpi_State *S) {
  if (S->kept != 0)
    luaL_unref(L, LUA_REGISTRYINDEX, S->kept);
  S->kept = 0;
}

int tpi_send_try (tpi_Sender *s, int nargs, int nresults) {
  tpi_State *S = s->S;
  tpi_Map seen = S->seen;
  const tpi_Future *whose = S->whose;
  int kept = S->kept, rc;
  memset(&S->seen, 0, sizeof S->seen);
  S->kept = 0;
  rc = tpi_guard(s->L, S, nargs, nresults);
  forget(s->L, S);
  tpi_map_fini(&S->seen);
  S->seen = seen;
  S->whose = whose;
  S->kept = kept;
  S->keyed = 0;
  if (tpi_passes_on(S, rc))
    lua_error(s->L);
  return rc;
}

void tpi_send_aside (tpi_Sender *s, int nargs, int nresults) {
  if (tpi_send_try(s, nargs, nresults) != LUA_OK)
    lua_error(s->L);
}

static int new_table (lua_State *L) {
  lua_newtable(L);
  return 1;
}

void tpi_send_push_kept (tpi_Sender *s) {
  lua_State *L = s->L;
  luaL_checkstack(L, 8, NULL);
  if (s->S->kept == 0) {
    lua_pushcfunction(L, new_table);
    tpi_send_aside(s, 0, 1);
    s->S->kept = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->S->kept);
}

void tpi_send_begin (lua_State *L, tpi_State *S) {
  tpi_map_clear(&S->seen);
  S->whose = NULL;
  S->keyed = 0;
  if (S->kept != 0) /* by one that has failed */
    forget(L, S);
}

void tpi_send_finish (lua_State *L, tpi_State *S, tpi_List *list) {
  tpi_Sender s = {L, S, list, NULL, NULL, 0};
  tpi_send_names(&s);
  forget(L, S);
}

void tpi_send_begin_results (lua_State *L, tpi_State *S,
                             const tpi_Future *whose) {
  tpi_send_begin(L, S);
  S->whose = whose;
}

void tpi_send (lua_State *L, tpi_State *S, tpi_List *list, int index,
               const char *what, int number) {
  tpi_Sender s = {L, S, list, NULL, what, number};
  static const tpi_Path start = {NULL, 0, NULL};
  tpi_send_need(&s, tpi_list_push(list, tpi_send_value(&s, index, &start, 0)));
}

static int free_list (lua_State *L) {
  tpi_list_fini(lua_touserdata(L, 1));
  return 0;
}

tpi_List *tpi_push_list (lua_State *L) {
  tpi_List *list = lua_newuserdatauv(L, sizeof *list, 0);
  tpi_list_init(list, NULL, 0);
  if (luaL_newmetatable(L, "tidepool.list")) {
    lua_pushcfunction(L, free_list);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  tpi_state_note(L);
  return list;
}
