/*
** code.h: the code of Lua functions, outside of any Lua state.
**
** Any thread may hold and read a Code; it never changes, and goes with its
** last owner. A Lua state makes one for a function when it first sends it,
** and knows it again by the function itself or, for a function made anew
** from the same text, by its bytes. A Lua state that receives one loads it
** once: as one function for all who need no upvalues of their own, and as
** one that makes new ones for the others.
*/
#ifndef TPI_CODE_H
#define TPI_CODE_H

#include <lua.h>

#include "core/value.h"

typedef struct tpi_Code {
  atomic_uint refs;
  uint64_t id; /* no other code of this process has it */
  char name[96];
  size_t size;
  int assigns; /* it may assign to its upvalues */
  char bytes[];
} tpi_Code;

#pragma GCC visibility push(hidden)

void tpi_code_retain (void *code);
void tpi_code_release (void *code);

/* The code of the Lua function at `index`, borrowed from this Lua state for
   as long as the function lives. Raises when out of memory. */
tpi_Code *tpi_code_of (lua_State *L, int index);

/* The same if it is known already; else NULL. Runs no collector. */
tpi_Code *tpi_code_known (lua_State *L, int index);

/* Pushes the list of names with which the function indexes that upvalue
   (upvalues.h). Raises when out of memory. */
void tpi_code_push_names (lua_State *L, int function, int upvalue);

/* Keeps the module of a light C function in memory. */
void tpi_pin_function (lua_State *L, int index);
/* Has that been done? Runs no collector. */
int tpi_code_pinned (lua_State *L, int index);

/* Makes *value that code. TP_OK or TP_NOMEM. */
int tpi_code_put (tpi_List *list, tp_Value *value, uint64_t tag,
                  tpi_Code *code);

/* Pushes the function that stands for the code where all upvalues are the
   globals, always the same one. Raises when out of memory. */
void tpi_code_push (lua_State *L, const tpi_Code *code);
/* Pushes a new function of that code, for upvalues of its own. */
void tpi_code_push_new (lua_State *L, const tpi_Code *code);

/* The tables of codes, at the opening of a Lua state. */
void tpi_open_codes (lua_State *L);

#pragma GCC visibility pop
#endif
