/*
** testmod_abuse.c: misuse of the C API that must end in a clean result or a
** clean failure, never in a crash.
**
** Functions for pools:
**   test.abuse   "string -> any..."  one way of misuse; see abuses[] below
**   test.abuses  "-> string..."      the names that test.abuse knows
*/
#include "testmod.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static void close_unopened (tp_Context *ctx) { tp_closetable(ctx); }

static void open_unclosed (tp_Context *ctx) {
  tp_opentable(ctx, 1, 0);
  tp_pushinteger(ctx, 1);
}

static void close_twice (tp_Context *ctx) {
  tp_opentable(ctx, 0, 0);
  tp_closetable(ctx);
  tp_closetable(ctx);
}

static void key_last (tp_Context *ctx) {
  tp_opentable(ctx, 0, 1);
  tp_key(ctx, "key");
  tp_closetable(ctx);
}

static void key_unfinished (tp_Context *ctx) {
  tp_opentable(ctx, 0, 1);
  tp_pushkey(ctx);
  tp_closetable(ctx);
}

static void key_outside (tp_Context *ctx) {
  tp_key(ctx, "key");
  tp_pushinteger(ctx, 1);
}

static void key_key (tp_Context *ctx) {
  tp_opentable(ctx, 0, 1);
  tp_pushkey(ctx);
  tp_pushkey(ctx);
  tp_pushinteger(ctx, 1);
  tp_pushinteger(ctx, 2);
  tp_closetable(ctx);
}

static void key_nil (tp_Context *ctx) {
  tp_opentable(ctx, 0, 1);
  tp_pushkey(ctx);
  tp_pushnil(ctx);
  tp_pushinteger(ctx, 1);
  tp_closetable(ctx);
}

static void key_nan (tp_Context *ctx) {
  tp_opentable(ctx, 0, 1);
  tp_pushkey(ctx);
  tp_pushnumber(ctx, (double)NAN);
  tp_pushinteger(ctx, 1);
  tp_closetable(ctx);
}

static void key_table (tp_Context *ctx) {
  tp_opentable(ctx, 0, 1);
  tp_pushkey(ctx);
  tp_opentable(ctx, 0, 0);
  tp_closetable(ctx);
  tp_pushinteger(ctx, 1);
  tp_closetable(ctx);
}

static void key_twice (tp_Context *ctx) {
  tp_opentable(ctx, 0, 2);
  tp_key(ctx, "key");
  tp_pushinteger(ctx, 1);
  tp_key(ctx, "key");
  tp_pushinteger(ctx, 2);
  tp_closetable(ctx);
}

static void too_deep (tp_Context *ctx) {
  for (int i = 0; i < 100000; i++)
    tp_opentable(ctx, 1, 0);
  for (int i = 0; i < 100000; i++)
    tp_closetable(ctx);
}

static void arg_outside (tp_Context *ctx) {
  tp_pusharg(ctx, 0);
  tp_pusharg(ctx, -1);
  tp_pusharg(ctx, 1000);
}

static void progress_outside (tp_Context *ctx) {
  char note[4096];
  memset(note, 'n', sizeof note - 1);
  note[sizeof note - 1] = '\0';
  tp_progress(ctx, -1, NULL);
  tp_progress(ctx, 2, "");
  tp_progress(ctx, (double)NAN, note);
  tp_progress(ctx, (double)INFINITY, note);
}

static void wait_odd (tp_Context *ctx) {
  tp_wait_cancelled(ctx, 0);
  tp_wait_cancelled(ctx, 1e-300);
}

static void userdata_empty (tp_Context *ctx) { tp_userdata(ctx, 0, NULL); }

static void buffer_empty (tp_Context *ctx) { tp_pushbuffer(ctx, 0); }

static void hints_huge (tp_Context *ctx) {
  tp_opentable(ctx, SIZE_MAX, SIZE_MAX);
  tp_pushinteger(ctx, 1);
  tp_closetable(ctx);
}

static void buffer_huge (tp_Context *ctx) { tp_pushbuffer(ctx, SIZE_MAX); }

static void userdata_huge (tp_Context *ctx) {
  tp_userdata(ctx, SIZE_MAX, NULL);
}

static void push_failed (tp_Context *ctx) {
  (void)tp_fail(ctx, "%s", "failed too early");
  tp_pushinteger(ctx, 1);
  tp_opentable(ctx, 0, 0);
}

static void fail_twice (tp_Context *ctx) {
  (void)tp_fail(ctx, "%s", "first");
  (void)tp_fail(ctx, "%s", "second");
}

static void fail_long (tp_Context *ctx) { (void)tp_fail(ctx, "%100000d", 1); }

static void many_results (tp_Context *ctx) {
  for (int i = 1; i <= 200; i++)
    tp_pushinteger(ctx, i);
}

static const struct {
  const char *name;
  void (*run)(tp_Context *ctx);
} abuses[] = {{"close_unopened", close_unopened},
              {"open_unclosed", open_unclosed},
              {"close_twice", close_twice},
              {"key_last", key_last},
              {"key_unfinished", key_unfinished},
              {"key_outside", key_outside},
              {"key_key", key_key},
              {"key_nil", key_nil},
              {"key_nan", key_nan},
              {"key_table", key_table},
              {"key_twice", key_twice},
              {"too_deep", too_deep},
              {"arg_outside", arg_outside},
              {"progress_outside", progress_outside},
              {"wait_odd", wait_odd},
              {"userdata_empty", userdata_empty},
              {"userdata_huge", userdata_huge},
              {"buffer_empty", buffer_empty},
              {"buffer_huge", buffer_huge},
              {"hints_huge", hints_huge},
              {"push_failed", push_failed},
              {"fail_twice", fail_twice},
              {"fail_long", fail_long},
              {"many_results", many_results}};

#define NABUSES (sizeof abuses / sizeof abuses[0])

/* Answers TP_OK whatever happened: what was misused has to be remembered. */
static int abuse (tp_Context *ctx) {
  const char *name = tp_tobytes(ctx, 1, NULL);
  for (size_t i = 0; i < NABUSES; i++) {
    if (strcmp(name, abuses[i].name) == 0) {
      abuses[i].run(ctx);
      return TP_OK;
    }
  }
  return tp_fail(ctx, "testmod: no abuse is named '%s'", name);
}

static int abuse_names (tp_Context *ctx) {
  for (size_t i = 0; i < NABUSES; i++)
    tp_pushstring(ctx, abuses[i].name);
  return TP_OK;
}

const tp_Function tt_abuse_functions[] = {
    {"test.abuse", abuse, "string -> any..."},
    {"test.abuses", abuse_names, "-> string..."},
    {NULL, NULL, NULL}};
