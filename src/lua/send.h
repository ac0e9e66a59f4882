/*
** send.h: the inside of sending, for the kinds of values that have a file of
** their own.
*/
#ifndef TPI_SEND_H
#define TPI_SEND_H

#include "lua/binding.h"

/* How we came to the value at hand; on the C stack. */
typedef struct tpi_Path {
  const struct tpi_Path *outer; /* NULL: the argument itself */
  int key;                      /* stack index of the key, 0: it is the key */
  const char *upvalue;          /* or NULL: its name */
} tpi_Path;

typedef struct tpi_Sender {
  lua_State *L;
  tpi_State *S;
  tpi_List *list;
  const tpi_Map *before; /* NULL, or what was met before an attempt */
  const char *what;
  int number; /* 0: there is just one */
} tpi_Sender;

/* From values back to Lua. */
typedef struct tpi_Receiver {
  lua_State *L;
  int known; /* stack index of a table: address -> Lua value; 0 until needed */
  /* Keys by the address of their bytes: Lua's string stands `place` above
     `known`, so that it need not be made again for each record. */
  const char *keys[TPI_KEYS];
} tpi_Receiver;

#pragma GCC visibility push(hidden)

/* --- send.c --- */

tp_Value tpi_send_value (tpi_Sender *s, int index, const tpi_Path *path,
                         int depth);
/* Raises: this value cannot cross. */
int tpi_refuse (tpi_Sender *s, const tpi_Path *path, const char *why);
/* Raises unless TP_OK. */
void tpi_send_need (tpi_Sender *s, int rc);
/* Raises if this is too deep; makes room on the stack. */
void tpi_send_deeper (tpi_Sender *s, const tpi_Path *path, int depth);
/* An empty table of a shape, remembered for what stands at `address`. */
tpi_Table *tpi_send_shape (tpi_Sender *s, tp_Value *value, tp_Type type,
                           tpi_Shape shape, const void *address, size_t n);
/* If it was met before: true, and *value refers to it again. */
int tpi_send_again (tpi_Sender *s, tp_Value *value, uint64_t tag,
                    const void *address);

/* What is called may send something itself, so the list is set aside. As
   lua_pcall; but interrupts, and lack of memory, are raised. */
int tpi_send_try (tpi_Sender *s, int nargs, int nresults);
/* The same, but what it raises is raised. */
void tpi_send_aside (tpi_Sender *s, int nargs, int nresults);
/* Pushes a table that stays until the list is sent: address -> what must not
   be collected, for its address would be used again. Its array part is
   sandbox.c's. */
void tpi_send_push_kept (tpi_Sender *s);

/* --- receive.c --- */

void tpi_push_value (tpi_Receiver *r, const tp_Value *value);
/* Pushes what was made for this table before; false, and nothing, if it was
   not. Then tpi_remember the value on top, as soon as there is one. */
int tpi_push_known (tpi_Receiver *r, const tpi_Table *table);
void tpi_remember (tpi_Receiver *r, const tpi_Table *table);

/* --- closure.c: functions --- */

tp_Value tpi_send_function (tpi_Sender *s, int index, const tpi_Path *path,
                            int depth);
void tpi_push_function (tpi_Receiver *r, const tp_Value *value);

/* --- object.c: Errors, things of tidepool's, and the __tidepool of others */

/* True if the table or userdata crosses in another way than by its type. */
int tpi_send_object (tpi_Sender *s, tp_Value *value, int index,
                     const tpi_Path *path, int depth);
/* The name of a function of tidepool's. */
int tpi_send_own (tpi_Sender *s, tp_Value *value, int index);
/* The same for a Lua function. */
int tpi_send_own_lua (tpi_Sender *s, tp_Value *value, int index);
void tpi_push_other (tpi_Receiver *r, const tp_Value *value);

/* --- names.c, sandbox.c: an _ENV that leads to the globals */

/* Makes *value what stands on top, if it is one: upvalue i of that function,
   whose names are noted. */
int tpi_send_sandbox (tpi_Sender *s, tp_Value *value, int function, int i,
                      int depth);
/* What those names stand for. */
void tpi_send_names (tpi_Sender *s);
void tpi_push_sandbox (tpi_Receiver *r, const tpi_Table *sandbox);

/* --- slice.c --- */

/* True if it is part of a list. */
int tpi_send_slice (tpi_Sender *s, tp_Value *value, int index,
                    const tpi_Path *path, int depth);

#pragma GCC visibility pop
#endif
