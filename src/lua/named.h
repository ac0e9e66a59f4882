/*
** named.h: what Lua functions, and the tasks that run them, are called.
**
** The thread that runs the Lua state. A name that somebody has given to a
** function is kept as long as the function. A coroutine that nobody has named
** is called by its function's file and line, which is looked up when somebody
** wants to know: as long as it has not ended, and when it fails.
*/
#ifndef TPI_NAMED_H
#define TPI_NAMED_H

#include "core/label.h"
#include "lua/binding.h"

#pragma GCC visibility push(hidden)

/* The label of the function at `index`, borrowed from it; or NULL. */
tpi_Label *tpi_named_label (lua_State *L, int index);
/* As tpi_name_of; names a coroutine of this Lua state that has not ended. */
const char *tpi_name_here (lua_State *L, const tpi_State *S,
                           tpi_Future *future);
/* `own` would wait for itself if it waited for `awaited`: what to call that
   ring, when all the coroutines of this Lua state are named. */
void tpi_name_ring (lua_State *L, const tpi_State *S, tpi_Future *own,
                    tpi_Future *awaited, char *ring, size_t size);

/* name function -> function */
int tpi_l_named (lua_State *L);
/* function [name] -> function; one of ours, so that nobody wants to know where
   it stands: it is called by that name, or as the first function among its
   arguments */
int tpi_l_carries (lua_State *L);
/* function or name -> what a task of it is called */
int tpi_l_name_of (lua_State *L);

#pragma GCC visibility pop
#endif
