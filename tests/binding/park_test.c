#define _POSIX_C_SOURCE 200809L
/*
** A parent that is cancelled just before it is suspended: its child, which
** comes first, is to hear of that.
*/
#include "core/future.h"

#include "session.h"

static int gated_suspend (tpi_Future *future, int suspended) {
  if (suspended)
    pass_gate();
  return tpi_future_suspend(future, suspended);
}

#define tpi_future_suspend gated_suspend
#include "../../src/lua/park.c"
#undef tpi_future_suspend

static void cancel_parent_before_suspending (void **state) {
  (void)state;
  run_session(
      NULL, NULL,
      "local tidepool = require 'tidepool'\n"
      "local pool = tidepool.AsyncManager.new { workers = 1 }\n"
      "for round = 1, 3 do\n"
      "  arm_gate()\n"
      "  local f = pool:call(function ()\n"
      "    local tidepool = require 'tidepool'\n"
      "    tidepool.spawn(function () while true do end end):await()\n"
      "  end)\n"
      "  assert(at_gate(), 'the parent does not wait')\n"
      "  assert(f:cancel())\n"
      "  open_gate()\n"
      "  local alive = pool:call(function () return true end):wait(60)\n"
      "  if not alive then\n"
      "    error('the child runs on: its worker is lost in round ' .. round,\n"
      "      0)\n"
      "  end\n"
      "end\n");
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cancel_parent_before_suspending),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
