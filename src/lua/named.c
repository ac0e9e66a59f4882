#include "lua/named.h"

#include <string.h>

#include "core/waits.h"
#include "lua/code.h"
#include "lua/local.h"
#include "lua/reference.h"

/* Key of the registry: function -> userdata of its label, or true for one that
   is called as its arguments are; weak keys. */
static const char names = 0;

/* ---------------------------------------------------------------- */
/* Naming functions                                                  */
/* ---------------------------------------------------------------- */

static int collect (lua_State *L) {
  tpi_Label **slot = luaL_checkudata(L, 1, "tidepool.label");
  if (!tpi_state_collects(L))
    return 0;
  tpi_label_release(*slot);
  *slot = NULL;
  return 0;
}

/* text -> userdata of a label */
static void make_label (lua_State *L) {
  tpi_Label **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  static const luaL_Reg metamethods[] = {{"__gc", collect}, {NULL, NULL}};
  *slot = NULL;
  if (luaL_newmetatable(L, "tidepool.label"))
    tpi_setfuncs(L, metamethods);
  lua_setmetatable(L, -2);
  tpi_state_note(L);
  *slot = tpi_label_new(lua_tostring(L, -2));
  if (*slot == NULL)
    luaL_error(L, "not enough memory");
  lua_remove(L, -2);
}

/* function value -> */
static void keep (lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &names) != LUA_TTABLE) {
    lua_pop(L, 1);
    tpi_push_weak(L, "k");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &names);
  }
  lua_insert(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

int tpi_l_named (lua_State *L) {
  size_t length;
  const char *name = luaL_checklstring(L, 1, &length);
  luaL_argcheck(L, length > 0 && strlen(name) == length, 1,
                "a name has some letters, none of them zero");
  luaL_checktype(L, 2, LUA_TFUNCTION);
  tpi_state_open(L)->named = 1;
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 1);
  make_label(L);
  keep(L);
  return 1;
}

int tpi_l_carries (lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  if (lua_isnil(L, 2)) {
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
  } else {
    luaL_checkstring(L, 2);
    make_label(L);
  }
  keep(L);
  lua_settop(L, 1);
  return 1;
}

/* What is kept of the function at `index`: a label, or NULL; or is it called as
   its arguments are? */
static tpi_Label *find (lua_State *L, int index, int *carries) {
  tpi_Label **slot = NULL;
  index = lua_absindex(L, index);
  *carries = 0;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &names) == LUA_TTABLE) {
    lua_pushvalue(L, index);
    *carries = lua_rawget(L, -2) == LUA_TBOOLEAN;
    slot = lua_touserdata(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return slot != NULL ? *slot : NULL;
}

tpi_Label *tpi_named_label (lua_State *L, int index) {
  int carries;
  luaL_checkstack(L, 4, NULL);
  return find(L, index, &carries);
}

/* What the function at `index` is called if nobody has named it. */
static const char *describe (lua_State *L, int index, char *place,
                             size_t size) {
  const char *text = tpi_reference_of(L, index);
  if (text != NULL)
    return text;
  if (lua_iscfunction(L, index))
    return "a C function";
  tpi_code_describe(L, index, place, size);
  return place;
}

int tpi_l_name_of (lua_State *L) {
  char place[TPI_PLACE];
  tpi_Label *label;
  if (lua_type(L, 1) == LUA_TSTRING) {
    lua_settop(L, 1);
    return 1;
  }
  luaL_checktype(L, 1, LUA_TFUNCTION);
  label = tpi_named_label(L, 1);
  lua_pushstring(L, label != NULL ? label->text
                                  : describe(L, 1, place, sizeof place));
  return 1;
}

/* ---------------------------------------------------------------- */
/* Naming coroutines                                                 */
/* ---------------------------------------------------------------- */

/* The function on top: false if it is called as its arguments are. Without
   memory it stays without a name. */
static int name_by (lua_State *L, tpi_Task *task) {
  char place[TPI_PLACE];
  int carries;
  tpi_Label *label = find(L, -1, &carries);
  if (carries)
    return 0;
  label = label != NULL ? tpi_label_retain(label)
                        : tpi_label_new(describe(L, -1, place, sizeof place));
  tpi_put(&task->label, label); /* with tpi_task_name */
  return 1;
}

/* call -> ; the function, or a table of it and its arguments (local.h) */
static void name_by_call (lua_State *L, tpi_Task *task) {
  int call = lua_gettop(L), named = 0;
  lua_Integer n = 0;
  if (lua_isfunction(L, call)) {
    name_by(L, task);
  } else if (lua_istable(L, call)) {
    lua_rawgeti(L, call, 0);
    n = lua_tointeger(L, -1);
    for (lua_Integer i = 1; i <= n && !named; i++) {
      named = lua_rawgeti(L, call, i) == LUA_TFUNCTION && name_by(L, task);
      lua_pop(L, 1);
    }
  }
  lua_settop(L, call - 1);
}

void tpi_name_local (lua_State *L, tpi_LuaTask *task) {
  if (tpi_see(&task->task.label) != NULL || !task->local ||
      task->fiber == NULL || task->fiber->kept || !lua_checkstack(L, 8))
    return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, task->local);
  lua_getiuservalue(L, -1, 1);
  name_by_call(L, &task->task);
  lua_pop(L, 1);
}

const char *tpi_name_here (lua_State *L, const tpi_State *S,
                           tpi_Future *future) {
  tpi_Fiber *fiber = tpi_local_fiber(S, future);
  if (fiber != NULL)
    tpi_name_local(L, fiber->task);
  return tpi_name_of(future);
}

/* The registry keeps the Futures of all that have not ended. */
static void name_all (lua_State *L, const tpi_State *S) {
  luaL_checkstack(L, 12, NULL);
  lua_pushnil(L);
  while (lua_next(L, LUA_REGISTRYINDEX)) {
    tpi_Future *future = tpi_to_future(L, S, -1);
    if (future != NULL)
      tpi_name_here(L, S, future);
    lua_pop(L, 1);
  }
}

void tpi_name_ring (lua_State *L, const tpi_State *S, tpi_Future *own,
                    tpi_Future *awaited, char *ring, size_t size) {
  name_all(L, S);
  tpi_future_describe_ring(own, awaited, ring, size);
}
