/*
** tidepool.h: native functions for tidepool's worker threads.
**
** For authors of C modules. Include <lua.h> first where you want the parts
** that touch a Lua state (tp_open, tp_register, tp_lua_*). Nothing here is
** linked against: every call goes through a table of functions that tp_open
** fetches from the loaded "tidepool" module.
**
** Threads. A function you register runs on a worker thread, many at a time,
** and never sees a Lua state. A tp_Context belongs to the thread it was
** given to. Futures, promises and managers may be used from any thread.
**
** Memory. Arguments are borrowed: they stay valid until your function
** returns. What you push is copied, unless the call says that it moves.
** "retain" and "release" name shared ownership; "take" means that the callee
** owns the thing from then on.
**
** Errors. Pushes and allocations that fail for lack of memory are
** remembered by the context and fail the whole task with "out of memory";
** checking each of them is allowed and never needed.
**
** Available since 0.1.0 unless an entry says otherwise.
*/
#ifndef TIDEPOOL_H
#define TIDEPOOL_H

#include <stddef.h>
#include <stdint.h>

#define TIDEPOOL_VERSION "0.1.0"

/* Counts up when the table below grows. It only ever grows at its end. */
#define TP_API_VERSION 1

struct lua_State;

typedef struct tp_Api tp_Api;
typedef struct tp_Future tp_Future;
typedef struct tp_Promise tp_Promise;
typedef struct tp_Manager tp_Manager;
typedef struct tp_Table tp_Table;

/* What a call answers. Zero is success everywhere. */
enum {
  TP_OK = 0,
  TP_FAILED,    /* tp_fail was called, or the awaited task failed */
  TP_NOMEM,     /* out of memory */
  TP_FULL,      /* the queue is full and the call would not wait */
  TP_CLOSED,    /* the manager was shut down */
  TP_TIMEOUT,   /* the time given ran out */
  TP_CANCELLED, /* the task was cancelled */
  TP_BROKEN,    /* dropped promise, or a manager from before a fork */
  TP_UNKNOWN,   /* no function of that name */
  TP_TAKEN,     /* the name belongs to something else */
  TP_INVALID,   /* an argument is out of its range */
  TP_TRANSFER   /* a value cannot cross */
};

/* ------------------------------------------------------------------ */
/* Values                                                              */
/* ------------------------------------------------------------------ */

typedef enum tp_Type {
  TP_TNIL,
  TP_TBOOLEAN,
  TP_TINTEGER,
  TP_TFLOAT,
  TP_TBYTES,
  TP_TTABLE,
  TP_TFUTURE,
  TP_TMANAGER,
  TP_TFUNCTION, /* a function of Lua: to be passed on, not to be called */
  TP_TOTHER     /* what only Lua can make use of: to be passed on */
} tp_Type;

/*
** One value, owned by the list it stands in. Read it through the functions
** below; the layout is fixed so that they can be inlined.
*/
typedef struct tp_Value {
  uint64_t tag; /* type in bits 0-3, private flags in 4-7, size above */
  union {
    int boolean;
    int64_t integer;
    double number;
    const char *bytes;
    tp_Table *table;
    void *object;
  } as;
} tp_Value;

/* A table in transit: an array part 1..length and a list of pairs. */
struct tp_Table {
  const tp_Value *array; /* length values */
  const tp_Value *map;   /* pairs * 2 values: key, value, key, value */
  size_t length;
  size_t pairs;
};

/* The type of a value. NULL, as of a field that is not there, reads as nil,
   here and below. */
static inline tp_Type tp_typeof (const tp_Value *v) {
  return v != NULL ? (tp_Type)(v->tag & 15u) : TP_TNIL;
}

/* False for nil and false, true for everything else, as in Lua. */
static inline int tp_booleanof (const tp_Value *v) {
  tp_Type t = tp_typeof(v);
  return t == TP_TBOOLEAN ? v->as.boolean : t != TP_TNIL;
}

/* An integer, or a float cut towards zero (0 when out of range); else 0. */
static inline int64_t tp_integerof (const tp_Value *v) {
  switch (tp_typeof(v)) {
    case TP_TINTEGER: return v->as.integer;
    case TP_TFLOAT:
      return v->as.number >= -9223372036854775808.0 &&
                     v->as.number < 9223372036854775808.0
                 ? (int64_t)v->as.number
                 : 0;
    default: return 0;
  }
}

/* A number as a float; 0 for what is not a number. */
static inline double tp_numberof (const tp_Value *v) {
  switch (tp_typeof(v)) {
    case TP_TINTEGER: return (double)v->as.integer;
    case TP_TFLOAT: return v->as.number;
    default: return 0;
  }
}

/*
** The bytes of a string, followed by a zero byte that does not count; NULL
** and length 0 for what is not a string. `len` may be NULL.
*/
static inline const char *tp_bytesof (const tp_Value *v, size_t *len) {
  int is = tp_typeof(v) == TP_TBYTES;
  if (len != NULL)
    *len = is ? (size_t)(v->tag >> 8) : 0;
  return is ? v->as.bytes : NULL;
}

/* A table to walk in place, or NULL. */
static inline const tp_Table *tp_tableof (const tp_Value *v) {
  return tp_typeof(v) == TP_TTABLE ? v->as.table : NULL;
}

/* ------------------------------------------------------------------ */
/* The context                                                         */
/* ------------------------------------------------------------------ */

/*
** What a running function sees: arguments to read, results to push. The
** same type, made by tp_values, collects the arguments of a call or the
** results of a promise. `nargs` and `args` are for tp_argcount and tp_arg.
*/
typedef struct tp_Context {
  const tp_Api *api;
  const tp_Value *args;
  int nargs;
} tp_Context;

/*
** A function for the pool. Push results and return TP_OK, or
** `return tp_fail(ctx, ...)`. Any other number is a failure that says so.
*/
typedef int (*tp_Entry)(tp_Context *ctx);

/*
** One row of a registration list, which ends with a row of NULLs. All three
** must live for ever (string literals do).
**
** signature: "integer, bytes? -> string", checked in the caller before
** anything is queued. Types: any, boolean, bytes (or string), future,
** integer, manager, nil, number, table. "?" after a type allows nil or
** nothing; "..." after the last allows any number of it; results are for
** the reader. NULL accepts anything.
*/
typedef struct tp_Function {
  const char *name;
  tp_Entry run;
  const char *signature;
} tp_Function;

typedef enum tp_Priority { TP_NORMAL, TP_HIGH, TP_LOW } tp_Priority;

/*
** Told once, on the thread that settled the future, when it has settled.
** Keep it short; it must not block. Read the outcome with tp_result and
** tp_failure. The future is borrowed until it returns.
*/
typedef void (*tp_Callback)(tp_Future *future, void *userdata);

/* How to submit a call from C. All zero is a normal call that waits. */
typedef struct tp_CallOptions {
  double timeout; /* seconds the task may take; 0 for no limit */
  tp_Priority priority;
  int nowait;           /* true: answer TP_FULL instead of waiting */
  tp_Callback callback; /* or NULL */
  void *userdata;       /* for the callback */
} tp_CallOptions;

/* Why a future has no results. `kind` is "error", "cancelled", "timeout",
   "closed", "broken" or "transfer"; all are borrowed from the future. */
typedef struct tp_Failure {
  const char *kind;
  const char *message; /* zero-terminated */
  size_t length;
} tp_Failure;

/* The table behind everything below. Call the wrappers, not the members. */
struct tp_Api {
  unsigned version;
  size_t size;
  /* registration and Lua states */
  int (*do_register)(const tp_Function *functions, const void *where,
                     char *error, size_t room);
  tp_Promise *(*lua_promise)(struct lua_State *L);
  void (*lua_pushfuture)(struct lua_State *L, tp_Future *future);
  tp_Future *(*lua_checkfuture)(struct lua_State *L, int index);
  tp_Manager *(*lua_checkmanager)(struct lua_State *L, int index);
  /* building values */
  int (*pushvalue)(tp_Context *ctx, const tp_Value *value);
  int (*pushcopy)(tp_Context *ctx, const tp_Value *value);
  int (*pushscalar)(tp_Context *ctx, tp_Value value);
  int (*pushbytes)(tp_Context *ctx, const char *bytes, size_t length);
  char *(*pushbuffer)(tp_Context *ctx, size_t length);
  int (*pushfuture)(tp_Context *ctx, tp_Future *future);
  int (*opentable)(tp_Context *ctx, size_t narray, size_t npairs);
  int (*key)(tp_Context *ctx);
  int (*closetable)(tp_Context *ctx);
  tp_Future *(*futureof)(const tp_Value *value);
  tp_Manager *(*managerof)(const tp_Value *value);
  /* the running task */
  int (*fail)(tp_Context *ctx, const char *format, ...);
  int (*cancelled)(tp_Context *ctx);
  int (*wait_cancelled)(tp_Context *ctx, double seconds);
  void (*progress)(tp_Context *ctx, double fraction, const char *note);
  void *(*userdata)(tp_Context *ctx, size_t size, void (*fini)(void *));
  int (*await)(tp_Context *ctx, tp_Future *future);
  uint64_t (*id)(tp_Context *ctx);
  const char *(*name)(tp_Context *ctx);
  tp_Manager *(*manager)(tp_Context *ctx);
  /* any thread */
  tp_Context *(*values)(void);
  void (*discard)(tp_Context *values);
  int (*submit)(tp_Manager *manager, const char *function, tp_Context *args,
                const tp_CallOptions *options, tp_Future **future);
  void (*manager_retain)(tp_Manager *manager);
  void (*manager_release)(tp_Manager *manager);
  void (*future_retain)(tp_Future *future);
  void (*future_release)(tp_Future *future);
  int (*future_settled)(tp_Future *future);
  int (*future_cancel)(tp_Future *future, const char *reason);
  int (*future_wait)(tp_Future *future, double seconds);
  int (*future_then)(tp_Future *future, tp_Callback callback, void *ud);
  int (*resultcount)(tp_Future *future);
  const tp_Value *(*result)(tp_Future *future, int i);
  int (*failure)(tp_Future *future, tp_Failure *failure);
  tp_Promise *(*promise)(tp_Future **future);
  int (*resolve)(tp_Promise *promise, tp_Context *values);
  int (*reject)(tp_Promise *promise, const char *message);
  int (*promise_cancelled)(tp_Promise *promise);
  void (*promise_progress)(tp_Promise *promise, double fraction,
                           const char *note);
  void (*promise_retain)(tp_Promise *promise);
  void (*promise_release)(tp_Promise *promise);
};

/* ------------------------------------------------------------------ */
/* Reading arguments (in a function; never blocks, never fails)         */
/* ------------------------------------------------------------------ */

/* How many arguments the call had. */
static inline int tp_argcount (const tp_Context *ctx) { return ctx->nargs; }

/* Argument i, counted from 1; the nil value outside. Never NULL. */
static inline const tp_Value *tp_arg (const tp_Context *ctx, int i) {
  static const tp_Value nil = {TP_TNIL, {0}};
  return i >= 1 && i <= ctx->nargs ? ctx->args + (i - 1) : &nil;
}

/* The typed reads of section Values, by argument number. */
static inline tp_Type tp_type (const tp_Context *ctx, int i) {
  return tp_typeof(tp_arg(ctx, i));
}
static inline int tp_toboolean (const tp_Context *ctx, int i) {
  return tp_booleanof(tp_arg(ctx, i));
}
static inline int64_t tp_tointeger (const tp_Context *ctx, int i) {
  return tp_integerof(tp_arg(ctx, i));
}
static inline double tp_tonumber (const tp_Context *ctx, int i) {
  return tp_numberof(tp_arg(ctx, i));
}
static inline const char *tp_tobytes (const tp_Context *ctx, int i,
                                      size_t *len) {
  return tp_bytesof(tp_arg(ctx, i), len);
}
static inline const tp_Table *tp_totable (const tp_Context *ctx, int i) {
  return tp_tableof(tp_arg(ctx, i));
}

/* Element i of the array part, counted from 1; NULL outside. NULL for a table
   is one without elements, here and below. */
static inline const tp_Value *tp_item (const tp_Table *t, size_t i) {
  return t != NULL && i >= 1 && i <= t->length ? t->array + (i - 1) : NULL;
}

/* Key and value of pair i of the map part, 1 to t->pairs, in no order. */
static inline const tp_Value *tp_pairkey (const tp_Table *t, size_t i) {
  return t != NULL && i >= 1 && i <= t->pairs ? t->map + 2 * (i - 1) : NULL;
}
static inline const tp_Value *tp_pairvalue (const tp_Table *t, size_t i) {
  return t != NULL && i >= 1 && i <= t->pairs ? t->map + 2 * (i - 1) + 1 : NULL;
}

/* The field of that name, or NULL. Walks the pairs: for small tables. */
static inline const tp_Value *tp_field (const tp_Table *t, const char *name) {
  for (size_t i = 1; t != NULL && name != NULL && i <= t->pairs; i++) {
    size_t len, k = 0;
    const char *key = tp_bytesof(tp_pairkey(t, i), &len);
    if (key == NULL)
      continue;
    while (k < len && name[k] != '\0' && key[k] == name[k])
      k++;
    if (k == len && name[k] == '\0')
      return tp_pairvalue(t, i);
  }
  return NULL;
}

/* The future or manager a value refers to, borrowed; else NULL. */
static inline tp_Future *tp_futureof (tp_Context *ctx, const tp_Value *v) {
  return ctx->api->futureof(v);
}
static inline tp_Manager *tp_managerof (tp_Context *ctx, const tp_Value *v) {
  return ctx->api->managerof(v);
}

/* ------------------------------------------------------------------ */
/* Pushing results (never blocks)                                       */
/* ------------------------------------------------------------------ */

/*
** Each answers TP_OK; TP_NOMEM when out of memory; TP_INVALID for what has no
** place there (a nil for a key, a table too deep); TP_FAILED after tp_fail.
** All but TP_OK fail the task and say why, so few functions need to look.
*/

static inline int tp_pushnil (tp_Context *ctx) {
  tp_Value v = {TP_TNIL, {0}};
  return ctx->api->pushscalar(ctx, v);
}
static inline int tp_pushboolean (tp_Context *ctx, int boolean) {
  tp_Value v = {TP_TBOOLEAN, {0}};
  v.as.boolean = boolean != 0;
  return ctx->api->pushscalar(ctx, v);
}
static inline int tp_pushinteger (tp_Context *ctx, int64_t integer) {
  tp_Value v = {TP_TINTEGER, {0}};
  v.as.integer = integer;
  return ctx->api->pushscalar(ctx, v);
}
static inline int tp_pushnumber (tp_Context *ctx, double number) {
  tp_Value v = {TP_TFLOAT, {0}};
  v.as.number = number;
  return ctx->api->pushscalar(ctx, v);
}

/* Copies `length` bytes, zeros included. NULL has none: anything but length 0
   is TP_INVALID. */
static inline int tp_pushbytes (tp_Context *ctx, const char *bytes,
                                size_t length) {
  return ctx->api->pushbytes(ctx, bytes, length);
}

/* Copies a zero-terminated string; NULL is nil. */
static inline int tp_pushstring (tp_Context *ctx, const char *string) {
  size_t n = 0;
  if (string == NULL)
    return tp_pushnil(ctx);
  while (string[n] != '\0')
    n++;
  return ctx->api->pushbytes(ctx, string, n);
}

/*
** Pushes a string of `length` bytes and answers where to write them, until
** the function returns: no copy at all. Write them all: what they hold before
** is not defined. NULL when out of memory.
*/
static inline char *tp_pushbuffer (tp_Context *ctx, size_t length) {
  return ctx->api->pushbuffer(ctx, length);
}

/* Moves a value of the arguments, nested or not, into the results: strings
   and tables are shared, not copied. NULL is nil, here and in tp_pushcopy. */
static inline int tp_pushvalue (tp_Context *ctx, const tp_Value *value) {
  return ctx->api->pushvalue(ctx, value);
}
static inline int tp_pusharg (tp_Context *ctx, int i) {
  return ctx->api->pushvalue(ctx, tp_arg(ctx, i));
}

/* Copies a value from anywhere, tables and all: for what is not an argument
   of this function. Long strings are shared. */
static inline int tp_pushcopy (tp_Context *ctx, const tp_Value *value) {
  return ctx->api->pushcopy(ctx, value);
}

/* Pushes a reference to a future, retained; NULL is nil. */
static inline int tp_pushfuture (tp_Context *ctx, tp_Future *future) {
  return ctx->api->pushfuture(ctx, future);
}

/*
** Builds a table in place. Between opentable and closetable each push adds
** an element to the array part, or, after tp_key, the value of that key:
**   tp_opentable(ctx, 2, 1);
**   tp_pushinteger(ctx, 1); tp_pushinteger(ctx, 2);   -- {1, 2, name = "n"}
**   tp_key(ctx, "name"); tp_pushstring(ctx, "n");
**   tp_closetable(ctx);
** The sizes are hints. Tables nest to a depth of 200. A nil is a hole in
** the array part; a key with a nil value is left out.
*/
static inline int tp_opentable (tp_Context *ctx, size_t narray, size_t npairs) {
  return ctx->api->opentable(ctx, narray, npairs);
}
static inline int tp_closetable (tp_Context *ctx) {
  return ctx->api->closetable(ctx);
}

/* The next push is a key (not nil, not NaN), the one after it its value. */
static inline int tp_pushkey (tp_Context *ctx) { return ctx->api->key(ctx); }

/* The next push is the value of this string key. */
static inline int tp_key (tp_Context *ctx, const char *name) {
  int rc = ctx->api->key(ctx);
  return rc != TP_OK ? rc : tp_pushstring(ctx, name);
}

/* ------------------------------------------------------------------ */
/* The running task                                                    */
/* ------------------------------------------------------------------ */

/*
** Fails the task with a message in the manner of printf and answers
** TP_FAILED, to be returned. Results pushed so far are dropped. A format that
** is NULL gives a message that says so.
*/
#define tp_fail(ctx, ...) ((ctx)->api->fail((ctx), __VA_ARGS__))

/* Was this task cancelled, or is its time over? Cheap; ask often. */
static inline int tp_cancelled (tp_Context *ctx) {
  return ctx->api->cancelled(ctx);
}

/* Sleeps up to `seconds` (negative: for ever). True as soon as the task is
   cancelled or its time is over, false when the seconds have passed. */
static inline int tp_wait_cancelled (tp_Context *ctx, double seconds) {
  return ctx->api->wait_cancelled(ctx, seconds);
}

/* Tells Future:progress(): a fraction from 0 to 1 and a note of up to 63
   bytes (the rest is cut), or NULL for none. */
static inline void tp_progress (tp_Context *ctx, double fraction,
                                const char *note) {
  ctx->api->progress(ctx, fraction, note);
}

/*
** Zeroed memory for this call, freed when the function has returned, after
** `fini` (or NULL) was called with it, in reverse order of making. NULL when
** out of memory: fini is not called then.
*/
static inline void *tp_userdata (tp_Context *ctx, size_t size,
                                 void (*fini)(void *)) {
  return ctx->api->userdata(ctx, size, fini);
}

/*
** Waits for another future. Blocks, but not the pool: an unclaimed task is
** run right here, to a depth of 32; else a spare worker stands in. TP_OK,
** TP_FAILED (read tp_failure), TP_CANCELLED when this task was cancelled,
** TP_INVALID for a task that awaits itself, or NULL.
*/
static inline int tp_await (tp_Context *ctx, tp_Future *future) {
  return ctx->api->await(ctx, future);
}

/* The id, function name and manager (borrowed) of the running task; 0 and
   NULL in a context that only collects values. */
static inline uint64_t tp_id (tp_Context *ctx) { return ctx->api->id(ctx); }
static inline const char *tp_name (tp_Context *ctx) {
  return ctx->api->name(ctx);
}
static inline tp_Manager *tp_manager (tp_Context *ctx) {
  return ctx->api->manager(ctx);
}

/* ------------------------------------------------------------------ */
/* From any thread                                                     */
/* ------------------------------------------------------------------ */

/* A context to push arguments or results on; NULL when out of memory. */
static inline tp_Context *tp_values (const tp_Api *api) {
  return api->values();
}

/* Frees a context that was not taken; NULL is nothing. */
static inline void tp_discard (const tp_Api *api, tp_Context *values) {
  api->discard(values);
}

/*
** Calls a registered function. Takes `args` (NULL for none) whatever it
** answers. Blocks while the queue is full, unless options->nowait. On TP_OK
** *future is a reference of the caller's, to be released; pass NULL for none.
** Signatures are checked: TP_TRANSFER when the arguments break them. NULL for
** a manager is TP_INVALID, for a function TP_UNKNOWN.
*/
static inline int tp_submit (const tp_Api *api, tp_Manager *manager,
                             const char *function, tp_Context *args,
                             const tp_CallOptions *options,
                             tp_Future **future) {
  return api->submit(manager, function, args, options, future);
}

/* Shared ownership. A manager that is retained is not closed by collection;
   a shutdown closes it all the same. To retain or release NULL is nothing,
   here and for futures and promises. */
static inline void tp_manager_retain (const tp_Api *api, tp_Manager *m) {
  api->manager_retain(m);
}
static inline void tp_manager_release (const tp_Api *api, tp_Manager *m) {
  api->manager_release(m);
}
static inline void tp_future_retain (const tp_Api *api, tp_Future *future) {
  api->future_retain(future);
}
static inline void tp_future_release (const tp_Api *api, tp_Future *future) {
  api->future_release(future);
}

/* Has it settled? */
static inline int tp_settled (const tp_Api *api, tp_Future *future) {
  return api->future_settled(future);
}

/* Cancels; true when this call settled it. `reason` may be NULL. */
static inline int tp_cancel (const tp_Api *api, tp_Future *future,
                             const char *reason) {
  return api->future_cancel(future, reason);
}

/* Blocks up to `seconds` (negative: for ever): has it settled? For threads
   of your own; in a task use tp_await. */
static inline int tp_wait (const tp_Api *api, tp_Future *future,
                           double seconds) {
  return api->future_wait(future, seconds);
}

/* Calls back when it settles, at once if it has. TP_OK or TP_NOMEM. */
static inline int tp_then (const tp_Api *api, tp_Future *future,
                           tp_Callback callback, void *userdata) {
  return api->future_then(future, callback, userdata);
}

/* Results of a completed future, counted from 1, borrowed while it is
   retained. None and NULL for any other. */
static inline int tp_resultcount (const tp_Api *api, tp_Future *future) {
  return api->resultcount(future);
}
static inline const tp_Value *tp_result (const tp_Api *api, tp_Future *future,
                                         int i) {
  return api->result(future, i);
}

/* Did it fail, or was it cancelled? Fills *failure, which may be NULL. */
static inline int tp_failure (const tp_Api *api, tp_Future *future,
                              tp_Failure *failure) {
  return api->failure(future, failure);
}

/*
** A future that your code settles. Both belong to the caller: release each.
** NULL when out of memory. A promise released unsettled by its last owner
** fails its future with kind "broken".
*/
static inline tp_Promise *tp_promise (const tp_Api *api, tp_Future **future) {
  return api->promise(future);
}

/* Settles with what was pushed (NULL for no result). Takes `values` whatever
   it answers: true when this call settled the future. */
static inline int tp_resolve (const tp_Api *api, tp_Promise *promise,
                              tp_Context *values) {
  return api->resolve(promise, values);
}

/* Fails the future with kind "error" and a copy of the message; NULL gives one
   that says so. */
static inline int tp_reject (const tp_Api *api, tp_Promise *promise,
                             const char *message) {
  return api->reject(promise, message);
}

/* Has somebody cancelled the future, so that the work can stop? */
static inline int tp_promise_cancelled (const tp_Api *api,
                                        tp_Promise *promise) {
  return api->promise_cancelled(promise);
}
static inline void tp_promise_progress (const tp_Api *api, tp_Promise *promise,
                                        double fraction, const char *note) {
  api->promise_progress(promise, fraction, note);
}
static inline void tp_promise_retain (const tp_Api *api, tp_Promise *p) {
  api->promise_retain(p);
}
static inline void tp_promise_release (const tp_Api *api, tp_Promise *p) {
  api->promise_release(p);
}

/* ------------------------------------------------------------------ */
/* With a Lua state (include <lua.h> first)                             */
/* ------------------------------------------------------------------ */
#ifdef lua_h

/*
** Fetches the table from the "tidepool" module, which it requires. Raises
** when that is missing or older than this header. Call it in luaopen_*.
*/
static inline const tp_Api *tp_open (lua_State *L) {
  const tp_Api *api;
  lua_getglobal(L, "require");
  lua_pushliteral(L, "tidepool");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "api");
  api = (const tp_Api *)lua_touserdata(L, -1);
  lua_pop(L, 2);
  if (api == NULL || api->version < TP_API_VERSION) {
    lua_pushfstring(L,
                    "this module needs tidepool with C API %d, found %d; "
                    "upgrade tidepool",
                    TP_API_VERSION, api == NULL ? 0 : (int)api->version);
    lua_error(L);
  }
  return api;
}

/*
** Registers a list of functions for the whole process, for ever, and pins
** the shared object that `functions` stands in: it is never unmapped. Raises
** when a name is taken by another function or a signature is malformed.
** Registering the same functions again is nothing. Initialise the libraries
** your functions use before you call it: what they leave to atexit then
** runs after tidepool has stopped its workers.
*/
static inline void tp_register (lua_State *L, const tp_Api *api,
                                const tp_Function *functions) {
  char error[256];
  if (api->do_register(functions, functions, error, sizeof error) != TP_OK) {
    lua_pushstring(L, error);
    lua_error(L);
  }
}

/* Pushes a new Future on the Lua stack and answers the promise that settles
   it, owned by the caller. Raises when out of memory. */
static inline tp_Promise *tp_lua_promise (lua_State *L, const tp_Api *api) {
  return api->lua_promise(L);
}

/* Pushes a Future for `future`, which it retains. */
static inline void tp_lua_pushfuture (lua_State *L, const tp_Api *api,
                                      tp_Future *future) {
  api->lua_pushfuture(L, future);
}

/* The future or manager at that index of the Lua stack, borrowed while the
   Lua value lives; raises for anything else. */
static inline tp_Future *tp_lua_checkfuture (lua_State *L, const tp_Api *api,
                                             int index) {
  return api->lua_checkfuture(L, index);
}
static inline tp_Manager *tp_lua_checkmanager (lua_State *L, const tp_Api *api,
                                               int index) {
  return api->lua_checkmanager(L, index);
}

#endif /* lua_h */
#endif /* TIDEPOOL_H */
