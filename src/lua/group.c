/*
** Groups: futures, in the order in which they settle.
**
** Two tables stand beside a Group, as its user values: its Futures by a number
** of each member, and their keys, where these are not the Futures themselves.
*/
#include "core/group.h"

#include "core/clock.h"
#include "lua/binding.h"

static const char name[] = "tidepool.Group";

enum { FUTURES = 1, KEYS };

static tpi_Group *self (lua_State *L) {
  tpi_Group *group = *(tpi_Group **)luaL_checkudata(L, 1, name);
  if (group == NULL)
    luaL_error(L, "this Group was collected");
  return group;
}

static int new_group (lua_State *L, int aside) {
  tpi_Group **slot;
  tpi_state_open(L);
  slot = lua_newuserdatauv(L, sizeof *slot, 2);
  *slot = NULL;
  luaL_setmetatable(L, name);
  tpi_state_note(L);
  lua_newtable(L);
  lua_setiuservalue(L, -2, FUTURES);
  lua_newtable(L);
  lua_setiuservalue(L, -2, KEYS);
  *slot = tpi_group_new(aside);
  if (*slot == NULL)
    luaL_error(L, "not enough memory");
  return 1;
}

/* -> Group */
int tpi_l_group (lua_State *L) { return new_group(L, 0); }

/* -> Group, which does not count as somebody who waits */
int tpi_l_lookout (lua_State *L) { return new_group(L, 1); }

/* group future [key] -> group */
static int add (lua_State *L) {
  const tpi_State *S = tpi_state(L);
  tpi_Group *group = self(L);
  tpi_Member *member;
  int reference;
  tpi_check_future(L, S, 2);
  lua_settop(L, 3);
  lua_getiuservalue(L, 1, FUTURES); /* 4 */
  lua_getiuservalue(L, 1, KEYS);    /* 5 */
  lua_pushvalue(L, 2);
  reference = luaL_ref(L, 4);
  if (!lua_isnil(L, 3)) {
    lua_pushvalue(L, 3);
    lua_rawseti(L, 5, reference);
  }
  /* a finalizer may have cleaned it up meanwhile */
  member = tpi_group_add(group, tpi_check_future(L, S, 2), reference);
  if (member == NULL)
    luaL_error(L, "not enough memory");
  lua_settop(L, 1);
  return 1;
}

/* group -> list of its futures, oldest first; whatever runs in the middle of
   going through it */
int tpi_l_members (lua_State *L) {
  const tpi_Group *group;
  lua_Integer n;
  lua_createtable(L, (int)tpi_group_count(self(L)), 0);
  group = self(L); /* a finalizer may have run, and changed it */
  n = tpi_group_count(group);
  lua_getiuservalue(L, 1, FUTURES);
  for (const tpi_Member *m = tpi_group_members(group); m != NULL;
       m = m->older) {
    lua_rawgeti(L, -1, m->reference);
    lua_rawseti(L, -3, n--);
  }
  lua_pop(L, 1);
  return 1;
}

/* -> key future; it is let go of */
static int answer (lua_State *L, tpi_Member *member) {
  int reference = member->reference;
  tpi_member_free(member);
  lua_getiuservalue(L, 1, KEYS);
  lua_getiuservalue(L, 1, FUTURES);
  lua_rawgeti(L, -1, reference); /* keys futures future */
  if (lua_rawgeti(L, -3, reference) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
  } else {
    lua_pushnil(L);
    lua_rawseti(L, -5, reference);
  }
  luaL_unref(L, -3, reference);
  lua_insert(L, -2);
  return 2;
}

static int waited (lua_State *L, int status, lua_KContext context);

static double seconds_until (uint64_t deadline) {
  return deadline == TPI_NEVER ? -1 : (double)tpi_until(deadline) / 1e9;
}

/* group deadline -> key future; or nil, or nil and "timeout". Who else waits
   may be faster: then it waits for another one. */
static int wait_for_one (lua_State *L, tpi_State *S, int rc) {
  uint64_t deadline = (uint64_t)lua_tointeger(L, 2);
  for (;;) {
    tpi_Group *group = self(L);
    tpi_Member *member = tpi_group_take(group);
    tpi_Handle *signal;
    lua_settop(L, 2);
    if (member != NULL)
      return answer(L, member);
    lua_pushnil(L);
    if (tpi_group_count(group) == 0)
      return 1;
    if (rc == TP_TIMEOUT) {
      lua_pushliteral(L, "timeout");
      return 2;
    }
    lua_settop(L, 2);
    signal = tpi_push_future_handle(L);
    signal->future = tpi_group_signal(group);
    if (signal->future == NULL)
      luaL_error(L, "not enough memory");
    rc = tpi_wait_for(L, S, 3, seconds_until(deadline), 0, waited);
  }
}

static int waited (lua_State *L, int status, lua_KContext context) {
  tpi_State *S = tpi_state(L);
  uint64_t deadline = (uint64_t)lua_tointeger(L, 2);
  int rc = tpi_wait_back(L, S, 3, seconds_until(deadline), &context);
  (void)status;
  return wait_for_one(L, S, rc);
}

static int let_others (lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  return wait_for_one(L, tpi_state(L), TP_OK);
}

/* group [timeout] -> key future */
static int next (lua_State *L) {
  tpi_State *S = tpi_state(L);
  double seconds = tpi_opt_seconds(L, 2, -1);
  self(L);
  tpi_state_turn(L, S);
  lua_settop(L, 1);
  lua_pushinteger(L, (lua_Integer)tpi_deadline(seconds));
  tpi_let_others(L, S, 0, let_others);
  return wait_for_one(L, S, TP_OK);
}

/* group ... -> key future; for a generic `for` */
static int iterate (lua_State *L) {
  lua_settop(L, 1);
  return next(L);
}

/* group future -> was it in it? */
static int take_out (lua_State *L) {
  const tpi_State *S = tpi_state(L);
  tpi_Group *group = self(L);
  const tpi_Future *future = tpi_check_future(L, S, 2);
  tpi_Member *member = tpi_group_members(group);
  while (member != NULL && member->future != future)
    member = member->older;
  if (member != NULL) {
    tpi_group_remove(member);
    answer(L, member);
  }
  lua_pushboolean(L, member != NULL);
  return 1;
}

/* group -> ; nothing is in it any more */
static int clear (lua_State *L) {
  tpi_group_clear(self(L));
  lua_newtable(L);
  lua_setiuservalue(L, 1, FUTURES);
  lua_newtable(L);
  lua_setiuservalue(L, 1, KEYS);
  return 0;
}

static int count (lua_State *L) {
  lua_pushinteger(L, tpi_group_count(self(L)));
  return 1;
}

static int to_string (lua_State *L) {
  lua_pushfstring(L, "%s: %d left", name, (int)tpi_group_count(self(L)));
  return 1;
}

static int collect (lua_State *L) {
  tpi_Group **slot = luaL_checkudata(L, 1, name);
  tpi_Group *group = *slot;
  if (!tpi_state_collects(L))
    return 0;
  *slot = NULL;
  if (group != NULL)
    tpi_group_close(group);
  return 0;
}

void tpi_open_group (lua_State *L) {
  static const luaL_Reg methods[] = {{"add", add},
                                     {"next", next},
                                     {"remove", take_out},
                                     {"clear", clear},
                                     {NULL, NULL}};
  static const luaL_Reg metamethods[] = {
      {"__gc", collect},   {"__close", clear},        {"__len", count},
      {"__call", iterate}, {"__tostring", to_string}, {NULL, NULL}};
  luaL_newmetatable(L, name);
  tpi_setfuncs(L, metamethods);
  lua_createtable(L, 0, sizeof methods / sizeof *methods);
  tpi_setfuncs(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
