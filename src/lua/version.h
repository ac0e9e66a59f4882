/*
** version.h: the Lua that this is compiled for, and the one that runs it.
**
** 5.4.0 to 5.4.3 crash when a coroutine that awaits is closed by another one:
** neither their headers nor their interpreters will do. Any thread with a Lua
** state of its own.
*/
#ifndef TPI_VERSION_H
#define TPI_VERSION_H

#include <lua.h>

#if LUA_VERSION_NUM < 504 || \
    (LUA_VERSION_NUM == 504 && LUA_VERSION_RELEASE_NUM < 50404)
#error "tidepool needs the headers of Lua 5.4.4 or newer: set LUA_INCDIR"
#endif

/* lua_closethread, which is told who closes. */
#define TPI_CLOSETHREAD (LUA_VERSION_RELEASE_NUM >= 50406)

#pragma GCC visibility push(hidden)

/* Raises, in one sentence, where the Lua that runs this is too old, or is of
   another version than the one that this was compiled for. Where functions of
   that are missing this is not even loaded; lua/tidepool/init.lua says why. */
void tpi_version_check (lua_State *L);

#pragma GCC visibility pop
#endif
