#include "lua/traceback.h"

#include <stdatomic.h>
#include <string.h>

#include "lua/local.h"

/* ---------------------------------------------------------------- */
/* Our own files                                                     */
/* ---------------------------------------------------------------- */

/* The folder of the Lua part, as Lua names it. Functions cross with the names
   of their files, so it is that of all Lua states. Written once, by whoever
   claims it first. */
static char folder[1024];
static atomic_int folder_state;
enum { UNKNOWN, CLAIMED, KNOWN };

void tpi_own_folder (lua_State *L) {
  lua_Debug ar;
  const char *end;
  size_t length;
  int unknown = UNKNOWN;
  if (!lua_getstack(L, 1, &ar) || !lua_getinfo(L, "S", &ar) ||
      *ar.source != '@')
    return;
  end = strrchr(ar.source, '/');
  length = end != NULL ? (size_t)(end - ar.source) - 1 : 0;
  if (length > 0 && length < sizeof folder &&
      atomic_compare_exchange_strong(&folder_state, &unknown, CLAIMED)) {
    memcpy(folder, ar.source + 1, length);
    folder[length] = '\0';
    atomic_store(&folder_state, KNOWN);
  }
}

/* Behind the last of these folders, if `line` has one. */
static const char *inside (const char *line, const char *name) {
  const char *found = NULL, *next;
  while ((next = strstr(line, name)) != NULL)
    found = line = next + strlen(name);
  return found;
}

/* Is that the name of a file of ours, up to its end or a colon? Lua keeps only
   the end of a long name, behind three dots. */
static int is_ours (const char *name) {
  char file[LUA_IDSIZE + 1];
  size_t length = strlen(folder), size = strcspn(name, ":"), tail;
  const char *rest;
  if (length == 0 || size >= sizeof file)
    return 0;
  memcpy(file, name, size);
  file[size] = '\0';
  if (strncmp(file, "...", 3) != 0)
    return strncmp(file, folder, length) == 0 && file[length] == '/';
  rest = inside(file, "/tidepool/");
  if (rest == NULL)
    return 0;
  tail = (size_t)(rest - file) - 4; /* without dots and last slash */
  return tail <= length && strncmp(folder + length - tail, file + 3, tail) == 0;
}

/* string -> string; without a position in a file of ours, which a C function of
   others has got that was called from there. What we do wrong keeps it. */
void tpi_strip_position (lua_State *L) {
  static const char own[] = "attempt to ";
  size_t length;
  const char *text = lua_tolstring(L, -1, &length), *rest;
  if (atomic_load(&folder_state) != KNOWN || !is_ours(text))
    return;
  rest = text + strcspn(text, ":");
  if (*rest != ':')
    return;
  rest += 1 + strspn(rest + 1, "0123456789");
  if (strncmp(rest, ": ", 2) != 0 ||
      strncmp(rest + 2, own, sizeof own - 1) == 0)
    return;
  lua_pushlstring(L, rest + 2, length - (size_t)(rest + 2 - text));
  lua_replace(L, -2);
}

/* The outermost Lua function, if it is one of ours. */
static int get_outermost (lua_State *L, lua_Debug *ar) {
  int least = 0, most = 1;
  while (lua_getstack(L, most, ar)) {
    least = most;
    most *= 2;
  }
  while (least < most - 1) {
    int middle = (least + most) / 2;
    if (lua_getstack(L, middle, ar))
      least = middle;
    else
      most = middle;
  }
  return least > 0 && lua_getstack(L, least - 1, ar) &&
         lua_getinfo(L, "S", ar) && *ar->what == 'L' && is_ours(ar->short_src);
}

lua_Integer tpi_traceback_element (lua_State *L) {
  lua_Integer element = 0;
  lua_Debug ar;
  const char *name;
  if (atomic_load(&folder_state) != KNOWN || !get_outermost(L, &ar))
    return 0;
  luaL_checkstack(L, 2, NULL);
  for (int i = 1; (name = lua_getlocal(L, &ar, i)) != NULL; i++) {
    if (strcmp(name, "element") == 0)
      element = lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  return element;
}

void tpi_traceback (lua_State *L, lua_State *of, int level) {
  const char *text, *end;
  luaL_Buffer b;
  luaL_traceback(L, of, NULL, level);
  if (atomic_load(&folder_state) != KNOWN)
    return;
  text = lua_tostring(L, -1);
  luaL_buffinit(L, &b);
  for (; text != NULL; text = end) {
    end = strchr(text + 1, '\n');
    if (strncmp(text, "\n\t", 2) == 0 && is_ours(text + 2))
      continue;
    luaL_addlstring(&b, text, end != NULL ? (size_t)(end - text) : strlen(text));
  }
  luaL_pushresult(&b);
  lua_remove(L, -2);
}

/* ---------------------------------------------------------------- */
/* What came out of a coroutine as it was                            */
/* ---------------------------------------------------------------- */

/* Key of the registry: a weak table, value -> traceback. What has no identity
   of its own, a string above all, is there as [1] when it was the last one,
   and its traceback as [2]. */
static const char raised;

static void push_notes (lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &raised) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  tpi_push_weak(L, "k");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &raised);
}

static int has_identity (lua_State *L, int index) {
  int type = lua_type(L, index);
  return type == LUA_TTABLE || type == LUA_TUSERDATA;
}

/* value traceback -> value */
static void note (lua_State *L) {
  push_notes(L);
  if (has_identity(L, -3)) {
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
  } else {
    lua_pushvalue(L, -3);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, 2);
  }
  lua_pop(L, 2);
}

/* Pushes the traceback that is known of the value at `index`; or nothing. */
static int known (lua_State *L, int index) {
  int top = lua_gettop(L), type;
  index = lua_absindex(L, index);
  push_notes(L);
  if (has_identity(L, index)) {
    lua_pushvalue(L, index);
    type = lua_rawget(L, -2);
  } else {
    lua_rawgeti(L, -1, 1);
    type = lua_isnil(L, -1) || !lua_rawequal(L, -1, index)
               ? LUA_TNIL
               : lua_rawgeti(L, top + 1, 2);
  }
  if (type != LUA_TSTRING) {
    lua_settop(L, top);
    return 0;
  }
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
  return 1;
}

/* Two strings may be equal by chance: one that comes through is raised by
   unwrap. */
static int comes_through (lua_State *L) {
  lua_Debug ar;
  int does;
  if (!lua_getstack(L, 1, &ar) || !lua_getinfo(L, "f", &ar))
    return 0;
  does = lua_tocfunction(L, -1) == tpi_l_unwrap;
  lua_pop(L, 1);
  return does;
}

void tpi_traceback_raised (lua_State *L) {
  luaL_checkstack(L, 8, NULL);
  if (!((has_identity(L, -1) || comes_through(L)) && known(L, -1)))
    tpi_traceback(L, L, 1);
}

int tpi_l_unwrap (lua_State *L) {
  const tpi_State *S = tpi_state(L);
  tpi_Future *future = tpi_check_future(L, S, 1);
  if (!tpi_local_raised(future) || tpi_local_error(L, S, 1) < 0)
    return tpi_l_get(L);
  tpi_future_read(future);
  lua_getfield(L, -1, "value");
  lua_getfield(L, -2, "traceback");
  if (lua_type(L, -1) == LUA_TSTRING)
    note(L);
  else
    lua_pop(L, 1);
  return lua_error(L);
}

/* ---------------------------------------------------------------- */

/* An Error that has a traceback prints it itself. */
static int prints_one (lua_State *L) {
  int does;
  if (!tpi_is_error(L, tpi_state(L)))
    return 0;
  does = lua_getfield(L, -1, "traceback") == LUA_TSTRING;
  lua_pop(L, 1);
  return does;
}

int tpi_l_traceback (lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  if (prints_one(L)) {
    tpi_push_text(L);
    return 1;
  }
  if (!known(L, 1))
    tpi_traceback(L, L, 1);
  lua_pushvalue(L, 1);
  tpi_push_text(L);
  lua_replace(L, -2);
  lua_pushliteral(L, "\n");
  lua_rotate(L, 2, 2); /* value text newline traceback */
  lua_concat(L, 3);
  return 1;
}
