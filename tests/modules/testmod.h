/*
** testmod.h: what the files of the test module share.
**
** testmod is a module of a user's kind (it sees tidepool.h alone) that gives
** the specs functions to call on a pool and a hand on what these do: gates
** to hold them at, counts of what happened, threads and Lua states of its
** own. Specs wait for events, never for a length of time; whatever blocks
** here gives up after LIMIT seconds with an error that says what it missed.
**
** Gates, counters and slots are process-wide: workers and many Lua states
** use them at once. One mutex guards them all, one condition tells that any
** of them changed. No call into tidepool is made under that mutex.
*/
#ifndef TESTMOD_H
#define TESTMOD_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <lua.h>

#include <lauxlib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include <tidepool.h>

#define LIMIT 30.0

/* ---- testmod_events.c: any thread ---- */

/* A count that can be waited for. Zero-initialised; counting takes the lock
   only while somebody waits. */
typedef struct Counter {
  atomic_llong count;
  atomic_int waiting;
} Counter;

void tt_lock (void);
void tt_unlock (void);

/* Tells everybody who waits that something changed. */
void tt_tell_locked (void);

/* Sleeps until something changed; false once LIMIT seconds have passed since
   the deadline was taken. */
struct timespec tt_deadline (void);
int tt_sleep_locked (const struct timespec *deadline);

void tt_count (Counter *counter);

/* The Lua functions of a counter: its value, set to zero on true as their
   argument; and the wait until it has reached an integer, or an error. */
int tt_readcounter (lua_State *L, Counter *counter);
int tt_waitcounter (lua_State *L, Counter *counter, const char *what);

/* Starts a thread with all signals blocked: they are for the program's own
   threads. 0 or an error number. */
int tt_thread (pthread_t *thread, void *(*run)(void *), void *arg);

/* Runs something on a new thread and waits for its end: 0, an error number,
   or ETIMEDOUT after LIMIT; then the thread still runs and uses `arg`. */
int tt_errand (void (*run)(void *), void *arg);

/* A monotonic clock, and a sleep that no signal shortens. */
double tt_now (void);
void tt_pause (double seconds);

/* Enters a gate that nobody has to open, so that specs can see it. */
void tt_enter (const char *gate);

/* Enters a gate and waits until it is open: false after LIMIT. */
int tt_pass (const char *gate);

/* Counts a task that noticed that it was cancelled. */
void tt_notice (void);

/* ---- testmod_values.c ---- */

/* The table of tidepool's C API. Any thread, once the module is open. */
const tp_Api *tt_api (void);
void tt_setapi (const tp_Api *api);

/* The values from..to of the Lua stack as a context of values, owned by the
   caller; raises for what it cannot send. */
tp_Context *tt_collect (lua_State *L, int from, int to);

/* The name of an answer of the C API: "ok", "full", "closed", ... */
const char *tt_codename (int code);

/* ---- lists that make up the module ---- */

extern const tp_Function tt_plain_functions[];  /* testmod_functions.c */
extern const tp_Function tt_table_functions[];  /* testmod_tables.c */
extern const tp_Function tt_abuse_functions[];  /* testmod_abuse.c */
extern const tp_Function tt_null_functions[];   /* testmod_nulls.c */
extern const tp_Function tt_event_functions[];  /* testmod_events.c */
extern const tp_Function tt_future_functions[]; /* testmod_futures.c */

extern const luaL_Reg tt_plain_lua[];
extern const luaL_Reg tt_event_lua[];
extern const luaL_Reg tt_future_lua[];
extern const luaL_Reg tt_promise_lua[]; /* testmod_promises.c */
extern const luaL_Reg tt_state_lua[];   /* testmod_states.c */
extern const luaL_Reg tt_memory_lua[];  /* testmod_memory.c */
extern const luaL_Reg tt_process_lua[]; /* testmod_process.c */

/* Creates the metatables of these files. */
void tt_promise_open (lua_State *L);
void tt_state_open (lua_State *L);

#endif
