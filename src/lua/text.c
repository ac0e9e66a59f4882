/*
** What an error says that was raised with any value. A table without words of
** its own is told by some of its fields.
*/
#include <string.h>

#include "lua/binding.h"

enum {
  MOST_FIELDS = 5,
  MOST_LETTERS = 60 /* of a string in a table */
};

/* ... value -> ...; a string in quotes, without what would break the line */
static void add_value (lua_State *L, luaL_Buffer *b, int index) {
  size_t length;
  const char *text;
  int cut;
  if (lua_type(L, index) != LUA_TSTRING) {
    if (lua_istable(L, index))
      lua_pushliteral(L, "{...}");
    else
      luaL_tolstring(L, index, NULL);
    luaL_addvalue(b);
    return;
  }
  text = lua_tolstring(L, index, &length);
  cut = length > MOST_LETTERS;
  luaL_addchar(b, '"');
  for (size_t i = 0; i < (cut ? MOST_LETTERS : length); i++)
    luaL_addchar(b, (unsigned char)text[i] < ' ' ? ' ' : text[i]);
  luaL_addstring(b, cut ? "...\"" : "\"");
}

static void add_field (lua_State *L, luaL_Buffer *b, int key) {
  if (lua_type(L, key) == LUA_TSTRING) {
    lua_pushvalue(L, key);
    luaL_addvalue(b);
    luaL_addstring(b, " = ");
  } else if (!lua_isinteger(L, key)) {
    luaL_addchar(b, '[');
    add_value(L, b, key);
    luaL_addstring(b, "] = ");
  }
  add_value(L, b, key + 1);
}

/* Of those with names, or of the others. The key and value at hand stand at 2
   and 3, below the buffer. */
static int add_fields (lua_State *L, luaL_Buffer *b, int names, int n) {
  lua_pushnil(L);
  lua_replace(L, 2);
  while (n <= MOST_FIELDS) {
    lua_pushvalue(L, 2);
    if (!lua_next(L, 1))
      break;
    lua_replace(L, 3);
    lua_replace(L, 2);
    if ((lua_type(L, 2) == LUA_TSTRING) != names)
      continue;
    if (n > 0)
      luaL_addstring(b, ", ");
    if (n++ == MOST_FIELDS)
      luaL_addstring(b, "...");
    else
      add_field(L, b, 2);
  }
  return n;
}

/* table -> text: "{ code = 7, reason = "low tide" }" */
static void push_fields (lua_State *L) {
  luaL_Buffer b;
  lua_settop(L, 3);
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "{ ");
  add_fields(L, &b, 0, add_fields(L, &b, 1, 0));
  luaL_addstring(&b, " }");
  luaL_pushresult(&b);
}

static int has_words (lua_State *L) {
  return luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL ||
         luaL_getmetafield(L, 1, "__name") != LUA_TNIL;
}

/* value -> text */
static int to_text (lua_State *L) {
  int empty;
  if (!lua_istable(L, 1) || has_words(L)) {
    luaL_tolstring(L, 1, NULL);
    return 1;
  }
  lua_pushnil(L);
  empty = !lua_next(L, 1);
  if (empty)
    luaL_tolstring(L, 1, NULL);
  else
    push_fields(L);
  return 1;
}

void tpi_push_text (lua_State *L) {
  lua_pushcfunction(L, to_text);
  lua_pushvalue(L, -2);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK)
    return;
  lua_pop(L, 1);
  lua_pushliteral(L, "an error whose __tostring raises");
}
