/*
** idle.h: collecting while a Lua state sleeps.
**
** The thread that runs the Lua state. A Promise that was dropped breaks when it
** is collected, and nothing is collected while a Lua state sleeps: who waits
** for its future would wait for ever. So a state that has slept for 50 ms and
** holds a Promise that it has not settled collects, and once more for what
** finalizers have let go of; after that not before Lua has run in it. (A scope
** in a worker holds such a Promise while it is open.) From the end of one
** collection to the next pass at least 20 times what it took. Who has stopped
** the collector is left alone, and so is a finalizer that sleeps.
**
** A state that waits for something collects in the middle of that, in the
** coroutine that waits. An idle worker makes a task of it, whose parent is
** nobody, so that finalizers may wait there as well. They are ordinary Lua, and
** what they raise is a warning; as in all finalizers neither hooks nor
** interrupts reach them.
*/
#ifndef TPI_IDLE_H
#define TPI_IDLE_H

#include "core/pool.h"
#include "lua/state.h"

#pragma GCC visibility push(hidden)

/* Lua runs in it, or has run. */
static inline void tpi_idle_ran (tpi_State *S) { S->collections = 2; }
/* When a state that falls asleep now wants to collect, or TPI_NEVER. */
uint64_t tpi_idle_due (const tpi_State *S);
/* It is due: collects. May call Lua; raises nothing. */
void tpi_idle_collect (lua_State *L, tpi_State *S);
/* The worker, which keeps a Place, does so while it is idle. */
void tpi_idle_tend (tpi_Worker *worker);

#pragma GCC visibility pop
#endif
