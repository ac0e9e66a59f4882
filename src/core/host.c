#include "core/host.h"

#include <stddef.h>

#include "core/clock.h"
#include "core/memory.h"
#include "core/generation.h"
#include "core/word.h"
#include "tidepool.h"

int tpi_inbox_push (tpi_Inbox *inbox, tpi_Node *node) {
  tpi_Node *head = tpi_peek(&inbox->head);
  do {
    node->next = head;
  } while (!tpi_cas(&inbox->head, &head, node));
  return head == NULL;
}

tpi_Node *tpi_inbox_take (tpi_Inbox *inbox) {
  tpi_Node *first = NULL, *node;
  if (tpi_see(&inbox->head) == NULL)
    return NULL;
  node = tpi_swap(&inbox->head, NULL);
  while (node != NULL) {
    tpi_Node *next = node->next;
    node->next = first;
    first = node;
    node = next;
  }
  return first;
}

tpi_Host *tpi_host_new (int dozes) {
  tpi_Host *host = tpi_calloc(sizeof *host);
  if (host == NULL)
    return NULL;
  tpi_poke(&host->refs, 1);
  host->dozes = dozes;
  host->stop_at = TPI_NEVER;
  host->bell.fd = host->bell.out = -1;
  host->ready_end = &host->ready;
  return host;
}

void tpi_host_retain (tpi_Host *host) { tpi_ref(&host->refs); }

/* The bell of a parent is not ours to ring, nor to hush. */
static int bell_is_ours (tpi_Host *host) {
  return tpi_load(&host->bell_of) == tpi_generation() + 1;
}

/* That of a parent stays open in the child, which may have closed it long ago
   and use its number for something that looks just the same. */
static void drop_bell (tpi_Host *host) {
  if (bell_is_ours(host))
    tpi_bell_fini(&host->bell);
  tpi_store(&host->bell_of, 0);
}

void tpi_host_release (tpi_Host *host) {
  if (host != NULL && tpi_unref(&host->refs)) {
    drop_bell(host);
    tpi_free(host);
  }
}

/* While its owner sleeps it is there, for the owner has looked; but one that
   always listens is rung while the program runs, and may close it. */
static void ring (tpi_Host *host) {
  if (!tpi_peek(&host->listens) || tpi_bell_there(&host->bell))
    tpi_bell_ring(&host->bell);
}

/* Once a worker has seen its word change it may be gone, host and all: only
   the address is used from there on. Who wakes another kind of host holds a
   reference; one without a bell sleeps on the word. */
void tpi_host_wake (tpi_Host *host) {
  int dozes = host->dozes;
  atomic_uint *word = &host->word;
  if (tpi_or(word, TPI_WOKEN) != TPI_ARMED)
    return;
  if (!dozes && bell_is_ours(host))
    ring(host);
  else
    tpi_word_wake(word, 0);
}

/*
** Settled first, then this: the owner clears `news` and then looks at its
** futures, so that either it sees the future settled, or we see news cleared
** and set it again. The owner sets `listens` before it clears news, so that
** either it sees our news or we see that it listens.
*/
void tpi_host_news (tpi_Host *host) {
  if (tpi_see(&host->news) || tpi_swap(&host->news, 1))
    return;
  if (tpi_see(&host->listens))
    tpi_host_wake(host);
}

int tpi_host_need_bell (tpi_Host *host) {
  if (bell_is_ours(host) && tpi_bell_there(&host->bell))
    return TP_OK;
  drop_bell(host);
  tpi_put(&host->word, TPI_AWAKE);
  if (tpi_bell_init(&host->bell) != TP_OK)
    return TP_NOMEM;
  tpi_store(&host->bell_of, tpi_generation() + 1);
  return TP_OK;
}

/*
** Awake again. Armed and woken means that the bell was rung, or is just about
** to be: hushing waits for that ring, lest it come late and stay. Nobody
** rings meanwhile, for the host is not armed: a ring that were hushed with
** the one before would be lost, and its word would say for ever that it rang.
** A host that always listens (its descriptor is out) rests armed, and what
** woke it in between is rung here.
*/
static void rest (tpi_Host *host, int hushed) {
  if (tpi_swap(&host->word, TPI_AWAKE) == (TPI_ARMED | TPI_WOKEN) && !hushed &&
      bell_is_ours(host) && tpi_bell_there(&host->bell))
    tpi_bell_hush(&host->bell);
  if (tpi_peek(&host->listens) && bell_is_ours(host) &&
      tpi_or(&host->word, TPI_ARMED) == TPI_WOKEN)
    ring(host);
}

int tpi_host_has_more (tpi_Host *host) {
  return tpi_see(&host->told.head) != NULL || host->ready != NULL;
}

int tpi_host_drain (tpi_Host *host) {
  if (tpi_see(&host->word) & TPI_WOKEN)
    rest(host, 0);
  if (tpi_peek(&host->listens) && tpi_host_has_more(host))
    tpi_host_wake(host);
  return tpi_see(&host->news) && tpi_swap(&host->news, 0);
}

/* Being woken takes some 50 us: who slept less would rather have looked. */
static void learn (tpi_Host *host, uint64_t since) {
  enum { SHORT = 100 * 1000, MOST_THRIFT = 5 };
  if (tpi_now() - since > SHORT)
    host->thrift += host->thrift < MOST_THRIFT;
  else if (host->thrift > 0)
    host->thrift--;
}

unsigned tpi_host_looks (const tpi_Host *host, unsigned most) {
  return host != NULL ? most >> host->thrift : most;
}

/* One without a bell: a signal that comes just before is seen a little
   later. */
static int nap (tpi_Host *host, uint64_t deadline, int (*stop)(void *),
                void *argument) {
  enum { NAP = 20 * 1000 * 1000 }; /* ns */
  uint64_t until = tpi_now() + NAP;
  if (stop != NULL && stop(argument))
    return TPI_STOPPED;
  if (tpi_word_wait(&host->word, TPI_ARMED,
                    until < deadline ? until : deadline))
    return TPI_RUNG;
  if (stop != NULL && stop(argument))
    return TPI_STOPPED;
  return tpi_until(deadline) == 0 ? TPI_LATE : TPI_RUNG;
}

/* Whatever rang, and be it a late ring for a bell of before, is hushed. */
int tpi_host_sleep (tpi_Host *host, int for_news, uint64_t deadline,
                    int (*stop)(void *), void *argument) {
  int answer = TPI_RUNG, hushed = 0, rings = tpi_host_need_bell(host) == TP_OK;
  tpi_host_arm(host);
  if (tpi_see(&host->told.head) == NULL &&
      !(for_news && tpi_see(&host->news))) {
    uint64_t since = tpi_now(), stop_at = host->stop_at;
    uint64_t until = stop_at < deadline ? stop_at : deadline;
    answer = rings ? tpi_bell_sleep(&host->bell, until, stop, argument)
                   : nap(host, until, stop, argument);
    hushed = rings && answer == TPI_RUNG;
    if (hushed)
      tpi_bell_hush(&host->bell);
    if (answer == TPI_LATE && until != deadline)
      answer = TPI_STOPPED;
    learn(host, since);
  }
  rest(host, hushed);
  return answer;
}

/* A wake-up from before is forgotten: what it was for is looked at next. One
   that rang stays: the sleep will be short. */
void tpi_host_arm (tpi_Host *host) {
  unsigned word = tpi_see(&host->word);
  while (word != (TPI_ARMED | TPI_WOKEN) &&
         !tpi_cas(&host->word, &word, TPI_ARMED)) {
  }
}

int tpi_host_doze (tpi_Host *host, uint64_t deadline) {
  uint64_t since = tpi_now();
  while (tpi_see(&host->word) == TPI_ARMED) {
    if (!tpi_word_wait(&host->word, TPI_ARMED, deadline))
      return 0;
  }
  tpi_put(&host->word, TPI_AWAKE);
  learn(host, since);
  return 1;
}

/* ---------------------------------------------------------------- */
/* Hearing                                                           */
/* ---------------------------------------------------------------- */

void tpi_host_tell (tpi_Host *host, tpi_Told *told) {
  tpi_host_retain(host); /* the owner may hear of it at once, and leave */
  if (tpi_inbox_push(&host->told, &told->node))
    tpi_host_wake(host);
  tpi_host_release(host);
}

void tpi_host_hear (tpi_Host *host) {
  tpi_Node *node = tpi_inbox_take(&host->told);
  while (node != NULL) {
    tpi_Node *next = node->next;
    tpi_Told *told = (tpi_Told *)(void *)node;
    told->hear(told, host);
    node = next;
  }
}

void tpi_host_ready (tpi_Host *host, tpi_Node *node) {
  node->next = NULL;
  *host->ready_end = node;
  host->ready_end = &node->next;
  host->ready_count++;
}

tpi_Node *tpi_host_next (tpi_Host *host) {
  tpi_Node *node = host->ready;
  if (node == NULL)
    return NULL;
  host->ready = node->next;
  if (node->next == NULL)
    host->ready_end = &host->ready;
  host->ready_count--;
  return node;
}

/* ---------------------------------------------------------------- */
/* Parkers                                                           */
/* ---------------------------------------------------------------- */

static tpi_Parker *parker_of (tpi_Waiter *w) {
  return (tpi_Parker *)(void *)((char *)w - offsetof(tpi_Parker, waiter));
}

/* The swap is the last touch: the sleeper may return at once. */
static void tell_thread (tpi_Waiter *w, tpi_Waiter **more) {
  tpi_Parker *p = parker_of(w);
  atomic_uint *word = &p->told;
  if (tpi_swap(word, TPI_WOKEN) == TPI_ARMED)
    tpi_word_wake(word, 0);
  (void)more;
}

static void tell_host (tpi_Waiter *w, tpi_Waiter **more) {
  tpi_Parker *p = parker_of(w);
  tpi_Host *host = p->host;
  tpi_host_tell(host, &p->heard);
  tpi_host_release(host);
  (void)more;
}

static void hear_parker (tpi_Told *told, tpi_Host *host) {
  tpi_Parker *p =
      (tpi_Parker *)(void *)((char *)told - offsetof(tpi_Parker, heard));
  tpi_poke(&p->told, TPI_WOKEN);
  (void)host;
}

void tpi_parker_init (tpi_Parker *p, tpi_Host *host, int (*stop)(void *),
                      void *argument) {
  tpi_waiter_init(&p->waiter, host != NULL ? tell_host : tell_thread);
  p->heard.hear = hear_parker;
  p->host = host;
  p->also = NULL;
  p->stop = stop;
  p->argument = argument;
  tpi_poke(&p->told, TPI_AWAKE);
  if (host != NULL)
    tpi_host_retain(host);
}

static int park_until_told (tpi_Parker *p, uint64_t deadline) {
  for (;;) {
    int answer;
    tpi_host_hear(p->host);
    if (tpi_peek(&p->told) == TPI_WOKEN)
      return TPI_RUNG;
    if (p->host->ready != NULL ||
        (p->host->polled && tpi_see(&p->host->news)) ||
        (p->also != NULL && tpi_peek(&p->also->told) == TPI_WOKEN))
      return TPI_STOPPED;
    answer = tpi_host_sleep(p->host, p->host->polled, deadline, p->stop,
                            p->argument);
    if (answer != TPI_RUNG) {
      tpi_host_hear(p->host);
      return tpi_peek(&p->told) == TPI_WOKEN ? TPI_RUNG : answer;
    }
  }
}

/* News that came meanwhile have rung, and we have hushed that: who watches
   the descriptor shall hear of them all the same. */
static int park_on_host (tpi_Parker *p, uint64_t deadline) {
  int answer = park_until_told(p, deadline);
  if (tpi_peek(&p->host->listens) &&
      (tpi_see(&p->host->news) || tpi_host_has_more(p->host)))
    tpi_host_wake(p->host);
  return answer;
}

/* Armed before `stop` is asked: a nudge either finds the word armed, or what
   it is about is seen. */
static int park_on_word (tpi_Parker *p, uint64_t deadline,
                         int (*stop)(void *)) {
  int in_time = 1;
  for (;;) {
    unsigned awake = TPI_AWAKE;
    if (!tpi_cas(&p->told, &awake, TPI_ARMED) && awake == TPI_WOKEN)
      return TPI_RUNG;
    if (stop != NULL && stop(p->argument))
      return TPI_STOPPED;
    if (!in_time)
      return TPI_LATE;
    in_time = tpi_word_wait(&p->told, TPI_ARMED, deadline);
  }
}

void tpi_park_nudge (tpi_Parker *p) {
  unsigned armed = TPI_ARMED;
  if (tpi_cas(&p->told, &armed, TPI_AWAKE))
    tpi_word_wake(&p->told, 0);
}

int tpi_park (tpi_Parker *p, uint64_t deadline) {
  return p->host != NULL ? park_on_host(p, deadline)
                         : park_on_word(p, deadline, p->stop);
}

void tpi_park_told (tpi_Parker *p) {
  while (p->host != NULL && tpi_peek(&p->told) != TPI_WOKEN) {
    tpi_host_hear(p->host);
    tpi_relax();
  }
  if (p->host == NULL)
    park_on_word(p, TPI_NEVER, NULL);
}

void tpi_park_left (tpi_Parker *p) { tpi_host_release(p->host); }
