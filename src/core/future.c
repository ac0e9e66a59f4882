#include "core/future.h"

#include <string.h>

#include "core/clock.h"
#include "core/lock.h"
#include "core/memory.h"

static const char *const kind_names[] = {
    "error", "cancelled", "timeout", "closed", "broken", "transfer", "full"};

static const char *const state_names[] = {"pending",   "running", "suspended",
                                          "completed", "failed",  "cancelled"};

const char *tpi_kind_name (tpi_Kind kind) { return kind_names[kind]; }

const char *tpi_phase_name (tpi_Phase state) { return state_names[state]; }

uint64_t tpi_future_ids (unsigned n) {
  static atomic_ullong next = 1;
  return tpi_count(&next, n);
}

void tpi_future_init (tpi_Future *f, const tpi_Class *class, tpi_Host *home,
                      void *buffer, size_t size) {
  f->class = class;
  tpi_poke(&f->word, tpi_generation() | TPI_PENDING);
  tpi_poke(&f->refs, 1);
  f->home = home;
  if (home != NULL)
    tpi_host_retain(home);
  f->in.waiters = NULL;
  f->link = NULL;
  f->id = 0;
  tpi_list_init(&f->results, buffer, size);
  f->reason = NULL;
  f->progress = NULL;
  f->patience = f->wanted = 0;
  f->literal = 0;
  tpi_poke(&f->lent, 0);
  tpi_poke(&f->sought, 0);
  f->trail.mark = 0;
  f->kind = TPI_ERROR;
}

/* Blocks may live in the future's own memory, so this goes last. */
void tpi_future_fini (tpi_Future *f, tpi_List *heir,
                      void (*release)(tpi_Block *, tpi_List *)) {
  tpi_Block *blocks = f->results.blocks;
  f->shell.next = NULL;
  f->shell.release = release;
  tpi_list_bequeath(heir, &f->shell);
  tpi_list_bequeath(heir, blocks);
  if (!f->literal)
    tpi_free(f->reason);
  tpi_free(f->progress);
  tpi_host_release(f->home);
}

void tpi_future_free (tpi_Block *shell, tpi_List *list) {
  (void)list;
  tpi_free(tpi_future_of(shell));
}

void tpi_future_retain (tpi_Future *f) { tpi_ref(&f->refs); }

/*
** Failures that nobody has read and that have owners, of Lua states of the
** program. Who settles such a future owns it, puts it there, and only then
** tells of it.
*/
static tpi_Lock lock;
static tpi_Future *failures; /* guarded by lock, as are `failure` and `link` */

static void note_failure (tpi_Future *f) {
  if (f->home == NULL || f->home->dozes)
    return;
  tpi_lock(&lock);
  if (!(tpi_see(&f->word) & TPI_READ)) {
    f->in.failure = failures;
    f->link = &failures;
    if (failures != NULL)
      failures->link = &f->in.failure;
    failures = f;
  }
  tpi_unlock(&lock);
}

static void unlink_locked (tpi_Future *f) {
  if (f->link == NULL)
    return;
  *f->link = f->in.failure;
  if (f->in.failure != NULL)
    f->in.failure->link = f->link;
  f->link = NULL;
}

static void forget_failure (tpi_Future *f) {
  tpi_lock(&lock);
  unlink_locked(f);
  tpi_unlock(&lock);
}

/* Unless its last owner is just letting go of it. */
static int try_retain (tpi_Future *f) {
  unsigned refs = tpi_see(&f->refs);
  while (refs > 0 && !tpi_cas(&f->refs, &refs, refs + 1)) {
  }
  return refs > 0;
}

tpi_Future *tpi_failures_take (void) {
  tpi_Future *f;
  tpi_lock(&lock);
  f = failures;
  while (f != NULL && (tpi_see(&f->home->closed) || !try_retain(f)))
    f = f->in.failure;
  if (f != NULL)
    unlink_locked(f);
  tpi_unlock(&lock);
  if (f != NULL)
    tpi_or(&f->word, TPI_READ);
  return f;
}

void tpi_failures_forget (void) {
  tpi_lock_forget(&lock);
  failures = NULL;
}

/*
** A failure that nobody has looked at goes to its home instead of away, if
** there is still anybody at home. That is how errors of futures that were
** dropped, or whose task outlived them, come to be reported. Closing sets
** `closed` before the last take, so that a push that comes too late for it
** is taken by who pushed.
*/
void tpi_future_let_go (void *future, tpi_List *heir) {
  tpi_Future *f = future;
  unsigned word;
  tpi_Host *home;
  if (!tpi_unref(&f->refs))
    return;
  word = tpi_see(&f->word);
  if ((word & TPI_STATE) != TPI_COMPLETED && tpi_future_orphaned(f))
    return;
  home = f->home;
  if ((word & TPI_STATE) == TPI_FAILED && !tpi_foreign(word))
    forget_failure(f);
  if ((word & TPI_STATE) != TPI_FAILED || (word & TPI_READ) || home == NULL ||
      tpi_see(&home->closed)) {
    f->class->destroy(f, heir);
    return;
  }
  tpi_poke(&f->refs, 1); /* the inbox's */
  tpi_host_retain(home); /* the owner may free f at once, and itself */
  tpi_inbox_push(&home->unread, &f->in.unread);
  if (tpi_see(&home->closed))
    tpi_future_forget_unread(home);
  tpi_host_release(home);
}

void tpi_future_release (tpi_Future *f) {
  tpi_List left;
  if (f == NULL)
    return;
  tpi_list_init(&left, NULL, 0);
  tpi_future_let_go(f, &left);
  tpi_list_fini(&left);
}

static tpi_Future *unread_of (tpi_Node *node) {
  return node == NULL ? NULL
                      : (tpi_Future *)(void *)((char *)node -
                                               offsetof(tpi_Future, in.unread));
}

tpi_Future *tpi_future_unread (tpi_Host *home) {
  return unread_of(tpi_inbox_take(&home->unread));
}

tpi_Future *tpi_future_next_unread (tpi_Future *f) {
  return unread_of(f->in.unread.next);
}

void tpi_future_forget_unread (tpi_Host *home) {
  tpi_Future *f = tpi_future_unread(home);
  while (f != NULL) {
    tpi_Future *next = tpi_future_next_unread(f);
    tpi_future_read(f);
    tpi_future_release(f);
    f = next;
  }
}

/* ---------------------------------------------------------------- */
/* The word                                                          */
/* ---------------------------------------------------------------- */

static unsigned made_in (unsigned word) { return word & ~(unsigned)TPI_FLAGS; }

static const char left_behind[] =
    "it was pending when this process was forked; who would settle it is in "
    "the parent";

tpi_Phase tpi_future_break (tpi_Future *f) {
  unsigned word = tpi_see(&f->word), born = made_in(word);
  do {
    while (!tpi_foreign(word) && (word & TPI_STATE) < TPI_COMPLETED) {
      tpi_relax(); /* another thread of this process is at it */
      word = tpi_see(&f->word);
    }
    if ((word & TPI_STATE) >= TPI_COMPLETED)
      return (tpi_Phase)(word & TPI_STATE);
  } while (!tpi_cas(&f->word, &word, tpi_generation() | TPI_LOCKED));
  f->in.waiters = NULL;
  f->kind = TPI_KIND_BROKEN;
  f->reason = (char *)(uintptr_t)left_behind;
  f->literal = 1;
  tpi_put(&f->word, born | TPI_FAILED | TPI_READ);
  return TPI_FAILED;
}

int tpi_future_orphaned (tpi_Future *f) {
  return tpi_future_foreign(f) && tpi_future_state(f) == TPI_FAILED &&
         f->reason == left_behind;
}

/* Takes the lock bit unless the future has settled: the word before, or -1.
   Held for a few instructions, however many wait, so the wait is a spin; who
   holds it may store the word, for nobody else changes it meanwhile. */
static int64_t lock_unsettled (tpi_Future *f) {
  unsigned word = tpi_see(&f->word);
  for (;;) {
    if ((word & TPI_STATE) >= TPI_COMPLETED)
      return -1;
    if (tpi_foreign(word)) {
      tpi_future_break(f);
      return -1;
    }
    if (word & TPI_LOCKED) {
      tpi_relax();
      word = tpi_see(&f->word);
    } else if (tpi_cas(&f->word, &word, word | TPI_LOCKED)) {
      return word;
    }
  }
}

static void unlock (tpi_Future *f) { tpi_and(&f->word, ~(unsigned)TPI_LOCKED); }

/* From one unsettled state to another. */
static int step (tpi_Future *f, tpi_Phase from, tpi_Phase to) {
  const unsigned flags = TPI_LOCKED | TPI_AWAITED | TPI_READ;
  unsigned expected = tpi_generation() | (unsigned)from;
  unsigned word = tpi_see(&f->word);
  for (;;) {
    if (((word ^ expected) & ~flags) != 0)
      return 0;
    if (word & TPI_LOCKED) {
      tpi_relax();
      word = tpi_see(&f->word);
    } else if (tpi_cas(&f->word, &word,
                       (word & ~(unsigned)TPI_STATE) | (unsigned)to)) {
      return 1;
    }
  }
}

int tpi_future_claim (tpi_Future *f) {
  unsigned word = tpi_generation() | (tpi_peek(&f->word) & TPI_AWAITED);
  return tpi_cas(&f->word, &word, word | TPI_RUNNING) || /* as nearly always */
         step(f, TPI_PENDING, TPI_RUNNING);
}

int tpi_future_suspend (tpi_Future *f, int suspended) {
  return suspended ? step(f, TPI_RUNNING, TPI_SUSPENDED)
                   : step(f, TPI_SUSPENDED, TPI_RUNNING);
}

static void announce (tpi_Future *f, tpi_Waiter *waiters) {
  if (f->home != NULL)
    tpi_host_news(f->home);
  tpi_waiters_tell(waiters);
}

/* The common end of settling: the lock bit is held, the outcome written. */
static void publish (tpi_Future *f, tpi_Phase state, tpi_Phase was,
                     int withdraw, tpi_Waiter **more) {
  tpi_Waiter *waiters = f->in.waiters;
  f->in.waiters = NULL;
  tpi_put(&f->word, tpi_generation() | (unsigned)state);
  waiters = tpi_waiters_take(&waiters); /* who leaves now looks at none */
  if (state == TPI_FAILED)
    note_failure(f);
  if (withdraw && f->class->withdraw != NULL)
    f->class->withdraw(f, was);
  if (more != NULL) {
    tpi_waiters_push(more, waiters);
    waiters = NULL;
  }
  announce(f, waiters);
}

int tpi_future_settle (tpi_Future *f, tpi_Phase state, tpi_Waiter **more) {
  unsigned here = tpi_generation(), word = here | TPI_RUNNING;
  if (tpi_cas(&f->word, &word, here | (unsigned)state)) {
    if (state == TPI_FAILED)
      note_failure(f);
    announce(f, NULL); /* the common case: nobody has asked yet */
    return 1;
  }
  if (lock_unsettled(f) < 0)
    return 0;
  publish(f, state, TPI_RUNNING, 0, more);
  return 1;
}

int tpi_future_complete (tpi_Future *f) {
  return tpi_future_settle(f, TPI_COMPLETED, NULL);
}

int tpi_future_fail (tpi_Future *f) {
  return tpi_future_settle(f, TPI_FAILED, NULL);
}

int tpi_future_end (tpi_Future *f, tpi_Phase state, tpi_Kind kind, char *reason,
                    int literal, tpi_Waiter **more) {
  int64_t word = lock_unsettled(f);
  tpi_Phase was = (tpi_Phase)(word & TPI_STATE);
  if (word < 0)
    return -1;
  f->kind = (unsigned char)kind;
  f->reason = reason;
  f->literal = (unsigned char)literal;
  publish(f, state, was, 1, more);
  return (int)was;
}

int tpi_future_end_copy (tpi_Future *f, tpi_Phase state, tpi_Kind kind,
                         const char *reason, const char *spare,
                         tpi_Waiter **more) {
  char *copy = tpi_copy(reason, strlen(reason));
  int literal = copy == NULL, was;
  if (literal)
    copy = (char *)(uintptr_t)spare;
  was = tpi_future_end(f, state, kind, copy, literal, more);
  if (was < 0 && !literal)
    tpi_free(copy);
  return was;
}

int tpi_future_cancel (tpi_Future *f, const char *reason) {
  if (tpi_future_settled(f))
    return 0;
  if (reason == NULL)
    return tpi_future_end(f, TPI_CANCELLED, TPI_KIND_CANCELLED, NULL, 0,
                          NULL) >= 0;
  return tpi_future_end_copy(f, TPI_CANCELLED, TPI_KIND_CANCELLED, reason,
                             "(no memory to keep the reason)", NULL) >= 0;
}

/* ---------------------------------------------------------------- */
/* Waiting                                                           */
/* ---------------------------------------------------------------- */

int tpi_future_join (tpi_Future *f, tpi_Waiter *waiter) {
  int64_t word = lock_unsettled(f);
  if (word < 0)
    return 0;
  tpi_waiter_add(&f->in.waiters, waiter);
  f->wanted += !waiter->aside;
  tpi_put(&f->word, (unsigned)word | TPI_AWAITED);
  return 1;
}

int tpi_future_leave (tpi_Future *f, tpi_Waiter *waiter) {
  int64_t word = lock_unsettled(f);
  int left;
  if (word < 0)
    return 0;
  left = tpi_waiter_remove(waiter);
  f->wanted -= left && !waiter->aside;
  if (f->in.waiters == NULL)
    word &= ~(int64_t)TPI_AWAITED;
  tpi_put(&f->word, (unsigned)word);
  return left;
}

int tpi_future_wanted (tpi_Future *f, const tpi_Waiter *but) {
  unsigned stands, wanted;
  if (lock_unsettled(f) < 0)
    return 0;
  stands = but != NULL && but->link != NULL && !but->aside;
  wanted = f->wanted;
  unlock(f);
  return wanted > stands;
}

/* Stands in the list of the future. Freed by who takes it out of there: who
   tells it, or who dismisses it before. */
struct tpi_Herald {
  tpi_Waiter waiter;
  tpi_Host *host; /* retained */
};

static void fall_silent (tpi_Herald *herald) {
  tpi_host_release(herald->host);
  tpi_free(herald);
}

static void tell_news (tpi_Waiter *waiter, tpi_Waiter **more) {
  (void)more;
  tpi_Herald *herald = (tpi_Herald *)(void *)waiter;
  tpi_host_news(herald->host);
  fall_silent(herald);
}

int tpi_future_herald (tpi_Future *f, tpi_Host *host, tpi_Herald **out) {
  tpi_Herald *herald;
  *out = NULL;
  if (f->home == host || host->dozes || tpi_future_settled(f) ||
      tpi_future_orphaned(f))
    return TP_OK;
  herald = tpi_alloc(sizeof *herald);
  if (herald == NULL)
    return TP_NOMEM;
  tpi_waiter_init(&herald->waiter, tell_news);
  herald->waiter.aside = 1;
  herald->host = host;
  tpi_host_retain(host);
  if (tpi_future_join(f, &herald->waiter))
    *out = herald;
  else
    fall_silent(herald);
  return TP_OK;
}

/* Of one that has told only the address is used: leaving a future that has
   settled looks at no waiter. */
void tpi_herald_dismiss (tpi_Herald *herald, tpi_Future *f) {
  if (!tpi_future_orphaned(f) && tpi_future_leave(f, &herald->waiter))
    fall_silent(herald);
}

int tpi_future_spin (tpi_Future *f, const tpi_Host *host) {
  unsigned looks = tpi_host_looks(host, f->patience);
  while ((tpi_peek(&f->word) & TPI_STATE) < TPI_COMPLETED && looks-- > 0)
    tpi_relax();
  return tpi_future_settled(f);
}

int tpi_future_wait (tpi_Future *f, tpi_Parker *p, uint64_t deadline) {
  int answer;
  if (!tpi_future_join(f, &p->waiter)) {
    tpi_park_left(p);
    return TPI_RUNG;
  }
  answer = tpi_park(p, deadline);
  if (answer == TPI_RUNG)
    return TPI_RUNG;
  if (tpi_future_leave(f, &p->waiter)) {
    tpi_park_left(p);
    return answer;
  }
  tpi_park_told(p);
  return TPI_RUNG;
}

/* ---------------------------------------------------------------- */
/* Looking                                                           */
/* ---------------------------------------------------------------- */

/* What does not fit is cut, but no character of UTF-8 in the middle. */
static void copy_note (char *to, size_t size, const char *note) {
  size_t length = strlen(note);
  if (length >= size) {
    length = size - 1;
    while (length > 0 && ((unsigned char)note[length] & 0xc0) == 0x80)
      length--;
  }
  memcpy(to, note, length);
  to[length] = '\0';
}

void tpi_future_progress (tpi_Future *f, double fraction, const char *note) {
  tpi_Progress *fresh = tpi_alloc(sizeof *fresh);
  tpi_Progress *old;
  if (fresh == NULL)
    return; /* it is only a report, and the next one may fare better */
  fresh->fraction = fraction >= 0 ? (fraction <= 1 ? fraction : 1) : 0;
  copy_note(fresh->note, sizeof fresh->note, note != NULL ? note : "");
  if (lock_unsettled(f) < 0) {
    tpi_free(fresh);
    return;
  }
  old = f->progress;
  f->progress = fresh;
  unlock(f);
  tpi_free(old);
}

tpi_Progress tpi_future_told (tpi_Future *f) {
  tpi_Progress p = {0, ""};
  int unsettled;
  if (tpi_future_orphaned(f))
    return p; /* it may be half written */
  unsettled = lock_unsettled(f) >= 0;
  if (f->progress != NULL)
    p = *f->progress;
  if (unsettled)
    unlock(f);
  else if (tpi_future_state(f) == TPI_COMPLETED)
    p.fraction = 1;
  return p;
}

const char *tpi_future_message (tpi_Future *f, size_t *length) {
  const char *message = f->reason;
  if (message == NULL && f->kind != TPI_KIND_CANCELLED &&
      f->results.count > 0 && tpi_future_state(f) == TPI_FAILED)
    message = tp_bytesof(f->results.items, length);
  else if (length != NULL)
    *length = message != NULL ? strlen(message) : 0;
  return message;
}

void tpi_future_read (tpi_Future *f) {
  if ((tpi_peek(&f->word) & (TPI_STATE | TPI_READ)) != TPI_FAILED)
    return;
  tpi_or(&f->word, TPI_READ);
  if (!tpi_future_foreign(f))
    forget_failure(f);
}
