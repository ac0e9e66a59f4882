/*
** dump.h: reading what lua_dump has written.
**
** Any thread; does not block. This is about the format of Lua 5.4, whatever
** its numbers are; a dump that does not look like it cannot be opened. Whoever
** reads past the end, or meets what cannot be, has a broken cursor and gets
** zeros.
*/
#ifndef TPI_DUMP_H
#define TPI_DUMP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { TPI_DUMP_UPVALUE = 3 }; /* bytes that tell where an upvalue comes from */

typedef struct tpi_Cursor {
  const char *at, *end;
  const char *dump;
  int broken;
} tpi_Cursor;

/* What a function begins with; its inner functions follow. */
typedef struct tpi_Body {
  const char *code, *constants, *upvalues;
  size_t instructions, constant_count, count; /* of upvalues */
} tpi_Body;

#pragma GCC visibility push(hidden)

/* At the number of upvalues of the outermost function, a byte. */
int tpi_dump_open (tpi_Cursor *c, const char *dump, size_t size);
/* Are instructions words of 32 bits there? */
int tpi_dump_has_words (const tpi_Cursor *c);

const char *tpi_dump_skip (tpi_Cursor *c, size_t n);
size_t tpi_dump_number (tpi_Cursor *c);
/* A constant: the bytes of a string, or NULL. */
const char *tpi_dump_constant (tpi_Cursor *c, size_t *length);
int tpi_dump_body (tpi_Cursor *c, tpi_Body *body);
/* What a function ends with, after its inner functions. */
void tpi_dump_skip_debug (tpi_Cursor *c);

#pragma GCC visibility pop

/* Instruction i. */
static inline uint32_t tpi_dump_word (const tpi_Body *body, size_t i) {
  uint32_t word;
  memcpy(&word, body->code + i * sizeof word, sizeof word);
  return word;
}

#endif
