#include "core/blob.h"

#include "core/lock.h"
#include "core/memory.h"

enum {
  KEPT = 8,          /* blobs at most */
  LARGE = 64 * 1024, /* smaller ones malloc keeps well enough */
  LARGEST = 4 * 1024 * 1024
};

static tpi_Lock lock;
static tpi_Blob *kept[KEPT]; /* guarded by lock */
static unsigned next;        /* the oldest; guarded by lock */

/* One that fits, with at most a quarter to spare. */
static tpi_Blob *take_kept (size_t length) {
  tpi_Blob *blob = NULL;
  tpi_lock(&lock);
  for (unsigned i = 0; i < KEPT && blob == NULL; i++) {
    if (kept[i] != NULL && kept[i]->room >= length &&
        kept[i]->room - length <= kept[i]->room / 4) {
      blob = kept[i];
      kept[i] = NULL;
    }
  }
  tpi_unlock(&lock);
  return blob;
}

tpi_Blob *tpi_blob_new (size_t length) {
  tpi_Blob *blob = NULL;
  if (length >= LARGE && length <= LARGEST)
    blob = take_kept(length);
  if (blob == NULL) {
    blob = tpi_alloc(sizeof *blob + length + 1);
    if (blob == NULL)
      return NULL;
    blob->room = length;
  }
  tpi_poke(&blob->refs, 1);
  return blob;
}

/* Takes the place of an empty one, or of the oldest, which is answered. */
static tpi_Blob *keep (tpi_Blob *blob) {
  tpi_Blob *old;
  unsigned place;
  tpi_lock(&lock);
  place = next;
  for (unsigned i = 0; i < KEPT; i++) {
    if (kept[i] == NULL)
      place = i;
  }
  if (place == next)
    next = (next + 1) % KEPT;
  old = kept[place];
  kept[place] = blob;
  tpi_unlock(&lock);
  return old;
}

void tpi_blob_release (tpi_Blob *blob) {
  if (!tpi_unref(&blob->refs))
    return;
  if (blob->room >= LARGE && blob->room <= LARGEST)
    blob = keep(blob);
  tpi_free(blob);
}

void tpi_blobs_trim (void) {
  for (unsigned i = 0; i < KEPT; i++) {
    tpi_Blob *blob;
    tpi_lock(&lock);
    blob = kept[i];
    kept[i] = NULL;
    tpi_unlock(&lock);
    tpi_free(blob);
  }
}

void tpi_blobs_freeze (void) { tpi_lock(&lock); }
void tpi_blobs_thaw (void) { tpi_unlock(&lock); }
