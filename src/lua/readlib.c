/*
** io.read, io.lines, file:read and file:lines of a worker: as Lua's, but they
** wait for input without holding the lock of the stream (reading.h).
*/
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <string.h>

#include "lua/reading.h"

#if TPI_READS

enum { CHUNK = 4096, LONGEST = 200, MOST_FORMATS = 250 };

/* ---------------------------------------------------------------- */
/* Numerals                                                          */
/* ---------------------------------------------------------------- */

/* The longest piece of text that may become a number. */
typedef struct Numeral {
  lua_State *L;
  FILE *file;
  int next; /* what comes after it, as getc has it */
  size_t length;
  char text[LONGEST + 1];
} Numeral;

static void look_at_next (Numeral *n) {
  char c;
  n->next = tpi_reading_take(n->L, n->file, &c, 1, 0) ? (unsigned char)c : EOF;
}

/* One that is too long is none. */
static int take_next (Numeral *n) {
  if (n->length < LONGEST)
    n->text[n->length++] = (char)n->next;
  else
    n->text[0] = 'x';
  look_at_next(n);
  return 1;
}

static int take_one_of (Numeral *n, const char *set) {
  return n->next > 0 && strchr(set, n->next) != NULL && take_next(n);
}

static int take_digits (Numeral *n, int hex) {
  int count = 0;
  while (n->next != EOF && (hex ? isxdigit(n->next) : isdigit(n->next)))
    count += take_next(n);
  return count;
}

static int read_number (lua_State *L, FILE *file) {
  const char point[2] = {*localeconv()->decimal_point, '\0'};
  Numeral n = {L, file, 0, 0, ""};
  int hex = 0, digits = 0;
  do {
    look_at_next(&n);
  } while (n.next != EOF && isspace(n.next));
  take_one_of(&n, "+-");
  if (take_one_of(&n, "0")) {
    hex = take_one_of(&n, "xX");
    digits = !hex;
  }
  digits += take_digits(&n, hex);
  if (take_one_of(&n, point))
    digits += take_digits(&n, hex);
  if (digits > 0 && take_one_of(&n, hex ? "pP" : "eE")) {
    take_one_of(&n, "+-");
    take_digits(&n, 0);
  }
  ungetc(n.next, file);
  n.text[n.length] = '\0';
  if (lua_stringtonumber(L, n.text) != 0)
    return 1;
  lua_pushnil(L);
  return 0;
}

/* ---------------------------------------------------------------- */
/* Text                                                              */
/* ---------------------------------------------------------------- */

static int read_line (lua_State *L, FILE *file, int chop) {
  luaL_Buffer b;
  size_t n;
  int ended, any = 0;
  luaL_buffinit(L, &b);
  do {
    char *to = luaL_prepbuffsize(&b, LUAL_BUFFERSIZE);
    n = tpi_reading_take(L, file, to, LUAL_BUFFERSIZE, 1);
    ended = n > 0 && to[n - 1] == '\n';
    any |= n > 0;
    luaL_addsize(&b, n - (size_t)(ended && chop));
  } while (n > 0 && !ended);
  luaL_pushresult(&b);
  return any;
}

/* Up to so many bytes. */
static int read_bytes (lua_State *L, FILE *file, size_t most) {
  luaL_Buffer b;
  size_t n = 1, before = most;
  luaL_buffinit(L, &b);
  while (n > 0 && most > 0) {
    size_t step = most < CHUNK ? most : CHUNK;
    n = tpi_reading_take(L, file, luaL_prepbuffsize(&b, step), step, 0);
    luaL_addsize(&b, n);
    most -= n;
  }
  luaL_pushresult(&b);
  return most < before;
}

/* Is there more? */
static int read_nothing (lua_State *L, FILE *file) {
  char c;
  int more = tpi_reading_take(L, file, &c, 1, 0) > 0;
  if (more)
    ungetc((unsigned char)c, file);
  lua_pushliteral(L, "");
  return more;
}

/* ---------------------------------------------------------------- */
/* Formats                                                           */
/* ---------------------------------------------------------------- */

/* The letter of the format at that index, 0 for a count; -1 if it is none. */
static int format_at (lua_State *L, int index) {
  const char *text;
  if (lua_type(L, index) == LUA_TNUMBER)
    return 0;
  text = lua_tostring(L, index);
  if (text == NULL)
    return -1;
  text += *text == '*';
  return *text != '\0' && strchr("nlLa", *text) != NULL ? *text : -1;
}

/* Argument i is number i - before to the caller. */
static void check_formats (lua_State *L, int first, int before) {
  for (int i = first; i <= lua_gettop(L); i++) {
    if (lua_type(L, i) == LUA_TNUMBER)
      luaL_checkinteger(L, i);
    else if (luaL_checkstring(L, i), format_at(L, i) < 0)
      luaL_argerror(L, i - before, "invalid format");
  }
}

/* Pushes one value; false if it is no success. */
static int read_one (lua_State *L, FILE *file, int index) {
  lua_Integer n;
  switch (format_at(L, index)) {
    case 'n': return read_number(L, file);
    case 'l': return read_line(L, file, 1);
    case 'L': return read_line(L, file, 0);
    case 'a': read_bytes(L, file, (size_t)-1); return 1;
    default: break;
  }
  n = lua_tointeger(L, index);
  return n == 0 ? read_nothing(L, file) : read_bytes(L, file, (size_t)n);
}

/* light userdata of a FILE, formats... -> values, the last of them nil if
   that could not be read; or what failed */
static int read_all_formats (lua_State *L) {
  FILE *file = lua_touserdata(L, 1);
  int last = lua_gettop(L), good = 1;
  luaL_checkstack(L, last + LUA_MINSTACK, "too many arguments");
  clearerr(file);
  if (last == 1)
    good = read_line(L, file, 1);
  for (int i = 2; i <= last && good; i++)
    good = read_one(L, file, i);
  if (ferror(file))
    return luaL_fileresult(L, 0, NULL);
  if (!good) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
  return lua_gettop(L) - last;
}

/* formats... -> values, as above; the formats stand from `first` on */
static int read_in_turn (lua_State *L, FILE *file, int first) {
  tpi_Reading reading;
  int n = lua_gettop(L) - first + 1, status;
  luaL_checkstack(L, 2, "too many arguments");
  lua_pushcfunction(L, read_all_formats);
  lua_insert(L, first);
  lua_pushlightuserdata(L, file);
  lua_insert(L, first + 1);
  tpi_reading_begin(L, &reading, file);
  status = lua_pcall(L, n + 1, LUA_MULTRET, 0);
  tpi_reading_end(&reading);
  return status == LUA_OK ? lua_gettop(L) - first + 1 : lua_error(L);
}

/* ---------------------------------------------------------------- */
/* Functions                                                         */
/* ---------------------------------------------------------------- */

/* As a method its arguments count from 2 on. */
static int file_read (lua_State *L) {
  const luaL_Stream *file = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  if (file->closef == NULL)
    return luaL_error(L, "attempt to use a closed file");
  check_formats(L, 2, 0);
  return read_in_turn(L, file->f, 2);
}

/* ... -> file ...; upvalue: io.input */
static luaL_Stream *insert_input (lua_State *L) {
  luaL_Stream *file;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_call(L, 0, 1);
  lua_insert(L, 1);
  file = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  if (file->closef == NULL)
    luaL_error(L, "default input file is closed");
  return file;
}

static int io_read (lua_State *L) {
  const luaL_Stream *file = insert_input(L);
  check_formats(L, 2, 1);
  return read_in_turn(L, file->f, 2);
}

/* file -> ; */
static void close_file (lua_State *L) {
  lua_getfield(L, -1, "close");
  lua_insert(L, -2);
  lua_call(L, 1, 0);
}

/* -> values; upvalues: file, is it to be closed at its end, formats as a
   table. What cannot be read is raised. */
static int next_values (lua_State *L) {
  const luaL_Stream *file = lua_touserdata(L, lua_upvalueindex(1));
  int n;
  if (file->closef == NULL)
    return luaL_error(L, "file is already closed");
  lua_settop(L, 0);
  n = (int)lua_rawlen(L, lua_upvalueindex(3));
  luaL_checkstack(L, n + 2, "too many arguments");
  for (int i = 1; i <= n; i++)
    lua_rawgeti(L, lua_upvalueindex(3), i);
  check_formats(L, 1, -1); /* as Lua counts them */
  n = read_in_turn(L, file->f, 1);
  if (lua_toboolean(L, 1))
    return n;
  if (n > 1)
    return luaL_error(L, "%s", lua_tostring(L, 2));
  if (lua_toboolean(L, lua_upvalueindex(2))) {
    lua_pushvalue(L, lua_upvalueindex(1));
    close_file(L);
  }
  return 0;
}

/* file formats... -> file formats... iterator */
static void push_iterator (lua_State *L, int closes) {
  int n = lua_gettop(L) - 1;
  luaL_argcheck(L, n <= MOST_FORMATS, MOST_FORMATS + 2, "too many arguments");
  luaL_checkstack(L, 4, "too many arguments");
  lua_pushvalue(L, 1);
  lua_pushboolean(L, closes);
  lua_createtable(L, n, 0);
  for (int i = 1; i <= n; i++) {
    lua_pushvalue(L, i + 1);
    lua_rawseti(L, -2, i);
  }
  lua_pushcclosure(L, next_values, 3);
}

static int file_lines (lua_State *L) {
  const luaL_Stream *file = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  if (file->closef == NULL)
    return luaL_error(L, "attempt to use a closed file");
  push_iterator(L, 0);
  return 1;
}

/* upvalues: io.input, io.open */
static int io_lines (lua_State *L) {
  const char *name;
  if (lua_isnoneornil(L, 1)) {
    if (!lua_isnone(L, 1))
      lua_remove(L, 1);
    insert_input(L);
    push_iterator(L, 0);
    return 1;
  }
  name = luaL_checkstring(L, 1);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  if (lua_isnil(L, -1))
    return luaL_error(L, "cannot open file '%s' (%s)", name, strerror(errno));
  lua_replace(L, 1);
  push_iterator(L, 1);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushvalue(L, 1);
  return 4;
}

void tpi_open_readlib (lua_State *L) {
  luaL_getmetatable(L, LUA_FILEHANDLE);
  lua_getfield(L, -1, "__index");
  lua_pushcfunction(L, file_read);
  tpi_replace(L, "read");
  lua_pushcfunction(L, file_lines);
  tpi_replace(L, "lines");
  lua_getglobal(L, "io");
  lua_getfield(L, -1, "input");
  lua_pushcclosure(L, io_read, 1);
  tpi_replace(L, "read");
  lua_getfield(L, -1, "input");
  lua_getfield(L, -2, "open");
  lua_pushcclosure(L, io_lines, 2);
  tpi_replace(L, "lines");
  lua_pop(L, 3);
}

#else

void tpi_open_readlib (lua_State *L) { (void)L; }

#endif
