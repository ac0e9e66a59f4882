/*
** state.h: what tidepool keeps for one Lua state that loaded it.
**
** The thread that runs the Lua state, and no other. The State is a full
** userdata, the first upvalue of every function of ours; the registry keeps
** it, and its __gc, the last of ours to run when the state closes, cancels
** what the state has queued and waits for what runs, at most the exit grace.
** Other threads know a Lua state only by its host, which outlives it.
*/
#ifndef TPI_STATE_H
#define TPI_STATE_H

#include <lauxlib.h>
#include <lua.h>

#include "core/host.h"
#include "core/map.h"
#include "core/value.h"

/* The upvalues of every function of ours. */
enum {
  TPI_UP_STATE = 1,
  TPI_UP_FUTURE, /* the metatables... */
  TPI_UP_MANAGER,
  TPI_UP_ERROR,
  TPI_UP_FUNCTIONS, /* name -> light userdata of a registered function */
  TPI_UP_OUTCOMES,  /* Future -> its results as a list, or its Error; weak */
  TPI_UPVALUES = TPI_UP_OUTCOMES,
  /* what stands beside them, for who looks it up */
  TPI_UP_CODES,   /* code.c */
  TPI_UP_KEPT,    /* name -> table that the Lua part keeps */
  TPI_UP_LATE,    /* what was made in a finalizer, as weak keys; or nil */
  TPI_UP_MODULE,  /* the table that `require "tidepool"` answers */
  TPI_UP_STANDARD /* replace.c; or nothing */
};

/* A key of a table on its way, by the address of its string in Lua. */
typedef struct tpi_Key {
  const char *string;
  tp_Value value;
} tpi_Key;

enum { TPI_KEYS = 16 }; /* remembered at a time; a power of two */

struct tpi_Place;

typedef struct tpi_State {
  struct tpi_Place *place; /* whose Lua state it is, or NULL: the program's */
  struct tpi_Place *loop;  /* the same; a program's from its first spawn on */
  tpi_Host *host;          /* NULL before opening and after closing */
  lua_State *main;
  const void *future_mt; /* what lua_topointer says of the metatables */
  const void *manager_mt;
  const void *error_mt;
  const void *promise_mt;
  const void *module;
  const void *globals;
  size_t made;              /* bytes of small tasks, not yet told to the
                               collector, as `owed` of the host */
  uint64_t next_id, end_id; /* ids of futures set aside for this state */
  unsigned promises;        /* of its own that it has not settled; idle.h */
  unsigned collections;     /* how many it may do before Lua has run again... */
  uint64_t rested;          /* ...and when, at the earliest */
  tpi_Map seen;             /* tables met while sending one list */
  const struct tpi_Future *whose; /* its results are sent; or NULL */
  int kept;                 /* reference of what has to stay until it is sent
                               (send.h); 0 for nothing */
  int hooked;               /* see tpi_guard */
  tpi_Key keys[TPI_KEYS];   /* and keys... */
  int keyed;                /* ...once there was one */
  int handler;              /* reference of the on_unhandled function */
  int outside;              /* ...and of the one for coroutines of others */
  struct tpi_Future *fails; /* failures that it has yet to report... */
  int reporting;            /* ...which is under way */
  int closing;              /* nothing new is finalized any more */
  int sweeping;             /* our own __gc are called as the collector does */
  unsigned at_once; /* waits in a row that had nothing to wait for */
  tp_Promise *news; /* owned: what coroutines that poll wait for; or NULL */
  unsigned polled;  /* how often somebody who polled has taken some */
} tpi_State;

enum { TPI_MOST_AT_ONCE = 100 };

/* A wait has nothing to wait for. Is it time to let others run all the same?
   Else a loop of such waits would keep them out for ever. */
static inline int tpi_state_due (tpi_State *S) {
  return ++S->at_once >= TPI_MOST_AT_ONCE;
}

#pragma GCC visibility push(hidden)

/* Before it is made: this is the Lua state of that place. */
void tpi_state_in_place (lua_State *L, struct tpi_Place *place);
/* Raises if another copy of this library has opened the Lua state: both would
   take the objects of the other for their own. */
void tpi_state_refuse_copies (lua_State *L);
/* Pushes the State, made on first call, and opens it. */
void tpi_state_push (lua_State *L);
/* The State of the running function; raises when the Lua state has closed. */
tpi_State *tpi_state (lua_State *L);
/* The same for what makes something: it raises as soon as the Lua state of a
   worker is closing, and in the last words of that of a program, for then
   nothing new is finalized any more. */
tpi_State *tpi_state_open (lua_State *L);
/* The same from a function of some other module. */
tpi_State *tpi_state_find (lua_State *L);
uint64_t tpi_state_id (tpi_State *S);

/*
** Finalizers of ours. Lua calls none for what is made while it closes the Lua
** state, and nobody is told that it does. So what owns something outside of
** Lua and is made in a finalizer, while closing or not, is noted, and the State
** finalizes what is left of it when it is closed itself.
**
** Anybody can call a __gc by hand, also while a method of the same object is
** under way, and the collector calls it again in the end. So only that frees
** anything.
*/

/* In a finalizer? Until 5.4.3 also where the program has stopped the collector,
   which does no harm. */
static inline int tpi_state_finalizes (lua_State *L) {
#if LUA_VERSION_NUM >= 505 || LUA_VERSION_RELEASE_NUM >= 50404
  return lua_gc(L, LUA_GCISRUNNING) < 0;
#else
  return !lua_gc(L, LUA_GCISRUNNING);
#endif
}
/* The new userdata on top, which owns nothing yet, was made in a finalizer; it
   stays. */
void tpi_state_note_late (lua_State *L);
static inline void tpi_state_note (lua_State *L) {
  if (tpi_state_finalizes(L))
    tpi_state_note_late(L);
}
/* In a __gc with our upvalues: was it called by the collector? */
int tpi_state_collects (lua_State *L);

/* At the head of each call, poll and await: reports failures that nobody
   read, and tells the collector of memory that it cannot see. May call Lua. */
void tpi_state_turn (lua_State *L, tpi_State *S);

/* The functions of `list`, with our upvalues, into the table on top. All of
   ours are closures over the upvalues of the one that calls this. */
void tpi_setfuncs (lua_State *L, const luaL_Reg *list);
/* Pushes upvalue i of the running function on the registry's behalf, for
   code that other modules call. */
void tpi_push_upvalue (lua_State *L, int i);
/* value -> ; it stands beside them. */
void tpi_set_upvalue (lua_State *L, int i);

/* Pushes an empty table with that __mode. */
void tpi_push_weak (lua_State *L, const char *mode);
/* Has the value at `index` that metatable? */
static inline int tpi_has_metatable (lua_State *L, int index,
                                     const void *metatable) {
  int same;
  if (!lua_getmetatable(L, index))
    return 0;
  same = lua_topointer(L, -1) == metatable;
  lua_pop(L, 1);
  return same;
}

/* --- error.c --- */

/* Pushes an Error of a kind that no future stands for. */
void tpi_push_error (lua_State *L, int kind, const char *message,
                     const char *name);
/* Pushes, or raises, what a core function answered: memory, closed... */
void tpi_push_code (lua_State *L, int code, const char *name);
int tpi_raise_code (lua_State *L, int code, const char *name);

/* --- unread.c --- */

void tpi_report_unread (lua_State *L, tpi_State *S);
int tpi_l_on_unhandled (lua_State *L);

#pragma GCC visibility pop
#endif
