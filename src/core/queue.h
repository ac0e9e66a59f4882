/*
** queue.h: three queues of one pool, served by weighted turns.
**
** Guarded by the lock of whoever owns it; never blocks, never allocates: an
** item is linked through a member of its own, so that a cancelled one leaves
** at once wherever it stands. High, normal and low items are taken 8 : 4 : 1
** as long as all three wait, so that nothing starves.
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
  unsigned counts[TPI_PRIORITIES];
  unsigned turns[TPI_PRIORITIES]; /* left in this round */
  unsigned count;
} tpi_Queue;

#pragma GCC visibility push(hidden)

/* Any other ring of items. */
void tpi_ring_init (tpi_Item *ring);
void tpi_ring_add (tpi_Item *ring, tpi_Item *item); /* the last one */
void tpi_ring_remove (tpi_Item *item);
/* Before that one, in the queue of that priority. */
void tpi_queue_insert (tpi_Queue *q, tpi_Item *item, tpi_Item *before,
                       tp_Priority priority);

void tpi_queue_init (tpi_Queue *q);
void tpi_queue_push (tpi_Queue *q, tpi_Item *item, tp_Priority priority);
tpi_Item *tpi_queue_pop (tpi_Queue *q); /* NULL when empty */
/* False when it stands in no queue. */
int tpi_queue_remove (tpi_Queue *q, tpi_Item *item, tp_Priority priority);

#pragma GCC visibility pop
#endif
