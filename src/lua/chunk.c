#include "lua/chunk.h"

#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

enum {
  MOST_LOCALS = 200,  /* of a function */
  UPVALUE = 3,        /* bytes that tell where an upvalue comes from */
  HEADER = 31,        /* bytes before the number of upvalues, a byte */
  INSTRUCTION_AT = 12 /* sizes in the header: instruction, integer, float */
};

/* The types of constants. */
enum {
  NIL = 0,
  FALSE = 1,
  TRUE = 17,
  INTEGER = 3,
  FLOAT = 19,
  SHORT = 4,
  LONG = 20
};

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
/* Reading a dump                                                    */
/* ---------------------------------------------------------------- */

typedef struct Cursor {
  const char *at, *end;
  const char *dump;
  int broken;
} Cursor;

static const char *skip (Cursor *c, size_t n) {
  const char *here = c->at;
  if (n > (size_t)(c->end - c->at)) {
    c->broken = 1;
    c->at = c->end;
  } else {
    c->at += n;
  }
  return here;
}

static unsigned byte (Cursor *c) {
  const char *at = skip(c, 1);
  return c->broken ? 0 : (unsigned char)*at;
}

/* Seven bits a byte, the highest first; the last one is marked. */
static size_t number (Cursor *c) {
  size_t n = 0;
  while (!c->broken && n <= SIZE_MAX >> 7) {
    unsigned b = byte(c);
    n = n << 7 | (b & 0x7f);
    if (b & 0x80)
      return n;
  }
  c->broken = 1;
  return 0;
}

static void skip_many (Cursor *c, size_t n, size_t size) {
  if (n > (size_t)(c->end - c->at) / size)
    c->broken = 1;
  else
    skip(c, n * size);
}

static void skip_string (Cursor *c) {
  size_t n = number(c);
  if (n > 0)
    skip(c, n - 1);
}

static void skip_constant (Cursor *c) {
  const char *sizes = c->dump + INSTRUCTION_AT;
  switch (byte(c)) {
    case NIL:
    case FALSE:
    case TRUE: break;
    case INTEGER: skip(c, (unsigned char)sizes[1]); break;
    case FLOAT: skip(c, (unsigned char)sizes[2]); break;
    case SHORT:
    case LONG: skip_string(c); break;
    default: c->broken = 1;
  }
}

/* What a function begins with. */
typedef struct Body {
  const char *code, *upvalues;
  size_t instructions, count; /* of upvalues */
} Body;

static int read_body (Cursor *c, Body *body) {
  skip_string(c); /* the source */
  number(c);      /* its lines */
  number(c);
  skip(c, 3); /* parameters, is it vararg, registers */
  body->instructions = number(c);
  body->code = c->at;
  skip_many(c, body->instructions, (unsigned char)c->dump[INSTRUCTION_AT]);
  for (size_t i = number(c); i > 0 && !c->broken; i--)
    skip_constant(c);
  body->count = number(c);
  body->upvalues = c->at;
  skip_many(c, body->count, UPVALUE);
  return !c->broken;
}

/* What it ends with, after its inner functions. */
static void skip_debug_information (Cursor *c) {
  skip_many(c, number(c), 1); /* lines */
  for (size_t i = number(c); i > 0 && !c->broken; i--) {
    number(c);
    number(c);
  }
  for (size_t i = number(c); i > 0 && !c->broken; i--) {
    skip_string(c); /* a local variable */
    number(c);
    number(c);
  }
  for (size_t i = number(c); i > 0 && !c->broken; i--)
    skip_string(c); /* an upvalue */
}

static int open_dump (Cursor *c, const char *dump, size_t size) {
  static const char start[] = LUA_SIGNATURE "\x54\0\x19\x93\r\n\x1a\n";
  c->dump = c->at = dump;
  c->end = dump + size;
  c->broken = size < HEADER || memcmp(dump, start, sizeof start - 1) != 0 ||
              dump[INSTRUCTION_AT] == 0;
  if (!c->broken)
    skip(c, HEADER);
  return !c->broken;
}

/* ---------------------------------------------------------------- */
/* Does it assign?                                                   */
/* ---------------------------------------------------------------- */

enum {
  SETUPVAL = 10, /* an instruction: the lowest 7 bits; its B: the highest but
                    one byte */
  MOST_DEPTH = 100,
  MOST_UPVALUES = 256
};

/* Which upvalues of an inner function are some of the outermost one. */
static void inherit (const Body *body, const char *outer, char *own) {
  for (size_t i = 0; i < body->count; i++) {
    const char *upvalue = body->upvalues + i * UPVALUE;
    own[i] = upvalue[0] == 0 && outer[(unsigned char)upvalue[1]];
  }
}

static int sets (const Body *body, const char *own) {
  for (size_t i = 0; i < body->instructions; i++) {
    uint32_t word;
    memcpy(&word, body->code + i * sizeof word, sizeof word);
    if ((word & 0x7f) == SETUPVAL && own[word >> 16 & 0xff])
      return 1;
  }
  return 0;
}

/* `outer` is NULL for the outermost. */
static int assigns (Cursor *c, const char *outer, unsigned depth) {
  char own[MOST_UPVALUES];
  Body body;
  size_t inner;
  int does;
  if (depth == MOST_DEPTH || !read_body(c, &body) || body.count > MOST_UPVALUES)
    return 1;
  memset(own, outer == NULL, sizeof own);
  if (outer != NULL)
    inherit(&body, outer, own);
  does = sets(&body, own);
  for (inner = number(c); inner > 0 && !does && !c->broken; inner--)
    does = assigns(c, own, depth + 1);
  skip_debug_information(c);
  return does || c->broken;
}

int tpi_chunk_assigns (const char *dump, size_t size) {
  Cursor c;
  if (!open_dump(&c, dump, size) || dump[INSTRUCTION_AT] != sizeof(uint32_t))
    return 1;
  skip(&c, 1);
  return assigns(&c, NULL, 0);
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
static int set_in (Pieces *p, Cursor *outer, Cursor *inner, unsigned n) {
  const char *function;
  Body ours, theirs;
  skip(outer, 1);
  if (!read_body(outer, &ours) || number(outer) != 1)
    return 0;
  add(p, outer->dump, outer->at);
  skip(inner, 1);
  function = inner->at;
  if (!read_body(outer, &ours) || !read_body(inner, &theirs) ||
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
  Cursor inner, outer;
  Pieces pieces = {.count = 0, .next = 0};
  const char *frame;
  size_t frame_size;
  unsigned n;
  if (!open_dump(&inner, dump, size))
    return 0;
  n = (unsigned char)*inner.at;
  if (n == 0 || n > MOST_LOCALS)
    return 0;
  frame = push_frame(L, n, &frame_size);
  if (!open_dump(&outer, frame, frame_size) ||
      !set_in(&pieces, &outer, &inner, n)) {
    lua_pop(L, 1);
    return 0;
  }
  if (lua_load(L, read, &pieces, name, "b") != LUA_OK)
    lua_error(L);
  lua_remove(L, -2);
  return 1;
}
