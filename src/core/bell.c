#define _GNU_SOURCE
#include "core/bell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/memory.h"
#include "tidepool.h"

/* Does that number still stand for the file of the bell? */
static int is_ours (const tpi_Bell *bell, int fd) {
  struct stat s;
  return fd >= 0 && fstat(fd, &s) == 0 && s.st_dev == bell->device &&
         s.st_ino == bell->inode;
}

int tpi_bell_there (const tpi_Bell *bell) {
  return is_ours(bell, bell->fd) &&
         (bell->out == bell->fd || is_ours(bell, bell->out));
}

static int remember (tpi_Bell *bell) {
  struct stat s;
  if (bell->fd < 0 || fstat(bell->fd, &s) != 0)
    return TP_NOMEM;
  bell->device = s.st_dev;
  bell->inode = s.st_ino;
  return TP_OK;
}

#if defined(__linux__) && !defined(TPI_PORTABLE)

#include <sys/eventfd.h>

int tpi_bell_init (tpi_Bell *bell) {
  bell->fd = tpi_denied() ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  bell->out = bell->fd;
  return remember(bell);
}

/* What the kernel does in one step. */
static int poll_masked (struct pollfd *p, const struct timespec *limit,
                        const sigset_t *mask) {
  return ppoll(p, 1, limit, mask);
}

#else

static void set_flags (int fd) {
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, O_NONBLOCK);
}

int tpi_bell_init (tpi_Bell *bell) {
  int ends[2];
  if (tpi_denied() || pipe(ends) != 0) {
    bell->fd = bell->out = -1;
    return TP_NOMEM;
  }
  set_flags(ends[0]);
  set_flags(ends[1]);
  bell->fd = ends[0];
  bell->out = ends[1];
  return remember(bell);
}

/* pselect is what POSIX has; past FD_SETSIZE only poll is left, and with it
   a gap, which a short sleep bounds. */
static int poll_masked (struct pollfd *p, const struct timespec *limit,
                        const sigset_t *mask) {
  fd_set set;
  if (p->fd >= FD_SETSIZE) {
    sigset_t before;
    int rc;
    pthread_sigmask(SIG_SETMASK, mask, &before);
    rc = poll(p, 1, 100);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = EINTR;
    return rc == 0 ? -1 : rc;
  }
  FD_ZERO(&set);
  FD_SET(p->fd, &set);
  return pselect(p->fd + 1, &set, NULL, NULL, limit, mask);
}

#endif

void tpi_bell_fini (tpi_Bell *bell) {
  if (is_ours(bell, bell->fd))
    close(bell->fd);
  if (bell->out != bell->fd && is_ours(bell, bell->out))
    close(bell->out);
  bell->fd = bell->out = -1;
}

void tpi_bell_ring (const tpi_Bell *bell) {
  static const uint64_t one = 1;
  int keep = errno; /* we may be anywhere in somebody's C function */
  while (write(bell->out, &one, sizeof one) < 0 && errno == EINTR) {
  }
  errno = keep;
}

/* The limit is for a ring that found its descriptor closed. */
void tpi_bell_hush (const tpi_Bell *bell) {
  enum { LIMIT = 1000 }; /* ms */
  struct pollfd p = {bell->fd, POLLIN, 0};
  char rung[64];
  while (read(bell->fd, rung, sizeof rung) < 0) {
    if (errno == EINTR)
      continue;
    if (errno != EAGAIN || poll(&p, 1, LIMIT) == 0)
      return;
  }
}

int tpi_bell_sleep (tpi_Bell *bell, uint64_t deadline, int (*stop)(void *),
                    void *argument) {
  return tpi_sleep_on(bell->fd, deadline, stop, argument);
}

int tpi_sleep_on (int fd, uint64_t deadline, int (*stop)(void *),
                  void *argument) {
  sigset_t all, before;
  int answer = TPI_STOPPED;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (stop == NULL || !stop(argument)) {
    struct pollfd p = {fd, POLLIN, 0};
    uint64_t left = deadline == TPI_NEVER ? 0 : tpi_until(deadline);
    struct timespec t = {(time_t)(left / TPI_SECOND),
                         (long)(left % TPI_SECOND)};
    int n = poll_masked(&p, deadline == TPI_NEVER ? NULL : &t, &before);
    if (n >= 0 || errno != EINTR) {
      answer = n == 0 ? TPI_LATE : TPI_RUNG;
      break;
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return answer;
}
