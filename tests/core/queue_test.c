#include "test.h"

#include "core/queue.h"

enum { MANY = 26 };

typedef struct Named {
  tpi_Item item;
  tp_Priority priority;
} Named;

static Named items[TPI_PRIORITIES][MANY];

static void fill (tpi_Queue *q) {
  tpi_queue_init(q);
  for (int i = 0; i < MANY; i++) {
    for (int p = 0; p < TPI_PRIORITIES; p++) {
      items[p][i].priority = (tp_Priority)p;
      tpi_queue_push(q, &items[p][i].item, (tp_Priority)p);
    }
  }
}

static void turns_are_weighted (void **state) {
  tpi_Queue q;
  int served[TPI_PRIORITIES] = {0, 0, 0};
  (void)state;
  fill(&q);
  for (int i = 0; i < 26; i++)
    served[((Named *)(void *)tpi_queue_pop(&q))->priority]++;
  assert_int_equal(served[TP_HIGH], 16);
  assert_int_equal(served[TP_NORMAL], 8);
  assert_int_equal(served[TP_LOW], 2);
}

static void each_is_first_come_first (void **state) {
  tpi_Queue q;
  int next[TPI_PRIORITIES] = {0, 0, 0};
  Named *n;
  (void)state;
  fill(&q);
  while ((n = (Named *)(void *)tpi_queue_pop(&q)) != NULL)
    assert_ptr_equal(n, &items[n->priority][next[n->priority]++]);
  for (int p = 0; p < TPI_PRIORITIES; p++)
    assert_int_equal(next[p], MANY);
}

static void any_item_can_leave (void **state) {
  tpi_Queue q;
  Named *n;
  (void)state;
  fill(&q);
  for (int i = 0; i < MANY; i += 2) {
    assert_true(tpi_queue_remove(&q, &items[TP_LOW][i].item, TP_LOW));
    assert_false(tpi_queue_remove(&q, &items[TP_LOW][i].item, TP_LOW));
  }
  assert_int_equal(q.counts[TP_LOW], MANY / 2);
  assert_int_equal(q.count, 2 * MANY + MANY / 2);
  while ((n = (Named *)(void *)tpi_queue_pop(&q)) != NULL)
    assert_false(n->priority == TP_LOW && (n - items[TP_LOW]) % 2 == 0);
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(turns_are_weighted),
      cmocka_unit_test(each_is_first_come_first),
      cmocka_unit_test(any_item_can_leave),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
