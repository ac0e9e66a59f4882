/*
** What cannot cross is refused with the way to it, in words of whoever sends.
*/
#include <string.h>

#include "lua/send.h"

enum { MOST_STEPS = 30 }; /* of a path that a message tells */

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

/* Pushes the name of the module that is the value at `index`, the shortest if
   it has several; or nothing. */
static int push_module_name (lua_State *L, int index) {
  int type = lua_type(L, index), name = lua_gettop(L) + 1;
  if (type != LUA_TTABLE && type != LUA_TFUNCTION && type != LUA_TUSERDATA)
    return 0;
  lua_pushnil(L);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (lua_rawequal(L, -1, index) && lua_type(L, -2) == LUA_TSTRING &&
        (lua_isnil(L, name) || lua_rawlen(L, -2) < lua_rawlen(L, name)))
      lua_copy(L, -2, name);
    lua_pop(L, 1);
  }
  lua_settop(L, lua_isnil(L, name) ? name - 1 : name);
  return lua_gettop(L) == name;
}

/* Pushes why; and what helps, if it is part of a module. */
static void push_why (lua_State *L, const tpi_Path *path, const char *why) {
  while (path != NULL &&
         (path->at == 0 || !push_module_name(L, path->at)))
    path = path->outer;
  if (path == NULL) {
    lua_pushstring(L, why);
    return;
  }
  lua_pushfstring(L, "%s; require the module '%s' inside the function", why,
                  lua_tostring(L, -1));
  lua_remove(L, -2);
}

int tpi_refuse (tpi_Sender *s, const tpi_Path *path, const char *why) {
  lua_State *L = s->L;
  const char *sort;
  luaL_Buffer b;
  int steps = 0, top = lua_gettop(L);
  luaL_checkstack(L, 14, NULL);
  push_why(L, path, why);
  if (s->number > 0)
    lua_pushfstring(L, "%s %I", s->what, (LUAI_UACINT)s->number);
  else
    lua_pushstring(L, s->what);
  if (path->outer == NULL)
    return luaL_error(L, "%s: %s", lua_tostring(L, -1),
                      lua_tostring(L, top + 1));
  luaL_buffinit(L, &b);
  sort = add_path(L, &b, path, &steps);
  luaL_pushresult(&b);
  lua_pushfstring(L, "%s, %s \"", lua_tostring(L, -2), sort);
  lua_pushfstring(L, "\": %s", lua_tostring(L, top + 1));
  return tpi_raise_about(L, lua_tostring(L, -2), -3, lua_tostring(L, -1));
}

int tpi_refuse_type (tpi_Sender *s, int index, const tpi_Path *path) {
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
