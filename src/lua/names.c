/*
** An _ENV that leads to the globals, on its way: sandbox.h.
**
** What stands for a name is read through it, which may call Lua, and is sent
** by itself, into a list of its own. If it cannot cross, that list goes, and
** the reason is sent instead.
*/
#include <string.h>

#include "lua/code.h"
#include "lua/send.h"

static const char subject[] = "the value"; /* in messages */
static const char no_object[] = "it has a metatable without __tidepool";

/* The array part of what is kept, from the end: what is still to be read. */
enum { FUNCTION, UPVALUE, SANDBOX, RECORD, DEPTH, FIELDS };

/* table -> does it lead to the globals? */
static int leads (lua_State *L) {
  lua_settop(L, 1);
  if (luaL_getmetafield(L, 1, "__tidepool") != LUA_TNIL)
    return 0; /* it crosses in its own way */
  lua_getfield(L, 1, LUA_GNAME);
  lua_pushglobaltable(L);
  lua_pushboolean(L, lua_rawequal(L, -1, -2));
  return 1;
}

static int is_sandbox (tpi_Sender *s) {
  lua_State *L = s->L;
  int is;
  lua_pushcfunction(L, leads);
  lua_pushvalue(L, -2);
  is = tpi_send_try(s, 1, 1) == LUA_OK && lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is;
}

/* sandbox -> sandbox; they are read later, for they may refer to each other
   in a long chain */
static void note_names (tpi_Sender *s, int function, int i,
                        const tp_Value *value, int depth) {
  lua_State *L = s->L;
  lua_Integer n;
  tpi_send_push_kept(s);
  n = (lua_Integer)lua_rawlen(L, -1) + 1;
  lua_pushvalue(L, function);
  lua_rawseti(L, -2, n + FUNCTION);
  lua_pushinteger(L, i);
  lua_rawseti(L, -2, n + UPVALUE);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, n + SANDBOX);
  lua_pushlightuserdata(L, tpi_tableof(value));
  lua_rawseti(L, -2, n + RECORD);
  lua_pushinteger(L, depth);
  lua_rawseti(L, -2, n + DEPTH);
  lua_pop(L, 1);
}

int tpi_send_sandbox (tpi_Sender *s, tp_Value *value, int function, int i,
                      int depth) {
  int type = lua_type(s->L, -1);
  /* a table may be met as a value, too */
  const void *address = (const char *)lua_topointer(s->L, -1) + 1;
  if (type != LUA_TTABLE && type != LUA_TUSERDATA)
    return 0;
  luaL_checkstack(s->L, 8, NULL);
  if (!tpi_send_again(s, value, TP_TOTHER | TPI_SHAPED, address)) {
    if (!is_sandbox(s))
      return 0;
    tpi_send_shape(s, value, TP_TOTHER, TPI_SANDBOX, address, 0);
  }
  note_names(s, function, i, value, depth);
  return 1;
}

/* The names of one function, while they are read; stack indices. */
typedef struct Reading {
  tpi_Sender *s;
  int kept, scratch; /* a list, for what may turn out not to cross */
  int function, upvalue, sandbox, depth;
  int read; /* table: name -> what it stands for; not to be read again, and
               not to be collected */
  tpi_Table *record;
} Reading;

static int read (lua_State *L) {
  lua_gettable(L, 1);
  return 1;
}

/* name -> name value; false, with what was raised, if it cannot be read */
static int push_value_of (Reading *r) {
  lua_State *L = r->s->L;
  int ok;
  lua_pushcfunction(L, read);
  lua_pushvalue(L, r->sandbox);
  lua_pushvalue(L, -3);
  ok = tpi_send_try(r->s, 2, 1) == LUA_OK;
  lua_pushvalue(L, -2);
  if (lua_isnil(L, -2))
    lua_pushboolean(L, 1);
  else
    lua_pushvalue(L, -2);
  lua_rawset(L, r->read);
  return ok;
}

/* name value -> name value; is it what the globals have? */
static int is_global (lua_State *L) {
  int same;
  lua_pushglobaltable(L);
  lua_pushvalue(L, -3);
  lua_rawget(L, -2);
  same = lua_rawequal(L, -1, -3);
  lua_pop(L, 2);
  return same;
}

/* name ... -> name ...; the name stands at that index */
static void put (Reading *r, int name, tp_Value value) {
  tpi_List *list = r->s->list;
  tp_Value key;
  tpi_send_need(r->s, tpi_send_plain(r->s->L, list, &key, name));
  tpi_send_need(r->s, tpi_table_put(list, r->record, key, value));
}

static void leave_behind (Reading *r, int name, const char *why,
                          size_t length) {
  tpi_List *list = r->s->list;
  tp_Value key, reason;
  int rc = tpi_send_plain(r->s->L, list, &key, name);
  tpi_send_need(r->s, rc);
  if (tpi_list_bytes(list, &reason, why, length) == NULL)
    tpi_send_need(r->s, TP_NOMEM);
  tpi_send_need(r->s, tpi_table_append(list, r->record, key));
  tpi_send_need(r->s, tpi_table_append(list, r->record, reason));
}

/* Has the value on top a metatable that would be lost? */
static int is_object (lua_State *L, const tpi_State *S) {
  const void *address = lua_topointer(L, -1);
  if (!lua_istable(L, -1) || address == S->globals || address == S->module ||
      !lua_getmetatable(L, -1))
    return 0;
  lua_pop(L, 1);
  if (tpi_has_metatable(L, -1, S->error_mt))
    return 0;
  if (luaL_getmetafield(L, -1, "__tidepool") == LUA_TNIL)
    return 1;
  lua_pop(L, 1);
  return 0;
}

typedef struct Attempt {
  tpi_Sender sender;
  tp_Value value;
  int depth;
} Attempt;

/* light userdata of an Attempt, value -> */
static int attempt (lua_State *L) {
  static const tpi_Path start = {NULL, 0, NULL};
  Attempt *a = lua_touserdata(L, 1);
  tpi_send_deeper(&a->sender, &start, a->depth);
  a->value = tpi_send_value(&a->sender, 2, &start, a->depth);
  return 0;
}

static int merge (tpi_Map *into, const tpi_Map *from) {
  int rc = TP_OK;
  for (size_t i = 0; rc == TP_OK && i < from->room; i++) {
    if (from->pairs[i].key != NULL)
      rc = tpi_map_put(into, from->pairs[i].key, from->pairs[i].value);
  }
  return rc;
}

/* Nothing is left of one that has failed: not what was met in it, nor what it
   would have to read. */
static void undo (Reading *r, size_t noted) {
  lua_State *L = r->s->L;
  for (size_t n = lua_rawlen(L, r->kept); n > noted; n--) {
    lua_pushnil(L);
    lua_rawseti(L, r->kept, (lua_Integer)n);
  }
  tpi_list_fini(lua_touserdata(L, r->scratch));
}

/* name value -> name value; false, with the reason on top, if it cannot
   cross */
static int send (Reading *r, tp_Value *value) {
  lua_State *L = r->s->L;
  tpi_State *S = r->s->S;
  tpi_Map before = S->seen;
  tpi_List *scratch = lua_touserdata(L, r->scratch);
  Attempt a = {{L, S, scratch, &before, subject, 0}, tpi_nil(), r->depth};
  size_t noted = lua_rawlen(L, r->kept);
  int rc, merged = TP_OK;
  memset(&S->seen, 0, sizeof S->seen);
  S->keyed = 0; /* keys stand in a list */
  lua_pushcfunction(L, attempt);
  lua_pushlightuserdata(L, &a);
  lua_pushvalue(L, -3);
  rc = tpi_guard(L, S, 2, 0);
  if (rc == LUA_OK)
    merged = merge(&before, &S->seen);
  tpi_map_fini(&S->seen);
  S->seen = before;
  S->keyed = 0;
  if (rc != LUA_OK)
    undo(r, noted);
  if (tpi_passes_on(S, rc))
    lua_error(L);
  tpi_list_adopt(r->s->list, scratch);
  tpi_send_need(r->s, merged);
  *value = a.value;
  return rc == LUA_OK;
}

/* The error on top. That of an attempt begins with what it calls the value. */
static const char *reason (lua_State *L, int attempted, size_t *length) {
  size_t n = strlen(subject);
  const char *text;
  if (lua_type(L, -1) != LUA_TSTRING)
    lua_pushstring(L, luaL_typename(L, -1));
  text = lua_tolstring(L, -1, length);
  if (attempted && strncmp(text, subject, n) == 0 && *length > n + 2) {
    text += n + 2; /* a colon or a comma, and a space */
    *length -= n + 2;
  }
  return text;
}

/* name -> name */
static void send_name (Reading *r) {
  lua_State *L = r->s->L;
  int name = lua_gettop(L), ok;
  tp_Value value;
  const char *why;
  size_t length;
  lua_pushvalue(L, name);
  if (lua_rawget(L, r->read) == LUA_TNIL) {
    lua_pop(L, 1);
    ok = push_value_of(r);
    if (ok && is_global(L)) {
      lua_settop(L, name);
      return;
    }
    if (ok && is_object(L, r->s->S)) {
      leave_behind(r, name, no_object, sizeof no_object - 1);
    } else if (ok &&
               (tpi_send_plain(L, r->s->list, &value, name + 1) == TP_OK ||
                send(r, &value))) {
      put(r, name, value);
    } else {
      why = reason(L, ok, &length);
      leave_behind(r, name, why, length);
    }
  }
  lua_settop(L, name);
}

static int push_list (lua_State *L) {
  tpi_push_list(L);
  return 1;
}

static int push_names (lua_State *L) {
  tpi_code_push_names(L, 1, (int)lua_tointeger(L, 2));
  return 1;
}

static int push_table (lua_State *L) {
  lua_newtable(L);
  return 1;
}

/* -> read; what was read through that sandbox for this list */
static void push_read (Reading *r) {
  lua_State *L = r->s->L;
  if (lua_rawgetp(L, r->kept, r->record) != LUA_TNIL)
    return;
  lua_pop(L, 1);
  lua_pushcfunction(L, push_table);
  tpi_send_aside(r->s, 0, 1);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, r->kept, r->record);
}

/* -> function number sandbox record depth read; the last that were noted, which
   they are no more */
static void take_noted (Reading *r, lua_Integer n) {
  lua_State *L = r->s->L;
  int top = lua_gettop(L) + 1;
  for (int i = 0; i < FIELDS; i++)
    lua_rawgeti(L, r->kept, n + i);
  for (int i = FIELDS - 1; i >= 0; i--) {
    lua_pushnil(L);
    lua_rawseti(L, r->kept, n + i);
  }
  r->function = top + FUNCTION;
  r->upvalue = top + UPVALUE;
  r->sandbox = top + SANDBOX;
  r->record = lua_touserdata(L, top + RECORD);
  r->depth = (int)lua_tointeger(L, top + DEPTH);
  push_read(r);
  r->read = lua_gettop(L);
}

static void send_names (Reading *r) {
  lua_State *L = r->s->L;
  int names;
  lua_pushcfunction(L, push_names);
  lua_pushvalue(L, r->function);
  lua_pushvalue(L, r->upvalue);
  tpi_send_aside(r->s, 2, 1);
  names = lua_gettop(L);
  for (lua_Integer i = 1; lua_rawgeti(L, names, i) != LUA_TNIL; i++) {
    send_name(r);
    lua_settop(L, names);
  }
}

void tpi_send_names (tpi_Sender *s) {
  lua_State *L = s->L;
  int top = lua_gettop(L);
  Reading r = {.s = s};
  size_t n;
  luaL_checkstack(L, 30, NULL);
  tpi_send_push_kept(s);
  r.kept = lua_gettop(L);
  while ((n = lua_rawlen(L, r.kept)) > 0) {
    lua_settop(L, r.kept);
    lua_pushcfunction(L, push_list);
    tpi_send_aside(s, 0, 1);
    r.scratch = lua_gettop(L);
    take_noted(&r, (lua_Integer)n - FIELDS + 1);
    send_names(&r);
  }
  lua_settop(L, top);
}
