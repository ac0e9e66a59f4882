#include "core/stats.h"

/* Small numbers have a step each; from 8 on, the leading bit and the three
   that follow it. */
static unsigned step_of (uint64_t n) {
  unsigned bit = 3;
  if (n < 8)
    return (unsigned)n;
  while (bit < 63 && n >> (bit + 1) != 0)
    bit++;
  return (bit - 2) * 8 + (unsigned)(n >> (bit - 3) & 7);
}

/* The largest number of a step. */
static double top_of (unsigned step) {
  unsigned bit = step / 8 + 2;
  if (step < 8)
    return step;
  return (double)(UINT64_C(8) + step % 8 + 1) *
             (double)(UINT64_C(1) << (bit - 3)) -
         1;
}

void tpi_histogram_add (tpi_Histogram *h, uint64_t n) {
  atomic_uint *count = &h->counts[step_of(n)];
  tpi_poke(count, tpi_peek(count) + 1); /* one writer: no need to lock */
  if (n > tpi_peek(&h->longest))
    tpi_poke(&h->longest, n);
}

void tpi_histogram_merge (tpi_Histogram *h, tpi_Histogram *from) {
  for (unsigned i = 0; i < TPI_STEPS; i++)
    tpi_poke(&h->counts[i],
             tpi_peek(&h->counts[i]) + tpi_peek(&from->counts[i]));
  if (tpi_peek(&from->longest) > tpi_peek(&h->longest))
    tpi_poke(&h->longest, tpi_peek(&from->longest));
}

static double quantile (tpi_Histogram *h, uint64_t total, double q) {
  uint64_t rank = (uint64_t)((double)total * q), seen = 0;
  double longest = (double)tpi_peek(&h->longest);
  for (unsigned i = 0; i < TPI_STEPS; i++) {
    seen += tpi_peek(&h->counts[i]);
    if (seen > rank)
      return top_of(i) < longest ? top_of(i) : longest;
  }
  return longest;
}

tpi_Quantiles tpi_histogram_read (tpi_Histogram *h) {
  tpi_Quantiles answer = {0, 0, 0, 0};
  uint64_t total = 0;
  for (unsigned i = 0; i < TPI_STEPS; i++)
    total += tpi_peek(&h->counts[i]);
  if (total > 0) {
    answer.p50 = quantile(h, total, 0.50) / 1e9;
    answer.p90 = quantile(h, total, 0.90) / 1e9;
    answer.p99 = quantile(h, total, 0.99) / 1e9;
    answer.max = (double)tpi_peek(&h->longest) / 1e9;
  }
  return answer;
}
