/*
** host_busy.c: the same manager under load: states come and go in several
** threads, each closed with calls of its own in flight.
*/
#include "host.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS 20

static const char script[] =
    "local tidepool = require 'tidepool'\n"
    "require 'testmod'\n"
    "local futures = {}\n"
    "for i = 1, 200 do futures[i] = tidepool.call('test.echo', i, {i}) end\n"
    "for i = 1, 100 do assert(futures[i]:await(60) == i) end\n"
    "for i = 1, 200 do tidepool.call('test.echo', { i }) end\n"
    "held = futures\n";

static void *work (void *arg) {
  (void)arg;
  for (int round = 1; round <= ROUNDS; round++) {
    lua_State *L = host_open();
    host_run(L, script);
    lua_close(L);
  }
  return NULL;
}

int main (void) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, work, NULL) != 0)
      host_die("no thread");
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  puts("busy");
  return 0;
}
