#include "test.h"

#include "core/queue.h"

enum { MANY = 26 };

typedef struct Named {
  tpi_Item item;
  tp_Priority priority;
  int number;
} Named;

static Named items[TPI_PRIORITIES][MANY];

static int by_number (const tpi_Item *a, const tpi_Item *b) {
  return ((const Named *)(const void *)a)->number <
         ((const Named *)(const void *)b)->number;
}

static void fill (tpi_Queue *q) {
  tpi_queue_init(q);
  for (int i = 0; i < MANY; i++) {
    for (int p = 0; p < TPI_PRIORITIES; p++) {
      items[p][i].priority = (tp_Priority)p;
      items[p][i].number = i;
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
    served[((Named *)(void *)tpi_queue_pop(&q, by_number))->priority]++;
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
  while ((n = (Named *)(void *)tpi_queue_pop(&q, by_number)) != NULL)
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
  while ((n = (Named *)(void *)tpi_queue_pop(&q, by_number)) != NULL)
    assert_false(n->priority == TP_LOW && (n - items[TP_LOW]) % 2 == 0);
}

/* By their numbers among the others, but never past each other. */
static void late_ones_have_their_turn (void **state) {
  static const int late[] = {20, 5, 7, 25},
                   all[] = {0,  1,  2,  3,  4,  6,  8, 9, 10, 11, 12, 13, 14,
                            15, 16, 17, 18, 19, 20, 5, 7, 21, 22, 23, 24, 25};
  tpi_Queue q;
  (void)state;
  fill(&q);
  for (int i = 0; i < MANY; i++)
    tpi_queue_remove(&q, &items[TP_HIGH][i].item, TP_HIGH);
  for (int i = 0; i < MANY; i++)
    tpi_queue_remove(&q, &items[TP_LOW][i].item, TP_LOW);
  for (int i = 0; i < 4; i++) {
    tpi_Item *item = &items[TP_NORMAL][late[i]].item;
    assert_true(tpi_queue_remove(&q, item, TP_NORMAL));
    tpi_queue_push_late(&q, item, TP_NORMAL);
  }
  assert_int_equal(q.count, MANY);
  for (int i = 0; i < MANY; i++)
    assert_int_equal(((Named *)(void *)tpi_queue_pop(&q, by_number))->number,
                     all[i]);
  assert_null(tpi_queue_pop(&q, by_number));
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(turns_are_weighted),
      cmocka_unit_test(each_is_first_come_first),
      cmocka_unit_test(any_item_can_leave),
      cmocka_unit_test(late_ones_have_their_turn),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
