/*
** relay.h: waiters that settle something themselves when they are told.
**
** Any thread. What one of them settles may tell the next, and so on: a chain
** as long as a program cares to make. So a waiter of that kind does not hear
** within its tell; if this thread is hearing another one already, it is put
** behind that, and heard after it. Nobody may wait for it to have heard.
*/
#ifndef TPI_RELAY_H
#define TPI_RELAY_H

#include "core/waiter.h"

#pragma GCC visibility push(hidden)

/* For the tell of a waiter, which it does no more than call: `hear` is called
   with it, now or soon, on this thread. */
void tpi_relay (tpi_Waiter *waiter, void (*hear) (tpi_Waiter *waiter));

#pragma GCC visibility pop
#endif
