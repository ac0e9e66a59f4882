/*
** pin.h: keeping a shared object mapped until the process ends.
**
** Any thread. lua_close unmaps C modules while threads may still be running
** their code; what was pinned stays.
*/
#ifndef TPI_PIN_H
#define TPI_PIN_H

#pragma GCC visibility push(hidden)

/* Pins the object that holds this address; nothing for the program itself. */
void tpi_pin (const void *address);
/* The path of the object that holds this address, as it was loaded; it lives
   as long as the object is mapped. */
const char *tpi_pin_path (const void *address);
/* Are both addresses in one shared object, or both in the program? */
int tpi_same_module (const void *a, const void *b);

#pragma GCC visibility pop
#endif
