#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/future.h"
#include "core/host.h"

static uint64_t soon (void) { return tpi_deadline(0.01); }
static uint64_t limit (void) { return tpi_deadline(60); }

static int readable (const tpi_Host *host) {
  struct pollfd p = {host->bell.fd, POLLIN, 0};
  return poll(&p, 1, 0) == 1;
}

static void inbox_is_first_come_first (void **state) {
  tpi_Inbox inbox = {NULL};
  tpi_Node nodes[3], *node;
  (void)state;
  assert_null(tpi_inbox_take(&inbox));
  assert_true(tpi_inbox_push(&inbox, &nodes[0])); /* it was empty */
  assert_false(tpi_inbox_push(&inbox, &nodes[1]));
  assert_false(tpi_inbox_push(&inbox, &nodes[2]));
  node = tpi_inbox_take(&inbox);
  for (int i = 0; i < 3; i++, node = node->next)
    assert_ptr_equal(node, &nodes[i]);
  assert_null(node);
  assert_null(tpi_inbox_take(&inbox));
}

static tpi_Host *with_bell (void) {
  tpi_Host *host = tpi_host_new(0);
  assert_non_null(host);
  assert_int_equal(tpi_host_need_bell(host), TP_OK);
  return host;
}

static void news_are_heard_once (void **state) {
  tpi_Host *host = with_bell();
  (void)state;
  assert_false(tpi_host_drain(host));
  tpi_host_news(host);
  tpi_host_news(host);
  assert_false(readable(host)); /* it does not listen */
  assert_true(tpi_host_drain(host));
  assert_false(tpi_host_drain(host));
  tpi_host_release(host);
}

static void who_listens_has_a_readable_descriptor (void **state) {
  tpi_Host *host = with_bell();
  (void)state;
  tpi_put(&host->listens, 1);
  tpi_host_arm(host);
  for (int round = 0; round < 3; round++) {
    assert_false(readable(host));
    tpi_host_news(host);
    assert_true(readable(host));
    tpi_host_news(host);
    assert_true(tpi_host_drain(host));
    assert_false(readable(host));
  }
  tpi_host_release(host);
}

static int asked;

static int always (void *argument) {
  (void)argument;
  asked++;
  return 1;
}

static void sleeps_end (void **state) {
  tpi_Host *host = with_bell();
  uint64_t before = tpi_now();
  (void)state;
  assert_int_equal(tpi_host_sleep(host, 0, soon(), NULL, NULL), TPI_LATE);
  assert_true(tpi_now() - before >= TPI_SECOND / 100);
  tpi_host_news(host);
  assert_int_equal(tpi_host_sleep(host, 1, limit(), NULL, NULL), TPI_RUNG);
  asked = 0;
  tpi_put(&host->news, 0);
  assert_int_equal(tpi_host_sleep(host, 1, limit(), always, NULL), TPI_STOPPED);
  assert_int_equal(asked, 1); /* before it slept at all */
  tpi_host_release(host);
}

static void sleeps_are_stopped_in_time (void **state) {
  tpi_Host *host = with_bell();
  (void)state;
  host->stop_at = soon();
  assert_int_equal(tpi_host_sleep(host, 0, limit(), NULL, NULL), TPI_STOPPED);
  host->stop_at = limit();
  assert_int_equal(tpi_host_sleep(host, 0, soon(), NULL, NULL), TPI_LATE);
  tpi_host_release(host);
}

static void *wake (void *host) {
  tpi_host_wake(host);
  return NULL;
}

/* Whether the wake-up comes before or during the sleep. */
static void who_dozes_is_woken (void **state) {
  tpi_Host *host = tpi_host_new(1);
  (void)state;
  for (int i = 0; i < 1000; i++) {
    pthread_t thread;
    tpi_host_arm(host);
    assert_int_equal(pthread_create(&thread, NULL, wake, host), 0);
    assert_true(tpi_host_doze(host, TPI_NEVER));
    pthread_join(thread, NULL);
    assert_int_equal(tpi_see(&host->word), TPI_AWAKE);
  }
  tpi_host_release(host);
}

static void who_dozes_may_be_late_and_is_woken_then (void **state) {
  tpi_Host *host = tpi_host_new(1);
  (void)state;
  tpi_host_arm(host);
  assert_false(tpi_host_doze(host, soon()));
  tpi_host_wake(host);
  assert_true(tpi_host_doze(host, TPI_NEVER));
  tpi_host_release(host);
}

static void short_sleeps_lengthen_the_spin (void **state) {
  tpi_Host *host = with_bell();
  (void)state;
  assert_int_equal(tpi_host_looks(host, 320), 320);
  assert_int_equal(tpi_host_looks(NULL, 320), 320);
  for (int i = 0; i < 10; i++)
    tpi_host_sleep(host, 0, soon(), NULL, NULL);
  assert_int_equal(tpi_host_looks(host, 320), 10);
  for (int i = 0; i < 10; i++)
    tpi_host_sleep(host, 0, tpi_now(), NULL, NULL);
  assert_true(tpi_host_looks(host, 320) > 10);
  tpi_host_release(host);
}

/* ---------------------------------------------------------------- */

static void free_shell (tpi_Block *shell, tpi_List *list) {
  (void)list;
  free(tpi_future_of(shell));
}

static void destroy (tpi_Future *f, tpi_List *heir) {
  tpi_future_fini(f, heir, free_shell);
}

static const tpi_Class plain = {.destroy = destroy};

enum { SETTLERS = 3, FUTURES = 4000 };

typedef struct Settler {
  tpi_Future **futures;
  int first;
} Settler;

static void *settle (void *p) {
  const Settler *s = p;
  for (int i = s->first; i < FUTURES; i += SETTLERS)
    tpi_future_cancel(s->futures[i], NULL);
  return NULL;
}

/* A ring for news that fell into the hushing of another was hushed as well,
   and its word said ever after that it had rung: who then parked, for a
   future that had yet to settle, slept for ever. */
static void no_ring_is_lost (void **state) {
  tpi_Host *host = with_bell();
  tpi_Future *futures[FUTURES];
  Settler settlers[SETTLERS];
  pthread_t threads[SETTLERS];
  (void)state;
  tpi_put(&host->listens, 1);
  tpi_host_arm(host);
  for (int i = 0; i < FUTURES; i++) {
    futures[i] = malloc(sizeof *futures[i]);
    assert_non_null(futures[i]);
    tpi_future_init(futures[i], &plain, host, NULL, 0);
  }
  for (int i = 0; i < SETTLERS; i++) {
    Settler s = {futures, i};
    settlers[i] = s;
    assert_int_equal(pthread_create(&threads[i], NULL, settle, &settlers[i]),
                     0);
  }
  for (int i = 0; i < FUTURES; i++) {
    tpi_Parker parker;
    tpi_parker_init(&parker, host, NULL, NULL);
    assert_int_equal(tpi_future_wait(futures[i], &parker, limit()), TPI_RUNG);
    tpi_host_drain(host);
  }
  for (int i = 0; i < SETTLERS; i++)
    pthread_join(threads[i], NULL);
  tpi_host_drain(host);
  assert_false(readable(host));
  for (int i = 0; i < FUTURES; i++)
    tpi_future_release(futures[i]);
  tpi_host_release(host);
}

/* Its home is elsewhere, but its holder hears of it. */
static void heralds_tell_other_hosts (void **state) {
  tpi_Host *home = tpi_host_new(0), *other = tpi_host_new(0);
  tpi_Future *f = malloc(sizeof *f);
  tpi_Herald *none, *herald;
  (void)state;
  assert_non_null(f);
  tpi_future_init(f, &plain, home, NULL, 0);
  assert_int_equal(tpi_future_herald(f, home, &none), TP_OK);
  assert_null(none);
  assert_int_equal(tpi_future_herald(f, other, &herald), TP_OK);
  assert_non_null(herald);
  assert_false(tpi_host_drain(other));
  tpi_future_cancel(f, NULL);
  assert_true(tpi_host_drain(other));
  assert_true(tpi_host_drain(home));
  tpi_herald_dismiss(herald, f);
  assert_int_equal(tpi_future_herald(f, other, &none), TP_OK);
  assert_null(none); /* there is nothing to tell any more */
  tpi_future_release(f);
  tpi_host_release(home);
  tpi_host_release(other);
}

/* Whoever holds a future for a while leaves nothing behind in it. */
static void dismissed_heralds_are_gone (void **state) {
  tpi_Host *home = tpi_host_new(0), *other = tpi_host_new(0);
  tpi_Host *worker = tpi_host_new(1);
  tpi_Future *f = malloc(sizeof *f);
  tpi_Herald *heralds[8];
  (void)state;
  assert_non_null(f);
  tpi_future_init(f, &plain, home, NULL, 0);
  for (int i = 0; i < 8; i++)
    assert_int_equal(tpi_future_herald(f, other, &heralds[i]), TP_OK);
  for (int i = 0; i < 8; i++)
    tpi_herald_dismiss(heralds[i], f);
  assert_null(f->in.waiters);
  assert_int_equal(tpi_peek(&other->refs), 1);
  assert_int_equal(tpi_future_herald(f, worker, &heralds[0]), TP_OK);
  assert_null(heralds[0]); /* no worker hears of news */
  tpi_future_cancel(f, NULL);
  assert_false(tpi_host_drain(other));
  tpi_future_release(f);
  tpi_host_release(home);
  tpi_host_release(other);
  tpi_host_release(worker);
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(inbox_is_first_come_first),
      cmocka_unit_test(news_are_heard_once),
      cmocka_unit_test(who_listens_has_a_readable_descriptor),
      cmocka_unit_test(sleeps_end),
      cmocka_unit_test(sleeps_are_stopped_in_time),
      cmocka_unit_test(who_dozes_is_woken),
      cmocka_unit_test(who_dozes_may_be_late_and_is_woken_then),
      cmocka_unit_test(short_sleeps_lengthen_the_spin),
      cmocka_unit_test(no_ring_is_lost),
      cmocka_unit_test(heralds_tell_other_hosts),
      cmocka_unit_test(dismissed_heralds_are_gone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
