/*
** homes.h: the Lua states of the program that are open, and what would be lost
** if it ended now: failures that nobody has read, and coroutines that wait.
**
** Any thread. A program may end without closing its Lua states (os.exit), on
** any thread; then no Lua runs any more, and what is left is told from here, to
** standard error. Failed futures of an open home stand in a list, from settling
** until somebody has read them or they go; that allocates nothing. Nothing
** here blocks.
*/
#ifndef TPI_HOMES_H
#define TPI_HOMES_H

#include "core/future.h"

#pragma GCC visibility push(hidden)

/* The owner of a host opens a Lua state of the program; it closes it, having
   cancelled so much. That is told at once while others are open, and else at
   exit. */
void tpi_homes_add (tpi_Host *host);
void tpi_homes_leave (tpi_Host *host, unsigned tasks, unsigned coroutines);

/* At exit, so many tasks having been cancelled: writes down the failures that
   nobody has read, and in one line what was cancelled, if anything was. */
void tpi_homes_report (unsigned tasks);

/* In the child after a fork: what is open and has failed is the parent's. */
void tpi_homes_forget (void);

#pragma GCC visibility pop
#endif
