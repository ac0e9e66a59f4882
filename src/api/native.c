/*
** The kind of task that is a registered C function.
*/
#include <stddef.h>

#include "api/api.h"
#include "core/clock.h"
#include "core/functions.h"

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

const tpi_TaskClass tpi_native = {
    {tpi_pool_withdraw, help_native, name_of_native, tpi_task_orphaned,
     tpi_task_destroy},
    run_native};

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
