#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/thread.h"
#include "core/timer.h"

static atomic_uint destroyed;

static void free_shell (tpi_Block *shell, tpi_List *list) {
  (void)list;
  free(tpi_future_of(shell));
  tpi_count(&destroyed, 1);
}

static void destroy (tpi_Future *f, tpi_List *heir) {
  tpi_future_fini(f, heir, free_shell);
}

static const tpi_Class plain = {.destroy = destroy};

static tpi_Future *make (void) {
  tpi_Future *f = malloc(sizeof *f);
  assert_non_null(f);
  tpi_future_init(f, &plain, NULL, NULL, 0);
  return f;
}

static void await (tpi_Future *f) {
  tpi_Parker parker;
  tpi_parker_init(&parker, NULL, NULL, NULL);
  assert_int_equal(tpi_future_wait(f, &parker, tpi_deadline(60)), TPI_RUNG);
}

/* It may be just about to let go of the last future that it fired. */
static void end_thread (void) {
  tpi_timers_stop();
  assert_true(tpi_threads_wait(tpi_deadline(60)));
}

static void fires_in_time (void **state) {
  tpi_Future *f = make();
  uint64_t before = tpi_now();
  tpi_Timer *timer = tpi_timer_new(f, 0.02);
  (void)state;
  assert_true(tpi_timer_deadline(timer) >= before + TPI_SECOND / 50);
  assert_true(tpi_timer_deadline(NULL) == TPI_NEVER);
  assert_int_equal(tpi_timer_start(timer), TP_OK);
  await(f);
  assert_true(tpi_now() - before >= TPI_SECOND / 50);
  assert_int_equal(tpi_future_state(f), TPI_FAILED);
  assert_int_equal(f->kind, TPI_KIND_TIMEOUT);
  tpi_timer_stop(timer);
  tpi_timer_free(timer);
  tpi_future_release(f);
}

/* Armed latest first: whatever is due before another fires before it. */
static void fires_in_order (void **state) {
  enum { TIMERS = 50 };
  tpi_Future *futures[TIMERS];
  tpi_Timer *timers[TIMERS];
  (void)state;
  for (int i = TIMERS - 1; i >= 0; i--) {
    futures[i] = make();
    timers[i] = tpi_timer_new(futures[i], 0.01 + 0.002 * i);
    assert_int_equal(tpi_timer_start(timers[i]), TP_OK);
  }
  for (int i = TIMERS - 1; i >= 0; i--) {
    await(futures[i]);
    for (int k = 0; k < TIMERS; k++) {
      if (tpi_timer_deadline(timers[k]) < tpi_timer_deadline(timers[i]))
        assert_true(tpi_future_settled(futures[k]));
    }
  }
  for (int i = 0; i < TIMERS; i++) {
    tpi_timer_stop(timers[i]);
    tpi_timer_free(timers[i]);
    tpi_future_release(futures[i]);
  }
}

/* The odd ones are stopped while the others fire all around them. */
static void stopped_ones_do_not_fire (void **state) {
  enum { TIMERS = 3000 };
  static tpi_Future *futures[TIMERS];
  static tpi_Timer *timers[TIMERS];
  (void)state;
  end_thread(); /* which may have one of another test in hand */
  tpi_put(&destroyed, 0);
  for (int i = 0; i < TIMERS; i++) {
    futures[i] = make();
    timers[i] = tpi_timer_new(futures[i], i % 2 != 0 ? 30 : 0.005);
    assert_int_equal(tpi_timer_start(timers[i]), TP_OK);
  }
  for (int i = 1; i < TIMERS; i += 2)
    tpi_timer_stop(timers[i]);
  for (int i = 0; i < TIMERS; i += 2) {
    await(futures[i]);
    tpi_timer_stop(timers[i]);
  }
  for (int i = 0; i < TIMERS; i++) {
    assert_int_equal(tpi_future_settled(futures[i]), i % 2 == 0);
    tpi_timer_free(timers[i]);
    tpi_future_release(futures[i]);
  }
  end_thread();
  assert_int_equal(tpi_see(&destroyed), TIMERS); /* no timer has kept one */
}

/* One that is just firing may be stopped and freed meanwhile. */
static void stopping_races_firing (void **state) {
  (void)state;
  for (int i = 0; i < 300; i++) {
    tpi_Future *f = make();
    tpi_Timer *timer = tpi_timer_new(f, 0.0001);
    assert_int_equal(tpi_timer_start(timer), TP_OK);
    while (i % 3 != 0 && tpi_until(tpi_timer_deadline(timer)) > 0)
      tpi_relax();
    tpi_timer_stop(timer);
    tpi_timer_free(timer);
    if (tpi_future_settled(f))
      assert_int_equal(f->kind, TPI_KIND_TIMEOUT);
    tpi_future_release(f);
  }
  end_thread();
}

static void fires_by_hand (void **state) {
  tpi_Future *f = make();
  tpi_Timer *timer = tpi_timer_new(f, 30);
  (void)state;
  tpi_timer_fire(timer);
  assert_int_equal(tpi_future_state(f), TPI_FAILED);
  assert_int_equal(f->kind, TPI_KIND_TIMEOUT);
  tpi_timer_free(timer);
  tpi_future_release(f);
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fires_in_time),
      cmocka_unit_test(fires_in_order),
      cmocka_unit_test(stopped_ones_do_not_fire),
      cmocka_unit_test(fires_by_hand),
      cmocka_unit_test(stopping_races_firing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
