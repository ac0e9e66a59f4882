/*
** sandbox.h: an _ENV that is not the globals, but leads to them: reading _G
** through it gives them. So it is in most sandboxes, and in every spec that
** busted runs.
**
** The thread that runs the Lua state. Such a table arrives as a new one that
** falls back to the globals of the Lua state it comes to. In it stand what the
** functions sent with it find through it under the names of globals they use,
** as far as that is something else than the globals of the sender, and can
** cross. What was left behind is remembered, to be told with the error that
** comes of it.
*/
#ifndef TPI_SANDBOX_H
#define TPI_SANDBOX_H

#include <lua.h>

#pragma GCC visibility push(hidden)

/* What the function at `index` assigns goes to the globals from now on, if its
   _ENV has arrived as a sandbox. */
void tpi_sandbox_open (lua_State *L, int index);

/* message -> message, and whether there is more of it: about something that
   was left behind, which a function on the stack of L has looked for. In a
   message handler. Raises when out of memory. */
int tpi_sandbox_explain (lua_State *L);

#pragma GCC visibility pop
#endif
