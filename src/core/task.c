#include "core/task.h"

#include <string.h>

#include "core/memory.h"

tpi_Task *tpi_task_new (const tpi_TaskClass *class, const void *code,
                        tp_Manager *pool, tpi_Host *home, size_t room) {
  tpi_Task *task = tpi_alloc(class->size + room);
  char *end = (char *)task + class->size;
  if (task == NULL)
    return NULL;
  memset(task + 1, 0, class->size - sizeof *task);
  tpi_future_init(&task->future, &class->future, home, end, room);
  task->item.next = task->item.prev = NULL;
  task->waits.next = task->waits.prev = NULL;
  task->pool = pool;
  task->sequence = task->submitted = task->spent = 0;
  task->awaits = NULL;
  task->follow = NULL;
  task->timer = NULL;
  task->code = code;
  task->args = NULL;
  task->blocks = NULL;
  task->nargs = 0;
  task->priority = TP_NORMAL;
  task->place = TPI_OUTSIDE;
  task->parked = TPI_AWAY;
  task->resumed = task->aside = task->covered = task->limited = 0;
  return task;
}

void tpi_task_seal (tpi_Task *task) {
  tpi_List *list = &task->future.results;
  task->args = list->items;
  task->nargs = list->count;
  task->blocks = list->blocks;
  list->items = NULL;
  list->count = list->room = 0;
  if (list->blocks != NULL) { /* what is spare may go with the arguments */
    list->spare = NULL;
    list->left = 0;
  }
  list->blocks = NULL;
}

size_t tpi_task_weight (const tpi_Task *task) {
  size_t sum = 0;
  for (const tpi_Block *b = task->blocks; b != NULL; b = b->next)
    sum += b->size;
  return sum;
}

void tpi_task_drop_args (tpi_Task *task) {
  tpi_List args;
  tpi_list_init(&args, NULL, 0);
  args.blocks = task->blocks;
  task->blocks = NULL;
  task->nargs = 0;
  if (task->future.results.borrows)
    tpi_list_adopt(&task->future.results, &args);
  else
    tpi_list_fini(&args);
}

void tpi_task_destroy (tpi_Future *future, tpi_List *heir) {
  tpi_Task *task = tpi_task_of(future);
  tpi_future_fini(future, heir, tpi_future_free);
  tpi_list_bequeath(heir, task->blocks);
  tpi_timer_free(task->timer);
}
