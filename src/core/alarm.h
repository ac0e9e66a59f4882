/*
** alarm.h: a future that fails with kind "timeout" at its time, and does
** nothing else: what a task is tied to that waits for so long at most.
** Cancelling it stops it.
**
** Any thread; nothing blocks.
*/
#ifndef TPI_ALARM_H
#define TPI_ALARM_H

#include "core/timer.h"

#pragma GCC visibility push(hidden)

/* Set, with one reference; NULL when out of memory or threads. */
tpi_Future *tpi_alarm_new (double seconds);
/* Stops it and lets go of it; NULL is nothing. */
void tpi_alarm_release (tpi_Future *alarm);

#pragma GCC visibility pop
#endif
