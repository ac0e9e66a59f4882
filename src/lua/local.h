/*
** local.h: local tasks: coroutines that Lua code spawns in its own Lua state.
**
** The thread that runs the Lua state. A local task is a Future like any other:
** any thread may wait for it or cancel it. Its function, arguments and results
** never leave the Lua state, unless its Future does: they are the user value
** of the Future, which the registry keeps until the task has ended. What has
** been lent, so that somebody elsewhere may read it, is sent as well.
**
** In a worker a local task belongs to the pool and is pinned to the worker; in
** a program it is the loop's (loop.h).
*/
#ifndef TPI_LOCAL_H
#define TPI_LOCAL_H

#include "lua/place.h"

#pragma GCC visibility push(hidden)

extern const tpi_TaskClass tpi_local_task;

static inline int tpi_is_local (const tpi_Future *future) {
  return future->class == &tpi_local_task.future;
}

int tpi_l_spawn (lua_State *L);
int tpi_l_spawn_within (lua_State *L);
int tpi_l_after (lua_State *L);
int tpi_l_chain (lua_State *L);
int tpi_l_watch (lua_State *L);
int tpi_l_child (lua_State *L);
int tpi_l_detach (lua_State *L);

/* Pushes the function and its arguments; how many of these. */
int tpi_local_push (lua_State *L, const tpi_LuaTask *task);
/* The values from that index to the top are its results; or its Error, which
   is one. Nothing for a task of a pool. */
void tpi_local_keep (lua_State *L, const tpi_LuaTask *task, int first);
/* Error -> Error; one that follows what was cancelled was cancelled itself. */
void tpi_local_cancel (lua_State *L, const tpi_LuaTask *task);
/* It has ended, or never will begin. */
void tpi_local_end (lua_State *L, tpi_LuaTask *task);
/* Has it been handed on, so that its results have to be? */
int tpi_local_lent (const tpi_LuaTask *task);

/* Pushes what is kept for the Future at `index`: the results of a completed
   one (how many; or -1 if they are in the future), or its Error (1, or -1). */
int tpi_local_results (lua_State *L, const tpi_Future *future, int index);
int tpi_local_error (lua_State *L, const tpi_State *S, int index);
/* Before a completed one is handed on. Raises if its results cannot cross, or
   if sending them has cleaned it up. */
void tpi_local_lend (lua_State *L, tpi_State *S, tpi_Future *future, int index);
/* The fiber of a local task of this Lua state that has not ended; or NULL. */
tpi_Fiber *tpi_local_fiber (const tpi_State *S, tpi_Future *future);
/* The future was cancelled by this thread: so are its children, and what it is
   chained to. */
void tpi_local_cancelled (const tpi_State *S, tpi_Future *future);

#pragma GCC visibility pop
#endif
