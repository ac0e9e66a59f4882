#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include <signal.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/lock.h"
#include "core/word.h"

enum { THREADS = 4, TURNS = 20000 };

typedef struct Shared {
  tpi_Lock lock;
  long count;  /* guarded by lock */
  int inside;  /* likewise */
  int crowded; /* likewise */
} Shared;

static void *add (void *p) {
  Shared *s = p;
  for (int i = 0; i < TURNS; i++) {
    tpi_lock(&s->lock);
    s->crowded |= s->inside++;
    s->count++;
    s->inside--;
    tpi_unlock(&s->lock);
  }
  return NULL;
}

static void one_at_a_time (void **state) {
  static Shared shared;
  pthread_t threads[THREADS];
  (void)state;
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, add, &shared), 0);
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(shared.count, THREADS * TURNS);
  assert_false(shared.crowded);
  assert_int_equal(tpi_see(&shared.lock.word), 0);
}

/* Who takes it last may free it, though another is still unlocking. */
static void *last_one_frees (void *p) {
  Shared *s = p;
  int last;
  tpi_lock(&s->lock);
  last = ++s->count == 2;
  tpi_unlock(&s->lock);
  if (last)
    free(s);
  return NULL;
}

static void may_be_freed_by_the_last (void **state) {
  (void)state;
  for (int i = 0; i < 500; i++) {
    Shared *shared = calloc(1, sizeof *shared);
    pthread_t threads[2];
    assert_non_null(shared);
    for (int k = 0; k < 2; k++)
      assert_int_equal(
          pthread_create(&threads[k], NULL, last_one_frees, shared), 0);
    for (int k = 0; k < 2; k++)
      pthread_join(threads[k], NULL);
  }
}

static void words_have_deadlines (void **state) {
  atomic_uint word = 1;
  uint64_t before = tpi_now();
  (void)state;
  assert_true(tpi_word_wait(&word, 2, TPI_NEVER)); /* not that value */
  while (tpi_word_wait(&word, 1, before + TPI_SECOND / 50)) {
  }
  assert_true(tpi_now() - before >= TPI_SECOND / 50);
}

static void *change (void *p) {
  atomic_uint *word = p;
  tpi_put(word, 2);
  tpi_word_wake(word, 1);
  return NULL;
}

static void words_wake (void **state) {
  (void)state;
  for (int i = 0; i < 500; i++) {
    atomic_uint word = 1;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, change, &word), 0);
    while (tpi_see(&word) == 1)
      assert_true(tpi_word_wait(&word, 1, tpi_deadline(60)));
    pthread_join(thread, NULL);
  }
}

typedef struct Holder {
  tpi_Lock lock;
  atomic_uint holds, enough;
} Holder;

static void *hold (void *p) {
  Holder *h = p;
  tpi_lock(&h->lock);
  tpi_put(&h->holds, 1);
  tpi_word_wake(&h->holds, 1);
  while (!tpi_see(&h->enough))
    tpi_word_wait(&h->enough, 0, TPI_NEVER);
  tpi_unlock(&h->lock);
  return NULL;
}

/* One child takes it at once, another one waits for a thread of its own that
   took it first. */
static void take_in_child (Holder *h, int crowded) {
  pthread_t thread;
  tpi_generation_next();
  tpi_locks_forget();
  tpi_words_forget();
  alarm(60);
  if (crowded) {
    tpi_put(&h->holds, 0);
    if (pthread_create(&thread, NULL, hold, h) != 0)
      _exit(1);
    while (!tpi_see(&h->holds))
      tpi_word_wait(&h->holds, 0, TPI_NEVER);
    tpi_put(&h->enough, 1);
    tpi_word_wake(&h->enough, 1);
  }
  tpi_lock(&h->lock);
  tpi_unlock(&h->lock);
  if (tpi_see(&h->lock.word) == 0)
    raise(SIGKILL); /* no checker looks for what threads of the parent own */
  _exit(1);
}

static void is_free_in_the_child_of_a_fork (void **state) {
  static Holder h;
  pthread_t thread;
  (void)state;
  assert_int_equal(pthread_create(&thread, NULL, hold, &h), 0);
  while (!tpi_see(&h.holds))
    tpi_word_wait(&h.holds, 0, TPI_NEVER);
  for (int crowded = 0; crowded < 2; crowded++) {
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
      take_in_child(&h, crowded);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }
  tpi_put(&h.enough, 1);
  tpi_word_wake(&h.enough, 1);
  pthread_join(thread, NULL);
  assert_int_equal(tpi_see(&h.lock.word), 0);
}

int main (void) {
  const struct CMUnitTest tests[] = {
#if !defined(__SANITIZE_THREAD__) /* it knows no threads of a child */
    cmocka_unit_test(is_free_in_the_child_of_a_fork),
#endif
    cmocka_unit_test(one_at_a_time),
    cmocka_unit_test(may_be_freed_by_the_last),
    cmocka_unit_test(words_have_deadlines),
    cmocka_unit_test(words_wake),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
