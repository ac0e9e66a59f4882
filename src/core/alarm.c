#include "core/alarm.h"

#include "core/memory.h"

typedef struct Alarm {
  tpi_Future future;
  tpi_Timer timer;
} Alarm;

static void destroy (tpi_Future *future, tpi_List *heir) {
  tpi_future_fini(future, heir, tpi_future_free);
}

/* Cancelled: its time does not matter any more. */
static void withdraw (tpi_Future *future, tpi_Phase was) {
  (void)was;
  if (tpi_future_state(future) == TPI_CANCELLED)
    tpi_timer_stop(&((Alarm *)(void *)future)->timer);
}

static const tpi_Class class = {.withdraw = withdraw, .destroy = destroy};

tpi_Future *tpi_alarm_new (double seconds) {
  Alarm *alarm = tpi_alloc(sizeof *alarm);
  if (alarm == NULL)
    return NULL;
  tpi_future_init(&alarm->future, &class, NULL, NULL, 0);
  tpi_timer_init(&alarm->timer, &alarm->future, seconds);
  if (tpi_timer_start(&alarm->timer) == TP_OK)
    return &alarm->future;
  tpi_future_release(&alarm->future);
  return NULL;
}

void tpi_alarm_release (tpi_Future *future) {
  if (future == NULL)
    return;
  tpi_timer_stop(&((Alarm *)(void *)future)->timer);
  tpi_future_release(future);
}
