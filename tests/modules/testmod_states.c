/*
** testmod_states.c: Lua states on threads of their own.
**
** Lua:
**   newstate(code, ...) -> handle
**     runs a chunk of Lua in a new state with the standard libraries and the
**     package paths of this one, on a new thread; the rest of the arguments
**     (nil, booleans, numbers, strings) is the chunk's "..."
**   join(handle) -> ok, message
**     waits until the chunk has ended and its state is closed; then true and
**     its first result as a string (nil for nil), or false and the error
**     with a traceback
** A handle that nobody joins is joined when it is collected.
*/
#include "testmod.h"

#include <stdlib.h>
#include <string.h>

#include <lualib.h>

#define HANDLE "testmod.State"

/* Owned by the handle; after a join that took too long, by nobody: then it
   is left to its thread for ever. */
typedef struct Run {
  lua_State *L; /* the thread's, from its start on */
  pthread_t thread;
  int ok;
  char *message; /* malloc'ed, or NULL */
  int done;      /* guarded by tt_lock */
} Run;

/* ------------------------------------------------------------------ */
/* The thread                                                          */
/* ------------------------------------------------------------------ */

static int traceback (lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

/* The value on the top as a string of malloc's; it runs protected, since
   __tostring may raise. */
static int to_message (lua_State *L) {
  char **out = lua_touserdata(L, 2);
  size_t length;
  const char *text;
  if (lua_isnil(L, 1))
    return 0;
  text = luaL_tolstring(L, 1, &length);
  *out = malloc(length + 1);
  if (*out != NULL)
    memcpy(*out, text, length + 1);
  return 0;
}

/* The stack holds the traceback function, the chunk and its arguments. */
static void *run_state (void *p) {
  Run *run = p;
  lua_State *L = run->L;
  run->ok = lua_pcall(L, lua_gettop(L) - 2, 1, 1) == LUA_OK;
  lua_pushcfunction(L, to_message);
  lua_insert(L, -2);
  lua_pushlightuserdata(L, &run->message);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK)
    run->ok = 0;
  lua_close(L);
  tt_lock();
  run->done = 1;
  tt_tell_locked();
  tt_unlock();
  return NULL;
}

/* ------------------------------------------------------------------ */
/* The handle                                                          */
/* ------------------------------------------------------------------ */

static int await_done (Run *run) {
  struct timespec deadline = tt_deadline();
  int done;
  tt_lock();
  while (!(done = run->done) && tt_sleep_locked(&deadline))
    ;
  tt_unlock();
  return done;
}

static void run_free (Run *run) {
  free(run->message);
  free(run);
}

/* Takes the run out of the handle once it is over; NULL after LIMIT. */
static Run *handle_join (Run **handle) {
  Run *run = *handle;
  *handle = NULL;
  if (!await_done(run)) {
    pthread_detach(run->thread);
    return NULL;
  }
  pthread_join(run->thread, NULL);
  return run;
}

static int handle_gc (lua_State *L) {
  Run **handle = luaL_checkudata(L, 1, HANDLE);
  if (*handle != NULL) {
    Run *run = handle_join(handle);
    if (run != NULL)
      run_free(run);
  }
  return 0;
}

static int l_join (lua_State *L) {
  Run **handle = luaL_checkudata(L, 1, HANDLE);
  Run *run;
  luaL_argcheck(L, *handle != NULL, 1, "a state that was not joined expected");
  run = handle_join(handle);
  if (run == NULL)
    return luaL_error(L, "testmod: a state still runs after %d s", (int)LIMIT);
  lua_pushboolean(L, run->ok);
  lua_pushstring(L, run->message);
  run_free(run);
  return 2;
}

/* ------------------------------------------------------------------ */
/* A new state                                                         */
/* ------------------------------------------------------------------ */

/* Copies package.path or package.cpath. */
static void copy_path (lua_State *from, lua_State *to, const char *which) {
  lua_getglobal(from, "package");
  lua_getfield(from, -1, which);
  lua_getglobal(to, "package");
  lua_pushstring(to, lua_tostring(from, -1));
  lua_setfield(to, -2, which);
  lua_pop(to, 1);
  lua_pop(from, 2);
}

static void copy_value (lua_State *from, int index, lua_State *to) {
  size_t length;
  const char *string;
  switch (lua_type(from, index)) {
    case LUA_TBOOLEAN: lua_pushboolean(to, lua_toboolean(from, index)); break;
    case LUA_TNUMBER:
      if (lua_isinteger(from, index))
        lua_pushinteger(to, lua_tointeger(from, index));
      else
        lua_pushnumber(to, lua_tonumber(from, index));
      break;
    case LUA_TSTRING:
      string = lua_tolstring(from, index, &length);
      lua_pushlstring(to, string, length);
      break;
    default: lua_pushnil(to); break;
  }
}

static void check_values (lua_State *L, int from, int to) {
  for (int i = from; i <= to; i++) {
    int type = lua_type(L, i);
    luaL_argexpected(L, type <= LUA_TSTRING && type != LUA_TLIGHTUSERDATA, i,
                     "nil, boolean, number or string");
  }
}

/* Makes run->L, filled as run_state wants it, or raises. */
static void prepare (lua_State *L, Run *run, int nargs) {
  size_t length;
  const char *code = luaL_checklstring(L, 1, &length);
  lua_State *new = run->L = luaL_newstate();
  if (new == NULL)
    luaL_error(L, "not enough memory");
  luaL_openlibs(new);
  copy_path(L, new, "path");
  copy_path(L, new, "cpath");
  lua_pushcfunction(new, traceback);
  luaL_checkstack(new, nargs + 8, NULL);
  if (luaL_loadbufferx(new, code, length, "=newstate", "t") != LUA_OK) {
    lua_pushstring(L, lua_tostring(new, -1));
    lua_close(new);
    lua_error(L);
  }
  for (int i = 2; i <= nargs + 1; i++)
    copy_value(L, i, new);
}

static int new_state (lua_State *L) {
  int top = lua_gettop(L);
  Run local = {0};
  Run **handle, *run;
  int rc;
  luaL_checkstring(L, 1);
  check_values(L, 2, top);
  handle = lua_newuserdatauv(L, sizeof *handle, 0);
  *handle = NULL;
  luaL_setmetatable(L, HANDLE);
  prepare(L, &local, top - 1);
  run = malloc(sizeof *run);
  if (run == NULL) {
    lua_close(local.L);
    return luaL_error(L, "not enough memory");
  }
  *run = local;
  rc = tt_thread(&run->thread, run_state, run);
  if (rc != 0) {
    lua_close(run->L);
    free(run);
    return luaL_error(L, "testmod: no thread: error %d", rc);
  }
  *handle = run;
  return 1;
}

/* -> the running coroutine, as C code can tell */
static int l_thread (lua_State *L) {
  lua_pushthread(L);
  return 1;
}

const luaL_Reg tt_state_lua[] = {{"newstate", new_state},
                                 {"join", l_join},
                                 {"thread", l_thread},
                                 {NULL, NULL}};

void tt_state_open (lua_State *L) {
  if (luaL_newmetatable(L, HANDLE)) {
    lua_pushcfunction(L, handle_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
}
