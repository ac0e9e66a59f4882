#include "core/map.h"

#include <stdint.h>
#include <string.h>

#include "core/memory.h"
#include "tidepool.h"

enum { FIRST_ROOM = 16, KEPT_ROOM = 4096 };

static tpi_Pair *place (const tpi_Map *map, const void *key) {
  uint64_t hash = (uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15);
  size_t i = (size_t)(hash >> 32) & (map->room - 1);
  while (map->pairs[i].key != NULL && map->pairs[i].key != key)
    i = (i + 1) & (map->room - 1);
  return &map->pairs[i];
}

void *tpi_map_get (const tpi_Map *map, const void *key) {
  return map->count == 0 ? NULL : place(map, key)->value;
}

static int grow (tpi_Map *map) {
  tpi_Map bigger;
  bigger.room = map->room == 0 ? FIRST_ROOM : map->room * 2;
  bigger.count = map->count;
  bigger.pairs = tpi_calloc(bigger.room * sizeof *bigger.pairs);
  if (bigger.pairs == NULL)
    return TP_NOMEM;
  for (size_t i = 0; i < map->room; i++) {
    if (map->pairs[i].key != NULL)
      *place(&bigger, map->pairs[i].key) = map->pairs[i];
  }
  tpi_free(map->pairs);
  *map = bigger;
  return TP_OK;
}

int tpi_map_put (tpi_Map *map, const void *key, void *value) {
  tpi_Pair *pair;
  if (2 * map->count >= map->room && grow(map) != TP_OK)
    return TP_NOMEM;
  pair = place(map, key);
  pair->key = key;
  pair->value = value;
  map->count++;
  return TP_OK;
}

void tpi_map_clear (tpi_Map *map) {
  if (map->room > KEPT_ROOM)
    tpi_map_fini(map);
  else if (map->count > 0)
    memset(map->pairs, 0, map->room * sizeof *map->pairs);
  map->count = 0;
}

void tpi_map_fini (tpi_Map *map) {
  tpi_free(map->pairs);
  map->pairs = NULL;
  map->room = map->count = 0;
}
