/*
** blob.h: long strings with owners.
**
** Any thread; a short lock. Counted: the last owner frees it. The most recent
** of the large ones are kept for the next, because the system charges a page
** fault for every 4 KiB of fresh memory, which costs more than the copy.
*/
#ifndef TPI_BLOB_H
#define TPI_BLOB_H

#include <stddef.h>

#include "core/atomic.h"

typedef struct tpi_Blob {
  atomic_uint refs;
  size_t room; /* bytes there are, more than used perhaps */
  char bytes[];
} tpi_Blob;

#pragma GCC visibility push(hidden)

/* Room for `length` bytes and a zero, with one owner; NULL if none. */
tpi_Blob *tpi_blob_new (size_t length);
void tpi_blob_release (tpi_Blob *blob);

/* Frees what is kept for later. */
void tpi_blobs_trim (void);
/* Around a fork: nobody holds the lock in between. */
void tpi_blobs_freeze (void);
void tpi_blobs_thaw (void);

#pragma GCC visibility pop
#endif
