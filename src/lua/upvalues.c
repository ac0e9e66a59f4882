#include "lua/upvalues.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

#include "lua/dump.h"

/* Instructions: the lowest 7 bits. Their B is the highest byte but one, and
   their C the highest. */
enum { GETUPVAL = 9, SETUPVAL = 10, GETTABUP = 11 };

enum { MOST_DEPTH = 100, MOST_UPVALUES = 256, MOST_INDICES = 256 };

/* A walk through a function and those in it. */
typedef struct Walk {
  tpi_Cursor cursor;
  lua_State *L; /* with the list of names on top */
  int (*visit)(struct Walk *w, const tpi_Body *body, const char *own);
} Walk;

/* Which upvalues of an inner function are some of the outermost one. */
static void inherit (const tpi_Body *body, const char *outer, char *own) {
  for (size_t i = 0; i < body->count; i++) {
    const char *upvalue = body->upvalues + i * TPI_DUMP_UPVALUE;
    own[i] = upvalue[0] == 0 && outer[(unsigned char)upvalue[1]];
  }
}

/* `outer` says which upvalues are meant; `inner`: they are those of the
   function around. False if a visit was, or if something is not as it should
   be. */
static int walk (Walk *w, const char *outer, int inner, unsigned depth) {
  tpi_Cursor *c = &w->cursor;
  char own[MOST_UPVALUES] = {0};
  tpi_Body body;
  if (depth == MOST_DEPTH || !tpi_dump_body(c, &body) ||
      body.count > MOST_UPVALUES)
    return 0;
  if (inner)
    inherit(&body, outer, own);
  else
    memcpy(own, outer, sizeof own);
  if (!w->visit(w, &body, own))
    return 0;
  for (size_t i = tpi_dump_number(c); i > 0 && !c->broken; i--) {
    if (!walk(w, own, 1, depth + 1))
      return 0;
  }
  tpi_dump_skip_debug(c);
  return !c->broken;
}

static int walk_all (Walk *w, const char *dump, size_t size,
                     const char *upvalues) {
  if (!tpi_dump_open(&w->cursor, dump, size) || !tpi_dump_has_words(&w->cursor))
    return 0;
  tpi_dump_skip(&w->cursor, 1);
  return walk(w, upvalues, 0, 0);
}

static int keeps (Walk *w, const tpi_Body *body, const char *own) {
  (void)w;
  for (size_t i = 0; i < body->instructions; i++) {
    uint32_t word = tpi_dump_word(body, i);
    if ((word & 0x7f) == SETUPVAL && own[word >> 16 & 0xff])
      return 0;
  }
  return 1;
}

int tpi_chunk_assigns (const char *dump, size_t size) {
  char all[MOST_UPVALUES];
  Walk w = {.L = NULL, .visit = keeps};
  memset(all, 1, sizeof all);
  return !walk_all(&w, dump, size, all);
}

/* names -> names: once each; they are its keys as well */
static void add_name (lua_State *L, const char *bytes, size_t length) {
  lua_pushlstring(L, bytes, length);
  lua_pushvalue(L, -1);
  if (lua_rawget(L, -3) == LUA_TNIL) {
    lua_pushvalue(L, -2);
    lua_rawseti(L, -4, (lua_Integer)lua_rawlen(L, -4) + 1);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -5);
  }
  lua_pop(L, 2);
}

/* True if the upvalue itself is read. An index that does not fit into an
   instruction is used in that way, too. */
static int note_indices (const tpi_Body *body, const char *own, char *used) {
  int whole = 0;
  for (size_t i = 0; i < body->instructions; i++) {
    uint32_t word = tpi_dump_word(body, i);
    if (!own[word >> 16 & 0xff])
      continue;
    if ((word & 0x7f) == GETTABUP)
      used[word >> 24] = 1;
    else if ((word & 0x7f) == GETUPVAL)
      whole = 1;
  }
  return whole;
}

static int add_names (Walk *w, const tpi_Body *body, const char *own) {
  char used[MOST_INDICES] = {0};
  int whole = note_indices(body, own, used);
  tpi_Cursor c = w->cursor;
  c.at = body->constants;
  for (size_t i = 0; i < body->constant_count; i++) {
    size_t length;
    const char *bytes = tpi_dump_constant(&c, &length);
    if (bytes != NULL && (whole || (i < MOST_INDICES && used[i])))
      add_name(w->L, bytes, length);
  }
  return 1;
}

/* names -> names: whatever looks like one. The bytes around are numbers. */
static void add_words (lua_State *L, const char *at, size_t size) {
  const char *end = at + size, *start;
  while (at < end) {
    while (at < end && !isalpha((unsigned char)*at) && *at != '_')
      at++;
    start = at;
    while (at < end && (isalnum((unsigned char)*at) || *at == '_'))
      at++;
    if (at > start)
      add_name(L, start, (size_t)(at - start));
  }
}

void tpi_chunk_push_names (lua_State *L, const char *dump, size_t size,
                           unsigned upvalue) {
  char meant[MOST_UPVALUES] = {0};
  Walk w = {.L = L, .visit = add_names};
  luaL_checkstack(L, 6, NULL);
  lua_newtable(L);
  meant[upvalue - 1] = 1;
  if (!walk_all(&w, dump, size, meant))
    add_words(L, dump, size);
}
