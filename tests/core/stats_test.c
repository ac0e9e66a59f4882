#include "test.h"

#include <string.h>

#include "core/stats.h"

/* At most an eighth too high, and never too low. */
static void assert_near (double seconds, double nanoseconds) {
  assert_true(seconds * 1e9 >= nanoseconds - 0.5);
  assert_true(seconds * 1e9 <= nanoseconds * 1.125 + 0.5);
}

static void nothing_took_no_time (void **state) {
  static tpi_Histogram h;
  tpi_Quantiles q = tpi_histogram_read(&h);
  (void)state;
  assert_true(q.p50 == 0 && q.p90 == 0 && q.p99 == 0 && q.max == 0);
}

static void quantiles_are_an_eighth_off_at_most (void **state) {
  static const uint64_t scales[] = {1, 10, 1000, 1000000, 1000000000};
  (void)state;
  for (size_t k = 0; k < sizeof scales / sizeof *scales; k++) {
    static tpi_Histogram h;
    tpi_Quantiles q;
    memset(&h, 0, sizeof h);
    for (uint64_t i = 1; i <= 1000; i++)
      tpi_histogram_add(&h, i * scales[k]);
    q = tpi_histogram_read(&h);
    assert_near(q.p50, 501.0 * (double)scales[k]);
    assert_near(q.p90, 901.0 * (double)scales[k]);
    assert_near(q.p99, 991.0 * (double)scales[k]);
    assert_true(q.max * 1e9 > 999.5 * (double)scales[k]);
    assert_true(q.max * 1e9 < 1000.5 * (double)scales[k]);
  }
}

static void extremes_fit (void **state) {
  static tpi_Histogram h;
  tpi_Quantiles q;
  (void)state;
  tpi_histogram_add(&h, 0);
  q = tpi_histogram_read(&h);
  assert_true(q.p50 == 0 && q.max == 0);
  tpi_histogram_add(&h, UINT64_MAX);
  q = tpi_histogram_read(&h);
  assert_true(q.max > 1e9);
  assert_true(q.p99 > 1e9);
}

static void merging_adds (void **state) {
  static tpi_Histogram a, b;
  tpi_Quantiles q;
  (void)state;
  for (int i = 0; i < 90; i++)
    tpi_histogram_add(&a, 100);
  for (int i = 0; i < 10; i++)
    tpi_histogram_add(&b, 100000);
  tpi_histogram_merge(&a, &b);
  q = tpi_histogram_read(&a);
  assert_near(q.p50, 100);
  assert_near(q.p99, 100000);
  q = tpi_histogram_read(&b); /* stays as it was */
  assert_near(q.p50, 100000);
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_took_no_time),
      cmocka_unit_test(quantiles_are_an_eighth_off_at_most),
      cmocka_unit_test(extremes_fit),
      cmocka_unit_test(merging_adds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
