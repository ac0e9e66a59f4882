/*
** loop.h: the loop of a program's Lua state.
**
** The thread that runs the Lua state. The coroutines that it has spawned run
** whenever the program waits in a way that cannot yield: for a future, for
** news (poll), for time to pass, at the door of a pool. Those that are told, by
** any thread, become ready at the host; a turn runs what is ready. A coroutine
** that waits where it cannot yield runs the loop on top of itself, and then
** others may run on top of it, to a depth of 24.
**
** In a worker the worker's own loop does all this, and the Place is its.
*/
#ifndef TPI_LOOP_H
#define TPI_LOOP_H

#include "lua/place.h"

#pragma GCC visibility push(hidden)

/* The Place of this Lua state, made if need be. Raises. */
tpi_Place *tpi_loop_of (lua_State *L, tpi_State *S);
/* A new one, which is to run, or is parked. */
void tpi_loop_add (tpi_Place *place, tpi_Parked *parked, int ready);
/* Runs those that are ready now, until that future has settled or is cleaned up
   (NULL: all of them), at most so many. May raise: a hook, memory. */
void tpi_loop_turn (lua_State *L, tpi_State *S, const tpi_Handle *until,
                    unsigned most);
/* There are, or were, news: coroutines that poll go on. */
void tpi_loop_tell_news (tpi_State *S);
/* In the child after a fork: the loop of before is the parent's. */
void tpi_loop_check_fork (tpi_State *S);
/* The task that runs, of a program, or NULL. */
static inline tpi_Fiber *tpi_loop_fiber (const tpi_State *S) {
  return S->loop != NULL ? S->loop->fiber : NULL;
}
/* May the coroutine that runs be suspended by us? */
static inline int tpi_loop_yields (lua_State *L, const tpi_State *S) {
  return S->loop != NULL && tpi_fiber_yields(L, S->loop);
}
/* Its coroutine has yielded in order to wait, or has not begun. */
void tpi_loop_wait (tpi_Place *place, tpi_Parked *parked);
/* The Lua state closes: what is left goes on no more, but for the variables
   that it has to close. How many coroutines that were. */
unsigned tpi_loop_close (lua_State *L, tpi_State *S);

#pragma GCC visibility pop

#endif
