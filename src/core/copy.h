/*
** copy.h: copying a value from one list into another, tables and all.
**
** The thread that builds `list`. Never blocks. Sharing and cycles are kept;
** long strings and objects are shared, not copied.
*/
#ifndef TPI_COPY_H
#define TPI_COPY_H

#include "core/value.h"

#pragma GCC visibility push(hidden)

/* TP_OK or TP_NOMEM. */
int tpi_list_copy (tpi_List *list, tp_Value *value, const tp_Value *from);

#pragma GCC visibility pop
#endif
