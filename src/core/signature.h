/*
** signature.h: what arguments a function takes, from its text.
**
** Plain data and pure functions; any thread; nothing is allocated.
**
**   signature := [params] ["->" anything]
**   params    := param { "," param }
**   param     := type ["?"] ["..."]        "..." only on the last
*/
#ifndef TPI_SIGNATURE_H
#define TPI_SIGNATURE_H

#include "core/value.h"

enum { TPI_MAXPARAMS = 16 };

typedef enum tpi_ParamType {
  TPI_ANY,
  TPI_IS_NIL,
  TPI_IS_BOOLEAN,
  TPI_IS_INTEGER,
  TPI_IS_NUMBER,
  TPI_IS_BYTES,
  TPI_IS_TABLE,
  TPI_IS_FUTURE,
  TPI_IS_MANAGER
} tpi_ParamType;

typedef struct tpi_Param {
  unsigned char type;     /* a tpi_ParamType */
  unsigned char optional; /* nil or nothing will do */
} tpi_Param;

typedef struct tpi_Signature {
  unsigned char count;
  unsigned char open;    /* the last may stand any number of times */
  unsigned char checked; /* there is a signature at all */
  tpi_Param params[TPI_MAXPARAMS];
} tpi_Signature;

#pragma GCC visibility push(hidden)

/* Parses `text` (or NULL): TP_OK, or TP_INVALID with *where at the fault. */
int tpi_signature_parse (tpi_Signature *s, const char *text,
                         const char **where);

/* The parameter that argument i (from 0) meets, or NULL for none. */
const tpi_Param *tpi_signature_param (const tpi_Signature *s, unsigned i);

/* Do the arguments fit? TP_OK, or TP_TRANSFER and which does not, from 0. */
int tpi_signature_check (const tpi_Signature *s, const tp_Value *args,
                         unsigned count, unsigned *which);

/* The name of a type as Lua would say it. */
const char *tpi_param_name (tpi_ParamType type);

#pragma GCC visibility pop
#endif
