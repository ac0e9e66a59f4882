#include "lua/code.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/pin.h"
#include "lua/binding.h"
#include "lua/chunk.h"
#include "lua/upvalues.h"

enum { MOST_LOADED = 1024 }; /* functions kept by a Lua state */

/* What stands in TPI_UP_CODES. */
enum {
  BY_FUNCTION = 1, /* function -> handle of its Code, weak keys */
  BY_HASH,         /* hash of the bytes -> handle, weak values */
  LOADED,          /* id -> function, -id -> its maker */
  COUNT,           /* of those */
  NAMES,           /* function -> number of an upvalue -> names; weak keys */
  HANDLE_MT
};

void tpi_code_retain (void *code) { tpi_ref(&((tpi_Code *)code)->refs); }

void tpi_code_release (void *code) {
  if (code != NULL && tpi_unref(&((tpi_Code *)code)->refs))
    tpi_free(code);
}

static void let_go (void *code, tpi_List *heir) {
  (void)heir;
  tpi_code_release(code);
}

int tpi_code_put (tpi_List *list, tp_Value *value, uint64_t tag,
                  tpi_Code *code) {
  return tpi_list_object(list, value, tag | TPI_OBJECT, code, tpi_code_retain,
                         let_go);
}

/* ---------------------------------------------------------------- */
/* Dumping                                                           */
/* ---------------------------------------------------------------- */

static void name_code (lua_State *L, int index, tpi_Code *code) {
  lua_Debug ar;
  lua_pushvalue(L, index);
  lua_getinfo(L, ">S", &ar);
  snprintf(code->name, sizeof code->name, "function <%s:%d>", ar.short_src,
           ar.linedefined);
}

/* Into a handle, which owns it from the start. Dumped twice: to count the
   bytes, and to write them where they stay. */
static tpi_Code *dump (lua_State *L, int index, tpi_Code **handle) {
  static atomic_ullong next = 1;
  tpi_Code *code;
  size_t size;
  lua_pushvalue(L, index);
  size = tpi_chunk_dump(L, NULL, 0);
  code = tpi_alloc(sizeof *code + size);
  if (code == NULL)
    luaL_error(L, "not enough memory");
  tpi_poke(&code->refs, 1);
  code->id = tpi_count(&next, 1);
  code->size = size;
  *handle = code;
  tpi_chunk_dump(L, code->bytes, 0);
  lua_pop(L, 1);
  name_code(L, index, code);
  return code;
}

/* FNV-1a; equal hashes are compared. */
static lua_Integer hash_of (const tpi_Code *code) {
  uint64_t h = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < code->size; i++)
    h = (h ^ (unsigned char)code->bytes[i]) * UINT64_C(1099511628211);
  return (lua_Integer)h;
}

/* ---------------------------------------------------------------- */
/* Knowing                                                           */
/* ---------------------------------------------------------------- */

static int collect (lua_State *L) {
  tpi_Code **handle = lua_touserdata(L, 1);
  tpi_code_release(*handle);
  *handle = NULL;
  return 0;
}

/* codes -> codes handle: of the same code if it is known by its bytes */
static tpi_Code *push_handle (lua_State *L, int function) {
  tpi_Code **handle = lua_newuserdatauv(L, sizeof *handle, 0);
  tpi_Code **known;
  lua_Integer hash;
  *handle = NULL;
  lua_rawgeti(L, -2, HANDLE_MT);
  lua_setmetatable(L, -2);
  tpi_state_note(L);
  hash = hash_of(dump(L, function, handle));
  lua_rawgeti(L, -2, BY_HASH); /* codes handle by_hash */
  lua_rawgeti(L, -1, hash);
  known = lua_touserdata(L, -1);
  if (known != NULL && *known != NULL && (*known)->size == (*handle)->size &&
      memcmp((*known)->bytes, (*handle)->bytes, (*known)->size) == 0) {
    tpi_code_retain(*known);
    tpi_code_release(*handle);
    *handle = *known;
  } else {
    (*handle)->assigns = tpi_chunk_assigns((*handle)->bytes, (*handle)->size);
  }
  lua_pop(L, 1);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, hash);
  lua_pop(L, 1);
  return *handle;
}

/* -> value by_function: what is known of that function, or nil */
static void look_up (lua_State *L, int index) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 10, NULL);
  tpi_push_upvalue(L, TPI_UP_CODES);
  lua_rawgeti(L, -1, BY_FUNCTION);
  lua_pushvalue(L, index);
  lua_rawget(L, -2);
  lua_replace(L, -3);
}

tpi_Code *tpi_code_known (lua_State *L, int index) {
  tpi_Code **handle;
  look_up(L, index);
  handle = lua_touserdata(L, -2);
  lua_pop(L, 2);
  return handle != NULL ? *handle : NULL;
}

tpi_Code *tpi_code_of (lua_State *L, int index) {
  tpi_Code *code = tpi_code_known(L, index);
  if (code != NULL)
    return code;
  index = lua_absindex(L, index);
  tpi_push_upvalue(L, TPI_UP_CODES);
  lua_rawgeti(L, -1, BY_FUNCTION);
  lua_insert(L, -2); /* by_function codes */
  code = push_handle(L, index);
  lua_remove(L, -2); /* by_function handle */
  lua_pushvalue(L, index);
  lua_insert(L, -2); /* by_function function handle */
  lua_rawset(L, -3);
  lua_pop(L, 1);
  return code;
}

/* names by upvalue -> names by upvalue, names */
static void make_names (lua_State *L, int function, int upvalue) {
  const tpi_Code *code = tpi_code_of(L, function);
  tpi_chunk_push_names(L, code->bytes, code->size, (unsigned)upvalue);
  lua_pushvalue(L, -1);
  lua_rawseti(L, -3, upvalue);
}

void tpi_code_push_names (lua_State *L, int function, int upvalue) {
  function = lua_absindex(L, function);
  luaL_checkstack(L, 10, NULL);
  tpi_push_upvalue(L, TPI_UP_CODES);
  if (lua_rawgeti(L, -1, NAMES) == LUA_TNIL) { /* made when first needed */
    lua_pop(L, 1);
    tpi_push_weak(L, "k");
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, NAMES);
  }
  lua_replace(L, -2); /* all names */
  lua_pushvalue(L, function);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, function);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
  }
  if (lua_rawgeti(L, -1, upvalue) == LUA_TNIL) {
    lua_pop(L, 1);
    make_names(L, function, upvalue);
  }
  lua_replace(L, -3);
  lua_pop(L, 1);
}

int tpi_code_pinned (lua_State *L, int index) {
  int pinned;
  look_up(L, index);
  pinned = !lua_isnil(L, -2);
  lua_pop(L, 2);
  return pinned;
}

void tpi_pin_function (lua_State *L, int index) {
  index = lua_absindex(L, index);
  look_up(L, index);
  tpi_pin((const void *)(intptr_t)lua_tocfunction(L, index));
  lua_pushvalue(L, index);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
  lua_pop(L, 2);
}

/* ---------------------------------------------------------------- */
/* Loading                                                           */
/* ---------------------------------------------------------------- */

static void load (lua_State *L, const tpi_Code *code) {
  if (luaL_loadbufferx(L, code->bytes, code->size, code->name, "b") != LUA_OK)
    lua_error(L);
}

static void set_globals (lua_State *L) {
  for (int i = 1;; i++) {
    lua_pushglobaltable(L);
    if (lua_setupvalue(L, -2, i) == NULL)
      break;
  }
  lua_pop(L, 1);
}

/* codes function -> codes function: no more are kept than are worth it */
static void keep_loaded (lua_State *L, lua_Integer key) {
  lua_Integer count;
  lua_rawgeti(L, -2, COUNT);
  count = lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (count == MOST_LOADED) {
    count = 0;
    lua_newtable(L);
    lua_rawseti(L, -3, LOADED);
  }
  lua_pushinteger(L, count + 1);
  lua_rawseti(L, -3, COUNT);
  lua_rawgeti(L, -2, LOADED);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, key);
  lua_pop(L, 1);
}

/* -> codes function: what is kept by that key, or nil */
static int push_loaded (lua_State *L, lua_Integer key) {
  luaL_checkstack(L, 8, NULL);
  tpi_push_upvalue(L, TPI_UP_CODES);
  lua_rawgeti(L, -1, LOADED);
  lua_rawgeti(L, -1, key);
  lua_remove(L, -2);
  return lua_isfunction(L, -1);
}

/* Has the function on top not assigned to its environment? */
static int untouched (lua_State *L) {
  int same = 1;
  lua_pushglobaltable(L);
  for (int i = 1; same && lua_getupvalue(L, -2, i) != NULL; i++) {
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return same;
}

void tpi_code_push (lua_State *L, const tpi_Code *code) {
  lua_Integer key = (lua_Integer)code->id;
  if (!push_loaded(L, key) || !untouched(L)) {
    lua_pop(L, 1);
    load(L, code);
    set_globals(L);
    keep_loaded(L, key);
  }
  lua_remove(L, -2);
}

void tpi_code_push_new (lua_State *L, const tpi_Code *code) {
  lua_Integer key = -(lua_Integer)code->id;
  if (push_loaded(L, key)) {
    lua_call(L, 0, 1);
  } else {
    lua_pop(L, 1);
    if (tpi_chunk_push_maker(L, code->bytes, code->size, code->name)) {
      keep_loaded(L, key);
      lua_call(L, 0, 1);
    } else {
      load(L, code);
    }
  }
  lua_remove(L, -2);
}

/* ---------------------------------------------------------------- */

void tpi_open_codes (lua_State *L) {
  tpi_push_upvalue(L, TPI_UP_CODES);
  tpi_push_weak(L, "k");
  lua_rawseti(L, -2, BY_FUNCTION);
  tpi_push_weak(L, "v");
  lua_rawseti(L, -2, BY_HASH);
  lua_newtable(L);
  lua_rawseti(L, -2, LOADED);
  lua_pushinteger(L, 0);
  lua_rawseti(L, -2, COUNT);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
  lua_rawseti(L, -2, HANDLE_MT);
  lua_pop(L, 1);
}
