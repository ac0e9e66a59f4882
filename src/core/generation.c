#include "core/generation.h"

atomic_uint tpi_forks;

void tpi_generation_next (void) { atomic_fetch_add(&tpi_forks, TPI_FLAGS + 1); }
