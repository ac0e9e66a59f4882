/*
** api.h: tidepool.h, implemented on the core.
**
** The parts that need a Lua state are filled in by the binding; everything
** else is here. See tidepool.h for who may call what, and what may block.
*/
#ifndef TPI_API_H
#define TPI_API_H

#include "core/pool.h"
#include "core/promise.h"

typedef struct tpi_Frame tpi_Frame;
typedef struct tpi_Userdata tpi_Userdata;

/* What stands behind a tp_Context: a running C task, or a list being built
   by anyone (then task and worker are NULL). */
typedef struct tpi_Context {
  tp_Context public;
  tpi_List *out;          /* where pushes go */
  tpi_Frame *frame;       /* the innermost open table; of `out` */
  unsigned depth;         /* open tables */
  int failed;             /* tp_fail was called */
  int nomem;              /* some push found no memory */
  const char *fault;      /* how the API was misused, or NULL */
  tpi_Userdata *userdata; /* owned */
  tpi_Task *task;
  tpi_Worker *worker;
  tpi_List own; /* `out` of a context that only collects */
} tpi_Context;

#pragma GCC visibility push(hidden)

extern tp_Api tpi_api;
extern const tpi_TaskClass tpi_native;  /* C functions */
extern const tp_Function tpi_builtin[]; /* tidepool.sleep */

static inline tpi_Context *tpi_context (tp_Context *ctx) {
  return (tpi_Context *)(void *)ctx;
}

static inline tpi_Future *tpi_future (tp_Future *future) {
  return (tpi_Future *)(void *)future;
}

/* context.c */
void tpi_context_init (tpi_Context *c, tpi_List *out);
/* Frees userdata. TPI_RETURNED, or what went wrong while pushing, with the
   message in `out`. */
tpi_Outcome tpi_context_fini (tpi_Context *c, int returned);
tp_Context *tpi_api_values (void);
void tpi_api_discard (tp_Context *values);
int tpi_api_fail (tp_Context *ctx, const char *format, ...);
void *tpi_api_userdata (tp_Context *ctx, size_t size, void (*fini)(void *));

/* build.c */
int tpi_api_pushscalar (tp_Context *ctx, tp_Value value);
int tpi_api_pushvalue (tp_Context *ctx, const tp_Value *value);
int tpi_api_pushcopy (tp_Context *ctx, const tp_Value *value);
int tpi_api_pushbytes (tp_Context *ctx, const char *bytes, size_t length);
char *tpi_api_pushbuffer (tp_Context *ctx, size_t length);
int tpi_api_pushfuture (tp_Context *ctx, tp_Future *future);
int tpi_api_opentable (tp_Context *ctx, size_t narray, size_t npairs);
int tpi_api_key (tp_Context *ctx);
int tpi_api_closetable (tp_Context *ctx);
/* What is wrong with what stands open at the end, or NULL. */
const char *tpi_build_unfinished (const tpi_Context *c);
/* References to futures and managers, for any list. */
int tpi_push_future (tpi_List *list, tp_Value *value, tpi_Future *future);
int tpi_push_manager (tpi_List *list, tp_Value *value, tp_Manager *manager);

/* await.c */
int tpi_api_await (tp_Context *ctx, tp_Future *future);

#pragma GCC visibility pop
#endif
