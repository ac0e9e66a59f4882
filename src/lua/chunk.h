/*
** chunk.h: the dumps of functions; and functions with upvalues, loaded once
** and made many times.
**
** Lua loads a function from its dump, but has nothing that makes a second one
** of the same code: only its own instruction for `function ... end` does that,
** inside of another function. So the dump is set into one: a chunk
**
**     local a1, ..., an
**     return function ... end
**
** in the place of whose inner function stands the dumped one, with the
** upvalues of the inner one. Loaded once, it gives a new function each time
** it is called. This is about the format of Lua 5.4; what does not look like
** it, or has more upvalues than a function may have local variables, is left
** to be loaded anew each time.
**
** A function that is made once for all calls must not assign to an upvalue,
** not even to its _ENV: upvalues.h tells.
*/
#ifndef TPI_CHUNK_H
#define TPI_CHUNK_H

#include <lua.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

/* Dumps the Lua function on top into `bytes`, which are as many as it says;
   NULL only counts them. */
size_t tpi_chunk_dump (lua_State *L, char *bytes, int strip);

/* Pushes a function that makes functions of what lua_dump has written there,
   each with upvalues of its own, all nil; or pushes nothing and returns 0.
   Raises when out of memory. Any Lua state; does not block. */
int tpi_chunk_push_maker (lua_State *L, const char *dump, size_t size,
                          const char *name);

#pragma GCC visibility pop
#endif
