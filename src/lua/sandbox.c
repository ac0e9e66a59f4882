#include "lua/sandbox.h"

#include <string.h>

#include "lua/send.h"

/* In the metatable of one that has arrived: name -> why it was left behind. */
static const char left_behind;

/* table key -> value; with the names for which there is nothing */
static int without_hidden (lua_State *L) {
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
    return 0;
  lua_pushglobaltable(L);
  lua_pushvalue(L, 2);
  lua_gettable(L, -2);
  return 1;
}

/* sandbox metatable -> sandbox metatable */
static void fill (tpi_Receiver *r, const tp_Table *record) {
  lua_State *L = r->L;
  int sandbox = lua_gettop(L) - 1;
  lua_newtable(L); /* hidden */
  for (size_t i = 0; i < record->pairs; i++) {
    tpi_push_value(r, &record->map[2 * i]);
    tpi_push_value(r, &record->map[2 * i + 1]);
    if (!lua_isnil(L, -1)) {
      lua_rawset(L, sandbox);
    } else {
      lua_pop(L, 1);
      lua_pushboolean(L, 1);
      lua_rawset(L, sandbox + 2);
      lua_pushvalue(L, sandbox + 2);
      lua_pushcclosure(L, without_hidden, 1);
      lua_setfield(L, sandbox + 1, "__index");
    }
  }
  lua_pop(L, 1);
}

/* -> sandbox */
void tpi_push_sandbox (tpi_Receiver *r, const tpi_Table *record) {
  lua_State *L = r->L;
  luaL_checkstack(L, 12, "sandboxes nest too deep");
  lua_newtable(L);
  tpi_remember(r, record);
  lua_newtable(L);
  lua_pushglobaltable(L);
  lua_setfield(L, -2, "__index");
  lua_newtable(L);
  for (size_t i = 0; i < record->table.length; i += 2) {
    tpi_push_value(r, &record->table.array[i]);
    tpi_push_value(r, &record->table.array[i + 1]);
    lua_rawset(L, -3);
  }
  lua_rawsetp(L, -2, &left_behind);
  fill(r, &record->table);
  lua_setmetatable(L, -2);
}

/* -> metatable left_behind, of the sandbox that is upvalue i of the function at
   that index; or nothing */
static int push_sandbox_at (lua_State *L, int function, int i) {
  int top = lua_gettop(L);
  lua_getupvalue(L, function, i);
  if (lua_istable(L, -1) && lua_getmetatable(L, -1) &&
      lua_rawgetp(L, -1, &left_behind) == LUA_TTABLE) {
    lua_remove(L, top + 1);
    return 1;
  }
  lua_settop(L, top);
  return 0;
}

void tpi_sandbox_open (lua_State *L, int index) {
  int i = 1;
  while (lua_getupvalue(L, index, i) != NULL) {
    lua_pop(L, 1);
    if (push_sandbox_at(L, index, i)) {
      lua_pushglobaltable(L);
      lua_setfield(L, -3, "__newindex");
      lua_pop(L, 2);
    }
    i++;
  }
}

/* -> name: what a message of Lua calls a global; `sort` is what it takes it
   for */
static int push_name (lua_State *L, const char *message, const char *sort) {
  const char *start = strstr(message, sort), *end;
  if (start == NULL)
    return 0;
  start += strlen(sort);
  end = strchr(start, '\'');
  if (end == NULL)
    return 0;
  lua_pushlstring(L, start, (size_t)(end - start));
  return 1;
}

/* name -> name why; if that function has looked for it in vain */
static int push_why (lua_State *L, int function, int named) {
  const char *name;
  for (int i = 1; (name = lua_getupvalue(L, function, i)) != NULL; i++) {
    lua_pop(L, 1);
    if ((*name == '_') == named && push_sandbox_at(L, function, i)) {
      lua_pushvalue(L, -3);
      if (lua_rawget(L, -2) == LUA_TSTRING) {
        lua_replace(L, -3);
        lua_pop(L, 1);
        return 1;
      }
      lua_pop(L, 3);
    }
  }
  return 0;
}

/* message name -> message */
static int explain (lua_State *L, int named) {
  int top = lua_gettop(L);
  lua_Debug ar;
  for (int level = 1; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "f", &ar);
    lua_pushvalue(L, top);
    if (push_why(L, top + 1, named)) {
      lua_pushvalue(L, top - 1);
      lua_pushfstring(L, ". The caller's '%s' was not sent: ",
                      lua_tostring(L, top));
      lua_pushvalue(L, -3);
      lua_concat(L, 3);
      lua_replace(L, top - 1);
      lua_settop(L, top - 1);
      return 1;
    }
    lua_settop(L, top);
  }
  lua_settop(L, top - 1);
  return 0;
}

/* A function without debug information has its globals for fields. */
int tpi_sandbox_explain (lua_State *L) {
  const char *message = lua_tostring(L, -1);
  if (push_name(L, message, "(global '"))
    return explain(L, 1);
  return push_name(L, message, "(field '") && explain(L, 0);
}
