/*
** What helps those who meet for the first time that a worker has globals of its
** own, and that tables lose their metatables on the way.
*/
#include <string.h>

#include "lua/place.h"

static const struct {
  const char *sort; /* how Lua calls it, up to its name */
  const char *before, *after;
} hints[] = {
    {"a nil value (global '", ". A worker has globals of its own: make '",
     "' a local, or set it in init"},
    {"a nil value (method '", ". A table that is sent loses its metatable, and "
                              "with that '",
     "', unless it has a __tidepool"}
};

int tpi_hint (lua_State *L) {
  const char *message = lua_tostring(L, -1);
  for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
    const char *name = strstr(message, hints[i].sort), *end;
    if (name == NULL)
      continue;
    name += strlen(hints[i].sort);
    end = strchr(name, '\'');
    if (end == NULL)
      return 0;
    lua_pushstring(L, hints[i].before);
    lua_pushlstring(L, name, (size_t)(end - name));
    lua_pushstring(L, hints[i].after);
    lua_concat(L, 4);
    return 1;
  }
  return 0;
}
