/*
** queue.h: three queues of one pool, served by weighted turns.
**
** Guarded by the lock of whoever owns it; never blocks, never allocates: an
** item is linked through a member of its own, so that a cancelled one leaves
** at once wherever it stands, and nothing here walks. High, normal and low items
** are taken 8 : 4 : 1 as long as all three wait, so that nothing starves.
**
** Some items come late: they have their turn by an order in which the others
** came, but cannot be put in their place without a walk. They stand apart, first
** come first served, and the first of them is served before the first of the
** others once that comes after it.
*/
#ifndef TPI_QUEUE_H
#define TPI_QUEUE_H

#include "tidepool.h"

enum { TPI_PRIORITIES = 3 };

typedef struct tpi_Item {
  struct tpi_Item *next, *prev; /* next is NULL when it stands in no queue */
} tpi_Item;

typedef struct tpi_Queue {
  tpi_Item ends[TPI_PRIORITIES]; /* rings through these */
  tpi_Item late[TPI_PRIORITIES]; /* likewise */
  unsigned counts[TPI_PRIORITIES];
  unsigned turns[TPI_PRIORITIES]; /* left in this round */
  unsigned count;
} tpi_Queue;

#pragma GCC visibility push(hidden)

/* Any other ring of items. */
void tpi_ring_init (tpi_Item *ring);
void tpi_ring_add (tpi_Item *ring, tpi_Item *item); /* the last one */
void tpi_ring_remove (tpi_Item *item);
/* Begins the ring with an item of it; those that came before it come last. */
void tpi_ring_turn (tpi_Item *ring, tpi_Item *first);

/* Was the first admitted before the second? */
typedef int tpi_Before (const tpi_Item *, const tpi_Item *);

void tpi_queue_init (tpi_Queue *q);
void tpi_queue_push (tpi_Queue *q, tpi_Item *item, tp_Priority priority);
void tpi_queue_push_late (tpi_Queue *q, tpi_Item *item, tp_Priority priority);
/* NULL when empty. */
tpi_Item *tpi_queue_pop (tpi_Queue *q, tpi_Before *before);
/* False when it stands in no queue. */
int tpi_queue_remove (tpi_Queue *q, tpi_Item *item, tp_Priority priority);

#pragma GCC visibility pop
#endif
