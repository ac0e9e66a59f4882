#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "core/memory.h"

struct tpi_Userdata {
  tpi_Userdata *next;
  void (*fini)(void *);
  alignas(max_align_t) char bytes[];
};

void tpi_context_init (tpi_Context *c, tpi_List *out) {
  memset(c, 0, offsetof(tpi_Context, own));
  c->public.api = &tpi_api;
  c->out = out;
}

static void free_userdata (tpi_Context *c) {
  while (c->userdata != NULL) {
    tpi_Userdata *u = c->userdata;
    c->userdata = u->next;
    if (u->fini != NULL)
      u->fini(u->bytes);
    tpi_free(u);
  }
}

/* Drops the results and leaves a message in their place. */
static tpi_Outcome message (tpi_Context *c, const char *text, size_t length) {
  tp_Value value;
  c->out->count = 0;
  if (tpi_list_bytes(c->out, &value, text, length) == NULL ||
      tpi_list_push(c->out, value) != TP_OK)
    return TPI_NOROOM;
  return TPI_RAISED;
}

static tpi_Outcome printed (tpi_Context *c, const char *format, ...) {
  char text[160];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return message(c, text, strlen(text));
}

tpi_Outcome tpi_context_fini (tpi_Context *c, int returned) {
  const char *fault = c->fault != NULL ? c->fault : tpi_build_unfinished(c);
  free_userdata(c);
  if (c->nomem)
    return TPI_NOROOM;
  if (c->failed)
    return TPI_RAISED;
  if (returned != TP_OK)
    return printed(c, "returned %d without saying why (tp_fail)", returned);
  if (fault != NULL)
    return printed(c, "misused the C API: %s", fault);
  return TPI_RETURNED;
}

tp_Context *tpi_api_values (void) {
  tpi_Context *c = tpi_alloc(sizeof *c);
  if (c == NULL)
    return NULL;
  tpi_context_init(c, &c->own);
  tpi_list_init(&c->own, NULL, 0);
  return &c->public;
}

void tpi_api_discard (tp_Context *values) {
  tpi_Context *c = tpi_context(values);
  if (c == NULL)
    return;
  free_userdata(c);
  tpi_list_fini(&c->own);
  tpi_free(c);
}

int tpi_api_fail (tp_Context *ctx, const char *format, ...) {
  tpi_Context *c = tpi_context(ctx);
  char text[512];
  va_list args, again;
  int length;
  if (format == NULL)
    format = "failed without a message (NULL)";
  va_start(args, format);
  va_copy(again, args);
  length = vsnprintf(text, sizeof text, format, args);
  if (length < 0) {
    c->nomem |= message(c, format, strlen(format)) == TPI_NOROOM;
  } else if ((size_t)length < sizeof text) {
    c->nomem |= message(c, text, (size_t)length) == TPI_NOROOM;
  } else { /* a long story: written where it stays */
    tp_Value value;
    char *p = tpi_list_bytes(c->out, &value, NULL, (size_t)length);
    c->out->count = 0;
    c->nomem |= p == NULL || tpi_list_push(c->out, value) != TP_OK;
    if (p != NULL)
      vsnprintf(p, (size_t)length + 1, format, again);
  }
  va_end(again);
  va_end(args);
  c->failed = 1;
  c->frame = NULL;
  c->depth = 0;
  return TP_FAILED;
}

void *tpi_api_userdata (tp_Context *ctx, size_t size, void (*fini)(void *)) {
  tpi_Context *c = tpi_context(ctx);
  tpi_Userdata *u;
  if (size > SIZE_MAX / 2 || (u = tpi_calloc(sizeof *u + size)) == NULL) {
    c->nomem = 1;
    return NULL;
  }
  u->fini = fini;
  u->next = c->userdata;
  c->userdata = u;
  return u->bytes;
}
