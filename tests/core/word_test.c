#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "test.h"

#include <sys/resource.h>

#include "core/clock.h"
#include "core/word.h"

/* How often this thread has given its processor away. */
static long sleeps (void) {
  struct rusage usage;
#ifdef RUSAGE_THREAD
  getrusage(RUSAGE_THREAD, &usage);
#else
  getrusage(RUSAGE_SELF, &usage);
#endif
  return usage.ru_nvcsw;
}

static void time_that_is_over_is_not_slept (void **state) {
  enum { TIMES = 200 };
  atomic_uint word = 0;
  long before = sleeps();
  (void)state;
  for (int i = 0; i < TIMES; i++)
    assert_false(tpi_word_wait(&word, 0, tpi_now()));
  assert_true(sleeps() - before < TIMES / 2);
}

static void another_value_is_not_waited_for (void **state) {
  atomic_uint word = 1;
  (void)state;
  assert_true(tpi_word_wait(&word, 0, TPI_NEVER));
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(time_that_is_over_is_not_slept),
      cmocka_unit_test(another_value_is_not_waited_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
