#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/future.h"

static atomic_uint destroyed;

static void free_shell (tpi_Block *shell, tpi_List *list) {
  (void)list;
  free(tpi_future_of(shell));
  atomic_fetch_add(&destroyed, 1);
}

static void destroy (tpi_Future *f, tpi_List *heir) {
  tpi_future_fini(f, heir, free_shell);
}

static const tpi_Class plain = {.destroy = destroy};

static tpi_Future *make (tpi_Host *home) {
  tpi_Future *f = malloc(sizeof *f);
  assert_non_null(f);
  tpi_future_init(f, &plain, home, NULL, 0);
  return f;
}

static void settles_once (void **state) {
  tpi_Future *f = make(NULL);
  (void)state;
  assert_true(tpi_future_claim(f));
  assert_false(tpi_future_claim(f));
  assert_true(tpi_future_suspend(f, 1));
  assert_true(tpi_future_suspend(f, 0));
  assert_int_equal(tpi_list_push(&f->results, tpi_integer(7)), TP_OK);
  assert_true(tpi_future_complete(f));
  assert_false(tpi_future_fail(f));
  assert_false(tpi_future_cancel(f, "late"));
  assert_int_equal(tpi_future_state(f), TPI_COMPLETED);
  assert_int_equal(tp_integerof(f->results.items), 7);
  tpi_future_release(f);
}

static void cancels_with_a_reason (void **state) {
  tpi_Future *f = make(NULL);
  size_t length;
  (void)state;
  assert_true(tpi_future_cancel(f, "why"));
  assert_false(tpi_future_claim(f));
  assert_int_equal(f->kind, TPI_KIND_CANCELLED);
  assert_string_equal(tpi_future_message(f, &length), "why");
  assert_int_equal(length, 3);
  tpi_future_release(f);
}

typedef struct Told {
  tpi_Waiter waiter;
  atomic_uint times;
} Told;

static void tell (tpi_Waiter *w, tpi_Waiter **more) {
  (void)more;
  atomic_fetch_add(&((Told *)(void *)w)->times, 1);
}

static void tells_each_waiter_once (void **state) {
  Told told[3] = {{{NULL, NULL, tell, 0}, 0},
                  {{NULL, NULL, tell, 0}, 0},
                  {{NULL, NULL, tell, 0}, 0}};
  tpi_Future *f = make(NULL);
  (void)state;
  for (int i = 0; i < 3; i++)
    assert_true(tpi_future_join(f, &told[i].waiter));
  assert_true(tpi_future_leave(f, &told[1].waiter));
  assert_true(tpi_future_cancel(f, NULL));
  assert_int_equal(told[0].times, 1);
  assert_int_equal(told[1].times, 0);
  assert_int_equal(told[2].times, 1);
  assert_false(tpi_future_leave(f, &told[0].waiter));
  assert_false(tpi_future_join(f, &told[1].waiter));
  tpi_future_release(f);
}

enum { RACERS = 4, ROUNDS = 2000 };

typedef struct Race {
  tpi_Future *future;
  pthread_barrier_t *start;
  atomic_uint *won;
  int who;
} Race;

static void *race (void *p) {
  Race *r = p;
  tpi_Parker parker;
  pthread_barrier_wait(r->start);
  switch (r->who) {
    case 0: /* the worker */
      if (tpi_future_claim(r->future))
        atomic_fetch_add(r->won, (unsigned)tpi_future_complete(r->future));
      break;
    case 1:
    case 2:
      atomic_fetch_add(r->won, (unsigned)tpi_future_cancel(r->future, "raced"));
      break;
    default:
      tpi_parker_init(&parker, NULL, NULL, NULL);
      if (tpi_future_wait(r->future, &parker, TPI_NEVER) != TPI_RUNG)
        abort();
  }
  tpi_future_release(r->future);
  return NULL;
}

static void races_have_one_winner (void **state) {
  (void)state;
  tpi_put(&destroyed, 0);
  for (int round = 0; round < ROUNDS; round++) {
    pthread_barrier_t start;
    pthread_t threads[RACERS];
    Race races[RACERS];
    atomic_uint won = 0;
    tpi_Future *f = make(NULL);
    pthread_barrier_init(&start, NULL, RACERS);
    for (int i = 0; i < RACERS; i++) {
      Race r = {f, &start, &won, i};
      races[i] = r;
      tpi_future_retain(f);
      assert_int_equal(pthread_create(&threads[i], NULL, race, &races[i]), 0);
    }
    for (int i = 0; i < RACERS; i++)
      pthread_join(threads[i], NULL);
    assert_int_equal(won, 1);
    tpi_future_release(f);
    pthread_barrier_destroy(&start);
  }
  assert_int_equal(destroyed, ROUNDS);
}

static void unread_failures_go_home (void **state) {
  tpi_Host *home = tpi_host_new(0);
  tpi_Future *f, *g;
  (void)state;
  for (int i = 0; i < 3; i++) {
    f = make(home);
    tpi_future_end(f, TPI_FAILED, TPI_ERROR, (char *)(uintptr_t) "no", 1, NULL);
    if (i == 1)
      tpi_future_read(f);
    tpi_future_release(f);
  }
  f = tpi_future_unread(home);
  assert_non_null(f);
  g = tpi_future_next_unread(f);
  assert_non_null(g);
  assert_null(tpi_future_next_unread(g));
  tpi_future_read(f);
  tpi_future_read(g);
  tpi_future_release(f);
  tpi_future_release(g);
  assert_null(tpi_future_unread(home));
  tpi_put(&home->closed, 1);
  f = make(home); /* nobody at home any more */
  tpi_future_end(f, TPI_FAILED, TPI_ERROR, (char *)(uintptr_t) "no", 1, NULL);
  tpi_future_release(f);
  assert_null(tpi_future_unread(home));
  tpi_host_release(home);
}

static void tells_news_at_home (void **state) {
  tpi_Host *home = tpi_host_new(0);
  tpi_Future *f = make(home);
  (void)state;
  assert_false(tpi_host_drain(home));
  tpi_future_cancel(f, NULL);
  assert_true(tpi_host_drain(home));
  assert_false(tpi_host_drain(home));
  tpi_future_release(f);
  tpi_host_release(home);
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(settles_once),
      cmocka_unit_test(cancels_with_a_reason),
      cmocka_unit_test(tells_each_waiter_once),
      cmocka_unit_test(races_have_one_winner),
      cmocka_unit_test(unread_failures_go_home),
      cmocka_unit_test(tells_news_at_home),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
