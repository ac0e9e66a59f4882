/*
** atomic.h: C11 atomics by the names of what we use them for.
**
** Any thread. Nothing here blocks. A load pairs with the store or
** read-modify-write that published what it sees. The plain names (tpi_swap,
** tpi_cas, tpi_see) are sequentially consistent, because most of our
** protocols have the shape "publish mine, then look at yours"; the ones with
** a suffix say what they give up.
*/
#ifndef TPI_ATOMIC_H
#define TPI_ATOMIC_H

#include <stdatomic.h>
#include <stddef.h>

#include "core/chaos.h"

/* sequentially consistent */
#define tpi_see(p) ((void)TPI_CHANCE, atomic_load(p))
#define tpi_put(p, v) ((void)TPI_CHANCE, atomic_store(p, v))
#define tpi_swap(p, v) ((void)TPI_CHANCE, atomic_exchange(p, v))
#define tpi_cas(p, old, v) \
  ((void)TPI_CHANCE, atomic_compare_exchange_strong(p, old, v))
#define tpi_or(p, v) ((void)TPI_CHANCE, atomic_fetch_or(p, v))
#define tpi_and(p, v) ((void)TPI_CHANCE, atomic_fetch_and(p, v))

/* acquire and release */
#define tpi_load(p) \
  ((void)TPI_CHANCE, atomic_load_explicit(p, memory_order_acquire))
#define tpi_store(p, v) \
  ((void)TPI_CHANCE, atomic_store_explicit(p, v, memory_order_release))

/* relaxed: a hint, or a counter that orders nothing */
#define tpi_peek(p) \
  ((void)TPI_CHANCE, atomic_load_explicit(p, memory_order_relaxed))
#define tpi_poke(p, v) \
  ((void)TPI_CHANCE, atomic_store_explicit(p, v, memory_order_relaxed))
#define tpi_count(p, n) \
  ((void)TPI_CHANCE, atomic_fetch_add_explicit(p, n, memory_order_relaxed))

/* Reference counts: one more needs no order, the last one sees all. */
#define tpi_ref(p) ((void)tpi_count(p, 1))
#define tpi_unref(p) \
  ((void)TPI_CHANCE, atomic_fetch_sub_explicit(p, 1, memory_order_acq_rel) == 1)

enum { TPI_LINE = 64 }; /* bytes that travel between processors together */

/* A hint to the processor: we are about to write all of this. */
static inline void tpi_expect (const void *p, size_t size) {
#if defined(__GNUC__)
#pragma GCC unroll 8
  for (size_t i = 0; i < size; i += TPI_LINE)
    __builtin_prefetch((const char *)p + i, 1);
#else
  (void)p, (void)size;
#endif
}

/* A hint to the processor that this is a spin. */
static inline void tpi_relax (void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

#endif
