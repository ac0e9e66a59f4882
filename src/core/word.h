/*
** word.h: sleeping on one 32-bit word and waking who sleeps there.
**
** Any thread. tpi_word_wait blocks. The word belongs to the caller. Waking
** uses only its address, so a sleeper that has seen its word change may free
** it although the waker has not returned from tpi_word_wake yet.
**
** A futex on Linux; elsewhere (or with TPI_PORTABLE) a small table of
** mutexes and condition variables, found by the address.
*/
#ifndef TPI_WORD_H
#define TPI_WORD_H

#include <stdatomic.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* Sleeps while *word == value, at most until the deadline. May return for no
   reason: look again. False when the deadline has passed. */
int tpi_word_wait (atomic_uint *word, unsigned value, uint64_t deadline);

/* Wakes one sleeper, or all. */
void tpi_word_wake (atomic_uint *word, int all);

/* In the child after a fork: nobody sleeps, nor is about to. */
void tpi_words_forget (void);

#pragma GCC visibility pop
#endif
