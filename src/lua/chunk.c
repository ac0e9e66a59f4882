#include "lua/chunk.h"

#include <lauxlib.h>
#include <string.h>

#include "lua/dump.h"

enum { MOST_LOCALS = 200 }; /* of a function */

/* ---------------------------------------------------------------- */
/* Writing a dump                                                    */
/* ---------------------------------------------------------------- */

typedef struct Sink {
  char *bytes; /* NULL to count only */
  size_t size;
} Sink;

static int write (lua_State *L, const void *bytes, size_t size, void *to) {
  Sink *sink = to;
  (void)L;
  if (sink->bytes != NULL && size > 0)
    memcpy(sink->bytes + sink->size, bytes, size);
  sink->size += size;
  return 0;
}

size_t tpi_chunk_dump (lua_State *L, char *bytes, int strip) {
  Sink sink = {bytes, 0};
  lua_dump(L, write, &sink, strip);
  return sink.size;
}

/* ---------------------------------------------------------------- */
/* The frame                                                         */
/* ---------------------------------------------------------------- */

/* -> text of a chunk with an inner function of n upvalues */
static void push_text (lua_State *L, unsigned n) {
  luaL_Buffer names;
  luaL_buffinit(L, &names);
  for (unsigned i = 1; i <= n; i++) {
    luaL_addstring(&names, i > 1 ? ",a" : "a");
    lua_pushinteger(L, (lua_Integer)i);
    luaL_addvalue(&names);
  }
  luaL_pushresult(&names);
  lua_pushfstring(L, "local %s return function () return %s end",
                  lua_tostring(L, -1), lua_tostring(L, -1));
  lua_remove(L, -2);
}

/* -> its dump */
static const char *push_frame (lua_State *L, unsigned n, size_t *size) {
  char *bytes;
  push_text(L, n);
  if (luaL_loadstring(L, lua_tostring(L, -1)) != LUA_OK)
    lua_error(L);
  *size = tpi_chunk_dump(L, NULL, 1);
  bytes = lua_newuserdatauv(L, *size, 0);
  lua_insert(L, -2);
  tpi_chunk_dump(L, bytes, 1);
  lua_pop(L, 1);
  lua_remove(L, -2);
  return bytes;
}

/* Read one after the other; none is empty. */
typedef struct Pieces {
  struct {
    const char *bytes;
    size_t size;
  } piece[5];
  int count, next;
} Pieces;

static void add (Pieces *p, const char *from, const char *to) {
  p->piece[p->count].bytes = from;
  p->piece[p->count].size = (size_t)(to - from);
  p->count++;
}

static const char *read (lua_State *L, void *from, size_t *size) {
  Pieces *p = from;
  (void)L;
  if (p->next == p->count)
    return NULL;
  *size = p->piece[p->next].size;
  return p->piece[p->next++].bytes;
}

/*
** The frame up to its inner function, the dumped function with the upvalues
** of that, and what comes after an inner function: four numbers, all zero,
** which say that the frame has no debug information.
*/
static int set_in (Pieces *p, tpi_Cursor *outer, tpi_Cursor *inner,
                   unsigned n) {
  const char *function;
  tpi_Body ours, theirs;
  tpi_dump_skip(outer, 1);
  if (!tpi_dump_body(outer, &ours) || tpi_dump_number(outer) != 1)
    return 0;
  add(p, outer->dump, outer->at);
  tpi_dump_skip(inner, 1);
  function = inner->at;
  if (!tpi_dump_body(outer, &ours) || !tpi_dump_body(inner, &theirs) ||
      ours.count != n || theirs.count != n)
    return 0;
  add(p, function, theirs.upvalues);
  add(p, ours.upvalues, outer->at);
  add(p, inner->at, inner->end);
  add(p, outer->end - 4, outer->end);
  return 1;
}

int tpi_chunk_push_maker (lua_State *L, const char *dump, size_t size,
                          const char *name) {
  tpi_Cursor inner, outer;
  Pieces pieces = {.count = 0, .next = 0};
  const char *frame;
  size_t frame_size;
  unsigned n;
  if (!tpi_dump_open(&inner, dump, size))
    return 0;
  n = (unsigned char)*inner.at;
  if (n == 0 || n > MOST_LOCALS)
    return 0;
  frame = push_frame(L, n, &frame_size);
  if (!tpi_dump_open(&outer, frame, frame_size) ||
      !set_in(&pieces, &outer, &inner, n)) {
    lua_pop(L, 1);
    return 0;
  }
  if (lua_load(L, read, &pieces, name, "b") != LUA_OK)
    lua_error(L);
  lua_remove(L, -2);
  return 1;
}
