/*
** testmod_layout.c: the layout of the tidepool.h of today.
**
** Lua: layout(), as in tests/abi/layout.h.
*/
#include "testmod.h"

#include "../abi/layout.h"

const luaL_Reg tt_layout_lua[] = {{"layout", l_layout}, {NULL, NULL}};
