#include "core/queue.h"

#include <stddef.h>

/* Served in this order; the weights are for the same places. */
static const tp_Priority order[] = {TP_HIGH, TP_NORMAL, TP_LOW};

static unsigned weight (tp_Priority p) {
  return p == TP_HIGH ? 8 : p == TP_NORMAL ? 4 : 1;
}

static void new_round (tpi_Queue *q) {
  for (int i = 0; i < TPI_PRIORITIES; i++)
    q->turns[i] = weight((tp_Priority)i);
}

void tpi_ring_init (tpi_Item *ring) { ring->next = ring->prev = ring; }

void tpi_ring_add (tpi_Item *ring, tpi_Item *item) {
  item->next = ring;
  item->prev = ring->prev;
  ring->prev->next = item;
  ring->prev = item;
}

void tpi_ring_remove (tpi_Item *item) {
  item->prev->next = item->next;
  item->next->prev = item->prev;
  item->next = item->prev = NULL;
}

void tpi_ring_turn (tpi_Item *ring, tpi_Item *first) {
  tpi_ring_remove(ring);
  tpi_ring_add(first, ring); /* just before that one */
}

void tpi_queue_init (tpi_Queue *q) {
  for (int i = 0; i < TPI_PRIORITIES; i++) {
    tpi_ring_init(&q->ends[i]);
    tpi_ring_init(&q->late[i]);
    q->counts[i] = 0;
  }
  q->count = 0;
  new_round(q);
}

static void push (tpi_Queue *q, tpi_Item *ring, tpi_Item *item,
                  tp_Priority priority) {
  tpi_ring_add(ring, item);
  q->counts[priority]++;
  q->count++;
}

void tpi_queue_push (tpi_Queue *q, tpi_Item *item, tp_Priority priority) {
  push(q, &q->ends[priority], item, priority);
}

void tpi_queue_push_late (tpi_Queue *q, tpi_Item *item, tp_Priority priority) {
  push(q, &q->late[priority], item, priority);
}

int tpi_queue_remove (tpi_Queue *q, tpi_Item *item, tp_Priority priority) {
  if (item->next == NULL)
    return 0;
  tpi_ring_remove(item);
  q->counts[priority]--;
  q->count--;
  return 1;
}

/* One of the two rings is not empty. */
static tpi_Item *first (tpi_Queue *q, tp_Priority p, tpi_Before *before) {
  tpi_Item *item = q->ends[p].next, *late = q->late[p].next;
  if (late == &q->late[p] || (item != &q->ends[p] && before(item, late)))
    return item;
  return late;
}

static tpi_Item *serve (tpi_Queue *q, tp_Priority p, tpi_Before *before) {
  tpi_Item *item = first(q, p, before);
  tpi_queue_remove(q, item, p);
  if (q->turns[p] > 0)
    q->turns[p]--;
  return item;
}

tpi_Item *tpi_queue_pop (tpi_Queue *q, tpi_Before *before) {
  if (q->count == 0)
    return NULL;
  for (;;) {
    for (int i = 0; i < TPI_PRIORITIES; i++) {
      if (q->counts[order[i]] > 0 && q->turns[order[i]] > 0)
        return serve(q, order[i], before);
    }
    new_round(q); /* those who wait have had all their turns */
  }
}
