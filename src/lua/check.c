/*
** Registered functions by name, and arguments against their signatures.
*/
#include <string.h>

#include "lua/binding.h"

int tpi_is_word (lua_State *L, int index, const char *word) {
  size_t length;
  const char *text = lua_tolstring(L, index, &length);
  return length == strlen(word) && memcmp(text, word, length) == 0;
}

int tpi_raise_about (lua_State *L, const char *before, int index,
                     const char *after) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 5, NULL);
  luaL_where(L, 1);
  lua_pushstring(L, before);
  lua_pushvalue(L, index);
  lua_pushstring(L, after);
  lua_concat(L, 4);
  return lua_error(L);
}

static int unknown (lua_State *L, int index) {
  const char *guess = tpi_functions_guess(lua_tostring(L, index));
  if (guess == NULL)
    return tpi_raise_about(L, "no function named '", index, "' is registered");
  lua_pushfstring(L, "' is registered (did you mean '%s'?)", guess);
  return tpi_raise_about(L, "no function named '", index, lua_tostring(L, -1));
}

/* Registered functions stay for ever, so a Lua table may remember them. */
const tpi_Function *tpi_function_at (lua_State *L, int index) {
  const tpi_Function *function;
  const char *name;
  size_t length;
  lua_pushvalue(L, index);
  lua_rawget(L, lua_upvalueindex(TPI_UP_FUNCTIONS));
  function = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (function != NULL)
    return function;
  name = luaL_checklstring(L, index, &length);
  function = strlen(name) == length ? tpi_functions_find(name) : NULL;
  if (function == NULL)
    unknown(L, index);
  lua_pushvalue(L, index);
  lua_pushlightuserdata(L, (void *)(uintptr_t)function);
  lua_rawset(L, lua_upvalueindex(TPI_UP_FUNCTIONS));
  return function;
}

static const char *type_at (lua_State *L, int index) {
  if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING)
    return lua_tostring(L, -1);
  if (lua_type(L, index) == LUA_TLIGHTUSERDATA)
    return "light userdata";
  return luaL_typename(L, index);
}

static int bad_argument (lua_State *L, const tpi_Function *function,
                         const tpi_Param *param, int index, int number) {
  if (param->type == TPI_IS_INTEGER && lua_isnumber(L, index))
    return luaL_error(L,
                      "bad argument #%d to '%s' "
                      "(number has no integer representation)",
                      number, function->name);
  return luaL_error(L, "bad argument #%d to '%s' (%s expected, got %s)", number,
                    function->name, tpi_param_name((tpi_ParamType)param->type),
                    type_at(L, index));
}

/* Integers and strings are converted as Lua's own functions do. */
static int convert_integer (lua_State *L, int index) {
  int exact;
  lua_Integer n;
  if (lua_isinteger(L, index))
    return 1;
  n = lua_tointegerx(L, index, &exact);
  if (exact) {
    lua_pushinteger(L, n);
    lua_replace(L, index);
  }
  return exact;
}

static int convert_number (lua_State *L, int index) {
  if (lua_type(L, index) == LUA_TNUMBER)
    return 1;
  if (!lua_isnumber(L, index))
    return 0;
  lua_stringtonumber(L, lua_tostring(L, index));
  lua_replace(L, index);
  return 1;
}

static int fits (lua_State *L, tpi_State *S, tpi_ParamType type, int index) {
  switch (type) {
    case TPI_ANY: return 1;
    case TPI_IS_NIL: return lua_isnoneornil(L, index);
    case TPI_IS_BOOLEAN: return lua_isboolean(L, index);
    case TPI_IS_INTEGER: return convert_integer(L, index);
    case TPI_IS_NUMBER: return convert_number(L, index);
    case TPI_IS_BYTES: return lua_tolstring(L, index, NULL) != NULL;
    case TPI_IS_TABLE: return lua_istable(L, index);
    case TPI_IS_FUTURE: return tpi_to_future(L, S, index) != NULL;
    case TPI_IS_MANAGER: return tpi_to_manager(L, S, index) != NULL;
    default: return 0;
  }
}

/* Checks the arguments first .. top against the signature; where Futures are
   followed, their results are when they are there. */
void tpi_check_args (lua_State *L, tpi_State *S, const tpi_Function *function,
                     int first, int follows) {
  const tpi_Signature *sig = &function->signature;
  int top = lua_gettop(L);
  for (int i = 0; first + i <= top || i < sig->count; i++) {
    const tpi_Param *param = tpi_signature_param(sig, (unsigned)i);
    if (param == NULL)
      return; /* more than it takes, as Lua does not mind */
    if (param->optional && lua_isnoneornil(L, first + i))
      continue;
    if (first + i <= top && param->type != TPI_ANY &&
        fits(L, S, (tpi_ParamType)param->type, first + i))
      continue;
    if (follows && param->type != TPI_IS_FUTURE &&
        tpi_to_future(L, S, first + i) != NULL) {
      if (first + i == top)
        return; /* it may stand for all the others as well */
      continue;
    }
    if (first + i > top && param->type != TPI_IS_NIL)
      luaL_error(L, "bad argument #%d to '%s' (%s expected, got no value)",
                 i + 1, function->name,
                 tpi_param_name((tpi_ParamType)param->type));
    if (first + i <= top && param->type != TPI_ANY)
      bad_argument(L, function, param, first + i, i + 1);
  }
}
