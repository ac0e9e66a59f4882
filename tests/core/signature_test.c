#include "test.h"

#include <string.h>

#include "core/functions.h"

static int parse (tpi_Signature *s, const char *text) {
  const char *where;
  return tpi_signature_parse(s, text, &where);
}

static void what_is_well_formed (void **state) {
  tpi_Signature s;
  (void)state;
  assert_int_equal(parse(&s, NULL), TP_OK);
  assert_false(s.checked);
  assert_int_equal(parse(&s, ""), TP_OK);
  assert_int_equal(s.count, 0);
  assert_int_equal(parse(&s, "bytes, integer? -> string, table"), TP_OK);
  assert_int_equal(s.count, 2);
  assert_int_equal(s.params[0].type, TPI_IS_BYTES);
  assert_true(s.params[1].optional);
  assert_int_equal(parse(&s, "any ..."), TP_OK);
  assert_true(s.open);
  assert_ptr_equal(tpi_signature_param(&s, 9), &s.params[0]);
}

static void what_is_malformed (void **state) {
  tpi_Signature s;
  (void)state;
  assert_int_equal(parse(&s, "bites"), TP_INVALID);
  assert_int_equal(parse(&s, "any..., any"), TP_INVALID);
  assert_int_equal(parse(&s, "integer integer"), TP_INVALID);
}

static int nothing (tp_Context *ctx) {
  (void)ctx;
  return TP_OK;
}

static int other (tp_Context *ctx) {
  (void)ctx;
  return TP_OK;
}

static void names_are_taken_once (void **state) {
  static const tp_Function list[] = {{"t.one", nothing, "integer"},
                                     {"t.two", nothing, NULL},
                                     {NULL, NULL, NULL}};
  static const tp_Function clash[] = {
      {"t.three", nothing, NULL}, {"t.one", other, NULL}, {NULL, NULL, NULL}};
  static const tp_Function torn[] = {
      {"t.four", nothing, NULL}, {"t.four", other, NULL}, {NULL, NULL, NULL}};
  char error[128] = "";
  (void)state;
  assert_int_equal(tpi_functions_register(torn, torn, error, sizeof error),
                   TP_TAKEN);
  assert_null(tpi_functions_find("t.four"));
  assert_int_equal(tpi_functions_register(list, list, error, sizeof error),
                   TP_OK);
  assert_int_equal(tpi_functions_register(list, list, error, sizeof error),
                   TP_OK);
  assert_int_equal(tpi_functions_register(clash, clash, error, sizeof error),
                   TP_TAKEN);
  assert_non_null(strstr(error, "t.one"));
  assert_null(tpi_functions_find("t.three")); /* all or nothing */
  assert_ptr_equal(tpi_functions_find("t.one")->run, nothing);
  assert_string_equal(tpi_functions_guess("t.tow"), "t.two");
  assert_null(tpi_functions_guess("nothing like it"));
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_well_formed),
      cmocka_unit_test(what_is_malformed),
      cmocka_unit_test(names_are_taken_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
