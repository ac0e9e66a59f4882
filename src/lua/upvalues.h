/*
** upvalues.h: what the code of a function does with its upvalues, itself or in
** the functions inside it, read from its dump.
**
** Any thread for tpi_chunk_assigns, that of the Lua state for the other.
** Neither blocks.
*/
#ifndef TPI_UPVALUES_H
#define TPI_UPVALUES_H

#include <lua.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

/* May the function that is dumped there, or one in it, assign to its upvalues?
   True as well when that cannot be told. */
int tpi_chunk_assigns (const char *dump, size_t size);

/*
** Pushes a list of the strings with which that upvalue (from 1 on) is indexed:
** the names of globals, if it is _ENV. Where a function uses the upvalue in
** another way, all its strings are among them, for it may index what it got;
** and if the format is not known, all that could be names. Raises when out of
** memory.
*/
void tpi_chunk_push_names (lua_State *L, const char *dump, size_t size,
                           unsigned upvalue);

#pragma GCC visibility pop
#endif
