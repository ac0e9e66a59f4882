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

#pragma GCC visibility pop
#endif
