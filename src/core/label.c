#include "core/label.h"

#include <string.h>

#include "core/memory.h"

tpi_Label *tpi_label_new (const char *text) {
  size_t size = strlen(text) + 1;
  tpi_Label *label = tpi_alloc(sizeof *label + size);
  if (label == NULL)
    return NULL;
  tpi_poke(&label->refs, 1);
  memcpy(label->text, text, size);
  return label;
}

tpi_Label *tpi_label_retain (tpi_Label *label) {
  if (label != NULL)
    tpi_ref(&label->refs);
  return label;
}

void tpi_label_release (tpi_Label *label) {
  if (label != NULL && tpi_unref(&label->refs))
    tpi_free(label);
}
