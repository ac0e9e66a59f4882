#include "core/follow.h"

#include "core/copy.h"
#include "core/memory.h"
#include "core/waits.h"

int tpi_follow_new (tpi_Task *task, unsigned count) {
  tpi_Follow *f = tpi_alloc(sizeof *f + (size_t)count * sizeof f->inputs[0]);
  if (f == NULL)
    return TP_NOMEM;
  f->held.next = f->held.prev = NULL;
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

/* All have told, or the task is over: then some may have been left. */
static void go (tpi_Follow *f) {
  tpi_Task *task = f->task;
  char *why = NULL;
  if (tpi_future_settled(&task->future) || !tpi_pool_fill(task))
    return;
  if (fill(f, &why) == TP_NOMEM)
    end(task, (char *)(uintptr_t) "out of memory", 1);
  else if (why != NULL)
    end(task, why, 0);
  tpi_pool_filled(task);
}

/* It ends as the one did that failed first: the words are borrowed from that, so
   that a chain of such tasks keeps one future and not each other. Only one of
   the inputs can be the cause. */
static void follow_down (tpi_Follow *f, tpi_Future *input, tpi_Waiter **more) {
  tpi_Future *first = tpi_future_cause(input), *none = NULL;
  const char *why = tpi_future_message(first, NULL);
  tpi_future_read(input);
  tpi_future_retain(first);
  if (tpi_cas(&f->cause, &none, first))
    tpi_future_end(&f->task->future, tpi_future_state(input),
                   (tpi_Kind)input->kind, (char *)(uintptr_t)why, TPI_CAUSED,
                   more);
  else
    tpi_future_release(first);
}

/* The last one has the task go, and lets go of the inputs, which are not kept as
   long as the task is, and of the pool. */
static void one_less (tpi_Follow *f) {
  tp_Manager *pool = f->task->pool;
  if (atomic_fetch_sub(&f->left, 1) != 1)
    return;
  tpi_task_waits_no_more(f->task);
  go(f);
  tpi_waits_leave();
  while (f->count > 0)
    tpi_future_release(f->inputs[--f->count].future);
  tpi_pool_release(pool);
}

static void tell (tpi_Waiter *w, tpi_Waiter **more) {
  const tpi_Input *input = (const tpi_Input *)(const void *)w;
  tpi_Follow *f = input->follow;
  tpi_Task *task = f->task;
  if (tpi_future_state(input->future) != TPI_COMPLETED)
    follow_down(f, input->future, more);
  one_less(f);
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
  tpi_future_seek(future);
  tpi_future_retain(future);
}

/* An input that is joined keeps the task until it tells, or is left. */
static void leave (tpi_Follow *f, tpi_Input *input) {
  if (tpi_future_leave(input->future, &input->waiter)) {
    one_less(f);
    tpi_future_release(&f->task->future);
  }
}

/* The task may be over before all are joined: an input has failed, or somebody
   has cancelled it. Whoever ends it leaves those that are joined by then, and
   what is joined later is left here. */
static void join (tpi_Follow *f, tpi_Input *input) {
  tpi_Future *own = &f->task->future;
  if (tpi_future_settled(own)) {
    one_less(f);
    return;
  }
  tpi_future_retain(own);
  if (!tpi_future_join(input->future, &input->waiter))
    tpi_waiter_tell(&input->waiter);
  else if (tpi_future_settled(own))
    leave(f, input);
}

/* Who goes through the inputs counts as one of them, so that they stay. */
void tpi_follow_start (tpi_Task *task) {
  tpi_Follow *f = task->follow;
  tpi_pool_retain(task->pool); /* until all have told, or were left */
  tpi_put(&f->left, f->count + 1);
  tpi_task_waits(task);
  for (unsigned i = 0, n = f->count; i < n; i++)
    join(f, &f->inputs[i]);
  one_less(f);
}

void tpi_follow_stop (tpi_Task *task) {
  tpi_Follow *f = task->follow;
  unsigned left = tpi_see(&f->left);
  while (left > 0 && !tpi_cas(&f->left, &left, left + 1)) {
  }
  if (left == 0)
    return; /* not begun, or all have told */
  for (unsigned i = 0, n = f->count; i < n; i++)
    leave(f, &f->inputs[i]);
  one_less(f);
}

tpi_Future *tpi_follow_next (tpi_Future *future, void **at) {
  const tpi_Follow *f = tpi_task_of(future)->follow;
  uintptr_t i = (uintptr_t)*at;
  if (f == NULL || tpi_see(&f->left) == 0 || i >= f->count)
    return NULL;
  *at = (void *)(i + 1);
  return f->inputs[i].future;
}

/* Of a task that never entered. One input at a time, so that a long chain is not
   freed by recursion. */
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
  tpi_future_release(tpi_see(&f->cause));
  f->shell.next = NULL;
  f->shell.release = release;
  f->shell.size = 0;
  tpi_list_bequeath(heir, &f->shell);
}
