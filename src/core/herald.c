/*
** A future whose settling is news elsewhere than at home.
*/
#include "core/future.h"
#include "core/memory.h"

/* Stands in the list of the future. Freed by who takes it out of there: who
   tells it, or who dismisses it before. */
struct tpi_Herald {
  tpi_Waiter waiter;
  tpi_Host *host; /* retained */
};

static void fall_silent (tpi_Herald *herald) {
  tpi_host_release(herald->host);
  tpi_free(herald);
}

static void tell_news (tpi_Waiter *waiter, tpi_Waiter **more) {
  (void)more;
  tpi_Herald *herald = (tpi_Herald *)(void *)waiter;
  tpi_host_news(herald->host);
  fall_silent(herald);
}

int tpi_future_herald (tpi_Future *f, tpi_Host *host, tpi_Herald **out) {
  tpi_Herald *herald;
  *out = NULL;
  if (f->home == host || host->dozes || tpi_future_settled(f) ||
      tpi_future_orphaned(f))
    return TP_OK;
  herald = tpi_alloc(sizeof *herald);
  if (herald == NULL)
    return TP_NOMEM;
  tpi_waiter_init(&herald->waiter, tell_news);
  herald->waiter.aside = 1;
  herald->host = host;
  tpi_host_retain(host);
  if (tpi_future_join(f, &herald->waiter))
    *out = herald;
  else
    fall_silent(herald);
  return TP_OK;
}

/* Of one that has told only the address is used: leaving a future that has
   settled looks at no waiter. */
void tpi_herald_dismiss (tpi_Herald *herald, tpi_Future *f) {
  if (!tpi_future_orphaned(f) && tpi_future_leave(f, &herald->waiter))
    fall_silent(herald);
}
