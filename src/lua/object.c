/*
** Values that cross by another way than by their type: Errors, what is
** tidepool's own, and whatever has a metamethod __tidepool.
*/
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lua/send.h"

/* ---------------------------------------------------------------- */
/* What is tidepool's                                                */
/*
** The module and its functions are found again by name on the other side:
** "call", or "AsyncManager:with", "Future:await" for methods. So are functions
** of the standard library that have upvalues, and thus could not cross
** otherwise: "=math.random".
*/

void tpi_push_module (lua_State *L) { tpi_push_upvalue(L, TPI_UP_MODULE); }

/* -> table: where the names before that colon stand; the module for none */
static void push_owner (lua_State *L, const char *name) {
  const char *colon = strchr(name, ':');
  if (colon == NULL) {
    tpi_push_module(L);
    return;
  }
  lua_pushliteral(L, "tidepool.");
  lua_pushlstring(L, name, (size_t)(colon - name));
  lua_concat(L, 2);
  lua_gettable(L, LUA_REGISTRYINDEX);
  lua_getfield(L, -1, "__index");
  lua_remove(L, -2);
}

static const char *const owners[] = {
    "", "AsyncManager:", "Future:", "Promise:", "Group:", NULL};

/* owner -> owner name; the name under which the value at `index` stands in
   it, or nothing */
static int find (lua_State *L, const char *prefix, int index) {
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (lua_rawequal(L, -1, index) && lua_type(L, -2) == LUA_TSTRING) {
      lua_pop(L, 1);
      lua_pushfstring(L, "%s%s", prefix, lua_tostring(L, -1));
      lua_remove(L, -2);
      return 1;
    }
    lua_pop(L, 1);
  }
  return 0;
}

static void put_own (tpi_Sender *s, tp_Value *value, const void *address,
                     const char *name) {
  tpi_Table *own = tpi_send_shape(s, value, TP_TOTHER, TPI_OWN, address, 1);
  tp_Value text;
  int rc = tpi_list_bytes(s->list, &text, name, strlen(name)) != NULL
               ? TP_OK
               : TP_NOMEM;
  tpi_send_need(s, rc);
  tpi_send_need(s, tpi_table_append(s->list, own, text));
}

/* name -> ; of the function at `index` */
static void send_standard (tpi_Sender *s, tp_Value *value, int index) {
  lua_State *L = s->L;
  const void *address = lua_topointer(L, index);
  char name[64] = "=";
  if (!tpi_send_again(s, value, TP_TOTHER | TPI_SHAPED, address)) {
    strncat(name, lua_tostring(L, -1), sizeof name - 2);
    put_own(s, value, address, name);
  }
  lua_pop(L, 1);
}

int tpi_send_own (tpi_Sender *s, tp_Value *value, int index) {
  lua_State *L = s->L;
  int ours, found = 0;
  if (lua_getupvalue(L, index, 1) == NULL)
    return 0;
  lua_pop(L, 1);
  if (!tpi_standard_noted(L)) {
    lua_pushcfunction(L, tpi_l_standard);
    tpi_send_aside(s, 0, 0);
  }
  if (tpi_standard_name(L, index)) {
    send_standard(s, value, index);
    return 1;
  }
  if (lua_getupvalue(L, index, TPI_UP_STATE) == NULL)
    return 0;
  ours = lua_touserdata(L, -1) == (void *)s->S;
  lua_pop(L, 1);
  if (!ours)
    return 0;
  if (tpi_send_again(s, value, TP_TOTHER | TPI_SHAPED, lua_topointer(L, index)))
    return 1;
  luaL_checkstack(L, 8, NULL);
  for (int i = 0; !found && owners[i] != NULL; i++) {
    push_owner(L, owners[i]);
    found = find(L, owners[i], index);
    if (found) {
      put_own(s, value, lua_topointer(L, index), lua_tostring(L, -1));
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  return found;
}

/* Those of ours that are written in Lua: function -> name. Its address is the
   key of the registry. */
static const char in_lua;

/* -> ; notes those that stand in the module, and among the methods */
int tpi_l_own (lua_State *L) {
  tpi_push_weak(L, "k"); /* 1 */
  for (int i = 0; owners[i] != NULL; i++) {
    push_owner(L, owners[i]); /* 2 */
    lua_pushnil(L);
    while (lua_next(L, 2)) {
      if (lua_isfunction(L, -1) && !lua_iscfunction(L, -1) &&
          lua_type(L, -2) == LUA_TSTRING) {
        lua_pushfstring(L, "%s%s", owners[i], lua_tostring(L, -2));
        lua_rawset(L, 1);
      } else {
        lua_pop(L, 1);
      }
    }
    lua_settop(L, 1);
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, &in_lua);
  return 0;
}

int tpi_send_own_lua (tpi_Sender *s, tp_Value *value, int index) {
  lua_State *L = s->L;
  int top = lua_gettop(L), found = 0;
  luaL_checkstack(L, 4, NULL);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &in_lua) == LUA_TTABLE) {
    lua_pushvalue(L, index);
    found = lua_rawget(L, -2) == LUA_TSTRING;
    if (found)
      put_own(s, value, lua_topointer(L, index), lua_tostring(L, -1));
  }
  lua_settop(L, top);
  return found;
}

/* message -> ; a file that cannot be opened looks as if it were not there */
static int cannot_load (lua_State *L) {
  int fd = open(".", O_RDONLY);
  if (fd < 0 && (errno == EMFILE || errno == ENFILE))
    return luaL_error(L, "tidepool cannot be loaded: %s", strerror(errno));
  if (fd >= 0)
    close(fd);
  return lua_error(L);
}

/* table key -> value. A worker that gets the module, or some object of ours,
   without having required it has only what is written in C; when it looks for
   more, the Lua part is loaded. */
static int complete_module (lua_State *L) {
  lua_settop(L, 2);
  for (int i = 0; owners[i] != NULL; i++) {
    push_owner(L, owners[i]);
    lua_pushnil(L);
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
  }
  tpi_push_standard(L, "_G.require");
  lua_pushliteral(L, "tidepool");
  if (lua_pcall(L, 1, 0, 0) != LUA_OK)
    return cannot_load(L);
  lua_pushvalue(L, 2);
  lua_gettable(L, 1);
  return 1;
}

void tpi_open_module (lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, complete_module);
  lua_setfield(L, -2, "__index");
  for (int i = 0; owners[i] != NULL; i++) {
    push_owner(L, owners[i]);
    lua_pushvalue(L, -2);
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void push_own (tpi_Receiver *r, const tpi_Table *own) {
  const char *name = own->table.array[0].as.bytes;
  const char *colon = strchr(name, ':');
  if (*name == '=') {
    tpi_push_standard(r->L, name + 1);
    return;
  }
  push_owner(r->L, name);
  if (*name != '\0') {
    lua_getfield(r->L, -1, colon != NULL ? colon + 1 : name);
    lua_remove(r->L, -2);
  }
}

/* ---------------------------------------------------------------- */
/* Errors, and the objects of others                                 */
/* ---------------------------------------------------------------- */

static void put_fields (tpi_Sender *s, tpi_Table *table, int index,
                        const tpi_Path *path, int depth) {
  lua_State *L = s->L;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    int key = lua_gettop(L) - 1;
    tpi_Path here = {path, key, NULL};
    tp_Value k = tpi_send_value(s, key, &here, depth + 1);
    tp_Value v = tpi_send_value(s, key + 1, &here, depth + 1);
    tpi_send_need(s, tpi_table_put(s->list, table, k, v));
    lua_pop(L, 1);
  }
}

/* What stands from `first` to the top was met, and nobody else may have it: its
   addresses must not be used again while the list is sent. */
static void keep (tpi_Sender *s, int first) {
  lua_State *L = s->L;
  int top = lua_gettop(L);
  tpi_send_push_kept(s);
  for (int i = first; i <= top; i++) {
    lua_pushvalue(L, i);
    lua_rawsetp(L, -2, lua_topointer(L, i));
  }
}

static int send_rebuilt (tpi_Sender *s, tp_Value *value, int index,
                         const tpi_Path *path, int depth) {
  lua_State *L = s->L;
  int top = lua_gettop(L), n;
  tpi_Path here = {path, 0, "__tidepool"};
  tpi_Table *rebuilt;
  if (!lua_isfunction(L, top))
    tpi_refuse(s, path, "its __tidepool is no function");
  lua_pushvalue(L, index);
  tpi_send_aside(s, 1, LUA_MULTRET);
  n = lua_gettop(L) - top + 1; /* the function was at `top` */
  if (n == 0 || !lua_isfunction(L, top))
    tpi_refuse(s, path, "its __tidepool answered no function");
  rebuilt = tpi_send_shape(s, value, TP_TOTHER, TPI_REBUILT,
                           lua_topointer(L, index), (size_t)n);
  for (int i = top; i < top + n; i++)
    tpi_send_need(s, tpi_table_append(s->list, rebuilt,
                                      tpi_send_value(s, i, &here, depth + 1)));
  if (tpi_peek(&rebuilt->shared)) /* it was met in there */
    tpi_refuse(s, path, "what its __tidepool answered holds it");
  keep(s, top);
  lua_settop(L, top - 1);
  return 1;
}

int tpi_send_object (tpi_Sender *s, tp_Value *value, int index,
                     const tpi_Path *path, int depth) {
  lua_State *L = s->L;
  const void *address = lua_topointer(L, index);
  if (address == s->S->globals) {
    *value = tpi_nil();
    value->tag = TP_TOTHER;
    return 1;
  }
  if (address == s->S->module) {
    put_own(s, value, address, "");
    return 1;
  }
  if (!lua_getmetatable(L, index))
    return 0;
  lua_pop(L, 1);
  if (tpi_has_metatable(L, index, s->S->error_mt)) {
    put_fields(s, tpi_send_shape(s, value, TP_TTABLE, TPI_AN_ERROR, address, 0),
               index, path, depth);
    return 1;
  }
  tpi_send_deeper(s, path, depth);
  return luaL_getmetafield(L, index, "__tidepool") != LUA_TNIL &&
         send_rebuilt(s, value, index, path, depth);
}

/* Made only when all it is made of is there, so it cannot contain itself. */
static void push_rebuilt (tpi_Receiver *r, const tpi_Table *rebuilt) {
  lua_State *L = r->L;
  int n = (int)rebuilt->table.length;
  luaL_checkstack(L, n + 8, "too many arguments");
  for (int i = 0; i < n; i++)
    tpi_push_value(r, &rebuilt->table.array[i]);
  lua_call(L, n - 1, 1);
  tpi_remember(r, rebuilt);
}

void tpi_push_other (tpi_Receiver *r, const tp_Value *value) {
  const tpi_Table *table = tpi_tableof(value);
  if (value->tag & TPI_OBJECT) {
    tpi_push_promise_of(r->L, tpi_state_find(r->L), tpi_value_object(value));
    return;
  }
  if (table == NULL) {
    lua_pushglobaltable(r->L);
    return;
  }
  luaL_checkstack(r->L, 8, "values nest too deep");
  if (tpi_push_known(r, table))
    return;
  if (table->shape == TPI_SANDBOX)
    tpi_push_sandbox(r, table);
  else if (table->shape == TPI_OWN)
    push_own(r, table);
  else
    push_rebuilt(r, table);
}
