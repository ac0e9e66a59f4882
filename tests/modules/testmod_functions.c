/*
** testmod_functions.c: plain functions: values in and out, failures, memory
** and crashes.
**
** Functions for pools:
**   test.echo      "any... -> any..."   its arguments, moved
**   test.shared    "any -> any, any"    its argument, twice
**   test.add       "integer, integer -> integer"
**   test.count     "-> integer"         counts its runs
**   test.argcount  "any... -> integer"
**   test.types     "any... -> string..."
**   test.read      "any -> boolean, integer, number, string?"
**     one argument through each of the typed reads
**   test.self      "-> string, integer" name and id of the running task
**   test.big       "integer -> string"  a string of so many 'x'
**   test.fail      "string"             fails with that message
**   test.code      "integer"            answers that number, without tp_fail
**   test.fail_ok   "string -> string"   tp_fail, then answers TP_OK anyway
**   test.userdata  "integer?, boolean? -> integer"
**     makes so many pieces of user data (default 1); fails in the end if the
**     second is true
**   test.crash     "string"             "segv" or "abort"
**
** Lua: runs([reset]), wait_runs(n); destroyed([reset]) -> how many pieces of
** user data were destroyed, how many of them out of order;
** wait_destroyed(n); now() -> seconds of a monotonic clock.
*/
#include "testmod.h"

#include <stdlib.h>
#include <string.h>

static Counter runs;
static Counter destroyed;
static Counter disordered;

/* ------------------------------------------------------------------ */
/* Values                                                              */
/* ------------------------------------------------------------------ */

static int echo (tp_Context *ctx) {
  for (int i = 1; i <= tp_argcount(ctx); i++)
    tp_pusharg(ctx, i);
  return TP_OK;
}

static int shared (tp_Context *ctx) {
  tp_pusharg(ctx, 1);
  return tp_pusharg(ctx, 1);
}

/* Wraps around, as Lua's own addition does. */
static int add (tp_Context *ctx) {
  uint64_t a = (uint64_t)tp_tointeger(ctx, 1);
  uint64_t b = (uint64_t)tp_tointeger(ctx, 2);
  return tp_pushinteger(ctx, (int64_t)(a + b));
}

static int count (tp_Context *ctx) {
  tt_count(&runs);
  return tp_pushinteger(ctx, (int64_t)atomic_load(&runs.count));
}

static int argcount (tp_Context *ctx) {
  return tp_pushinteger(ctx, tp_argcount(ctx));
}

static int types (tp_Context *ctx) {
  static const char *const names[] = {"nil",   "boolean", "integer", "float",
                                      "bytes", "table",   "future",  "manager"};
  for (int i = 1; i <= tp_argcount(ctx); i++)
    tp_pushstring(ctx, names[tp_type(ctx, i)]);
  return TP_OK;
}

static int read_all (tp_Context *ctx) {
  size_t length;
  const char *bytes = tp_tobytes(ctx, 1, &length);
  tp_pushboolean(ctx, tp_toboolean(ctx, 1));
  tp_pushinteger(ctx, tp_tointeger(ctx, 1));
  tp_pushnumber(ctx, tp_tonumber(ctx, 1));
  return bytes == NULL ? tp_pushnil(ctx) : tp_pushbytes(ctx, bytes, length);
}

static int self (tp_Context *ctx) {
  tp_pushstring(ctx, tp_name(ctx));
  return tp_pushinteger(ctx, (int64_t)tp_id(ctx));
}

static int big (tp_Context *ctx) {
  int64_t length = tp_tointeger(ctx, 1);
  char *buffer;
  if (length < 0)
    return tp_fail(ctx, "testmod: a negative length");
  buffer = tp_pushbuffer(ctx, (size_t)length);
  if (buffer == NULL)
    return TP_NOMEM;
  memset(buffer, 'x', (size_t)length);
  return TP_OK;
}

/* ------------------------------------------------------------------ */
/* Failures                                                            */
/* ------------------------------------------------------------------ */

static int fail (tp_Context *ctx) {
  return tp_fail(ctx, "%s", tp_tobytes(ctx, 1, NULL));
}

static int code (tp_Context *ctx) { return (int)tp_tointeger(ctx, 1); }

static int fail_ok (tp_Context *ctx) {
  tp_pusharg(ctx, 1);
  (void)tp_fail(ctx, "%s", tp_tobytes(ctx, 1, NULL));
  tp_pusharg(ctx, 1);
  return TP_OK;
}

/* ------------------------------------------------------------------ */
/* User data                                                           */
/* ------------------------------------------------------------------ */

/* Pieces of a task go in one sweep, the one made last first. */
typedef struct Piece {
  struct Piece *older; /* which must still be there when this one goes */
  int newer;           /* is a newer one there? Then it is not its turn. */
  char zeroes[48];
} Piece;

static void piece_fini (void *p) {
  Piece *piece = p;
  if (piece->newer)
    tt_count(&disordered);
  else if (piece->older != NULL)
    piece->older->newer = 0;
  tt_count(&destroyed);
}

static int userdata (tp_Context *ctx) {
  static const Piece zero;
  int64_t n = tp_type(ctx, 1) == TP_TNIL ? 1 : tp_tointeger(ctx, 1);
  Piece *older = NULL;
  for (int i = 1; i <= n; i++) {
    Piece *piece = tp_userdata(ctx, sizeof *piece, piece_fini);
    if (piece == NULL)
      return TP_NOMEM;
    if (memcmp(piece, &zero, sizeof zero) != 0)
      return tp_fail(ctx, "testmod: user data that is not zeroed");
    piece->older = older;
    if (older != NULL)
      older->newer = 1;
    older = piece;
  }
  if (tp_toboolean(ctx, 2))
    return tp_fail(ctx, "failed with user data");
  return tp_pushinteger(ctx, n);
}

/* ------------------------------------------------------------------ */
/* Crashes                                                             */
/* ------------------------------------------------------------------ */

/* The write itself has to reach the processor, not a sanitizer's check. */
#if defined(__GNUC__)
__attribute__((no_sanitize("undefined")))
#endif
static void
write_nowhere (void) {
  static int *volatile nowhere = NULL;
  *(volatile int *)nowhere = 1;
}

static int crash (tp_Context *ctx) {
  const char *how = tp_tobytes(ctx, 1, NULL);
  if (strcmp(how, "segv") == 0)
    write_nowhere();
  else if (strcmp(how, "abort") == 0)
    abort();
  return tp_fail(ctx, "testmod: no way to crash is named '%s'", how);
}

const tp_Function tt_plain_functions[] = {
    {"test.echo", echo, "any... -> any..."},
    {"test.shared", shared, "any -> any, any"},
    {"test.add", add, "integer, integer -> integer"},
    {"test.count", count, "-> integer"},
    {"test.argcount", argcount, "any... -> integer"},
    {"test.types", types, "any... -> string..."},
    {"test.read", read_all, "any -> boolean, integer, number, string?"},
    {"test.self", self, "-> string, integer"},
    {"test.big", big, "integer -> string"},
    {"test.fail", fail, "string"},
    {"test.code", code, "integer"},
    {"test.fail_ok", fail_ok, "string -> string"},
    {"test.userdata", userdata, "integer?, boolean? -> integer"},
    {"test.crash", crash, "string"},
    {NULL, NULL, NULL}};

/* ------------------------------------------------------------------ */
/* Lua                                                                 */
/* ------------------------------------------------------------------ */

static int l_runs (lua_State *L) { return tt_readcounter(L, &runs); }

static int l_wait_runs (lua_State *L) {
  return tt_waitcounter(L, &runs, "runs of test.count");
}

static int l_destroyed (lua_State *L) {
  tt_readcounter(L, &destroyed);
  tt_readcounter(L, &disordered);
  return 2;
}

static int l_wait_destroyed (lua_State *L) {
  return tt_waitcounter(L, &destroyed, "destroyed pieces of user data");
}

static int l_now (lua_State *L) {
  lua_pushnumber(L, (lua_Number)tt_now());
  return 1;
}

const luaL_Reg tt_plain_lua[] = {{"runs", l_runs},
                                 {"wait_runs", l_wait_runs},
                                 {"destroyed", l_destroyed},
                                 {"wait_destroyed", l_wait_destroyed},
                                 {"now", l_now},
                                 {NULL, NULL}};
