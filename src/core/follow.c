#include "core/follow.h"

#include "core/copy.h"
#include "core/memory.h"

int tpi_follow_new (tpi_Task *task, unsigned count) {
  tpi_Follow *f = tpi_alloc(sizeof *f + (size_t)count * sizeof f->inputs[0]);
  if (f == NULL)
    return TP_NOMEM;
  f->task = task;
  tpi_poke(&f->cause, NULL);
  f->count = 0;
  tpi_poke(&f->left, 0);
  task->follow = f;
  return TP_OK;
}

/* ---------------------------------------------------------------- */
/* Filling                                                           */
/* ---------------------------------------------------------------- */

static tpi_Input *input_at (tpi_Follow *f, uint32_t at) {
  for (unsigned i = 0; i < f->count; i++) {
    if (f->inputs[i].at == at)
      return &f->inputs[i];
  }
  return NULL;
}

/* What a completed future fills a hole with: its first result, or all of them
   for the last argument. */
static int fill_hole (tpi_List *list, const tpi_Future *future, int last) {
  const tpi_List *results = &future->results;
  return tpi_list_copy_first(list, results, last ? results->count : 1);
}

/* The arguments anew, with the old ones' memory behind them. */
static int fill (tpi_Follow *f, char **why) {
  tpi_Task *task = f->task;
  const tpi_TaskClass *class =
      (const tpi_TaskClass *)(const void *)task->future.class;
  tpi_List list, old;
  int rc;
  tpi_list_init(&list, NULL, 0);
  rc = tpi_list_reserve(&list, task->nargs);
  for (uint32_t i = 0; rc == TP_OK && i < task->nargs; i++) {
    const tpi_Input *input = input_at(f, i);
    rc = input != NULL ? fill_hole(&list, input->future, i + 1 == task->nargs)
                       : tpi_list_push(&list, task->args[i]);
  }
  if (rc == TP_OK && class->refuse != NULL)
    rc = class->refuse(task, &list, why);
  if (rc != TP_OK) {
    tpi_list_fini(&list);
    return rc;
  }
  tpi_list_init(&old, NULL, 0);
  old.blocks = task->blocks;
  tpi_list_adopt(&list, &old);
  task->args = list.items;
  task->nargs = list.count;
  task->blocks = list.blocks;
  return TP_OK;
}

static void end (tpi_Task *task, char *why, int literal) {
  if (tpi_future_end(&task->future, TPI_FAILED, TPI_ERROR, why, literal, NULL) <
          0 &&
      !literal)
    tpi_free(why);
}

/* All are there. */
static void go (tpi_Follow *f) {
  tpi_Task *task = f->task;
  char *why = NULL;
  if (!tpi_pool_fill(task))
    return; /* it was withdrawn */
  if (fill(f, &why) == TP_NOMEM)
    end(task, (char *)(uintptr_t) "out of memory", 1);
  else if (why != NULL)
    end(task, why, 0);
  tpi_pool_filled(task);
}

/* It ends as this one did: the words are borrowed from it. Only one of the
   inputs can be the cause. */
static void follow_down (tpi_Follow *f, tpi_Future *input, tpi_Waiter **more) {
  const char *why = tpi_future_message(input, NULL);
  tpi_Future *none = NULL;
  tpi_future_read(input);
  if (tpi_cas(&f->cause, &none, input))
    tpi_future_end(&f->task->future, tpi_future_state(input),
                   (tpi_Kind)input->kind, (char *)(uintptr_t)why, TPI_CAUSED,
                   more);
}

/* The last one lets go of the pool. */
static void one_less (tpi_Follow *f, int told) {
  tp_Manager *pool = f->task->pool;
  if (atomic_fetch_sub(&f->left, 1) != 1)
    return;
  if (told)
    go(f);
  tpi_pool_release(pool);
}

static void tell (tpi_Waiter *w, tpi_Waiter **more) {
  const tpi_Input *input = (const tpi_Input *)(const void *)w;
  tpi_Follow *f = input->follow;
  tpi_Task *task = f->task;
  if (tpi_future_state(input->future) != TPI_COMPLETED)
    follow_down(f, input->future, more);
  one_less(f, 1);
  tpi_future_release(&task->future);
}

/* ---------------------------------------------------------------- */

void tpi_follow_add (tpi_Task *task, tpi_Future *future, uint32_t at) {
  tpi_Follow *f = task->follow;
  tpi_Input *input = &f->inputs[f->count++];
  tpi_waiter_init(&input->waiter, tell);
  input->follow = f;
  input->future = future;
  input->at = at;
  tpi_future_retain(future);
}

/* Each that is joined, or has told already, keeps the task till then. */
void tpi_follow_start (tpi_Task *task) {
  tpi_Follow *f = task->follow;
  tpi_put(&f->left, f->count);
  tpi_pool_retain(task->pool); /* until all have told, or were left */
  for (unsigned i = 0; i < f->count; i++) {
    tpi_future_retain(&task->future);
    if (!tpi_future_join(f->inputs[i].future, &f->inputs[i].waiter))
      tpi_waiter_tell(&f->inputs[i].waiter);
  }
}

void tpi_follow_stop (tpi_Task *task) {
  tpi_Follow *f = task->follow;
  for (unsigned i = 0; i < f->count; i++) {
    if (tpi_future_leave(f->inputs[i].future, &f->inputs[i].waiter)) {
      one_less(f, 0);
      tpi_future_release(&task->future);
    }
  }
}

tpi_Future *tpi_follow_next (tpi_Future *future) {
  const tpi_Follow *f = tpi_task_of(future)->follow;
  for (unsigned i = 0; f != NULL && i < f->count; i++) {
    if (!tpi_future_settled(f->inputs[i].future))
      return f->inputs[i].future;
  }
  return NULL;
}

/* One input at a time, so that a long chain is not freed by recursion. */
static void release (tpi_Block *shell, tpi_List *list) {
  tpi_Follow *f = (tpi_Follow *)(void *)shell;
  if (f->count == 0) {
    tpi_free(f);
    return;
  }
  shell->next = NULL;
  tpi_list_bequeath(list, shell);
  tpi_future_let_go(f->inputs[--f->count].future, list);
}

void tpi_follow_free (tpi_Task *task, tpi_List *heir) {
  tpi_Follow *f = task->follow;
  if (f == NULL)
    return;
  f->shell.next = NULL;
  f->shell.release = release;
  f->shell.size = 0;
  tpi_list_bequeath(heir, &f->shell);
}
