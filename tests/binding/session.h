/*
** session.h: a Lua program inside a C test of the binding.
**
** Such a test includes one source file of the binding, with a call of it
** replaced by one that waits at a gate. So what another thread does in that
** very moment can be told from the outside. NAME_test.c stands in for
** src/lua/NAME.c; the Makefile links all the others.
**
** The thread of the test runs the program, which lets a worker come to the
** gate with at_gate() and go on with open_gate().
*/
#ifndef SESSION_H
#define SESSION_H

#include "test.h"

#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

int luaopen_tidepool_core (lua_State *L);

enum { FREE, ARMED, REACHED, OPENED };

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static int gate; /* one of the above; guarded by the lock */

static void set_gate_locked (int state) {
  gate = state;
  pthread_cond_broadcast(&gate_changed);
}

/* False when that does not come about within a minute. */
static int wait_for_gate_locked (int state) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 60;
  while (gate != state) {
    if (pthread_cond_timedwait(&gate_changed, &gate_lock, &until) != 0)
      return gate == state;
  }
  return 1;
}

/* The worker, in the call that was replaced: waits there once it is armed. A
   signal that came meanwhile has been handled when this returns. */
static void pass_gate (void) {
  pthread_mutex_lock(&gate_lock);
  if (gate == ARMED) {
    set_gate_locked(REACHED);
    wait_for_gate_locked(OPENED);
    gate = FREE;
  }
  pthread_mutex_unlock(&gate_lock);
  sched_yield();
}

static void change_gate (int state) {
  pthread_mutex_lock(&gate_lock);
  set_gate_locked(state);
  pthread_mutex_unlock(&gate_lock);
}

/* -> ; the next to come there waits */
static int l_arm_gate (lua_State *L) {
  (void)L;
  change_gate(ARMED);
  return 0;
}

/* -> is a worker there? */
static int l_at_gate (lua_State *L) {
  int reached;
  pthread_mutex_lock(&gate_lock);
  reached = wait_for_gate_locked(REACHED);
  pthread_mutex_unlock(&gate_lock);
  lua_pushboolean(L, reached);
  return 1;
}

static int l_open_gate (lua_State *L) {
  (void)L;
  change_gate(OPENED);
  return 0;
}

/* Runs a program with these functions, and one more for the test, as globals;
   fails with what it raises. */
static void run_session (const char *name, lua_CFunction function,
                         const char *program) {
  lua_State *L = luaL_newstate();
  assert_non_null(L);
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_tidepool_core);
  lua_setfield(L, -2, "tidepool.core");
  lua_register(L, "arm_gate", l_arm_gate);
  lua_register(L, "at_gate", l_at_gate);
  lua_register(L, "open_gate", l_open_gate);
  if (function != NULL)
    lua_register(L, name, function);
  if (luaL_dostring(L, program) != LUA_OK)
    fail_msg("%s", lua_tostring(L, -1));
  lua_close(L);
}

#endif
