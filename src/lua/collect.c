/*
** Full collections between tasks. Finalizers run then that may wait, which
** takes a task: one of nobody's, that is in no pool's accounts. It cannot yield,
** as no finalizer can.
*/
#include "lua/local.h"

static tpi_Fiber *new_fiber (tpi_Place *place) {
  tpi_Task *task = tpi_task_new(&tpi_local_task, NULL, tpi_place_pool(place),
                                place->S->host, 0);
  tpi_Fiber *fiber = NULL;
  if (task == NULL)
    return NULL;
  task->future.id = tpi_state_id(place->S);
  tpi_future_claim(&task->future);
  fiber = tpi_fiber_new(place, (tpi_LuaTask *)(void *)task);
  if (fiber == NULL) {
    tpi_future_release(&task->future);
    return NULL;
  }
  fiber->task->fiber = fiber;
  fiber->rigid = 1;
  return fiber;
}

static void end (tpi_Fiber *fiber) {
  tpi_Future *future = tpi_fiber_future(fiber);
  tpi_family_end(fiber);
  tpi_fiber_free(fiber);
  tpi_future_complete(future);
  tpi_future_release(future);
}

void tpi_place_collect (tpi_Place *place) {
  tpi_Fiber *fiber = new_fiber(place), *below = place->fiber;
  if (fiber == NULL)
    return;
  fiber->below = below;
  place->fiber = fiber;
  lua_gc(place->L, LUA_GCCOLLECT);
  place->fiber = below;
  end(fiber);
}
