/*
** place.h: a Lua state in which tasks run as coroutines.
**
** The thread that runs the Lua state, but for what says otherwise. That of a
** worker is made by the worker's first Lua task and closed when the worker
** leaves; that of a program has a Place, its loop, from the first coroutine on
** that it spawns. Each task runs as a coroutine, the base of its Fiber. Fibers
** are recycled; bases in a worker, as long as nobody can tell.
**
** Tasks of a pool come to a worker. Local ones are spawned by Lua code and
** stay in its Lua state (local.h). A task that has run has a fiber, and the
** fibers that it spawned are its children, until it ends.
**
** A worker owns coroutine.resume, wrap and close (coroutine.c), so that an
** await in a coroutine of the task's own yields through it: `yields` says
** that a yield is of that sort, or that the task is to be closed, and whoever
** resumed the coroutine that yielded so yields as well, down to the base.
** `current` of the pulse is the innermost coroutine that we know to run;
** when another one runs (C code has resumed it), or one of those below it
** cannot yield (`rigid`), awaiting blocks instead.
*/
#ifndef TPI_PLACE_H
#define TPI_PLACE_H

#include "core/parked.h"
#include "core/waits.h"
#include "lua/binding.h"
#include "lua/code.h"
#include "lua/pulse.h"

typedef struct tpi_Place tpi_Place;
typedef struct tpi_Fiber tpi_Fiber;

/* A task that runs a Lua function. */
typedef struct tpi_LuaTask {
  tpi_Task task;               /* its code, if it has one, is retained */
  _Atomic(tpi_Pulse *) runner; /* of who runs it; stays when it is parked */
  tpi_Fiber *fiber; /* the owner's; while it is parked, or not yet begun */
  int plain;        /* the function is not among its arguments */
  int local;        /* reference of its Future; 0 for a task of a pool */
  atomic_uchar kin; /* one of the below: what its children know */
  char *origin;     /* owned: a traceback, or NULL */
} tpi_LuaTask;

/*
** A task that was cancelled takes its children along, but who cancels it may be
** on another thread, where it has no fiber. From then on (TPI_CANCELS) until
** its worker has cancelled them (TPI_TOOK_ALONG) the pulse counts it.
*/
enum { TPI_CHILDLESS, TPI_PARENTAL, TPI_CANCELS, TPI_TOOK_ALONG };

#define TPI_STRAY_YIELD "attempt to yield from outside a coroutine"

/* Why a coroutine has yielded to us. */
enum { TPI_NOT, TPI_AWAITING, TPI_CLOSING };

/* Since when something may still go on; `since` is 0 if it does not have to
   end. Measured in processor time: a machine that is busy, or was stopped, does
   not shorten it. */
typedef struct tpi_Grace {
  uint64_t since; /* by the clock */
  uint64_t used;  /* of a processor, until then */
} tpi_Grace;

struct tpi_Fiber {
  tpi_Parked parked;       /* these two are filled in for each wait; */
  tpi_Admission admission; /* ...at the door of a pool */
  tpi_Fiber *next;         /* of the free ones, or of links to be called off */
  tpi_Place *place;
  tpi_LuaTask *task;
  tpi_Future *alarm;  /* of an await with a timeout, or NULL */
  tpi_Future *before; /* retained: if it is cancelled before it begins, so is
                         that, unless somebody waits for it; or NULL */
  lua_State *base;    /* from its beginning on */
  int reference;      /* of the base, in the registry */
  int started;
  int tied;            /* parked, and not yet untied */
  int pause;           /* it goes on at the next turn */
  int door;            /* it waits at one */
  int outcome;         /* what waiting came to */
  int sends;           /* what it raises is about values crossing */
  int failed;          /* it has raised */
  int follows;         /* ...because a future that it follows was cancelled */
  int exposed;         /* somebody may have kept its base */
  int rigid;           /* a coroutine below `current` cannot yield */
  tpi_Grace held;      /* that waits for a __close */
  tpi_Grace told;      /* it was interrupted */
  int renewed;         /* ...and its time began anew */
  tpi_Grace closing;   /* it, or a handler of it, was given up */
  lua_State *given_up; /* which coroutine is being closed then */
  tpi_Fiber *below;    /* while it runs on top of another one */
  tpi_Fiber *parent;   /* whose child it is, or NULL */
  tpi_Fiber *children; /* the youngest */
  tpi_Fiber *older, *younger;
};

/* A coroutine of a worker whose task has ended; nobody has it but us. */
typedef struct tpi_Base {
  lua_State *L;
  int reference;
} tpi_Base;

enum { TPI_MOST_FREE = 256 }; /* fibers, and bases, kept for the next tasks */

struct tpi_Place {
  lua_State *L; /* runs nothing but what belongs to no task */
  tpi_State *S;
  tpi_Worker *worker;            /* or NULL: it is a program's */
  tpi_Pulse *pulse;              /* likewise */
  _Atomic(lua_State *) *current; /* of the pulse; `here` in a program */
  _Atomic(lua_State *) here;
  tpi_Fiber *fiber; /* the one that runs, innermost on the C stack */
  tpi_Fiber *free;
  unsigned free_count, base_count;
  tpi_Base bases[TPI_MOST_FREE];
  int exposed;         /* C code may see, or has seen, any base */
  int body;            /* reference of what runs in them, or 0 */
  tpi_Item parked;     /* a program's: those that wait, or have not begun */
  unsigned depth;      /* a program's: tasks on top of each other */
  unsigned generation; /* a program's: the process it was made in */
  int yields;
  lua_Hook hook; /* of a coroutine that must not yield, and what it is for, */
  int mask, count; /* ...until it is told so */
  int warns, warning; /* warnings are on; one has begun */
  char *broken;       /* why it could not be made, or NULL */
  size_t used, limit;
  int denied;     /* the last request of memory, because of the limit */
  int ran_out;    /* a task has, since the last full collection... */
  int full;       /* ...which left little */
  size_t reserve; /* for what is not the task's own doing, past the limit */
  char past[128]; /* what an error past it says */
  char ring[256]; /* the text of an error about to be raised */
};

/* What a pool gives the places of its workers. */
typedef struct tpi_Kit {
  tpi_List values; /* {path =, cpath =, preload =, init =} */
  size_t limit;    /* bytes of a Lua state; 0 for none */
  int origins;     /* tasks note where they were made */
  int fails;       /* full = "fail", but for views that say otherwise */
} tpi_Kit;

#pragma GCC visibility push(hidden)

extern const tpi_TaskClass tpi_lua_task;

/* --- place.c --- */

/* The place of a worker, made if need be; NULL when out of memory. */
tpi_Place *tpi_place_of (tpi_Worker *worker);
/* No task runs, and the last has run out of memory: collects everything. If that
   does not help, for the second time, closes the Lua state: the next task has
   another one. */
void tpi_place_relieve (tpi_Place *place);
/* Of a Lua state that is a worker's: the lowest bit is coroutine.c's. */
static inline tpi_Place *tpi_place_at (lua_State *L) {
  return (tpi_Place *)(*(uintptr_t *)lua_getextraspace(L) & ~(uintptr_t)1);
}

static inline tpi_Future *tpi_fiber_future (const tpi_Fiber *fiber) {
  return &fiber->task->task.future;
}

/* Is it that fiber's turn, and its base that runs? In a program anybody may
   resume, or close, a coroutine that awaits. */
static inline int tpi_fiber_runs (const tpi_Fiber *fiber, lua_State *L) {
  return fiber != NULL && fiber->base == L;
}

/* Marks a coroutine that yielded to wait: nobody else may resume it. */
static inline void tpi_set_waiting (lua_State *co, int waiting) {
  uintptr_t *space = (uintptr_t *)lua_getextraspace(co);
  *space = (*space & ~(uintptr_t)1) | (uintptr_t)waiting;
}

/*
** Beginning a task, and telling of its failure, may go a little past the
** limit: else nobody could be told, nor could a later task let go of what a
** full Lua state holds, which it may do in that room as well.
*/
static inline void tpi_place_lend (tpi_Place *place, int lends) {
  place->reserve = lends || place->full ? 32 * 1024 : 0;
}

/* Its host, retained once more. */
static inline tpi_Host *tpi_place_host (const tpi_Place *place) {
  tpi_host_retain(place->worker->host);
  return place->worker->host;
}
static inline tp_Manager *tpi_place_pool (const tpi_Place *place) {
  return place->worker->pool;
}

/* --- collect.c --- */

/* The worker, between tasks, or on top of one that is blocked: a full
   collection. Finalizers may wait meanwhile. */
void tpi_place_collect (tpi_Place *place);

/* --- kit.c --- */

/* A kit from the Lua state, with what stands at `init` (0 for nothing). */
tpi_Kit *tpi_kit_new (lua_State *L, tpi_State *S, int init);
void tpi_kit_free (void *kit);
/* place: what stands in it into the new Lua state. May raise. */
void tpi_kit_unpack (lua_State *L, const tpi_Kit *kit);

/* --- park.c --- */

/* The current coroutine can give the thread away. */
int tpi_fiber_yields (lua_State *L, const tpi_Place *place);
/* Waits for a future: TP_OK, TP_TIMEOUT. If it can it yields, and does not
   return: then `k` is called, and has to call tpi_fiber_back. */
int tpi_fiber_await (lua_State *L, tpi_Place *place, tpi_Future *future,
                     double seconds, lua_KContext context, lua_KFunction k);
int tpi_fiber_back (lua_State *L, tpi_Place *place);
/* Submits. If it can it yields, and does not return: then `k` is called, and
   has to call tpi_fiber_submitted. TP_CANCELLED when the running task is
   over: tpi_fiber_check raises that; what was submitted may have entered all
   the same. */
int tpi_fiber_submitted (lua_State *L, const tpi_Place *place, int *entered);
int tpi_fiber_submit (lua_State *L, tpi_Place *place, tpi_Task *task,
                      lua_KContext context, lua_KFunction k);
/* Gives the thread away for so many seconds, or for one turn if that is 0, as
   tpi_fiber_await: TP_TIMEOUT. */
int tpi_fiber_sleep (lua_State *L, tpi_Place *place, double seconds,
                     lua_KContext context, lua_KFunction k);
/* Its coroutine has yielded: it is parked; it is to go on. */
void tpi_fiber_park (tpi_Fiber *fiber);
void tpi_fiber_unpark (tpi_Fiber *fiber);

/* --- fiber.c --- */

tpi_Fiber *tpi_fiber_new (tpi_Place *place, tpi_LuaTask *task);
/* The run and the withdraw of the classes of Lua tasks. */
tpi_Outcome tpi_fiber_run_on (tpi_Task *task, tpi_Worker *worker);
void tpi_fiber_withdraw (tpi_Future *future, tpi_Phase was);
void tpi_fiber_push_body (lua_State *L);
/* Begins, or goes on; from is the coroutine that runs, or NULL. */
tpi_Outcome tpi_fiber_run (tpi_Place *place, tpi_LuaTask *task,
                           lua_State *from);
/* The running task may keep its coroutine. */
static inline void tpi_fiber_expose (const tpi_Place *place) {
  if (place->fiber != NULL)
    place->fiber->exposed = 1;
}
/* From now on no coroutine of that Lua state serves again. */
void tpi_place_expose (tpi_Place *place);
/* Of a task that ends, or never begins. */
void tpi_fiber_free (tpi_Fiber *fiber);
void tpi_fibers_free (tpi_Place *place);

/* --- family.c --- */

void tpi_family_add (tpi_Fiber *parent, tpi_Fiber *child);
void tpi_family_leave (tpi_Fiber *child);
/* The task has ended: its children go with it, or go on as its parent's. */
void tpi_family_end (tpi_Fiber *fiber);
/* Any thread: a task that the owner of the pulse has begun was settled by
   somebody else. Is it to be interrupted for the sake of its children? */
int tpi_family_withdraw (tpi_LuaTask *task, tpi_Pulse *pulse);
/* It was cancelled, or fails: so are its children; and what it is chained to,
   if it was cancelled before it began. */
void tpi_family_cancel (tpi_Fiber *fiber);
/* Is the task that runs over, if only because what has spawned it is? */
int tpi_family_is_over (const tpi_Place *place);

/* --- interrupt.c --- */

/* Raises if the running task was cancelled, or its time is over. */
void tpi_fiber_check (lua_State *L, tpi_Place *place);
/* From here on that coroutine runs, or goes on running. */
void tpi_fiber_enter (tpi_Place *place, lua_State *L);
/* Another coroutine runs, on top of the one that does, and below which nothing
   can yield; until it is taken back. */
typedef struct tpi_Turn {
  lua_State *before;
  int rigid;
} tpi_Turn;
tpi_Turn tpi_fiber_lend (tpi_Place *place, lua_State *co);
void tpi_fiber_take_back (tpi_Place *place, lua_State *co, tpi_Turn turn);
/* What was interrupted on top of the running task may have used up its time: it
   has that anew, once. */
void tpi_fiber_renew (tpi_Place *place);
/* Runs the to-be-closed variables of a coroutine; its status. */
int tpi_fiber_close (tpi_Place *place, lua_State *co, lua_State *from);
/* The same for one of a task that goes on though it is over: each of its
   handlers has some time. */
int tpi_fiber_give_up (tpi_Place *place, lua_State *co, lua_State *from);
/* One that has failed, by either of the above: its error, or that of closing
   it, is pushed on L; the status. */
int tpi_fiber_close_failed (tpi_Place *place, lua_State *co, lua_State *L,
                            int (*close)(tpi_Place *, lua_State *,
                                         lua_State *));
void tpi_fiber_hook (lua_State *L, lua_Debug *ar);
/* In a program: that base has yielded, and not to us. When it goes on, what
   yielded raises. */
void tpi_fiber_refuse_yield (tpi_Place *place, lua_State *base);

/* --- replace.c --- */

/* table function -> table; it stands there by that name from now on, and for
   the one of Lua that stood there when that arrives. */
void tpi_replace (lua_State *L, const char *name);

/* --- failure.c --- */

/* The message handler of tasks, with the place as its upvalue: notes the
   traceback; the value stays. */
int tpi_failure_handler (lua_State *L);
/* In the task: error -> Error; and into its future. */
void tpi_failure_send (lua_State *L, tpi_Place *place, int status);
/* A task ended with that status, its error on top of the base, or is to be
   closed (LUA_OK): closes the base. TPI_RAISED or TPI_NOROOM. */
tpi_Outcome tpi_failure_note (tpi_Place *place, tpi_Fiber *fiber, int status);
/* Settles a task for which the Lua state has no room left. */
tpi_Outcome tpi_failure_full (const tpi_Place *place, tpi_LuaTask *task);
/* Settles a task of a place that could not be made. */
void tpi_failure_broken (const tpi_Place *place, tpi_LuaTask *task);

/* --- coroutine.c, luv.c, worklib.c, spawn.c, current.c --- */

void tpi_open_coroutines (lua_State *L);
/* in package.preload, in front of what is there */
void tpi_open_luv (lua_State *L);
/* print, io.write, os.exit, os.setlocale, debug.sethook, and what tells that
   coroutines may be kept */
void tpi_open_worklib (lua_State *L);
/* reading */
void tpi_open_readlib (lua_State *L);
/* os.execute, io.popen */
void tpi_open_spawn (lua_State *L);
int tpi_l_current (lua_State *L);
int tpi_l_waits_for_this (lua_State *L);
void tpi_open_task (lua_State *L);
int tpi_l_task (lua_State *L);
int tpi_l_invoke (lua_State *L);

#pragma GCC visibility pop
#endif
