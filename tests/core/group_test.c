#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/group.h"

static atomic_uint made;

static void free_shell (tpi_Block *shell, tpi_List *list) {
  (void)list;
  free(tpi_future_of(shell));
  atomic_fetch_sub(&made, 1);
}

static void destroy (tpi_Future *f, tpi_List *heir) {
  tpi_future_fini(f, heir, free_shell);
}

static const tpi_Class plain = {.destroy = destroy};

static tpi_Future *make (void) {
  tpi_Future *f = malloc(sizeof *f);
  assert_non_null(f);
  tpi_future_init(f, &plain, NULL, NULL, 0);
  atomic_fetch_add(&made, 1);
  return f;
}

/* Takes the next one: its reference, or 0 for none. */
static int take (tpi_Group *g) {
  tpi_Member *m = tpi_group_take(g);
  int reference = m != NULL ? m->reference : 0;
  if (m != NULL)
    tpi_member_free(m);
  return reference;
}

static void first_in_time_comes_first (void **state) {
  tpi_Group *g = tpi_group_new(0);
  tpi_Future *f[3];
  (void)state;
  for (int i = 0; i < 3; i++) {
    f[i] = make();
    assert_non_null(tpi_group_add(g, f[i], i + 1));
  }
  assert_int_equal(take(g), 0);
  tpi_future_cancel(f[2], NULL);
  tpi_future_cancel(f[0], NULL);
  assert_non_null(tpi_group_add(g, f[2], 4)); /* it has settled */
  assert_int_equal(tpi_group_count(g), 4);
  assert_int_equal(take(g), 3);
  assert_int_equal(take(g), 1);
  assert_int_equal(take(g), 4);
  assert_int_equal(take(g), 0);
  assert_int_equal(tpi_group_count(g), 1);
  tpi_future_cancel(f[1], NULL);
  assert_int_equal(take(g), 2);
  tpi_group_close(g);
  for (int i = 0; i < 3; i++)
    tpi_future_release(f[i]);
  assert_int_equal(tpi_see(&made), 0);
}

static void what_is_taken_out_is_told_no_more (void **state) {
  tpi_Group *g = tpi_group_new(0);
  tpi_Future *f[3];
  tpi_Member *m[3];
  (void)state;
  for (int i = 0; i < 3; i++) {
    f[i] = make();
    m[i] = tpi_group_add(g, f[i], i + 1);
  }
  tpi_future_cancel(f[0], NULL);
  tpi_group_remove(m[0]); /* settled and not taken */
  tpi_member_free(m[0]);
  tpi_group_remove(m[1]); /* not settled */
  tpi_member_free(m[1]);
  tpi_future_cancel(f[1], NULL);
  assert_int_equal(take(g), 0);
  assert_ptr_equal(tpi_group_members(g), m[2]);
  tpi_group_close(g); /* with one left */
  tpi_future_cancel(f[2], NULL);
  for (int i = 0; i < 3; i++)
    tpi_future_release(f[i]);
  assert_int_equal(tpi_see(&made), 0);
}

static void signals_when_there_is_something (void **state) {
  tpi_Group *g = tpi_group_new(0);
  tpi_Future *f = make(), *signal = tpi_group_signal(g), *again;
  (void)state;
  assert_non_null(tpi_group_add(g, f, 1));
  assert_false(tpi_future_settled(signal));
  again = tpi_group_signal(g); /* two may wait at a time */
  assert_ptr_equal(again, signal);
  tpi_future_release(signal);
  tpi_future_cancel(again, NULL); /* by somebody who got hold of it */
  tpi_future_release(again);
  again = tpi_group_signal(g);
  assert_false(tpi_future_settled(again));
  tpi_future_cancel(f, NULL);
  assert_true(tpi_future_settled(again));
  tpi_future_release(again);
  signal = tpi_group_signal(g);
  assert_true(tpi_future_settled(signal));
  tpi_future_release(signal);
  assert_int_equal(take(g), 1);
  signal = tpi_group_signal(g);
  tpi_group_close(g); /* nobody is left waiting */
  assert_true(tpi_future_settled(signal));
  tpi_future_release(signal);
  tpi_future_release(f);
  assert_int_equal(tpi_see(&made), 0);
}

static void signals_when_nothing_is_left (void **state) {
  tpi_Group *g = tpi_group_new(0);
  tpi_Future *f = make(), *signal;
  tpi_Member *m = tpi_group_add(g, f, 1);
  (void)state;
  signal = tpi_group_signal(g);
  tpi_group_remove(m);
  tpi_member_free(m);
  assert_true(tpi_future_settled(signal));
  tpi_future_release(signal);
  tpi_group_add(g, f, 2);
  signal = tpi_group_signal(g);
  tpi_group_clear(g);
  assert_true(tpi_future_settled(signal));
  tpi_future_release(signal);
  assert_int_equal(tpi_group_count(g), 0);
  tpi_group_add(g, f, 3);
  tpi_future_cancel(f, NULL);
  assert_int_equal(take(g), 3);
  tpi_group_close(g);
  tpi_future_release(f);
  assert_int_equal(tpi_see(&made), 0);
}

enum { MANY = 2000, TELLERS = 3 };

static tpi_Future *futures[MANY];
static atomic_uint next_one;

static void *cancel_some (void *unused) {
  unsigned i;
  while ((i = atomic_fetch_add(&next_one, 1)) < MANY)
    tpi_future_cancel(futures[i], NULL);
  return unused;
}

/* Its owner takes some, removes some and goes, while they settle. */
static void round_of_races (unsigned seed) {
  tpi_Group *g = tpi_group_new(0);
  static tpi_Member *members[MANY];
  pthread_t tellers[TELLERS];
  unsigned left = MANY;
  tpi_put(&next_one, 0);
  for (int i = 0; i < MANY; i++) {
    futures[i] = make();
    members[i] = tpi_group_add(g, futures[i], i + 1);
  }
  for (int i = 0; i < TELLERS; i++)
    assert_int_equal(pthread_create(&tellers[i], NULL, cancel_some, NULL), 0);
  while (left > MANY / 10) {
    unsigned i = (unsigned)rand_r(&seed) % MANY;
    tpi_Member *m = members[i];
    if (m != NULL && rand_r(&seed) % 2 == 0) {
      tpi_group_remove(m);
    } else if ((m = tpi_group_take(g)) == NULL) {
      continue;
    }
    members[m->reference - 1] = NULL;
    tpi_member_free(m);
    left--;
  }
  assert_int_equal(tpi_group_count(g), left);
  tpi_group_close(g);
  for (int i = 0; i < TELLERS; i++)
    assert_int_equal(pthread_join(tellers[i], NULL), 0);
  for (int i = 0; i < MANY; i++)
    tpi_future_release(futures[i]);
  assert_int_equal(tpi_see(&made), 0);
}

static void its_owner_and_tellers_may_race (void **state) {
  (void)state;
  for (unsigned seed = 1; seed <= 30; seed++)
    round_of_races(seed);
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(first_in_time_comes_first),
      cmocka_unit_test(what_is_taken_out_is_told_no_more),
      cmocka_unit_test(signals_when_there_is_something),
      cmocka_unit_test(signals_when_nothing_is_left),
      cmocka_unit_test(its_owner_and_tellers_may_race),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
