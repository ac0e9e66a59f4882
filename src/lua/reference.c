#include "lua/reference.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <string.h>

#include "lua/binding.h"

int tpi_is_reference (lua_State *L, int index) {
  size_t length;
  const char *text, *colon;
  if (lua_type(L, index) != LUA_TSTRING)
    return 0;
  text = lua_tolstring(L, index, &length);
  colon = memchr(text, ':', length);
  if (colon == NULL)
    return 0;
  if (colon == text || colon + 1 == text + length || strlen(text) != length)
    tpi_raise_about(L, "\"module:field\" expected, got '", index, "'");
  return 1;
}

/* -> require: in a worker Lua's own, for tasks may change the globals. */
static void push_require (lua_State *L) {
  if (tpi_state_find(L)->place != NULL)
    tpi_push_standard(L, "_G.require");
  else
    lua_getglobal(L, "require");
}

/* No line of the caller's is at fault. */
static void refuse (lua_State *L, const char *text, const char *why, ...) {
  va_list values;
  lua_pushfstring(L, "cannot call \"%s\": ", text);
  va_start(values, why);
  lua_pushvfstring(L, why, values);
  va_end(values);
  lua_concat(L, 2);
  lua_error(L);
}

static int has_fields (lua_State *L) {
  if (lua_istable(L, -1))
    return 1;
  if (luaL_getmetafield(L, -1, "__index") == LUA_TNIL)
    return 0;
  lua_pop(L, 1);
  return 1;
}

/* -> the function that the text at `index` stands for. That there is no such
   module is said by `require` itself. */
static void resolve (lua_State *L, int index) {
  const char *text = lua_tostring(L, index), *field = strchr(text, ':') + 1;
  const char *module;
  luaL_checkstack(L, 8, NULL);
  module = lua_pushlstring(L, text, (size_t)(field - 1 - text));
  push_require(L);
  lua_pushvalue(L, -2);
  lua_call(L, 1, 1); /* module's name, module */
  if (!has_fields(L))
    refuse(L, text, "module '%s' returned a %s, which has no fields", module,
           luaL_typename(L, -1));
  if (lua_getfield(L, -1, field) == LUA_TNIL)
    refuse(L, text, "module '%s' has no field '%s'", module, field);
  if (!lua_isfunction(L, -1))
    refuse(L, text, "field '%s' of module '%s' is a %s, not a function", field,
           module, luaL_typename(L, -1));
  lua_replace(L, -3);
  lua_pop(L, 1);
}

static int called (lua_State *L, int status, lua_KContext context) {
  (void)status, (void)context;
  return lua_gettop(L);
}

/* args... -> results...; upvalue: the text */
static int call (lua_State *L) {
  int n = lua_gettop(L);
  resolve(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_callk(L, n, LUA_MULTRET, 0, called);
  return called(L, LUA_OK, 0);
}

void tpi_push_reference (lua_State *L, int index) {
  lua_pushvalue(L, index);
  lua_pushcclosure(L, call, 1);
}

const char *tpi_reference_of (lua_State *L, int index) {
  const char *text = NULL;
  if (lua_tocfunction(L, index) == call &&
      lua_getupvalue(L, index, 1) != NULL) {
    text = lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  return text;
}

void tpi_check_callable (lua_State *L, int index) {
  if (tpi_is_reference(L, index)) {
    tpi_push_reference(L, index);
    lua_replace(L, index);
  }
  luaL_checktype(L, index, LUA_TFUNCTION);
}

int tpi_l_refer (lua_State *L) {
  lua_settop(L, 1);
  if (tpi_is_reference(L, 1))
    tpi_push_reference(L, 1);
  return 1;
}

int tpi_l_resolve (lua_State *L) {
  lua_settop(L, 1);
  if (tpi_is_reference(L, 1))
    resolve(L, 1);
  else
    lua_pushnil(L);
  return 1;
}
