/*
** Calls into a manager, and futures, from any thread of a C program.
*/
#include <string.h>

#include "api/api.h"
#include "api/table.h"
#include "core/clock.h"
#include "core/functions.h"
#include "core/memory.h"

/* A callback waiting for its future. */
typedef struct Then {
  tpi_Waiter waiter;
  tpi_Future *future; /* retained */
  tp_Callback callback;
  void *userdata;
} Then;

static void call_back (tpi_Waiter *w, tpi_Waiter **more) {
  Then *then = (Then *)(void *)w;
  tpi_Future *future = then->future;
  then->callback((tp_Future *)(void *)future, then->userdata);
  tpi_free(then);
  tpi_future_release(future);
  (void)more;
}

static Then *then_new (tpi_Future *future, tp_Callback callback, void *ud) {
  Then *then = tpi_alloc(sizeof *then);
  if (then != NULL) {
    tpi_waiter_init(&then->waiter, call_back);
    then->future = future;
    then->callback = callback;
    then->userdata = ud;
    tpi_future_retain(future);
  }
  return then;
}

static int api_then (tp_Future *future, tp_Callback callback, void *ud) {
  Then *then = then_new(tpi_future(future), callback, ud);
  if (then == NULL)
    return TP_NOMEM;
  if (!tpi_future_join(tpi_future(future), &then->waiter))
    tpi_waiter_tell(&then->waiter);
  return TP_OK;
}

/* ---------------------------------------------------------------- */

/* Gives the collected values to the task as its arguments. */
static int give_args (tpi_Task *task, const tpi_Function *function,
                      tp_Context *args) {
  tpi_Context *c = tpi_context(args);
  tpi_List *list = &task->future.results;
  unsigned which;
  if (c != NULL) {
    if (c->nomem)
      return TP_NOMEM;
    if (tpi_context_fini(c, TP_OK) != TPI_RETURNED)
      return TP_INVALID;
    *list = c->own;
    tpi_list_init(&c->own, NULL, 0);
  }
  if (tpi_signature_check(&function->signature, list->items, list->count,
                          &which) != TP_OK)
    return TP_TRANSFER;
  tpi_task_seal(task);
  return TP_OK;
}

static int prepare (tpi_Task *task, const tp_CallOptions *options,
                    Then **then) {
  *then = NULL;
  if (options == NULL)
    return TP_OK;
  if ((unsigned)options->priority >= TPI_PRIORITIES)
    return TP_INVALID;
  task->priority = (unsigned char)options->priority;
  if (options->callback != NULL) {
    *then = then_new(&task->future, options->callback, options->userdata);
    if (*then == NULL)
      return TP_NOMEM;
    tpi_future_join(&task->future, &(*then)->waiter);
  }
  if (options->timeout > 0) {
    task->timer = tpi_timer_new(&task->future, options->timeout);
    if (task->timer == NULL)
      return TP_NOMEM;
  }
  return TP_OK;
}

/* Undoes `prepare`: the callback of a call that failed is never called. */
static void unprepare (tpi_Task *task, Then *then) {
  if (then != NULL && tpi_future_leave(&task->future, &then->waiter)) {
    tpi_future_release(&task->future);
    tpi_free(then);
  }
}

static int enter (tp_Manager *manager, tpi_Task *task, int nowait) {
  tpi_Parker p;
  if (nowait)
    return tpi_pool_submit(manager, task, NULL);
  tpi_parker_init(&p, NULL, NULL, NULL);
  return tpi_pool_submit(manager, task, &p);
}

static int api_submit (tp_Manager *manager, const char *name, tp_Context *args,
                       const tp_CallOptions *options, tp_Future **future) {
  const tpi_Function *function = name != NULL ? tpi_functions_find(name) : NULL;
  tpi_Task *task = NULL;
  Then *then = NULL;
  int rc = manager == NULL ? TP_INVALID : TP_UNKNOWN;
  if (manager != NULL && function != NULL) {
    task = tpi_task_new(&tpi_native, function, manager, NULL, 0);
    rc = task == NULL ? TP_NOMEM : give_args(task, function, args);
    if (task != NULL)
      task->future.id = tpi_future_ids(1);
  }
  tpi_api_discard(args);
  if (rc == TP_OK) {
    rc = prepare(task, options, &then);
    if (rc == TP_OK)
      rc = enter(manager, task, options != NULL && options->nowait);
    if (rc != TP_OK)
      unprepare(task, then);
  }
  if (rc == TP_OK && future != NULL)
    *future = (tp_Future *)(void *)&task->future;
  else if (task != NULL)
    tpi_future_release(&task->future);
  return rc;
}

/* ---------------------------------------------------------------- */

static void api_retain (tp_Future *f) {
  if (f != NULL)
    tpi_future_retain(tpi_future(f));
}

static void api_retain_manager (tp_Manager *manager) {
  if (manager != NULL)
    tpi_pool_retain(manager);
}

static void api_release (tp_Future *f) { tpi_future_release(tpi_future(f)); }

static int api_settled (tp_Future *f) {
  return tpi_future_settled(tpi_future(f));
}

static int api_cancel (tp_Future *f, const char *reason) {
  return tpi_future_cancel(tpi_future(f), reason);
}

static int api_wait (tp_Future *f, double seconds) {
  tpi_Parker p;
  if (tpi_future_spin(tpi_future(f), NULL))
    return 1;
  tpi_parker_init(&p, NULL, NULL, NULL);
  return tpi_future_wait(tpi_future(f), &p, tpi_deadline(seconds)) == TPI_RUNG;
}

static int completed (tp_Future *f) {
  return tpi_future_state(tpi_future(f)) == TPI_COMPLETED;
}

static int api_resultcount (tp_Future *f) {
  return completed(f) ? (int)tpi_future(f)->results.count : 0;
}

static const tp_Value *api_result (tp_Future *f, int i) {
  if (i < 1 || i > api_resultcount(f))
    return NULL;
  return &tpi_future(f)->results.items[i - 1];
}

static int api_failure (tp_Future *future, tp_Failure *failure) {
  tpi_Future *f = tpi_future(future);
  if (!tpi_future_settled(f) || completed(future))
    return 0;
  tpi_future_read(f);
  if (failure != NULL) {
    failure->kind = tpi_kind_name((tpi_Kind)f->kind);
    failure->message = tpi_future_message(f, &failure->length);
    if (failure->message == NULL) {
      failure->message = "cancelled";
      failure->length = strlen(failure->message);
    }
  }
  return 1;
}

static tp_Future *api_futureof (const tp_Value *value) {
  return tp_typeof(value) == TP_TFUTURE ? tpi_value_object(value) : NULL;
}

static tp_Manager *api_managerof (const tp_Value *value) {
  return tp_typeof(value) == TP_TMANAGER ? tpi_value_object(value) : NULL;
}

void tpi_api_add_calls (tp_Api *api) {
  api->submit = api_submit;
  api->manager_retain = api_retain_manager;
  api->manager_release = tpi_pool_release;
  api->future_retain = api_retain;
  api->future_release = api_release;
  api->future_settled = api_settled;
  api->future_cancel = api_cancel;
  api->future_wait = api_wait;
  api->future_then = api_then;
  api->resultcount = api_resultcount;
  api->result = api_result;
  api->failure = api_failure;
  api->futureof = api_futureof;
  api->managerof = api_managerof;
}
