/*
** Are rings found exactly where a plain model says that no end can come?
*/
#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/waits.h"

enum { MOST = 12, FAN = 4 };

/* A future that waits for those, or for the first of them. */
typedef struct Node {
  tpi_Future future;
  unsigned count;
  tpi_Future *deps[FAN];
} Node;

static void destroy (tpi_Future *future, tpi_List *heir) {
  tpi_future_fini(future, heir, tpi_future_free);
}

static tpi_Future *next (tpi_Future *future, void **at) {
  const Node *node = (const Node *)(void *)future;
  uintptr_t i = (uintptr_t)*at;
  if (i == node->count)
    return NULL;
  *at = (void *)(i + 1);
  return node->deps[i];
}

static const tpi_Class for_all = {.next = next, .destroy = destroy};
static const tpi_Class for_any = {.next = next, .destroy = destroy, .any = 1};
static const tpi_TaskClass tasks = {.future = {.destroy = tpi_task_destroy,
                                               .task = 1},
                                    .size = sizeof(tpi_Task)};

static Node *new_node (int any) {
  Node *node = calloc(1, sizeof *node);
  assert_non_null(node);
  tpi_future_init(&node->future, any ? &for_any : &for_all, NULL, NULL, 0);
  node->future.id = tpi_future_ids(1);
  return node;
}

/* ---------------------------------------------------------------- */
/* The model                                                         */
/* ---------------------------------------------------------------- */

typedef struct Graph {
  Node *nodes[MOST]; /* the first is the one that would wait */
  unsigned count;
} Graph;

static unsigned index_of (const Graph *g, const tpi_Future *f) {
  unsigned i = 0;
  while (&g->nodes[i]->future != f)
    i++;
  return i;
}

/* What may settle, given whether the first may: more and more of them, until
   there are no more. */
static void find_free (const Graph *g, int *is_free, int first) {
  int more = 1;
  memset(is_free, 0, MOST * sizeof *is_free);
  is_free[0] = first;
  while (more) {
    more = 0;
    for (unsigned i = 1; i < g->count; i++) {
      const Node *node = g->nodes[i];
      unsigned n = 0;
      for (unsigned k = 0; k < node->count; k++)
        n += is_free[index_of(g, node->deps[k])] != 0;
      if (!is_free[i] &&
          (node->count == 0 || tpi_future_settled(&g->nodes[i]->future) ||
           (node->future.class->any ? n > 0 : n == node->count)))
        is_free[i] = more = 1;
    }
  }
}

/* ---------------------------------------------------------------- */

static void make (Graph *g, unsigned *seed) {
  g->count = 2 + (unsigned)rand_r(seed) % (MOST - 1);
  for (unsigned i = 0; i < g->count; i++)
    g->nodes[i] = new_node(rand_r(seed) % 2);
  for (unsigned i = 1; i < g->count; i++) {
    Node *node = g->nodes[i];
    node->count = (unsigned)rand_r(seed) % (FAN + 1);
    for (unsigned k = 0; k < node->count; k++) {
      unsigned to = (unsigned)rand_r(seed) % g->count;
      node->deps[k] = &g->nodes[to]->future;
      tpi_future_seek(node->deps[k]);
    }
    if (rand_r(seed) % 8 == 0)
      tpi_future_cancel(&node->future, NULL);
  }
}

static int leads_to (const Graph *g, unsigned from, unsigned to) {
  const Node *node = g->nodes[from];
  for (unsigned k = 0; k < node->count; k++) {
    if (index_of(g, node->deps[k]) == to)
      return 1;
  }
  return 0;
}

/* Is each named after one that waits for it, from the first to itself? */
static void check_names (const Graph *g, unsigned from, const char *ring) {
  unsigned long long first = g->nodes[0]->future.id, id;
  const char *at = strstr(ring, "(id ");
  unsigned before = from;
  assert_non_null(at);
  assert_int_equal(sscanf(at, "(id %llu)", &id), 1);
  assert_int_equal(id, first);
  for (int n = 0; (at = strstr(at + 1, "(id ")) != NULL; n++) {
    unsigned i;
    assert_int_equal(sscanf(at, "(id %llu)", &id), 1);
    i = (unsigned)(id - first);
    assert_true(n == 0 ? i == from : leads_to(g, before, i));
    before = i;
  }
  assert_true(from == 0 || leads_to(g, before, 0));
  assert_string_equal(ring + strlen(ring) - 8, "> itself");
}

/* 1 for a ring, -1 if what is ahead could never settle anyway. */
static int expected (const Graph *g, unsigned from) {
  int with[MOST], without[MOST];
  find_free(g, with, 1);
  find_free(g, without, 0);
  return !with[from] ? -1 : !without[from];
}

static int round_of (unsigned seed) {
  Graph g;
  _Atomic(tpi_Future *) at = NULL;
  char ring[4096];
  unsigned from;
  int rc, should;
  make(&g, &seed);
  from = (unsigned)rand_r(&seed) % g.count;
  should = expected(&g, from);
  rc = tpi_future_adopts(&g.nodes[0]->future, &g.nodes[from]->future, &at, ring,
                         sizeof ring);
  if (rc == TP_OK)
    tpi_future_release(tpi_see(&at));
  else
    check_names(&g, from, ring);
  if (should >= 0)
    assert_int_equal(rc, should ? TP_INVALID : TP_OK);
  for (unsigned i = 0; i < g.count; i++)
    tpi_future_release(&g.nodes[i]->future);
  return should == 1;
}

static void rings_are_what_the_model_says (void **state) {
  enum { ROUNDS = 20000 };
  int rings = 0;
  (void)state;
  for (unsigned seed = 1; seed <= ROUNDS; seed++)
    rings += round_of(seed);
  assert_true(rings > ROUNDS / 20); /* else this has shown nothing */
}

/* ---------------------------------------------------------------- */
/* Tasks                                                             */
/* ---------------------------------------------------------------- */

static tpi_Task *new_task (void) {
  tpi_Task *task = tpi_task_new(&tasks, NULL, NULL, NULL, 0);
  assert_non_null(task);
  return task;
}

static int await (tpi_Task *task, tpi_Task *other, int how) {
  char ring[128];
  return tpi_task_await(task, &other->future, how, ring, sizeof ring);
}

static void a_long_chain_is_looked_at_by_a_loop (void **state) {
  enum { LENGTH = 300000 };
  tpi_Task **chain = calloc(LENGTH, sizeof(tpi_Task *));
  (void)state;
  assert_non_null(chain);
  chain[0] = new_task();
  for (int i = 1; i < LENGTH; i++) {
    chain[i] = new_task();
    assert_int_equal(await(chain[i], chain[i - 1], TPI_YIELDS), TP_OK);
  }
  assert_int_equal(await(chain[0], chain[LENGTH - 1], TPI_YIELDS), TP_INVALID);
  assert_null(chain[0]->awaits);
  for (int i = 1; i < LENGTH; i++)
    tpi_task_awaits_no_more(chain[i]);
  for (int i = 0; i < LENGTH; i++)
    tpi_future_release(&chain[i]->future);
  free(chain);
}

static void a_wait_with_a_limit_is_in_no_ring (void **state) {
  tpi_Task *a = new_task(), *b = new_task();
  (void)state;
  assert_int_equal(await(a, b, TPI_YIELDS | TPI_LIMITED), TP_OK);
  assert_int_equal(await(b, a, TPI_YIELDS), TP_OK);
  tpi_task_awaits_no_more(a);
  assert_int_equal(await(a, b, TPI_YIELDS | TPI_LIMITED), TP_OK);
  tpi_task_awaits_no_more(a);
  assert_int_equal(await(a, b, TPI_YIELDS), TP_INVALID);
  tpi_task_awaits_no_more(b);
  tpi_future_release(&a->future);
  tpi_future_release(&b->future);
}

static void who_runs_on_top_must_not_wait_for_what_is_below (void **state) {
  tpi_Task *below = new_task(), *top = new_task();
  tpi_Cover cover;
  (void)state;
  tpi_task_cover(&cover, below, &top->future);
  assert_int_equal(await(top, below, 0), TP_FULL);
  assert_int_equal(await(top, below, TPI_YIELDS), TP_OK);
  assert_true(tpi_future_hangs_on(&below->future, &top->future, 1));
  assert_false(tpi_future_hangs_on(&below->future, &top->future, 0));
  tpi_task_awaits_no_more(top);
  tpi_task_uncover(&cover);
  assert_int_equal(await(top, below, 0), TP_OK);
  tpi_task_awaits_no_more(top);
  tpi_future_release(&below->future);
  tpi_future_release(&top->future);
}

int main (void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rings_are_what_the_model_says),
      cmocka_unit_test(a_long_chain_is_looked_at_by_a_loop),
      cmocka_unit_test(a_wait_with_a_limit_is_in_no_ring),
      cmocka_unit_test(who_runs_on_top_must_not_wait_for_what_is_below),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
