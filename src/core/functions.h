/*
** functions.h: the registered C functions of the process, by name.
**
** Any thread. Blocks only for a short lock; registering holds it, and asks for
** memory under it, for as long as its list is, which is once for each module. A
** function, once registered, stays for ever at the same address, and so does its
** module.
*/
#ifndef TPI_FUNCTIONS_H
#define TPI_FUNCTIONS_H

#include "core/signature.h"

typedef struct tpi_Function {
  const char *name; /* all three borrowed for ever */
  tp_Entry run;
  const char *text;
  tpi_Signature signature;
} tpi_Function;

#pragma GCC visibility push(hidden)

/* Registers a list and pins the object that `where` stands in. All or
   nothing but for memory; TP_OK, or what was wrong and a message for it. */
int tpi_functions_register (const tp_Function *list, const void *where,
                            char *error, size_t room);

/* By name, or NULL. */
const tpi_Function *tpi_functions_find (const char *name);

/* The i-th by name, from 0, or NULL. */
const tpi_Function *tpi_functions_at (size_t i);

/* A registered name that looks like this one, or NULL. */
const char *tpi_functions_guess (const char *name);

/* Around a fork: nobody holds the lock in between. */
void tpi_functions_freeze (void);
void tpi_functions_thaw (void);

#pragma GCC visibility pop
#endif
