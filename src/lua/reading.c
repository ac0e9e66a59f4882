#define _GNU_SOURCE
#include "lua/reading.h"

#include <poll.h>
#include <pthread.h>

#include "core/clock.h"
#include "core/lock.h"
#include "core/word.h"

#if TPI_READS

/* ...and how much that is: it can be taken without waiting. */
#if defined(__GLIBC__)
static size_t buffered (FILE *f) {
  return (size_t)(f->_IO_read_end - f->_IO_read_ptr);
}
#elif defined(__APPLE__)
static size_t buffered (FILE *f) { return f->_r > 0 ? (size_t)f->_r : 0; }
#else
#include <stdio_ext.h>
static size_t buffered (FILE *f) { return __freadahead(f); }
#endif

/* ---------------------------------------------------------------- */
/* Turns                                                             */
/* ---------------------------------------------------------------- */

static tpi_Lock lock;
static tpi_Reading *readings; /* guarded by lock */
static atomic_uint ended;     /* how many have */
static atomic_uint waiting;   /* threads that wait for a turn */

/* In the child of a fork none of those that read is here. */
static void forget (void) {
  tpi_lock_forget(&lock);
  readings = NULL;
  tpi_put(&waiting, 0);
}

static void watch_forks (void) { pthread_atfork(NULL, NULL, forget); }

static int try_begin (tpi_Reading *reading) {
  tpi_Reading *other;
  tpi_lock(&lock);
  other = readings;
  while (other != NULL && other->file != reading->file)
    other = other->next;
  if (other == NULL) {
    reading->next = readings;
    readings = reading;
  }
  tpi_unlock(&lock);
  return other == NULL;
}

/* Now and then it looks whether its task is over. */
static void wait_for_turn (lua_State *L, tpi_Reading *reading) {
  enum { LOOK = 20 * 1000 * 1000 }; /* ns */
  int begins = 0;
  while (!begins) {
    unsigned seen = tpi_see(&ended);
    tpi_fiber_check(L, tpi_place_at(L));
    atomic_fetch_add(&waiting, 1);
    begins = try_begin(reading);
    if (!begins)
      tpi_word_wait(&ended, seen, tpi_now() + LOOK);
    atomic_fetch_sub(&waiting, 1);
  }
}

void tpi_reading_begin (lua_State *L, tpi_Reading *reading, FILE *file) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, watch_forks);
  reading->file = file;
  if (!try_begin(reading))
    wait_for_turn(L, reading);
}

void tpi_reading_end (tpi_Reading *reading) {
  tpi_Reading **at = &readings;
  tpi_lock(&lock);
  while (*at != NULL && *at != reading)
    at = &(*at)->next;
  if (*at != NULL)
    *at = reading->next;
  tpi_unlock(&lock);
  atomic_fetch_add(&ended, 1);
  if (tpi_see(&waiting) > 0)
    tpi_word_wake(&ended, 1);
}

/* ---------------------------------------------------------------- */
/* Taking                                                            */
/* ---------------------------------------------------------------- */

static int is_over (void *place) { return tpi_family_is_over(place); }

/* Would reading from it not wait? What cannot be asked would not. */
static int is_ready (int fd) {
  struct pollfd p = {fd, POLLIN, 0};
  return fd < 0 || poll(&p, 1, 0) != 0;
}

/* The stream is locked, and has something buffered. */
static size_t take_buffered (FILE *f, char *to, size_t most, int line) {
  size_t n = 0, there = buffered(f);
  if (most > there)
    most = there;
  if (!line)
    return fread(to, 1, most, f);
  while (n < most && (n == 0 || to[n - 1] != '\n'))
    to[n++] = (char)getc_unlocked(f);
  return n;
}

/* What is there, without waiting: 0 for nothing; `end` says that there will be
   no more. */
static size_t take_at_once (FILE *f, char *to, size_t most, int line,
                            int *end) {
  size_t n = 0;
  int c = 0;
  flockfile(f);
  if (buffered(f) == 0 && is_ready(fileno(f))) {
    c = getc_unlocked(f); /* fills the buffer */
    if (c != EOF)
      to[n++] = (char)c;
  }
  if (c != EOF && n < most && buffered(f) > 0 && !(line && c == '\n'))
    n += take_buffered(f, to + n, most - n, line);
  funlockfile(f);
  *end = c == EOF;
  return n;
}

size_t tpi_reading_take (lua_State *L, FILE *f, char *to, size_t most,
                         int line) {
  tpi_Place *place = tpi_place_at(L);
  for (;;) {
    int end;
    size_t n = take_at_once(f, to, most, line, &end);
    if (n > 0 || end)
      return n;
    if (tpi_sleep_on(fileno(f), TPI_NEVER, is_over, place) == TPI_STOPPED)
      tpi_fiber_check(L, place);
  }
}

#endif
