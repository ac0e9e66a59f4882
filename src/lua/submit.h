/*
** submit.h: making a task of a call, and getting it into its pool.
**
** The thread that runs the Lua state.
*/
#ifndef TPI_SUBMIT_H
#define TPI_SUBMIT_H

#include "lua/place.h"

/* What is to be called: a registered function, or one of Lua. */
typedef struct tpi_Target {
  const tpi_Function *function; /* or NULL */
  tpi_Code *code;               /* borrowed; of a Lua function, or NULL */
  int plain;                    /* it needs no upvalues */
  int index;                    /* where the Lua function stands */
} tpi_Target;

#pragma GCC visibility push(hidden)

/* At `index` a name or a function. */
tpi_Target tpi_target_at (lua_State *L, int index);
/* args... from `first` on -> args... Future; a sealed task, which that owns */
tpi_Task *tpi_new_task (lua_State *L, tpi_State *S, tpi_Manager *manager,
                        const tpi_Target *t, int first);
/* The task is memory that only we know of, and so are large arguments. */
void tpi_tell_made (tpi_State *S, const tpi_Task *task);
void tpi_add_timer (lua_State *L, tpi_Task *task, double timeout);

/* May the call wait at the door without blocking the thread, in a task? */
int tpi_may_yield (lua_State *L, const tpi_State *S);
/* Waits at the door when the pool is full, and lets interrupts in: with
   TP_CANCELLED there is something to raise on top. Blocks. */
int tpi_submit (lua_State *L, tpi_State *S, const tpi_Manager *manager,
                tpi_Task *task);
/* Raises what submitting came to. */
int tpi_refused (lua_State *L, const tpi_State *S, int rc,
                 const tpi_Task *task);
/* manager function args... -> what that method answers. A coroutine of
   somebody else's loop must not block that, so one of ours calls. */
int tpi_call_outside (lua_State *L, tpi_State *S, const char *method);

#pragma GCC visibility pop
#endif
