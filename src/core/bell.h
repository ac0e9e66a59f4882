/*
** bell.h: a descriptor that turns readable when rung.
**
** Ringing: any thread, never blocks. The rest: its owner. An eventfd on
** Linux, a pipe elsewhere; close-on-exec and non-blocking. Ringing twice is
** ringing once.
**
** The program may close descriptors that it does not know, as one that
** becomes a daemon does, and their numbers may be another file's then. So a
** bell knows its file, and closes no other; who uses it after the program has
** run asks first whether it is still there.
*/
#ifndef TPI_BELL_H
#define TPI_BELL_H

#include <stdint.h>
#include <sys/types.h>

typedef struct tpi_Bell {
  int fd;  /* to read and to poll; -1 when not made */
  int out; /* to write */
  dev_t device;
  ino_t inode; /* of both */
} tpi_Bell;

enum { TPI_RUNG, TPI_LATE, TPI_STOPPED };

#pragma GCC visibility push(hidden)

/* TP_OK, or TP_NOMEM when there is no descriptor to be had. */
int tpi_bell_init (tpi_Bell *bell);
void tpi_bell_fini (tpi_Bell *bell);
/* Is it still the file that it was made with? */
int tpi_bell_there (const tpi_Bell *bell);
void tpi_bell_ring (const tpi_Bell *bell);

/* Makes it unreadable again. For who knows that it was rung, or is being
   rung right now: waits for that. */
void tpi_bell_hush (const tpi_Bell *bell);

/*
** Sleeps until it is rung (TPI_RUNG), the deadline (TPI_LATE) or, after a
** signal, until stop(argument) is true (TPI_STOPPED). Signals are held back
** from before stop is asked until the sleep has begun, so none falls in
** between. Does not hush. One whose file is gone counts as rung.
*/
int tpi_bell_sleep (tpi_Bell *bell, uint64_t deadline, int (*stop)(void *),
                    void *argument);
/* The same for any descriptor to be readable. */
int tpi_sleep_on (int fd, uint64_t deadline, int (*stop)(void *),
                  void *argument);

#pragma GCC visibility pop
#endif
