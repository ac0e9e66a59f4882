/*
** The kind of task that is a registered C function.
*/
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "core/clock.h"
#include "core/convert.h"
#include "core/follow.h"
#include "core/functions.h"
#include "core/memory.h"

static tpi_Outcome run_native (tpi_Task *task, tpi_Worker *worker) {
  const tpi_Function *function = task->code;
  tpi_Context c;
  tpi_context_init(&c, &task->future.results);
  c.public.args = task->args;
  c.public.nargs = (int)task->nargs;
  c.task = task;
  c.worker = worker;
  return tpi_context_fini(&c, function->run(&c.public));
}

static const char *name_of_native (const tpi_Future *future) {
  const tpi_Task *task = (const tpi_Task *)(const void *)future;
  return ((const tpi_Function *)task->code)->name;
}

static int help_native (tpi_Future *future, void *here) {
  return tpi_worker_help(here, tpi_task_of(future));
}

static void destroy_native (tpi_Future *future, tpi_List *heir) {
  tpi_follow_free(tpi_task_of(future), heir);
  tpi_task_destroy(future, heir);
}

static const char *type_of (const tp_Value *value) {
  static const char *const names[] = {
      "nil",   "boolean", "number",  "number",   "string",
      "table", "future",  "manager", "function", "object"};
  return names[tp_typeof(value)];
}

/* In the words that the caller of a function reads. */
static char *complain (const tpi_Function *function, const tpi_List *args,
                       unsigned at) {
  const tpi_Param *param = tpi_signature_param(&function->signature, at);
  const char *got = at < args->count ? type_of(&args->items[at]) : "no value";
  char text[256];
  if (param->type == TPI_IS_INTEGER && at < args->count &&
      tp_typeof(&args->items[at]) == TP_TFLOAT)
    snprintf(text, sizeof text,
             "bad argument #%u to '%s' (number has no integer representation)",
             at + 1, function->name);
  else
    snprintf(text, sizeof text,
             "bad argument #%u to '%s' (%s expected, got %s)", at + 1,
             function->name, tpi_param_name((tpi_ParamType)param->type), got);
  return tpi_copy(text, strlen(text));
}

static int refuse_native (const tpi_Task *task, tpi_List *args, char **why) {
  const tpi_Function *function = task->code;
  const tpi_Signature *signature = &function->signature;
  unsigned at = 0;
  for (unsigned i = 0; signature->checked && i < args->count; i++) {
    const tpi_Param *param = tpi_signature_param(signature, i);
    if (param != NULL && tpi_convert(args, &args->items[i],
                                     (tpi_ParamType)param->type) == TP_NOMEM)
      return TP_NOMEM;
  }
  if (tpi_signature_check(signature, args->items, args->count, &at) == TP_OK)
    return TP_OK;
  *why = complain(function, args, at);
  return *why != NULL ? TP_OK : TP_NOMEM;
}

const tpi_TaskClass tpi_native = {.future = {.withdraw = tpi_pool_withdraw,
                                             .help = help_native,
                                             .name = name_of_native,
                                             .next = tpi_follow_next,
                                             .destroy = destroy_native,
                                             .task = 1},
                                  .run = run_native,
                                  .size = sizeof(tpi_Task),
                                  .refuse = refuse_native};

/* ---------------------------------------------------------------- */

static int sleep_cooperatively (tp_Context *ctx) {
  double seconds = tp_tonumber(ctx, 1);
  if (!(seconds >= 0))
    return tp_fail(ctx, "seconds must not be negative, got %g", seconds);
  tp_wait_cancelled(ctx, seconds);
  return TP_OK;
}

const tp_Function tpi_builtin[] = {
    {"tidepool.sleep", sleep_cooperatively, "number"}, {NULL, NULL, NULL}};
