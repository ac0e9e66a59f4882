/*
** overdue.h: a shutdown that takes long says for what it waits.
**
** Any thread; nothing blocks. What is said is a line on standard error, from
** the thread of the timers, once for each pool.
*/
#ifndef TPI_OVERDUE_H
#define TPI_OVERDUE_H

#include "core/pool.h"

typedef struct tpi_Overdue tpi_Overdue;

#pragma GCC visibility push(hidden)

/* From now on somebody waits for the workers of a closed pool to leave; it is
   retained until tpi_overdue_end. NULL, and nothing will be said, when out of
   memory or threads. */
tpi_Overdue *tpi_overdue_new (tp_Manager *pool);
/* The wait is over; NULL is nothing. */
void tpi_overdue_end (tpi_Overdue *overdue);

/* After how many seconds: those of before. For the whole process; negative:
   only asks. */
double tpi_overdue_after (double seconds);
/* How often something was said in this process. */
unsigned tpi_overdue_said (void);

#pragma GCC visibility pop
#endif
