/*
** bell.h: a descriptor that turns readable when rung.
**
** Ringing: any thread, never blocks. The rest: its owner. An eventfd on
** Linux, a pipe elsewhere; close-on-exec and non-blocking. Ringing twice is
** ringing once.
*/
#ifndef TPI_BELL_H
#define TPI_BELL_H

#include <stdint.h>

typedef struct tpi_Bell {
  int fd;  /* to read and to poll; -1 when not made */
  int out; /* to write */
} tpi_Bell;

enum { TPI_RUNG, TPI_LATE, TPI_STOPPED };

#pragma GCC visibility push(hidden)

/* TP_OK, or TP_NOMEM when there is no descriptor to be had. */
int tpi_bell_init (tpi_Bell *bell);
void tpi_bell_fini (tpi_Bell *bell);
void tpi_bell_ring (tpi_Bell *bell);

/* Makes it unreadable again. For who knows that it was rung, or is being
   rung right now: waits for that. */
void tpi_bell_hush (tpi_Bell *bell);

/*
** Sleeps until it is rung (TPI_RUNG), the deadline (TPI_LATE) or, after a
** signal, until stop(argument) is true (TPI_STOPPED). Signals are held back
** from before stop is asked until the sleep has begun, so none falls in
** between. Does not hush.
*/
int tpi_bell_sleep (tpi_Bell *bell, uint64_t deadline, int (*stop)(void *),
                    void *argument);

#pragma GCC visibility pop
#endif
