#define _GNU_SOURCE
#include "core/random.h"

#include <fcntl.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/random.h>
#endif

#include "core/atomic.h"
#include "core/clock.h"

enum { SIZE = 2 * sizeof(uint64_t) };

static int from_system (uint64_t numbers[2]) {
  ssize_t got = -1;
  int fd;
#ifdef __linux__
  got = getrandom(numbers, SIZE, GRND_NONBLOCK); /* needs no descriptor */
#endif
  if (got != SIZE && (fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC)) >= 0) {
    got = read(fd, numbers, SIZE);
    close(fd);
  }
  return got == SIZE;
}

/* Each bit of the one has to do with all of the other. */
static uint64_t scramble (uint64_t x) {
  x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
  x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
  return x ^ x >> 33;
}

void tpi_random (uint64_t numbers[2]) {
  static _Atomic uint64_t drawn;
  if (!from_system(numbers)) {
    uint64_t process = (uint64_t)getpid() << 32;
    numbers[0] = scramble(tpi_now() ^ (uint64_t)(uintptr_t)numbers);
    numbers[1] = scramble(process + atomic_fetch_add(&drawn, 1));
  }
}
