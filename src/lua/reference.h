/*
** reference.h: "module:field", which stands for a function wherever one is
** taken.
**
** The thread that runs the Lua state. The module is required where the
** function runs, each time it is called: what crosses is the text.
*/
#ifndef TPI_REFERENCE_H
#define TPI_REFERENCE_H

#include <lua.h>

#pragma GCC visibility push(hidden)

/* Is the value at `index` such a text? Raises for one with a colon that names
   no module or no field. */
int tpi_is_reference (lua_State *L, int index);
/* Pushes a function that looks for the one that the text at `index` stands for
   when it is called, and calls that. It may yield in there. */
void tpi_push_reference (lua_State *L, int index);
/* The text that the function at `index` was pushed for, or NULL; valid as long
   as that function. */
const char *tpi_reference_of (lua_State *L, int index);
/* Raises unless there is a function at `index`; a text gives way to the
   function that tpi_push_reference pushes. */
void tpi_check_callable (lua_State *L, int index);

/* any -> a function for such a text; the value itself for any other */
int tpi_l_refer (lua_State *L);
/* text -> the function that it stands for, here and now; nil for a name */
int tpi_l_resolve (lua_State *L);

#pragma GCC visibility pop
#endif
