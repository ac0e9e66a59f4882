#include "test.h"

#include "api/api.h"
#include "core/clock.h"
#include "core/functions.h"
#include "core/pools.h"
#include "core/thread.h"
#include "core/word.h"

static atomic_uint gate, runs;

static int add (tp_Context *ctx) {
  return tp_pushinteger(ctx, tp_tointeger(ctx, 1) + tp_tointeger(ctx, 2));
}

static int count (tp_Context *ctx) {
  (void)ctx;
  atomic_fetch_add(&runs, 1);
  return TP_OK;
}

/* Blocks until the gate is open, whoever cancels. */
static int wait_gate (tp_Context *ctx) {
  (void)ctx;
  while (!tpi_see(&gate))
    tpi_word_wait(&gate, 0, TPI_NEVER);
  return TP_OK;
}

static atomic_uint tended;

static uint64_t very_soon (void *keeps) {
  (void)keeps;
  return tpi_now() + 20 * 1000;
}

static void tend (void *keeps) {
  (void)keeps;
  atomic_fetch_add(&tended, 1);
}

/* From now on its worker has something to tend while it is idle. */
static int keep (tp_Context *ctx) {
  tpi_Worker *worker = tpi_context(ctx)->worker;
  worker->due = very_soon;
  worker->tend = tend;
  return TP_OK;
}

static const tp_Function functions[] = {{"p.add", add, "integer, integer"},
                                        {"p.count", count, NULL},
                                        {"p.gate", wait_gate, NULL},
                                        {"p.keep", keep, NULL},
                                        {NULL, NULL, NULL}};

static tp_Manager *make (unsigned workers, unsigned queue) {
  tpi_PoolOptions options = {workers, queue, 100, NULL, NULL, NULL, 0};
  tp_Manager *pool = NULL;
  char error[128];
  tpi_functions_register(functions, functions, error, sizeof error);
  assert_int_equal(tpi_pool_new(&options, &pool), TP_OK);
  tpi_put(&gate, 0);
  tpi_put(&runs, 0);
  return pool;
}

static tpi_Task *task (tp_Manager *pool, const char *name, int64_t n) {
  tpi_Task *t =
      tpi_task_new(&tpi_native, tpi_functions_find(name), pool, NULL, 64);
  assert_non_null(t);
  tpi_list_push(&t->future.results, tpi_integer(n));
  tpi_list_push(&t->future.results, tpi_integer(1));
  tpi_task_seal(t);
  return t;
}

static void open_gate (void) {
  tpi_put(&gate, 1);
  tpi_word_wake(&gate, 1);
}

static void finish (tp_Manager *pool) {
  open_gate();
  tpi_pool_release(pool);
  assert_true(tpi_threads_wait(tpi_deadline(60)));
}

static void await (tpi_Task *t) {
  tpi_Parker p;
  tpi_parker_init(&p, NULL, NULL, NULL);
  assert_int_equal(tpi_future_wait(&t->future, &p, tpi_deadline(60)), TPI_RUNG);
}

static void runs_tasks (void **state) {
  tp_Manager *pool = make(2, 100);
  tpi_Task *tasks[100];
  (void)state;
  for (int i = 0; i < 100; i++) {
    tasks[i] = task(pool, "p.add", i);
    assert_int_equal(tpi_pool_submit(pool, tasks[i], NULL), TP_OK);
  }
  for (int i = 0; i < 100; i++) {
    await(tasks[i]);
    assert_int_equal(tp_integerof(tasks[i]->future.results.items), i + 1);
    tpi_future_release(&tasks[i]->future);
  }
  finish(pool);
}

static void capacity_is_a_count (void **state) {
  tp_Manager *pool = make(2, 3);
  tpi_Task *held[5], *extra = task(pool, "p.count", 0);
  (void)state;
  for (int i = 0; i < 5; i++) {
    held[i] = task(pool, "p.gate", 0);
    assert_int_equal(tpi_pool_submit(pool, held[i], NULL), TP_OK);
  }
  assert_int_equal(tpi_pool_submit(pool, extra, NULL), TP_FULL);
  assert_true(tpi_future_cancel(&held[4]->future, NULL)); /* frees its slot */
  assert_int_equal(tpi_pool_submit(pool, extra, NULL), TP_OK);
  open_gate();
  await(extra);
  assert_int_equal(runs, 1);
  for (int i = 0; i < 5; i++)
    tpi_future_release(&held[i]->future);
  tpi_future_release(&extra->future);
  finish(pool);
}

/* Until that many workers sleep. */
static void wait_asleep (tp_Manager *pool, unsigned wanted) {
  uint64_t limit = tpi_deadline(60);
  unsigned asleep;
  do {
    asleep = 0;
    tpi_lock(&pool->lock);
    for (const tpi_Worker *w = pool->idle; w != NULL; w = w->next_idle)
      asleep++;
    tpi_unlock(&pool->lock);
    tpi_relax();
    assert_true(tpi_until(limit) > 0);
  } while (asleep != wanted);
}

/* A second unlock with the same Effects must not wake them once more. */
static void unlocking_empties_effects (void **state) {
  tp_Manager *pool = make(2, 2);
  tpi_Effects effects = {NULL, NULL, NULL};
  (void)state;
  wait_asleep(pool, 2);
  tpi_lock(&pool->lock);
  tpi_pool_wake_all_locked(pool, &effects);
  tpi_pool_unlock(pool, &effects);
  assert_null(effects.wake);
  assert_null(effects.due);
  assert_null(effects.word);
  finish(pool);
}

static atomic_uint telling, told;

/* A callback that takes its time. */
static void tell_slowly (tpi_Waiter *waiter, tpi_Waiter **more) {
  (void)waiter, (void)more;
  tpi_put(&telling, 1);
  tpi_word_wake(&telling, 1);
  while (!tpi_see(&told))
    tpi_word_wait(&told, 0, TPI_NEVER);
}

/* It counted as one who seeks, and nobody else was woken for new work. */
static void who_is_telling_seeks_nothing (void **state) {
  tp_Manager *pool = make(2, 10);
  tpi_Task *first = task(pool, "p.gate", 0), *second;
  tpi_Waiter waiter = {NULL, NULL, tell_slowly, 0};
  (void)state;
  assert_true(tpi_future_join(&first->future, &waiter));
  wait_asleep(pool, 2);
  assert_int_equal(tpi_pool_submit(pool, first, NULL), TP_OK);
  wait_asleep(pool, 1);
  open_gate();
  while (!tpi_see(&telling))
    tpi_word_wait(&telling, 0, TPI_NEVER);
  second = task(pool, "p.count", 0);
  assert_int_equal(tpi_pool_submit(pool, second, NULL), TP_OK);
  await(second);
  tpi_put(&told, 1);
  tpi_word_wake(&told, 1);
  tpi_future_release(&first->future);
  tpi_future_release(&second->future);
  finish(pool);
}

static void who_stands_at_the_door_enters_or_is_late (void **state) {
  tp_Manager *pool = make(1, 1);
  tpi_Task *held[2], *late = task(pool, "p.count", 0);
  tpi_Parker p;
  (void)state;
  for (int i = 0; i < 2; i++) {
    held[i] = task(pool, "p.gate", 0);
    assert_int_equal(tpi_pool_submit(pool, held[i], NULL), TP_OK);
  }
  late->timer = tpi_timer_new(&late->future, 0.01);
  tpi_parker_init(&p, NULL, NULL, NULL);
  assert_int_equal(tpi_pool_submit(pool, late, &p), TP_OK);
  assert_int_equal(tpi_future_state(&late->future), TPI_FAILED);
  assert_int_equal(late->future.kind, TPI_KIND_TIMEOUT);
  assert_int_equal(runs, 0);
  tpi_future_release(&late->future);
  for (int i = 0; i < 2; i++)
    tpi_future_release(&held[i]->future);
  finish(pool);
}

static void closing_drains_and_refuses (void **state) {
  tp_Manager *pool = make(1, 50);
  tpi_Task *t;
  tpi_Parker p;
  tpi_Stats s;
  (void)state;
  for (int i = 0; i < 50; i++) {
    t = task(pool, "p.count", 0);
    assert_int_equal(tpi_pool_submit(pool, t, NULL), TP_OK);
    tpi_future_release(&t->future);
  }
  tpi_pool_close(pool);
  t = task(pool, "p.count", 0);
  assert_int_equal(tpi_pool_submit(pool, t, NULL), TP_CLOSED);
  tpi_future_release(&t->future);
  tpi_parker_init(&p, NULL, NULL, NULL);
  assert_int_equal(tpi_pool_join(pool, &p, tpi_deadline(60)), TPI_RUNG);
  assert_int_equal(runs, 50);
  tpi_pool_stats(pool, &s);
  assert_int_equal(s.submitted, 50);
  assert_int_equal(s.completed, 50);
  finish(pool);
}

static void cancelling_settles_all (void **state) {
  tp_Manager *pool = make(1, 50);
  tpi_Task *tasks[40];
  tpi_Parker p;
  (void)state;
  for (int i = 0; i < 40; i++) {
    tasks[i] = task(pool, i == 0 ? "p.gate" : "p.count", 0);
    assert_int_equal(tpi_pool_submit(pool, tasks[i], NULL), TP_OK);
  }
  while (tpi_future_state(&tasks[0]->future) == TPI_PENDING)
    tpi_relax();
  tpi_pool_cancel(pool, NULL, "enough");
  tpi_parker_init(&p, NULL, NULL, NULL);
  assert_int_equal(tpi_pool_settle(pool, &p, 0), TPI_RUNG);
  for (int i = 0; i < 40; i++) {
    assert_int_equal(tpi_future_state(&tasks[i]->future), TPI_CANCELLED);
    tpi_future_release(&tasks[i]->future);
  }
  assert_int_equal(runs, 0);
  finish(pool);
}

static void submit_and_await (tp_Manager *pool, const char *name) {
  tpi_Task *t = task(pool, name, 0);
  assert_int_equal(tpi_pool_submit(pool, t, NULL), TP_OK);
  await(t);
  tpi_future_release(&t->future);
}

/* Whether the work comes before, while or after it wakes by itself. */
static void idle_workers_tend_and_are_woken (void **state) {
  tp_Manager *pool = make(1, 10);
  uint64_t limit = tpi_deadline(60);
  (void)state;
  tpi_put(&tended, 0);
  submit_and_await(pool, "p.keep");
  for (int i = 0; i < 3000; i++) {
    submit_and_await(pool, "p.count");
    for (uint64_t until = tpi_now() + (uint64_t)(i % 40) * 1000;
         tpi_now() < until;)
      tpi_relax();
  }
  assert_int_equal(runs, 3000);
  while (tpi_see(&tended) == 0)
    assert_true(tpi_until(limit) > 0);
  finish(pool);
}

static void names_are_found_while_open (void **state) {
  tpi_PoolOptions options = {1, 1, 0, "pool_test", NULL, NULL, 0};
  tp_Manager *pool, *again;
  (void)state;
  assert_int_equal(tpi_pools_new(&options, &pool), TP_OK);
  assert_int_equal(tpi_pools_new(&options, &again), TP_TAKEN);
  again = tpi_pools_find("pool_test");
  assert_ptr_equal(again, pool);
  tpi_pool_close(pool);
  assert_null(tpi_pools_find("pool_test"));
  tpi_pool_release(again);
  finish(pool);
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unlocking_empties_effects),
      cmocka_unit_test(runs_tasks),
      cmocka_unit_test(capacity_is_a_count),
      cmocka_unit_test(who_is_telling_seeks_nothing),
      cmocka_unit_test(who_stands_at_the_door_enters_or_is_late),
      cmocka_unit_test(closing_drains_and_refuses),
      cmocka_unit_test(cancelling_settles_all),
      cmocka_unit_test(idle_workers_tend_and_are_woken),
      cmocka_unit_test(names_are_found_while_open),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
