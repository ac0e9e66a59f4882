#include "core/copy.h"

#include "core/map.h"

typedef struct Copy {
  tpi_List *list;
  tpi_Map seen; /* table there -> table here */
} Copy;

static int copy_value (Copy *c, tp_Value *value, const tp_Value *from);

/* A list never holds tables deeper than TPI_MAXDEPTH, so this recursion has
   an end that the stack can bear. */
static int copy_table (Copy *c, tp_Value *value, const tpi_Table *old) {
  const tp_Table *from = &old->table;
  tpi_Table *table = tpi_map_get(&c->seen, from);
  uint64_t tag = value->tag;
  int rc;
  if (table != NULL) {
    tpi_poke(&table->shared, 1);
    value->as.table = &table->table;
    return TP_OK;
  }
  rc = tpi_list_table(c->list, value, from->length, from->pairs);
  if (rc != TP_OK)
    return rc;
  value->tag = tag;
  table = (tpi_Table *)(void *)value->as.table;
  table->shape = old->shape;
  rc = tpi_map_put(&c->seen, from, table);
  for (size_t i = 0; rc == TP_OK && i < from->length; i++) {
    tp_Value item;
    rc = copy_value(c, &item, &from->array[i]);
    if (rc == TP_OK)
      rc = tpi_table_append(c->list, table, item);
  }
  for (size_t i = 0; rc == TP_OK && i < from->pairs; i++) {
    tp_Value k, v;
    rc = copy_value(c, &k, &from->map[2 * i]);
    if (rc == TP_OK)
      rc = copy_value(c, &v, &from->map[2 * i + 1]);
    if (rc == TP_OK)
      rc = tpi_table_put(c->list, table, k, v);
  }
  return rc;
}

static int copy_value (Copy *c, tp_Value *value, const tp_Value *from) {
  const tpi_Table *table = tpi_tableof(from);
  value->tag = from->tag;
  if (table != NULL)
    return copy_table(c, value, table);
  return tpi_list_share(c->list, value, from);
}

int tpi_list_copy (tpi_List *list, tp_Value *value, const tp_Value *from) {
  Copy c = {list, {NULL, 0, 0}};
  int rc = copy_value(&c, value, from);
  tpi_map_fini(&c.seen);
  return rc;
}

int tpi_list_copy_first (tpi_List *list, const tpi_List *from, uint32_t n) {
  int rc = TP_OK;
  for (uint32_t i = 0; rc == TP_OK && i < n; i++) {
    tp_Value value = tpi_nil();
    if (i < from->count)
      rc = tpi_list_copy(list, &value, &from->items[i]);
    if (rc == TP_OK)
      rc = tpi_list_push(list, value);
  }
  return rc;
}
