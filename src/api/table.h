/*
** table.h: putting the table of tidepool.h together.
**
** tpi_api_start is called by each Lua state that loads the module, under a
** lock of the binding's; it does the same every time.
*/
#ifndef TPI_TABLE_H
#define TPI_TABLE_H

#include "tidepool.h"

#pragma GCC visibility push(hidden)

/* TP_OK, or what went wrong and a message for it. */
int tpi_api_start (char *error, size_t room);

void tpi_api_add_calls (tp_Api *api);    /* calls.c */
void tpi_api_add_promises (tp_Api *api); /* promise.c */

#pragma GCC visibility pop
#endif
