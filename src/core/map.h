/*
** map.h: from one address to another, for keeping the identity of tables.
**
** One thread. All zero is an empty map. Never blocks.
*/
#ifndef TPI_MAP_H
#define TPI_MAP_H

#include <stddef.h>

typedef struct tpi_Pair {
  const void *key;
  void *value;
} tpi_Pair;

typedef struct tpi_Map {
  tpi_Pair *pairs;
  size_t room; /* a power of two, or 0 */
  size_t count;
} tpi_Map;

#pragma GCC visibility push(hidden)

/* The value of a key, or NULL. */
void *tpi_map_get (const tpi_Map *map, const void *key);
/* For a key that is not there. TP_OK or TP_NOMEM. */
int tpi_map_put (tpi_Map *map, const void *key, void *value);
/* Empties it; keeps a little memory for the next use. */
void tpi_map_clear (tpi_Map *map);
void tpi_map_fini (tpi_Map *map);

#pragma GCC visibility pop
#endif
