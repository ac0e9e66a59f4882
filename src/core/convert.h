/*
** convert.h: numbers and strings for each other, as Lua's functions take
** them.
**
** Pure functions; any thread. For values that no Lua state has at hand.
*/
#ifndef TPI_CONVERT_H
#define TPI_CONVERT_H

#include "core/signature.h"

#pragma GCC visibility push(hidden)

/* Makes *value what a parameter of that type takes, if it can be: then
   TP_OK; TP_TRANSFER; TP_NOMEM. New strings live in the list. */
int tpi_convert (tpi_List *list, tp_Value *value, tpi_ParamType type);

#pragma GCC visibility pop
#endif
