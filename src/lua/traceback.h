/*
** traceback.h: tracebacks that show the code of those who use tidepool, and
** not the Lua files of tidepool itself; and where a value that is no Error was
** raised, when it has come out of a coroutine as it was.
*/
#ifndef TPI_TRACEBACK_H
#define TPI_TRACEBACK_H

#include "lua/binding.h"

#pragma GCC visibility push(hidden)

/* Pushes the traceback of that coroutine. */
void tpi_traceback (lua_State *L, lua_State *of, int level);
/* In a message handler, with what was raised on top: pushes the traceback of
   where that came from, which may be another coroutine. */
void tpi_traceback_raised (lua_State *L);

/* string -> string; without a position in one of our own files, unless the fault
   is ours. */
void tpi_strip_position (lua_State *L);
/* In a message handler: which element the outermost function, a loop of ours
   over elements, was at; 0 if there is none. */
lua_Integer tpi_traceback_element (lua_State *L);

/* The file that calls this stands in the folder of the Lua part. */
void tpi_own_folder (lua_State *L);

/* future -> its results; raises what its function raised, as it was, or its
   Error */
int tpi_l_unwrap (lua_State *L);
/* value -> text, with a traceback */
int tpi_l_traceback (lua_State *L);

#pragma GCC visibility pop
#endif
