#include <string.h>

#include "api/api.h"
#include "core/copy.h"

/* An open table. */
struct tpi_Frame {
  tpi_Frame *outer;
  tpi_Table *table;
  tp_Value key;
  enum { ITEM, KEY, VALUE } next; /* what the next push is */
};

static const char too_deep[] = "tables nest deeper than 200";

static int fault (tpi_Context *c, const char *what) {
  if (c->fault == NULL)
    c->fault = what;
  return TP_INVALID;
}

static int remember (tpi_Context *c, int rc) {
  c->nomem |= rc == TP_NOMEM;
  return rc;
}

static int take_key (tpi_Context *c, tp_Value key) {
  tp_Type type = tp_typeof(&key);
  if (type == TP_TNIL || (type == TP_TFLOAT && key.as.number != key.as.number))
    return fault(c, "a table key is nil or NaN");
  c->frame->key = key;
  c->frame->next = VALUE;
  return TP_OK;
}

static int push (tpi_Context *c, tp_Value value) {
  tpi_Frame *frame = c->frame;
  if (c->failed) /* results after a failure are for nobody */
    return TP_FAILED;
  if (frame == NULL)
    return remember(c, tpi_list_push(c->out, value));
  switch (frame->next) {
    case ITEM:
      return remember(c, tpi_table_append(c->out, frame->table, value));
    case KEY: return take_key(c, value);
    default:
      frame->next = ITEM;
      if (tp_typeof(&value) == TP_TNIL)
        return TP_OK;
      return remember(c,
                      tpi_table_put(c->out, frame->table, frame->key, value));
  }
}

int tpi_api_pushscalar (tp_Context *ctx, tp_Value value) {
  return push(tpi_context(ctx), value);
}

/* A context that only collects cannot borrow: its list lives longer. */
int tpi_api_pushvalue (tp_Context *ctx, const tp_Value *value) {
  tpi_Context *c = tpi_context(ctx);
  tp_Value mine;
  int rc;
  if (value == NULL)
    return push(c, tpi_nil());
  if (c->depth + tpi_value_height(value) > TPI_MAXDEPTH)
    return fault(c, too_deep);
  rc = c->task == NULL ? tpi_list_copy(c->out, &mine, value)
                       : tpi_list_share(c->out, &mine, value);
  return rc == TP_OK ? push(c, mine) : remember(c, rc);
}

int tpi_api_pushcopy (tp_Context *ctx, const tp_Value *value) {
  tpi_Context *c = tpi_context(ctx);
  tp_Value mine;
  int rc;
  if (value == NULL)
    return push(c, tpi_nil());
  if (c->depth + tpi_value_height(value) > TPI_MAXDEPTH)
    return fault(c, too_deep);
  rc = tpi_list_copy(c->out, &mine, value);
  return rc == TP_OK ? push(c, mine) : remember(c, rc);
}

int tpi_api_pushbytes (tp_Context *ctx, const char *bytes, size_t length) {
  tpi_Context *c = tpi_context(ctx);
  tp_Value value;
  if (bytes == NULL && length > 0)
    return fault(c, "bytes without an address");
  if (tpi_list_bytes(c->out, &value, length > 0 ? bytes : "", length) == NULL)
    return remember(c, TP_NOMEM);
  return push(c, value);
}

char *tpi_api_pushbuffer (tp_Context *ctx, size_t length) {
  tpi_Context *c = tpi_context(ctx);
  tp_Value value;
  char *p = tpi_list_bytes(c->out, &value, NULL, length);
  if (p == NULL) {
    remember(c, TP_NOMEM);
    return NULL;
  }
  return push(c, value) == TP_OK ? p : NULL;
}

int tpi_api_opentable (tp_Context *ctx, size_t narray, size_t npairs) {
  tpi_Context *c = tpi_context(ctx);
  tp_Value value;
  tpi_Frame *frame;
  int rc;
  if (c->failed)
    return TP_FAILED;
  if (c->depth == TPI_MAXDEPTH)
    return fault(c, too_deep);
  frame = tpi_list_room(c->out, sizeof *frame);
  rc = tpi_list_table(c->out, &value, narray, npairs);
  if (frame == NULL || rc != TP_OK)
    return remember(c, TP_NOMEM);
  rc = push(c, value);
  if (rc != TP_OK)
    return rc;
  frame->outer = c->frame;
  frame->table = (tpi_Table *)(void *)value.as.table;
  frame->next = ITEM;
  c->frame = frame;
  c->depth++;
  return TP_OK;
}

int tpi_api_key (tp_Context *ctx) {
  tpi_Context *c = tpi_context(ctx);
  if (c->failed)
    return TP_FAILED;
  if (c->frame == NULL)
    return fault(c, "a key outside a table");
  if (c->frame->next != ITEM)
    return fault(c, "a key where a value is due");
  c->frame->next = KEY;
  return TP_OK;
}

int tpi_api_closetable (tp_Context *ctx) {
  tpi_Context *c = tpi_context(ctx);
  if (c->failed)
    return TP_FAILED;
  if (c->frame == NULL)
    return fault(c, "tp_closetable without tp_opentable");
  if (c->frame->next != ITEM)
    fault(c, "a key without a value");
  if (c->frame->outer != NULL)
    tpi_table_raise(c->frame->outer->table, c->frame->table->height);
  c->frame = c->frame->outer;
  c->depth--;
  return TP_OK;
}

const char *tpi_build_unfinished (const tpi_Context *c) {
  return c->frame != NULL ? "a table was left open" : NULL;
}

/* ---------------------------------------------------------------- */

static void retain_future (void *p) { tpi_future_retain(p); }
static void retain_manager (void *p) { tpi_pool_retain(p); }
static void release_manager (void *p, tpi_List *heir) {
  (void)heir;
  tpi_pool_release(p);
}

int tpi_push_future (tpi_List *list, tp_Value *value, tpi_Future *future) {
  return tpi_list_object(list, value, TP_TFUTURE, future, retain_future,
                         tpi_future_let_go);
}

int tpi_push_manager (tpi_List *list, tp_Value *value, tp_Manager *manager) {
  return tpi_list_object(list, value, TP_TMANAGER, manager, retain_manager,
                         release_manager);
}

int tpi_api_pushfuture (tp_Context *ctx, tp_Future *future) {
  tpi_Context *c = tpi_context(ctx);
  tp_Value value;
  int rc;
  if (future == NULL)
    return push(c, tpi_nil());
  rc = tpi_push_future(c->out, &value, tpi_future(future));
  return rc == TP_OK ? push(c, value) : remember(c, rc);
}
