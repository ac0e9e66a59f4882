#include "lua/dump.h"

#include <lua.h>

enum {
  HEADER = 31,        /* bytes before the number of upvalues */
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

int tpi_dump_open (tpi_Cursor *c, const char *dump, size_t size) {
  static const char start[] = LUA_SIGNATURE "\x54\0\x19\x93\r\n\x1a\n";
  c->dump = c->at = dump;
  c->end = dump + size;
  c->broken = size < HEADER || memcmp(dump, start, sizeof start - 1) != 0 ||
              dump[INSTRUCTION_AT] == 0;
  if (!c->broken)
    tpi_dump_skip(c, HEADER);
  return !c->broken;
}

int tpi_dump_has_words (const tpi_Cursor *c) {
  return c->dump[INSTRUCTION_AT] == sizeof(uint32_t);
}

const char *tpi_dump_skip (tpi_Cursor *c, size_t n) {
  const char *here = c->at;
  if (n > (size_t)(c->end - c->at)) {
    c->broken = 1;
    c->at = c->end;
  } else {
    c->at += n;
  }
  return here;
}

static unsigned byte (tpi_Cursor *c) {
  const char *at = tpi_dump_skip(c, 1);
  return c->broken ? 0 : (unsigned char)*at;
}

/* Seven bits a byte, the highest first; the last one is marked. */
size_t tpi_dump_number (tpi_Cursor *c) {
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

static void skip_many (tpi_Cursor *c, size_t n, size_t size) {
  if (n > (size_t)(c->end - c->at) / size)
    c->broken = 1;
  else
    tpi_dump_skip(c, n * size);
}

/* Its length and one more, or 0 for none; then its bytes. */
static const char *string (tpi_Cursor *c, size_t *length) {
  size_t n = tpi_dump_number(c);
  const char *bytes;
  if (n == 0)
    return NULL;
  *length = n - 1;
  bytes = tpi_dump_skip(c, n - 1);
  return c->broken ? NULL : bytes;
}

static void skip_string (tpi_Cursor *c) {
  size_t length;
  string(c, &length);
}

const char *tpi_dump_constant (tpi_Cursor *c, size_t *length) {
  const char *sizes = c->dump + INSTRUCTION_AT;
  switch (byte(c)) {
    case NIL:
    case FALSE:
    case TRUE: break;
    case INTEGER: tpi_dump_skip(c, (unsigned char)sizes[1]); break;
    case FLOAT: tpi_dump_skip(c, (unsigned char)sizes[2]); break;
    case SHORT:
    case LONG: return string(c, length);
    default: c->broken = 1;
  }
  return NULL;
}

int tpi_dump_body (tpi_Cursor *c, tpi_Body *body) {
  size_t length;
  skip_string(c);     /* the source */
  tpi_dump_number(c); /* its lines */
  tpi_dump_number(c);
  tpi_dump_skip(c, 3); /* parameters, is it vararg, registers */
  body->instructions = tpi_dump_number(c);
  body->code = c->at;
  skip_many(c, body->instructions, (unsigned char)c->dump[INSTRUCTION_AT]);
  body->constant_count = tpi_dump_number(c);
  body->constants = c->at;
  for (size_t i = body->constant_count; i > 0 && !c->broken; i--)
    tpi_dump_constant(c, &length);
  body->count = tpi_dump_number(c);
  body->upvalues = c->at;
  skip_many(c, body->count, TPI_DUMP_UPVALUE);
  return !c->broken;
}

void tpi_dump_skip_debug (tpi_Cursor *c) {
  skip_many(c, tpi_dump_number(c), 1); /* lines */
  for (size_t i = tpi_dump_number(c); i > 0 && !c->broken; i--) {
    tpi_dump_number(c);
    tpi_dump_number(c);
  }
  for (size_t i = tpi_dump_number(c); i > 0 && !c->broken; i--) {
    skip_string(c); /* a local variable */
    tpi_dump_number(c);
    tpi_dump_number(c);
  }
  for (size_t i = tpi_dump_number(c); i > 0 && !c->broken; i--)
    skip_string(c); /* an upvalue */
}
