/*
** Functions of the standard library that a worker has in a form of its own:
** what is printed comes in one piece, and what would end or change the whole
** process is refused.
*/
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include <lualib.h>

#include "lua/place.h"

static int print (lua_State *L) {
  int n = lua_gettop(L);
  size_t length;
  const char *text;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (int i = 1; i <= n; i++) {
    if (i > 1)
      luaL_addchar(&b, '\t');
    luaL_tolstring(L, i, NULL);
    luaL_addvalue(&b);
  }
  luaL_addchar(&b, '\n');
  luaL_pushresult(&b);
  text = lua_tolstring(L, -1, &length);
  fwrite(text, 1, length, stdout);
  fflush(stdout);
  return 0;
}

/* As the write of files does it: before 5.5 floats have no ".0". */
static void push_text (lua_State *L, int i) {
#if LUA_VERSION_NUM < 505
  if (lua_type(L, i) == LUA_TNUMBER && !lua_isinteger(L, i)) {
    char text[64];
    lua_number2str(text, sizeof text, lua_tonumber(L, i));
    lua_pushstring(L, text);
    return;
  }
#endif
  lua_pushvalue(L, i);
}

/* file arguments... -> file, or what failed; argument i is number i - before
   to the caller */
static int write_at_once (lua_State *L, int before) {
  luaL_Stream *file = lua_touserdata(L, 1);
  int n = lua_gettop(L);
  const char *text;
  size_t length, written;
  luaL_Buffer b;
  luaL_checkstack(L, 4, NULL);
  luaL_buffinit(L, &b);
  for (int i = 2; i <= n; i++) {
    if (!lua_isstring(L, i))
      luaL_argerror(
          L, i - before,
          lua_pushfstring(L, "string expected, got %s", luaL_typename(L, i)));
    push_text(L, i);
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
  text = lua_tolstring(L, -1, &length);
  written = fwrite(text, 1, length, file->f);
  if (written != length) {
    n = luaL_fileresult(L, 0, NULL);
#if LUA_VERSION_NUM >= 505
    lua_pushinteger(L, (lua_Integer)written);
    n++;
#endif
    return n;
  }
  lua_pushvalue(L, 1);
  return 1;
}

static int is_closed (lua_State *L) {
  const luaL_Stream *file = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  return file->closef == NULL;
}

/* As a method its arguments count from 2 on. */
static int file_write (lua_State *L) {
  if (is_closed(L))
    return luaL_error(L, "attempt to use a closed file");
  return write_at_once(L, 0);
}

/* upvalue: io.output */
static int io_write (lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_call(L, 0, 1);
  lua_insert(L, 1);
  if (is_closed(L))
    return luaL_error(L, "default output file is closed");
  return write_at_once(L, 1);
}

static int os_exit (lua_State *L) {
  return luaL_error(L, "os.exit would end the whole program, not this task; "
                       "return, or raise an error");
}

static int os_setlocale (lua_State *L) {
  static const char *const categories[] = {
      "all", "collate", "ctype", "monetary", "numeric", "time", NULL};
  static const int numbers[] = {LC_ALL,      LC_COLLATE, LC_CTYPE,
                                LC_MONETARY, LC_NUMERIC, LC_TIME};
  const char *locale = luaL_optstring(L, 1, NULL), *now;
  int category = luaL_checkoption(L, 2, "all", categories);
  now = setlocale(numbers[category], NULL);
  if (locale != NULL && (now == NULL || strcmp(locale, now) != 0))
    return luaL_error(L, "os.setlocale would change the locale of the whole "
                         "program; set it before the pool is made");
  lua_pushstring(L, now);
  return 1;
}

/* Setting a hook takes ours away; in a task that is over it comes back.
   upvalue: Lua's own */
static int debug_sethook (lua_State *L) {
  tpi_Place *place = tpi_place_at(L);
  tpi_fiber_expose(place);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 0);
  if (tpi_peek(&place->pulse->current) == L)
    tpi_fiber_enter(place, L);
  return 0;
}

/* All coroutines stand in there. upvalue: Lua's own */
static int debug_getregistry (lua_State *L) {
  tpi_place_expose(tpi_place_at(L));
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* What finds, or loads, C code of others. upvalue: Lua's own */
static int find_c_code (lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  if (lua_isfunction(L, 1) || lua_isboolean(L, 1))
    tpi_place_expose(tpi_place_at(L));
  return lua_gettop(L);
}

static void open_package (lua_State *L) {
  lua_getglobal(L, LUA_LOADLIBNAME);
  lua_getfield(L, -1, "loadlib");
  lua_pushcclosure(L, find_c_code, 1);
  tpi_replace(L, "loadlib");
  lua_getfield(L, -1, "searchers");
  for (int i = 3; i <= 4; i++) { /* those for C; 4: all in one */
    lua_rawgeti(L, -1, i);
    lua_pushcclosure(L, find_c_code, 1);
    lua_rawseti(L, -2, i);
  }
  lua_pop(L, 2);
}

void tpi_open_worklib (lua_State *L) {
  open_package(L);
  lua_pushglobaltable(L);
  lua_pushcfunction(L, print);
  tpi_replace(L, "print");
  luaL_getmetatable(L, LUA_FILEHANDLE);
  lua_getfield(L, -1, "__index");
  lua_pushcfunction(L, file_write);
  tpi_replace(L, "write");
  lua_getglobal(L, "io");
  lua_getfield(L, -1, "output");
  lua_pushcclosure(L, io_write, 1);
  tpi_replace(L, "write");
  lua_getglobal(L, "os");
  lua_pushcfunction(L, os_exit);
  tpi_replace(L, "exit");
  lua_pushcfunction(L, os_setlocale);
  tpi_replace(L, "setlocale");
  lua_getglobal(L, "debug");
  lua_getfield(L, -1, "sethook");
  lua_pushcclosure(L, debug_sethook, 1);
  tpi_replace(L, "sethook");
  lua_getfield(L, -1, "getregistry");
  lua_pushcclosure(L, debug_getregistry, 1);
  tpi_replace(L, "getregistry");
  lua_pop(L, 6);
}
