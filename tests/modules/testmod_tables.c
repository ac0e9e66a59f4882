/*
** testmod_tables.c: tables walked in place and built in place.
**
** Functions for pools:
**   test.table  "-> table"            a table with a bit of everything
**   test.nest   "integer -> table"    {{{...}}}, so many braces deep
**   test.list   "integer -> table"    {1, 2, ..., n}
**   test.pack   "any... -> table"     its arguments in a table, moved
**   test.walk   "table -> number, integer"
**     the sum of all numbers among its values, at any depth, and how many
**     values there are that are not tables; fails for a cycle
**   test.sizes  "table -> integer, integer"   array part, other pairs
**   test.field  "table, string -> any"        one field, moved out
**   test.item   "table, integer -> any"       one element, moved out
*/
#include "testmod.h"

/* Deeper than any value can be: what goes there goes in circles. */
#define DEPTH_MAX 250

/* ------------------------------------------------------------------ */
/* Building                                                            */
/* ------------------------------------------------------------------ */

/*
** {1, 2.5, "a\0b", nil, true, name = "n", [-7] = "integer key",
**  [0.5] = "float key", [false] = "boolean key", gone = nil,
**  inner = {x = {}}}
*/
static int table (tp_Context *ctx) {
  tp_opentable(ctx, 5, 6);
  tp_pushinteger(ctx, 1);
  tp_pushnumber(ctx, 2.5);
  tp_pushbytes(ctx, "a\0b", 3);
  tp_pushnil(ctx);
  tp_pushboolean(ctx, 1);
  tp_key(ctx, "name");
  tp_pushstring(ctx, "n");
  tp_pushkey(ctx);
  tp_pushinteger(ctx, -7);
  tp_pushstring(ctx, "integer key");
  tp_pushkey(ctx);
  tp_pushnumber(ctx, 0.5);
  tp_pushstring(ctx, "float key");
  tp_pushkey(ctx);
  tp_pushboolean(ctx, 0);
  tp_pushstring(ctx, "boolean key");
  tp_key(ctx, "gone");
  tp_pushnil(ctx);
  tp_key(ctx, "inner");
  tp_opentable(ctx, 0, 1);
  tp_key(ctx, "x");
  tp_opentable(ctx, 0, 0);
  tp_closetable(ctx);
  tp_closetable(ctx);
  return tp_closetable(ctx);
}

static int nest (tp_Context *ctx) {
  int64_t depth = tp_tointeger(ctx, 1);
  for (int64_t i = 0; i < depth; i++)
    tp_opentable(ctx, 1, 0);
  for (int64_t i = 0; i < depth; i++)
    tp_closetable(ctx);
  return TP_OK;
}

static int list (tp_Context *ctx) {
  int64_t n = tp_tointeger(ctx, 1);
  tp_opentable(ctx, n > 0 ? (size_t)n : 0, 0);
  for (int64_t i = 1; i <= n; i++)
    tp_pushinteger(ctx, i);
  return tp_closetable(ctx);
}

static int pack (tp_Context *ctx) {
  tp_opentable(ctx, 0, 0); /* a hint may be wrong */
  for (int i = 1; i <= tp_argcount(ctx); i++)
    tp_pusharg(ctx, i);
  return tp_closetable(ctx);
}

/* ------------------------------------------------------------------ */
/* Walking                                                             */
/* ------------------------------------------------------------------ */

typedef struct Sum {
  uint64_t integers; /* wraps, as integers in Lua do */
  double floats;
  int any_float;
  int64_t leaves;
} Sum;

static int walk_table (const tp_Table *t, int depth, Sum *sum);

/* False when it is too deep. */
static int walk_value (const tp_Value *v, int depth, Sum *sum) {
  if (tp_typeof(v) == TP_TTABLE)
    return walk_table(tp_tableof(v), depth + 1, sum);
  sum->leaves++;
  if (tp_typeof(v) == TP_TINTEGER) {
    sum->integers += (uint64_t)tp_integerof(v);
  } else if (tp_typeof(v) == TP_TFLOAT) {
    sum->floats += tp_numberof(v);
    sum->any_float = 1;
  }
  return 1;
}

static int walk_table (const tp_Table *t, int depth, Sum *sum) {
  if (depth > DEPTH_MAX)
    return 0;
  for (size_t i = 1; i <= t->length; i++)
    if (!walk_value(tp_item(t, i), depth, sum))
      return 0;
  for (size_t i = 1; i <= t->pairs; i++)
    if (!walk_value(tp_pairvalue(t, i), depth, sum))
      return 0;
  return 1;
}

static int walk (tp_Context *ctx) {
  Sum sum = {0, 0, 0, 0};
  if (!walk_table(tp_totable(ctx, 1), 1, &sum))
    return tp_fail(ctx, "a cycle");
  if (sum.any_float)
    tp_pushnumber(ctx, sum.floats + (double)(int64_t)sum.integers);
  else
    tp_pushinteger(ctx, (int64_t)sum.integers);
  return tp_pushinteger(ctx, sum.leaves);
}

static int sizes (tp_Context *ctx) {
  const tp_Table *t = tp_totable(ctx, 1);
  tp_pushinteger(ctx, (int64_t)t->length);
  return tp_pushinteger(ctx, (int64_t)t->pairs);
}

static int push_found (tp_Context *ctx, const tp_Value *v) {
  return v == NULL ? tp_pushnil(ctx) : tp_pushvalue(ctx, v);
}

static int field (tp_Context *ctx) {
  const char *name = tp_tobytes(ctx, 2, NULL);
  return push_found(ctx, tp_field(tp_totable(ctx, 1), name));
}

static int item (tp_Context *ctx) {
  size_t i = (size_t)tp_tointeger(ctx, 2);
  return push_found(ctx, tp_item(tp_totable(ctx, 1), i));
}

const tp_Function tt_table_functions[] = {
    {"test.table", table, "-> table"},
    {"test.nest", nest, "integer -> table"},
    {"test.list", list, "integer -> table"},
    {"test.pack", pack, "any... -> table"},
    {"test.walk", walk, "table -> number, integer"},
    {"test.sizes", sizes, "table -> integer, integer"},
    {"test.field", field, "table, string -> any"},
    {"test.item", item, "table, integer -> any"},
    {NULL, NULL, NULL}};
