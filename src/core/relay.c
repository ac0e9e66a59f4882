#include "core/relay.h"

/* Told on this thread and not heard yet, first come first; `tell` is what is
   to hear. */
static _Thread_local tpi_Waiter *first, **end;
static _Thread_local int hearing;

void tpi_relay (tpi_Waiter *waiter, void (*hear) (tpi_Waiter *waiter)) {
  waiter->next = NULL;
  waiter->tell = hear;
  if (hearing) {
    *end = waiter;
    end = &waiter->next;
    return;
  }
  first = waiter;
  hearing = 1;
  while (first != NULL) {
    tpi_Waiter *next = first;
    first = next->next;
    if (first == NULL)
      end = &first;
    next->tell(next);
  }
  hearing = 0;
}
