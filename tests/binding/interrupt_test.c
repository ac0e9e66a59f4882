#define _POSIX_C_SOURCE 200809L
/*
** A beat that falls between a hook's look at its task and the clearing of the
** hook.
*/
#include "core/atomic.h"

#include "session.h"

static void gated_sethook (lua_State *L, lua_Hook hook, int mask, int count) {
  if (hook == NULL)
    pass_gate();
  lua_sethook(L, hook, mask, count);
}

#define lua_sethook gated_sethook
#include "../../src/lua/interrupt.c"
#undef lua_sethook

/* In a task: as a beat that was meant for another one. */
static int late_beat (lua_State *L) {
  lua_sethook(L, tpi_fiber_hook, LUA_MASKCOUNT, 1);
  return 0;
}

static void cancel_while_hook_goes (void **state) {
  (void)state;
  run_session("late_beat", late_beat,
              "local tidepool = require 'tidepool'\n"
              "local pool = tidepool.AsyncManager.new { workers = 1 }\n"
              "arm_gate()\n"
              "local f = pool:call(function (late_beat)\n"
              "  late_beat()\n"
              "  while true do end\n"
              "end, late_beat)\n"
              "assert(at_gate(), 'the late beat was not noticed')\n"
              "assert(f:cancel())\n"
              "open_gate()\n"
              "local alive = pool:call(function () return true end):wait(60)\n"
              "if not alive then\n"
              "  error('the task runs on: its worker is lost', 0)\n"
              "end\n");
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cancel_while_hook_goes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
