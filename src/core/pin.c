#define _GNU_SOURCE
#include "core/pin.h"

#include <dlfcn.h>
#include <stddef.h>

const char *tpi_pin_path (const void *address) {
  Dl_info info;
  return dladdr(address, &info) != 0 && info.dli_fname != NULL
             ? info.dli_fname
             : "an object without a path";
}

void tpi_pin (const void *address) {
  Dl_info info;
  if (dladdr(address, &info) != 0 && info.dli_fname != NULL) {
    /* NOLOAD: only what is mapped already; a program is not, by its name */
    void *object =
        dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    if (object != NULL)
      dlclose(object); /* the count; NODELETE stays */
  }
}

int tpi_same_module (const void *a, const void *b) {
  Dl_info one, other;
  return dladdr(a, &one) != 0 && dladdr(b, &other) != 0 &&
         one.dli_fbase == other.dli_fbase;
}
