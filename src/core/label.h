/*
** label.h: a name that somebody has given to tasks.
**
** Any thread may hold and read one; it never changes, and goes with its last
** owner.
*/
#ifndef TPI_LABEL_H
#define TPI_LABEL_H

#include "core/atomic.h"

typedef struct tpi_Label {
  atomic_uint refs;
  char text[];
} tpi_Label;

#pragma GCC visibility push(hidden)

/* A label with one owner; NULL when out of memory. */
tpi_Label *tpi_label_new (const char *text);
/* Of NULL: nothing. */
tpi_Label *tpi_label_retain (tpi_Label *label);
void tpi_label_release (tpi_Label *label);

#pragma GCC visibility pop
#endif
