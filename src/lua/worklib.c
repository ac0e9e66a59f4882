/*
** Functions of the standard library that a worker has in a form of its own:
** what is printed comes in one piece, and what would end or change the whole
** process is refused.
*/
#include <locale.h>
#include <stdio.h>
#include <string.h>

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

/* The write of files, which is the first upvalue, with the arguments from
   2 on in one; the file stands at 1, which `given` says was the caller's. */
static int write_at_once (lua_State *L, int given) {
  int n = lua_gettop(L);
  luaL_Buffer b;
  luaL_checkstack(L, 4, NULL);
  luaL_buffinit(L, &b);
  for (int i = 2; i <= n; i++) {
    if (!lua_isstring(L, i))
      luaL_argerror(L, given ? i : i - 1,
                    lua_pushfstring(L, "string expected, got %s",
                                    luaL_typename(L, i)));
    push_text(L, i);
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -3);
  lua_call(L, 2, LUA_MULTRET);
  return lua_gettop(L) - n - 1;
}

static int file_write (lua_State *L) {
  luaL_checkudata(L, 1, LUA_FILEHANDLE);
  return write_at_once(L, 1);
}

/* upvalues: write, io.output */
static int io_write (lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_call(L, 0, 1);
  lua_insert(L, 1);
  return write_at_once(L, 0);
}

static int os_exit (lua_State *L) {
  return luaL_error(L, "os.exit would end the whole program, not this task; "
                       "return, or raise an error");
}

/* upvalue: os.setlocale */
static int os_setlocale (lua_State *L) {
  static const char *const categories[] = {"all",      "collate", "ctype",
                                           "monetary", "numeric", "time", NULL};
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

/* table function -> table; a function of Lua that was sent becomes this one
   as well (tpi_push_c_function) */
static void replace (lua_State *L, const char *name) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tpi_replaced);
  lua_getfield(L, -3, name);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  lua_setfield(L, -2, name);
}

void tpi_open_worklib (lua_State *L) {
  lua_pushglobaltable(L);
  lua_pushcfunction(L, print);
  replace(L, "print");
  lua_getglobal(L, "io");
  luaL_getmetatable(L, LUA_FILEHANDLE);
  lua_getfield(L, -1, "__index"); /* io mt methods */
  lua_getfield(L, -1, "write");
  lua_getfield(L, -4, "output"); /* io mt methods write output */
  lua_pushvalue(L, -2);
  lua_pushcclosure(L, file_write, 1);
  lua_pushvalue(L, -4);
  lua_insert(L, -2); /* io mt methods write output methods file_write */
  replace(L, "write");
  lua_pop(L, 1);
  lua_pushcclosure(L, io_write, 2); /* io mt methods io_write */
  lua_pushvalue(L, -4);
  lua_insert(L, -2);
  replace(L, "write");
  lua_pop(L, 4);
  lua_getglobal(L, "os");
  lua_pushcfunction(L, os_exit);
  replace(L, "exit");
  lua_pushcfunction(L, os_setlocale);
  replace(L, "setlocale");
  lua_pop(L, 2);
}
