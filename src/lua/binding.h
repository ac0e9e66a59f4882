/*
** binding.h: what the files of the binding offer each other.
**
** The thread that runs the Lua state. A tpi_l_ function is a lua_CFunction
** with the upvalues of state.h. Those that may block say so.
*/
#ifndef TPI_BINDING_H
#define TPI_BINDING_H

#include "api/api.h"
#include "core/functions.h"
#include "lua/state.h"

/* An AsyncManager, or a view of one: a handle and how its calls go. */
typedef struct tpi_Manager {
  tp_Manager *pool;       /* retained; NULL before opening and after __gc */
  double timeout;         /* seconds; 0 for none */
  unsigned char priority; /* a tp_Priority */
  unsigned char fails;    /* full="fail" */
  unsigned char borrowed; /* by a worker of that pool: not retained */
} tpi_Manager;

/* A Future. While it is being read, finalizers and hooks may run that clean it
   up: then the last reader lets go of it. */
typedef struct tpi_Handle {
  tpi_Future *future; /* retained; or NULL */
  tpi_Herald *herald; /* of one that is at home elsewhere; or NULL */
  unsigned readers;
  unsigned cleaned; /* up, though it may not be let go of yet */
} tpi_Handle;

#pragma GCC visibility push(hidden)

/* --- check.c --- */

/* Is the string at `index` that word, and nothing behind a zero? */
int tpi_is_word (lua_State *L, int index, const char *word);
/* Raises a text with what stands at `index`, whole, in the middle. */
int tpi_raise_about (lua_State *L, const char *before, int index,
                     const char *after);

/* --- manager.c, submit.c, options.c --- */

void tpi_open_manager (lua_State *L);
tpi_Manager *tpi_check_manager (lua_State *L, tpi_State *S, int index);
/* The manager at that index, or NULL. */
tpi_Manager *tpi_to_manager (lua_State *L, const tpi_State *S, int index);
/* Pushes a closed AsyncManager. */
tpi_Manager *tpi_push_manager_handle (lua_State *L);
/* Pushes one of that pool. */
void tpi_push_manager_of (lua_State *L, const tpi_State *S, tp_Manager *pool);

/* --- closing.c --- */

int tpi_l_wait_all (lua_State *L);
int tpi_l_shutdown (lua_State *L);
int tpi_l_close_manager (lua_State *L);

/* --- check.c --- */

/* The registered function named at `index`; raises. */
const tpi_Function *tpi_function_at (lua_State *L, int index);
/* Raises unless the arguments from `first` to the top fit; Futures, if they
   are followed, may stand for anything. */
void tpi_check_args (lua_State *L, tpi_State *S, const tpi_Function *function,
                     int first, int follows);

int tpi_l_call (lua_State *L); /* blocks while the queue is full */
int tpi_l_try_call (lua_State *L);
int tpi_l_call_many (lua_State *L); /* blocks while the queue is full */
int tpi_l_functions (lua_State *L);

extern const char *const tpi_priorities[]; /* by tp_Priority; NULL ends it */

/* What Lua adds to a pool. */
typedef struct tpi_WorkerOptions {
  int fails;           /* full = "fail" */
  int init;            /* where it stands on the stack, or 0 */
  size_t memory_limit; /* bytes, or 0 */
  int origin;
} tpi_WorkerOptions;

/* The options of AsyncManager.new, at `index` or none there. Those that are
   kept by Lua are left on the stack. */
void tpi_options_new (lua_State *L, int index, tpi_PoolOptions *options,
                      tpi_WorkerOptions *lua);
/* The options of `with`, over what the manager has. */
void tpi_options_with (lua_State *L, int index, tpi_Manager *manager);
/* The options of `shutdown`. */
void tpi_options_shutdown (lua_State *L, int index, int *drain,
                           double *timeout);

/* --- future.c --- */

void tpi_open_future (lua_State *L);
/* Pushes a Future that owns nothing yet: without a metatable, with so many
   values of its own; or with one, and none. */
static inline tpi_Handle *tpi_new_handle (lua_State *L, int values) {
  tpi_Handle *handle = lua_newuserdatauv(L, sizeof *handle, values);
  handle->future = NULL;
  handle->herald = NULL;
  handle->readers = handle->cleaned = 0;
  tpi_state_note(L);
  return handle;
}
tpi_Handle *tpi_push_future_handle (lua_State *L);
/* Pushes a Future for one that may be at home elsewhere, which it retains. */
void tpi_push_future_of (lua_State *L, tpi_State *S, tpi_Future *future);
/* The future at that index, or NULL when it is none, or was cleaned up. */
tpi_Future *tpi_to_future (lua_State *L, const tpi_State *S, int index);
int tpi_is_future (lua_State *L, const tpi_State *S, int index);
/* Around what may run finalizers, and these may clean up the very future. What
   raises in between leaves the handle as it is, and then the future goes when
   the handle is collected. */
void tpi_handle_begin (tpi_Handle *handle);
void tpi_handle_end (tpi_Handle *handle);
/* Raise for anything else. A handle stays where it is; tpi_future_at raises
   once its Future was cleaned up. */
tpi_Handle *tpi_check_handle (lua_State *L, const tpi_State *S, int index);
tpi_Future *tpi_future_at (lua_State *L, const tpi_Handle *handle);
tpi_Future *tpi_check_future (lua_State *L, const tpi_State *S, int index);

/* --- promise.c --- */

void tpi_open_promise (lua_State *L);
int tpi_l_promise (lua_State *L);
/* The promise at that index, or NULL. */
tp_Promise *tpi_to_promise (lua_State *L, const tpi_State *S, int index);
/* Pushes one, which it retains. */
void tpi_push_promise_of (lua_State *L, tpi_State *S, tp_Promise *promise);
/* ... fraction [note]: what it says of itself, from `index` on. */
void tpi_tell_progress (lua_State *L, tpi_Future *future, int index);

/* --- group.c --- */

void tpi_open_group (lua_State *L);
int tpi_l_group (lua_State *L);
int tpi_l_lookout (lua_State *L);
int tpi_l_members (lua_State *L);

/* --- slice.c --- */

int tpi_l_room (lua_State *L);
int tpi_l_slice (lua_State *L);
/* If the first of the results is a list of plain values, and the others are
   plain: puts its elements into the list at that index, from `at` on, and
   pushes the others: how many; else -1. */
int tpi_spread (lua_State *L, const tpi_List *results, int list,
                lua_Integer at);
void tpi_open_slice (lua_State *L);
/* in future.c */
int tpi_l_spread (lua_State *L);
int tpi_l_pass (lua_State *L);

/* --- results.c --- */

/* Pushes the results of the completed Future at index 1, which is being read;
   how many, or -1 with the Error of one that could not be rebuilt. */
int tpi_push_results (lua_State *L, const tpi_State *S,
                      const tpi_Handle *handle);
/* Before the Future at `index` is handed on: its results are all there. Raises
   if those of a local task cannot cross, or if sending them has cleaned it
   up. */
void tpi_restore_results (lua_State *L, tpi_Future *future, int index);

/* --- error.c --- */

void tpi_open_error (lua_State *L);
/* table -> Error, the same table */
int tpi_l_error (lua_State *L);
/* The name of what computes it, or NULL. */
static inline const char *tpi_name_of (const tpi_Future *future) {
  return future->class->name != NULL ? future->class->name(future) : NULL;
}

/* Is the value on top an Error? */
int tpi_is_error (lua_State *L, const tpi_State *S);
/* value text -> Error with that value and message. */
void tpi_make_error (lua_State *L, int kind, const char *name);
/* Error -> ; its message and itself, which are what a failure is, into the
   list. Fields of others that cannot cross stay behind, and a value that
   cannot goes as its text. Raises when out of memory. */
void tpi_send_error (lua_State *L, tpi_List *list);
/* Pushes the Error of a settled failure, the same one for the same Future
   (at `index`, or 0 for none). */
void tpi_push_failure (lua_State *L, tpi_Future *future, int index);

/* --- send.c, receive.c --- */

/* Where a key is remembered. */
static inline unsigned tpi_key_place (const char *string) {
  return (unsigned)((uintptr_t)string >> 4 ^ (uintptr_t)string >> 8) &
         (TPI_KEYS - 1);
}

/* Before the values of one list: what they share is kept within it. */
void tpi_send_begin (lua_State *L, tpi_State *S);
/* The same for the results of a future, which must not be one of them. */
void tpi_send_begin_results (lua_State *L, tpi_State *S,
                             const tpi_Future *whose);
/* After them: sends what the functions among them find in their sandboxes, and
   lets go of what had to stay meanwhile. */
void tpi_send_finish (lua_State *L, tpi_State *S, tpi_List *list);
static inline void tpi_send_end (lua_State *L, tpi_State *S, tpi_List *list) {
  if (S->kept != 0)
    tpi_send_finish(L, S, list);
}
/* Appends the Lua value at `index` to the list. Raises, with the path to it,
   when it cannot cross; `what` is what messages call it ("argument", 2), with
   number 0 if there is just one. May call Lua (__tidepool). */
void tpi_send (lua_State *L, tpi_State *S, tpi_List *list, int index,
               const char *what, int number);
/* Makes *value what stands at `index`, but for tables, functions and objects:
   TP_OK, TP_NOMEM, or TP_INVALID for those. */
int tpi_send_plain (lua_State *L, tpi_List *list, tp_Value *value, int index);
/* Pushes a userdata with an empty list, and frees what is left in it. */
tpi_List *tpi_push_list (lua_State *L);
/* Pushes all values of a list; answers how many. */
int tpi_receive (lua_State *L, const tpi_List *list);
/* As lua_pcall. What a hook has raised, which is how programs and tasks are
   interrupted, and lack of memory, pass on: then the error, which is on top,
   is to be raised, once all is in order. */
int tpi_guard (lua_State *L, tpi_State *S, int nargs, int nresults);
static inline int tpi_passes_on (const tpi_State *S, int status) {
  return status == LUA_ERRMEM || (status != LUA_OK && S->hooked);
}
/* Calls `receive` with the list as light userdata, for one result. False, with
   what was raised instead, if something could not be rebuilt; interrupts, and
   lack of memory, are raised. */
int tpi_receive_safely (lua_State *L, tpi_State *S, lua_CFunction receive,
                        const tpi_List *list);
/* Does anything in it have an identity? */
int tpi_has_table (const tpi_List *list);

/* --- closure.c --- */

/* Has the Lua function at `index` no upvalues but the globals? `alone`: no
   other function crosses with it. */
int tpi_is_plain (lua_State *L, int index, int alone);

/* --- replace.c --- */

/* C function -> C function; in a worker: what it has for one of Lua's own
   that arrived, and the reverse for one that leaves. */
void tpi_replace_arrived (lua_State *L);
void tpi_replace_leaving (lua_State *L);
/* -> ; notes those of the standard library that have upvalues, by a name as
   "math.random": in a worker at once, for tasks may change the globals; in a
   program when one of them first crosses. */
int tpi_l_standard (lua_State *L);
int tpi_standard_noted (lua_State *L);
/* Pushes the name of the function at `index`; false, and nothing, for others. */
int tpi_standard_name (lua_State *L, int index);
/* Pushes what has that name. Raises if there is none. */
void tpi_push_standard (lua_State *L, const char *name);

/* --- object.c --- */

/* Pushes the table of the module, made on first call. */
void tpi_push_module (lua_State *L);
int tpi_l_own (lua_State *L);
/* In a worker: the rest of it comes when it is looked for. */
void tpi_open_module (lua_State *L);

/* --- wait.c --- */

/* A number of seconds at `index`, `absent` if nil or none there. */
double tpi_opt_seconds (lua_State *L, int index, double absent);
/* Waits until the Future at that index has settled (TP_OK), so many seconds
   (TP_TIMEOUT; negative: for ever).
   If it can it yields, and does not return: then `k` is called, with another
   context, and has to call tpi_wait_back, which puts that right. Else it
   blocks, and runs the loop. Raises when the program is interrupted, or the
   running task was cancelled. */
int tpi_wait_for (lua_State *L, tpi_State *S, int index, double seconds,
                  lua_KContext context, lua_KFunction k);
int tpi_wait_back (lua_State *L, tpi_State *S, int index, double seconds,
                   lua_KContext *context);
/* For what mostly has nothing to wait for: raises when the running task was
   cancelled, and now and then lets others run. If that yields, it does not
   return: then `k` is called. */
void tpi_let_others (lua_State *L, tpi_State *S, lua_KContext context,
                     lua_KFunction k);
/* Does somebody else run this coroutine, who may have it wait? */
int tpi_is_outside (lua_State *L, const tpi_State *S);
/* function or nil -> ; the one that waits for coroutines of others */
int tpi_l_outside (lua_State *L);
int tpi_l_sleep (lua_State *L);
int tpi_l_timer (lua_State *L);

/* --- sleep.c --- */

/* A parker for one wait of this Lua state. */
typedef struct tpi_Sleep {
  tpi_Parker parker;
  lua_State *main;
  void (*hook)(lua_State *L, lua_Debug *ar); /* of main, before */
  int deaf; /* a hook was due before: it cannot run here */
} tpi_Sleep;
/* Before it: runs the loop for a turn. May raise, or run a hook. */
void tpi_sleep_prepare (lua_State *L, tpi_State *S);
void tpi_sleep_init (tpi_State *S, tpi_Sleep *sleep);
/* The `stop` of its parker, whose argument is the tpi_Sleep. */
int tpi_sleep_hooked (void *sleep);
/* Lets an interrupt happen, if there was one: from here on a new hook is
   another. */
void tpi_sleep_interrupt (lua_State *L, tpi_State *S);
/* After a wait that was stopped: lets the interrupt happen, if it is one, and
   collects if that is due (idle.h). */
void tpi_sleep_stopped (lua_State *L, tpi_State *S);
/* The same, but what it raises is left on top: true then. */
int tpi_sleep_interrupted (lua_State *L, tpi_State *S);

/* --- poll.c --- */

int tpi_l_poll (lua_State *L); /* blocks up to its timeout */
int tpi_l_fd (lua_State *L);

/* --- capi.c --- */

/* Fills in the parts of the C API that need a Lua state, once. */
void tpi_fill_capi (tp_Api *api);

#pragma GCC visibility pop
#endif
