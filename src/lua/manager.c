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

static int new (lua_State *L) {
  tpi_PoolOptions options;
  tpi_Manager *manager;
  tpi_WorkerOptions lua;
  tpi_Kit *kit;
  tpi_State *S = tpi_state_open(L);
  int rc;
  lua_settop(L, 1);
  tpi_options_new(L, 1, &options, &lua);
  manager = tpi_push_manager_handle(L);
  manager->fails = (unsigned char)lua.fails;
  kit = tpi_kit_new(L, S, lua.init);
  kit->fails = lua.fails;
  kit->limit = lua.memory_limit;
  kit->origins = lua.origin;
  options.kit = kit;
  options.drop = tpi_kit_free;
  rc = tpi_pools_new(&options, &manager->pool);
  if (rc != TP_OK)
    tpi_kit_free(kit);
  if (rc == TP_TAKEN)
    return luaL_error(L,
                      "bad option 'name' (an open manager has the name '%s'; "
                      "tidepool.attach shares it)",
                      options.name);
  if (rc != TP_OK)
    return luaL_error(L,
                      "cannot start %d workers: not enough memory or "
                      "threads",
                      (int)options.workers);
  return 1;
}

static int attach (lua_State *L) {
  size_t length;
  const char *name = luaL_checklstring(L, 1, &length);
  tpi_State *S = tpi_state_open(L);
  tpi_Manager *manager = tpi_push_manager_handle(L);
  if (strlen(name) == length)
    manager->pool = tpi_pools_find(name);
  if (manager->pool == NULL)
    return tpi_raise_about(L, "no manager named '", 1, "' is open");
  adopt(S, manager);
  return 1;
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
  if (tpi_pools_default(tpi_kit_new(L, S, 0), tpi_kit_free, &manager->pool) !=
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
  lua_settop(L, 2);
  tpi_options_with(L, 2, &options);
  view = tpi_push_manager_handle(L);
  take(S, view, manager->pool);
  options.borrowed = view->borrowed;
  *view = options;
  return 1;
}

static void check_whole (lua_State *L, const tpi_Manager *manager) {
  if (tpi_pool_broken(manager->pool))
    tpi_raise_code(L, TP_BROKEN, NULL);
}

static int collect (lua_State *L) {
  tpi_Manager *manager = luaL_checkudata(L, 1, "tidepool.AsyncManager");
  tp_Manager *pool = manager->pool;
  if (!tpi_state_collects(L))
    return 0;
  manager->pool = NULL;
  if (!manager->borrowed)
    tpi_pool_release(pool);
  return 0;
}

/* ---------------------------------------------------------------- */
/* Looking                                                           */
/* ---------------------------------------------------------------- */

static void set_integer (lua_State *L, const char *name, uint64_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

static void set_quantiles (lua_State *L, const char *name,
                           const tpi_Quantiles *q) {
  lua_createtable(L, 0, 4);
  lua_pushnumber(L, q->p50);
  lua_setfield(L, -2, "p50");
  lua_pushnumber(L, q->p90);
  lua_setfield(L, -2, "p90");
  lua_pushnumber(L, q->p99);
  lua_setfield(L, -2, "p99");
  lua_pushnumber(L, q->max);
  lua_setfield(L, -2, "max");
  lua_setfield(L, -2, name);
}

static int stats (lua_State *L) {
  tpi_Manager *manager = tpi_check_manager(L, tpi_state(L), 1);
  tpi_Stats s;
  uint64_t total = 0;
  check_whole(L, manager);
  tpi_pool_stats(manager->pool, &s);
  lua_createtable(L, 0, 12);
  lua_createtable(L, 0, TPI_PRIORITIES + 1);
  for (int i = 0; i < TPI_PRIORITIES; i++) {
    set_integer(L, tpi_priorities[i], s.queued[i]);
    total += s.queued[i];
  }
  set_integer(L, "total", total);
  lua_setfield(L, -2, "queued");
  set_integer(L, "workers", s.workers);
  set_integer(L, "running", s.running);
  set_integer(L, "suspended", s.suspended);
  set_integer(L, "stopping", s.stopping);
  set_integer(L, "submitted", s.submitted);
  set_integer(L, "completed", s.completed);
  set_integer(L, "failed", s.failed);
  set_integer(L, "cancelled", s.cancelled);
  set_integer(L, "replaced", s.replaced);
  set_quantiles(L, "wait", &s.wait);
  set_quantiles(L, "run", &s.run);
  return 1;
}

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

static int equal (lua_State *L) {
  tpi_State *S = tpi_state(L);
  tpi_Manager *a = tpi_to_manager(L, S, 1), *b = tpi_to_manager(L, S, 2);
  lua_pushboolean(L, a != NULL && b != NULL && a->pool == b->pool &&
                         a->timeout == b->timeout &&
                         a->priority == b->priority && a->fails == b->fails);
  return 1;
}

static const luaL_Reg methods[] = {{"call", tpi_l_call},
                                   {"try_call", tpi_l_try_call},
                                   {"call_many", tpi_l_call_many},
                                   {"functions", tpi_l_functions},
                                   {"with", with},
                                   {"wait_all", tpi_l_wait_all},
                                   {"shutdown", tpi_l_shutdown},
                                   {"stats", stats},
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
  lua_setfield(L, -2, "AsyncManager");
  tpi_setfuncs(L, functions);
}
