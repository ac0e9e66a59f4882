#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "core/copy.h"
#include "core/value.h"

static void short_strings_are_copied (void **state) {
  char buffer[128], text[] = "with\0zero";
  tpi_List list;
  tp_Value v;
  size_t length;
  (void)state;
  tpi_list_init(&list, buffer, sizeof buffer);
  assert_non_null(tpi_list_bytes(&list, &v, text, 9));
  text[0] = 'X';
  assert_memory_equal(tp_bytesof(&v, &length), "with\0zero", 10);
  assert_int_equal(length, 9);
  assert_int_equal(tpi_list_weight(&list), 0); /* all in the buffer */
  tpi_list_fini(&list);
}

static void long_strings_are_shared (void **state) {
  enum { SIZE = 100000 };
  tpi_List from, to;
  tp_Value v, w;
  (void)state;
  tpi_list_init(&from, NULL, 0);
  tpi_list_init(&to, NULL, 0);
  memset(tpi_list_bytes(&from, &v, NULL, SIZE), 'x', SIZE);
  assert_int_equal(tpi_list_share(&to, &w, &v), TP_OK);
  assert_ptr_equal(tp_bytesof(&v, NULL), tp_bytesof(&w, NULL));
  assert_true(tpi_list_weight(&to) >= SIZE);
  tpi_list_fini(&from);
  assert_int_equal(tp_bytesof(&w, NULL)[SIZE - 1], 'x');
  tpi_list_fini(&to);
}

static void tables_grow (void **state) {
  tpi_List list;
  tp_Value t;
  tpi_Table *table;
  (void)state;
  tpi_list_init(&list, NULL, 0);
  assert_int_equal(tpi_list_table(&list, &t, 0, 0), TP_OK);
  table = (tpi_Table *)(void *)t.as.table;
  for (int i = 1; i <= 1000; i++) {
    assert_int_equal(tpi_table_append(&list, table, tpi_integer(i)), TP_OK);
    assert_int_equal(
        tpi_table_put(&list, table, tpi_integer(-i), tpi_integer(i)), TP_OK);
  }
  assert_int_equal(t.as.table->length, 1000);
  assert_int_equal(tp_integerof(tp_item(t.as.table, 1000)), 1000);
  assert_null(tp_item(t.as.table, 1001));
  assert_int_equal(tp_integerof(tp_pairkey(t.as.table, 1000)), -1000);
  assert_int_equal(tp_integerof(tp_pairvalue(t.as.table, 7)), 7);
  tpi_list_fini(&list);
}

static void copies_keep_cycles (void **state) {
  tpi_List from, to;
  tp_Value t, copy, key;
  const tp_Value *inner;
  (void)state;
  tpi_list_init(&from, NULL, 0);
  tpi_list_init(&to, NULL, 0);
  assert_int_equal(tpi_list_table(&from, &t, 1, 1), TP_OK);
  tpi_table_append(&from, (tpi_Table *)(void *)t.as.table, t);
  tpi_list_bytes(&from, &key, "self", 4);
  tpi_table_put(&from, (tpi_Table *)(void *)t.as.table, key, t);
  assert_int_equal(tpi_list_copy(&to, &copy, &t), TP_OK);
  tpi_list_fini(&from);
  inner = tp_field(copy.as.table, "self");
  assert_non_null(inner);
  assert_ptr_equal(inner->as.table, copy.as.table);
  assert_ptr_equal(tp_item(copy.as.table, 1)->as.table, copy.as.table);
  assert_true(tpi_peek(&((tpi_Table *)(void *)copy.as.table)->shared));
  tpi_list_fini(&to);
}

static int kept;

static void keep (void *object) {
  (void)object;
  kept++;
}

static void let_go (void *object, tpi_List *heir) {
  (void)object;
  (void)heir;
  kept--;
}

static void objects_are_let_go (void **state) {
  tpi_List list, other;
  tp_Value v, w;
  (void)state;
  tpi_list_init(&list, NULL, 0);
  tpi_list_init(&other, NULL, 0);
  tpi_list_object(&list, &v, TP_TFUTURE, &kept, keep, let_go);
  tpi_list_share(&other, &w, &v);
  assert_int_equal(kept, 2);
  assert_ptr_equal(tpi_value_object(&w), &kept);
  tpi_list_fini(&list);
  assert_int_equal(kept, 1);
  tpi_list_adopt(&list, &other); /* as results adopt arguments */
  tpi_list_fini(&other);
  assert_int_equal(kept, 1);
  tpi_list_fini(&list);
  assert_int_equal(kept, 0);
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(short_strings_are_copied),
      cmocka_unit_test(long_strings_are_shared),
      cmocka_unit_test(tables_grow),
      cmocka_unit_test(copies_keep_cycles),
      cmocka_unit_test(objects_are_let_go),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
