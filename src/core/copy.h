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

/* Appends copies of the first n values of another list, nil for those that it
   has not. TP_OK or TP_NOMEM. */
int tpi_list_copy_first (tpi_List *list, const tpi_List *from, uint32_t n);

#pragma GCC visibility pop
#endif
