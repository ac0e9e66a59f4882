/*
** Waiting in the middle of a C task, which cannot yield.
*/
#include <stddef.h>

#include "api/api.h"
#include "core/clock.h"

int tpi_api_await (tp_Context *ctx, tp_Future *awaited) {
  tpi_Context *c = tpi_context(ctx);
  tpi_Future *future = tpi_future(awaited);
  char ring[256];
  int rc;
  if (c->task == NULL || awaited == NULL)
    return TP_INVALID;
  rc = tpi_worker_await(c->worker, c->task, future, TPI_NEVER, 0, ring,
                        sizeof ring);
  if (rc == TP_INVALID || rc == TP_FULL)
    return rc;
  if (rc != TP_OK)
    return TP_CANCELLED; /* this task, not that one */
  tpi_future_read(future);
  return tpi_future_state(future) == TPI_COMPLETED ? TP_OK : TP_FAILED;
}
