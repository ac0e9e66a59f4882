#include "test.h"

#include <string.h>

#include "core/map.h"
#include "tidepool.h"

enum { KEYS = 5000 };

static char keys[KEYS * 64]; /* addresses as tables have them */
static char values[KEYS];

static uint64_t next (uint64_t *seed) { /* xorshift */
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

/* Against an array that knows better. */
static void is_like_an_array (void **state) {
  static void *model[KEYS];
  tpi_Map map = {NULL, 0, 0};
  uint64_t seed = 20260101;
  (void)state;
  for (int round = 0; round < 4; round++) {
    memset(model, 0, sizeof model);
    tpi_map_clear(&map);
    for (int i = 0; i < KEYS * 2; i++) {
      size_t k = next(&seed) % (round == 0 ? 10 : KEYS);
      assert_ptr_equal(tpi_map_get(&map, &keys[k * 64]), model[k]);
      if (model[k] == NULL) {
        model[k] = &values[k];
        assert_int_equal(tpi_map_put(&map, &keys[k * 64], model[k]), TP_OK);
      }
    }
    for (size_t k = 0; k < KEYS; k++)
      assert_ptr_equal(tpi_map_get(&map, &keys[k * 64]), model[k]);
  }
  tpi_map_fini(&map);
}

static void clearing_keeps_little (void **state) {
  tpi_Map map = {NULL, 0, 0};
  (void)state;
  for (size_t k = 0; k < KEYS; k++)
    assert_int_equal(tpi_map_put(&map, &keys[k * 64], &values[k]), TP_OK);
  assert_true(map.room >= 2 * KEYS);
  tpi_map_clear(&map);
  assert_int_equal(map.count, 0);
  assert_int_equal(map.room, 0);
  for (size_t k = 0; k < 100; k++)
    assert_int_equal(tpi_map_put(&map, &keys[k * 64], &values[k]), TP_OK);
  tpi_map_clear(&map);
  assert_true(map.room > 0);
  for (size_t k = 0; k < 100; k++)
    assert_null(tpi_map_get(&map, &keys[k * 64]));
  tpi_map_fini(&map);
  assert_null(map.pairs);
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(is_like_an_array),
      cmocka_unit_test(clearing_keeps_little),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
