#include <string.h>

#include "core/pools.h"
#include "lua/place.h"

tpi_Manager *tpi_push_manager_handle (lua_State *L) {
  static const tpi_Manager closed;
  tpi_Manager *manager = lua_newuserdatauv(L, sizeof *manager, 0);
  *manager = closed;
  tpi_push_upvalue(L, TPI_UP_MANAGER);
  lua_setmetatable(L, -2);
  tpi_state_note(L);
  return manager;
}

tpi_Manager *tpi_to_manager (lua_State *L, const tpi_State *S, int index) {
  tpi_Manager *manager = lua_touserdata(L, index);
  return manager != NULL && tpi_has_metatable(L, index, S->manager_mt) &&
                 manager->pool != NULL
             ? manager
             : NULL;
}

tpi_Manager *tpi_check_manager (lua_State *L, tpi_State *S, int index) {
  tpi_Manager *manager = tpi_to_manager(L, S, index);
  if (manager == NULL) {
    luaL_checkudata(L, index, "tidepool.AsyncManager");
    luaL_error(L, "this AsyncManager was collected");
  }
  return manager;
}

/* A worker's handle of its own pool would keep it open for ever. */
static void take (const tpi_State *S, tpi_Manager *manager, tp_Manager *pool) {
  const tpi_Kit *kit = pool->kit;
  manager->pool = pool;
  manager->fails = kit != NULL && kit->fails;
  manager->borrowed = S->place != NULL && tpi_place_pool(S->place) == pool;
  if (!manager->borrowed)
    tpi_pool_retain(pool);
}

/* The same for one that was retained for us. */
static void adopt (const tpi_State *S, tpi_Manager *manager) {
  tp_Manager *pool = manager->pool;
  take(S, manager, pool);
  tpi_pool_release(pool);
}

void tpi_push_manager_of (lua_State *L, const tpi_State *S, tp_Manager *pool) {
  take(S, tpi_push_manager_handle(L), pool);
}

/* ---------------------------------------------------------------- */
/* Making                                                            */
/* ---------------------------------------------------------------- */

/* Starts the pool of a closed manager. TP_OK, TP_NOMEM or TP_TAKEN. */
static int start (lua_State *L, tpi_State *S, tpi_Manager *manager,
                  tpi_PoolOptions *options, const tpi_WorkerOptions *lua) {
  tpi_Kit *kit = tpi_kit_new(L, S, lua->init, lua->strict);
  int rc;
  kit->fails = lua->fails;
  kit->limit = lua->memory_limit;
  kit->origins = lua->origin;
  options->kit = kit;
  options->drop = tpi_kit_free;
  rc = tpi_pools_new(options, &manager->pool);
  if (rc == TP_OK)
    manager->fails = (unsigned char)lua->fails;
  else
    tpi_kit_free(kit);
  return rc;
}

static int cannot_start (lua_State *L, const tpi_PoolOptions *options) {
  return luaL_error(L,
                    "cannot start %d workers: not enough memory or "
                    "threads",
                    (int)options->workers);
}

/* Was it called as AsyncManager:new? */
static int with_colon (lua_State *L) {
  int is;
  lua_settop(L, 1);
  tpi_push_module(L);
  lua_pushliteral(L, "AsyncManager");
  lua_rawget(L, -2);
  is = lua_rawequal(L, 1, -1);
  lua_settop(L, 1);
  return is;
}

static int new (lua_State *L) {
  tpi_PoolOptions options;
  tpi_Manager *manager;
  tpi_WorkerOptions lua;
  tpi_State *S = tpi_state_open(L);
  int rc;
  if (with_colon(L))
    return luaL_error(L, "use a dot: AsyncManager.new { ... }");
  tpi_options_new(L, 1, &options, &lua);
  manager = tpi_push_manager_handle(L);
  rc = start(L, S, manager, &options, &lua);
  if (rc == TP_TAKEN)
    return luaL_error(L,
                      "bad option 'name' (an open manager has the name '%s'; "
                      "tidepool.attach shares it)",
                      options.name);
  return rc == TP_OK ? 1 : cannot_start(L, &options);
}

/* The options of a manager that is to be made with the name at index 1, which
   stay on the stack. */
static void options_named (lua_State *L, tpi_PoolOptions *options,
                           tpi_WorkerOptions *lua) {
  tpi_options_new(L, 2, options, lua);
  if (options->name != NULL)
    luaL_error(L, "bad option 'name' (attach has the name already)");
  lua_pushvalue(L, 1);
  options->name = tpi_options_name(L);
}

/* name [options] -> manager. Whoever loses when several make it at once finds
   what the other has made. */
static int attach (lua_State *L) {
  size_t length;
  const char *name = luaL_checklstring(L, 1, &length);
  tpi_State *S = tpi_state_open(L);
  int makes = !lua_isnoneornil(L, 2), rc;
  tpi_PoolOptions options;
  tpi_WorkerOptions lua;
  tpi_Manager *manager;
  lua_settop(L, 2);
  if (makes)
    options_named(L, &options, &lua);
  manager = tpi_push_manager_handle(L);
  for (;;) {
    if (strlen(name) == length)
      manager->pool = tpi_pools_find(name);
    if (manager->pool != NULL) {
      adopt(S, manager);
      return 1;
    }
    if (!makes)
      return tpi_raise_about(L, "no manager named '", 1, "' is open");
    rc = start(L, S, manager, &options, &lua);
    if (rc != TP_TAKEN)
      return rc == TP_OK ? 1 : cannot_start(L, &options);
  }
}

static const char default_key; /* in the registry: the default manager */

/* Pushes this state's handle of it, made anew if it was shut down. */
static tpi_Manager *push_default (lua_State *L) {
  tpi_State *S = tpi_state_open(L);
  tpi_Manager *manager;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &default_key);
  manager = tpi_to_manager(L, S, -1);
  if (manager != NULL && tpi_pool_open(manager->pool))
    return manager;
  lua_pop(L, 1);
  manager = tpi_push_manager_handle(L);
  if (tpi_pools_default(tpi_kit_new(L, S, 0, 0), tpi_kit_free, &manager->pool) !=
      TP_OK)
    luaL_error(L, "cannot start the default manager: not enough memory or "
                  "threads");
  adopt(S, manager);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &default_key);
  return manager;
}

static int get_default (lua_State *L) {
  push_default(L);
  return 1;
}

/* tidepool.call(name, ...) */
static int call_default (lua_State *L) {
  if (!lua_isfunction(L, 1) && !lua_isstring(L, 1))
    luaL_typeerror(L, 1, "name or function"); /* before they move up by one */
  push_default(L);
  lua_insert(L, 1);
  return tpi_l_call(L);
}

static int with (lua_State *L) {
  tpi_State *S = tpi_state_open(L);
  tpi_Manager *manager = tpi_check_manager(L, S, 1), *view;
  tpi_Manager options = *manager;
  const char *called;
  lua_settop(L, 2);
  called = tpi_options_with(L, 2, &options);
  view = tpi_push_manager_handle(L);
  take(S, view, manager->pool);
  options.borrowed = view->borrowed;
  options.label = called != NULL ? tpi_label_new(called)
                                 : tpi_label_retain(manager->label);
  *view = options;
  return called == NULL || view->label != NULL
             ? 1
             : luaL_error(L, "not enough memory");
}

static int collect (lua_State *L) {
  tpi_Manager *manager = luaL_checkudata(L, 1, "tidepool.AsyncManager");
  tp_Manager *pool = manager->pool;
  if (!tpi_state_collects(L))
    return 0;
  manager->pool = NULL;
  tpi_label_release(manager->label);
  manager->label = NULL;
  if (!manager->borrowed)
    tpi_pool_release(pool);
  return 0;
}

/* ---------------------------------------------------------------- */
/* Looking                                                           */
/* ---------------------------------------------------------------- */

static int name (lua_State *L) {
  lua_pushstring(L, tpi_check_manager(L, tpi_state(L), 1)->pool->name);
  return 1;
}

static int to_string (lua_State *L) {
  tpi_Manager *manager = luaL_checkudata(L, 1, "tidepool.AsyncManager");
  const char *called;
  tpi_Stats s;
  if (manager->pool == NULL || tpi_pool_broken(manager->pool)) {
    lua_pushliteral(L, "tidepool.AsyncManager: broken");
    return 1;
  }
  called = manager->pool->name != NULL ? manager->pool->name : "unnamed";
  tpi_pool_stats(manager->pool, &s);
  lua_pushfstring(
      L,
      "tidepool.AsyncManager: %s (%d workers, %d queued, "
      "%d running%s)",
      called, (int)s.workers, (int)(s.queued[0] + s.queued[1] + s.queued[2]),
      (int)s.running, tpi_pool_open(manager->pool) ? "" : ", closed");
  return 1;
}

static int same_label (const tpi_Manager *a, const tpi_Manager *b) {
  return a->label == b->label || (a->label != NULL && b->label != NULL &&
                                  strcmp(a->label->text, b->label->text) == 0);
}

static int equal (lua_State *L) {
  tpi_State *S = tpi_state(L);
  tpi_Manager *a = tpi_to_manager(L, S, 1), *b = tpi_to_manager(L, S, 2);
  lua_pushboolean(L, a != NULL && b != NULL && a->pool == b->pool &&
                         a->timeout == b->timeout &&
                         a->priority == b->priority && a->fails == b->fails &&
                         same_label(a, b));
  return 1;
}

static const luaL_Reg methods[] = {{"call", tpi_l_call},
                                   {"try_call", tpi_l_try_call},
                                   {"call_many", tpi_l_call_many},
                                   {"functions", tpi_l_functions},
                                   {"with", with},
                                   {"wait_all", tpi_l_wait_all},
                                   {"shutdown", tpi_l_shutdown},
                                   {"stats", tpi_l_stats},
                                   {"name", name},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__gc", collect},
                                       {"__close", tpi_l_close_manager},
                                       {"__eq", equal},
                                       {"__tostring", to_string},
                                       {NULL, NULL}};

static const luaL_Reg constructors[] = {{"new", new}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"attach", attach},
                                     {"default", get_default},
                                     {"call", call_default},
                                     {"functions", tpi_l_functions},
                                     {NULL, NULL}};

/* module -> module */
void tpi_open_manager (lua_State *L) {
  tpi_push_upvalue(L, TPI_UP_MANAGER);
  tpi_setfuncs(L, metamethods);
  lua_createtable(L, 0, sizeof methods / sizeof *methods);
  tpi_setfuncs(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_createtable(L, 0, 1);
  tpi_setfuncs(L, constructors);
  lua_getfield(L, -1, "new");
  lua_setfield(L, -3, "pool");
  lua_setfield(L, -2, "AsyncManager");
  tpi_setfuncs(L, functions);
}
