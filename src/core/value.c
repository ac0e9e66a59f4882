#include "core/value.h"

#include <stdalign.h>
#include <string.h>

#include "core/blob.h"
#include "core/memory.h"

enum { FIRST_PIECE = 512, LAST_PIECE = 64 * 1024 };

/* A piece of plain memory; its bytes follow. */
typedef struct Piece {
  tpi_Block block;
  alignas(max_align_t) char bytes[];
} Piece;

/* One list's share of a blob. */
typedef struct Share {
  tpi_Block block;
  tpi_Blob *blob;
} Share;

static void release_piece (tpi_Block *block, tpi_List *list) {
  (void)list;
  tpi_free(block);
}

static void release_share (tpi_Block *block, tpi_List *list) {
  (void)list;
  tpi_blob_release(((Share *)block)->blob);
}

static void release_reference (tpi_Block *block, tpi_List *list) {
  tpi_Reference *r = (tpi_Reference *)block;
  r->let_go(r->object, list);
}

static void own (tpi_List *list, tpi_Block *block, size_t size,
                 void (*release)(tpi_Block *, tpi_List *)) {
  block->size = size;
  block->release = release;
  block->next = list->blocks;
  list->blocks = block;
}

void tpi_list_init (tpi_List *list, void *buffer, size_t size) {
  memset(list, 0, sizeof *list);
  list->spare = buffer;
  list->left = (uint32_t)size;
}

/* Shares and references live in pieces, and a piece is always older than
   what lives in it, so going from the newest on is safe. */
void tpi_list_fini (tpi_List *list) {
  tpi_Block *block;
  while ((block = list->blocks) != NULL) {
    list->blocks = block->next;
    block->release(block, list);
  }
  tpi_list_init(list, NULL, 0);
}

void tpi_list_bequeath (tpi_List *heir, tpi_Block *blocks) {
  tpi_Block *last = blocks;
  if (blocks == NULL)
    return;
  while (last->next != NULL)
    last = last->next;
  last->next = heir->blocks;
  heir->blocks = blocks;
}

size_t tpi_list_weight (const tpi_List *list) {
  size_t sum = 0;
  for (const tpi_Block *b = list->blocks; b != NULL; b = b->next)
    sum += b->size;
  return sum;
}

/* Behind our own blocks: ours may be younger, never the other way round. */
void tpi_list_adopt (tpi_List *list, tpi_List *from) {
  tpi_Block **end = &list->blocks;
  while (*end != NULL)
    end = &(*end)->next;
  *end = from->blocks;
  tpi_list_init(from, NULL, 0);
}

static size_t align_up (size_t size) {
  const size_t a = alignof(max_align_t) < 16 ? alignof(max_align_t) : 8;
  return (size + a - 1) & ~(a - 1);
}

static void *room_in_new_piece (tpi_List *list, size_t size) {
  size_t room = FIRST_PIECE;
  Piece *piece;
  if (list->blocks != NULL && list->blocks->release == release_piece)
    room = list->blocks->size * 2;
  if (room > LAST_PIECE)
    room = LAST_PIECE;
  if (room < size + sizeof *piece)
    room = size + sizeof *piece;
  piece = tpi_alloc(room);
  if (piece == NULL)
    return NULL;
  own(list, &piece->block, room, release_piece);
  room -= sizeof *piece + size;
  if (room > list->left) { /* else what is left of the old one is better */
    list->spare = piece->bytes + size;
    list->left = (uint32_t)room;
  }
  return piece->bytes;
}

void *tpi_list_room (tpi_List *list, size_t size) {
  if (size > SIZE_MAX / 4)
    return NULL;
  size = align_up(size);
  if (size <= list->left) {
    void *p = list->spare;
    list->spare += size;
    list->left -= (uint32_t)size;
    return p;
  }
  return room_in_new_piece(list, size);
}

/* Doubles an array of this list. The old one stays as waste: at most as much
   again as the new one. */
static tp_Value *grown (tpi_List *list, const tp_Value *old, size_t used,
                        size_t *room, size_t values_each) {
  size_t n = *room == 0 ? 4 : *room * 2;
  tp_Value *p;
  if (n > SIZE_MAX / (8 * sizeof *p * values_each))
    return NULL;
  p = tpi_list_room(list, n * values_each * sizeof *p);
  if (p == NULL)
    return NULL;
  if (used > 0)
    memcpy(p, old, used * values_each * sizeof *p);
  *room = n;
  return p;
}

int tpi_list_reserve (tpi_List *list, size_t n) {
  tp_Value *p;
  if (n <= list->room)
    return TP_OK;
  if (n > UINT32_MAX / 2)
    return TP_NOMEM;
  p = tpi_list_room(list, n * sizeof *p);
  if (p == NULL)
    return TP_NOMEM;
  if (list->count > 0)
    memcpy(p, list->items, list->count * sizeof *p);
  list->items = p;
  list->room = (uint32_t)n;
  return TP_OK;
}

int tpi_list_push (tpi_List *list, tp_Value value) {
  if (list->count == list->room) {
    /* the first result is most often the only one */
    size_t n = list->room == 0 ? 1 : (size_t)list->room * 2 + 2;
    int rc = tpi_list_reserve(list, n);
    if (rc != TP_OK)
      return rc;
  }
  list->items[list->count++] = value;
  return TP_OK;
}

static void set_bytes (tp_Value *value, const char *bytes, size_t length,
                       unsigned flags) {
  value->tag = TP_TBYTES | flags | (uint64_t)length << 8;
  value->as.bytes = bytes;
}

static int share_blob (tpi_List *list, tpi_Blob *blob) {
  Share *share = tpi_list_room(list, sizeof *share);
  if (share == NULL)
    return TP_NOMEM;
  share->blob = blob;
  own(list, &share->block, blob->room, release_share);
  return TP_OK;
}

static char *new_blob (tpi_List *list, size_t length) {
  tpi_Blob *blob = tpi_blob_new(length);
  if (blob == NULL)
    return NULL;
  if (share_blob(list, blob) == TP_OK)
    return blob->bytes;
  tpi_blob_release(blob);
  return NULL;
}

char *tpi_list_bytes (tpi_List *list, tp_Value *value, const char *bytes,
                      size_t length) {
  int is_long = length >= TPI_LONG;
  char *p;
  *value = tpi_nil();
  if (length > SIZE_MAX / 8)
    return NULL;
  p = is_long ? new_blob(list, length) : tpi_list_room(list, length + 1);
  if (p == NULL)
    return NULL;
  if (bytes != NULL)
    memcpy(p, bytes, length);
  p[length] = '\0';
  set_bytes(value, p, length, is_long ? TPI_BLOB : 0);
  return p;
}

int tpi_list_object (tpi_List *list, tp_Value *value, uint64_t tag,
                     void *object, void (*retain)(void *), tpi_LetGo *let_go) {
  tpi_Reference *r = tpi_list_room(list, sizeof *r);
  *value = tpi_nil();
  if (r == NULL)
    return TP_NOMEM;
  r->object = object;
  r->retain = retain;
  r->let_go = let_go;
  retain(object);
  own(list, &r->block, 0, release_reference);
  value->tag = tag;
  value->as.object = r;
  return TP_OK;
}

void *tpi_value_object (const tp_Value *value) {
  return ((const tpi_Reference *)value->as.object)->object;
}

int tpi_list_table (tpi_List *list, tp_Value *value, size_t narray,
                    size_t npairs) {
  tpi_Table *t = tpi_list_room(list, sizeof *t);
  tp_Value *array = NULL, *map = NULL;
  *value = tpi_nil();
  if (narray > 0 && narray < SIZE_MAX / 64)
    array = tpi_list_room(list, narray * sizeof *array);
  if (npairs > 0 && npairs < SIZE_MAX / 64)
    map = tpi_list_room(list, npairs * 2 * sizeof *map);
  if (t == NULL || (narray > 0 && array == NULL) || (npairs > 0 && map == NULL))
    return TP_NOMEM;
  t->table.array = array;
  t->table.map = map;
  t->table.length = t->table.pairs = 0;
  tpi_poke(&t->shared, 0);
  t->height = 1;
  t->shape = TPI_TABLE;
  t->array_room = narray;
  t->pair_room = npairs;
  value->tag = TP_TTABLE;
  value->as.table = &t->table;
  return TP_OK;
}

unsigned tpi_value_height (const tp_Value *value) {
  const tpi_Table *table = tpi_tableof(value);
  return table != NULL ? table->height : 0;
}

void tpi_table_raise (tpi_Table *table, unsigned height) {
  if (table->height <= height)
    table->height = height + 1;
}

int tpi_table_append (tpi_List *list, tpi_Table *t, tp_Value value) {
  if (t->table.length == t->array_room) {
    tp_Value *p =
        grown(list, t->table.array, t->table.length, &t->array_room, 1);
    if (p == NULL)
      return TP_NOMEM;
    t->table.array = p;
  }
  tpi_table_raise(t, tpi_value_height(&value));
  ((tp_Value *)t->table.array)[t->table.length++] = value;
  return TP_OK;
}

int tpi_table_put (tpi_List *list, tpi_Table *t, tp_Value key, tp_Value value) {
  tp_Value *pair;
  if (t->table.pairs == t->pair_room) {
    tp_Value *p = grown(list, t->table.map, t->table.pairs, &t->pair_room, 2);
    if (p == NULL)
      return TP_NOMEM;
    t->table.map = p;
  }
  pair = (tp_Value *)t->table.map + 2 * t->table.pairs++;
  tpi_table_raise(t, tpi_value_height(&key));
  tpi_table_raise(t, tpi_value_height(&value));
  pair[0] = key;
  pair[1] = value;
  return TP_OK;
}

int tpi_list_share (tpi_List *list, tp_Value *value, const tp_Value *other) {
  size_t length;
  const char *bytes = tp_bytesof(other, &length);
  tpi_Table *table = tpi_tableof(other);
  *value = *other;
  if (table != NULL) { /* by its old place and from here */
    tpi_poke(&table->shared, 1);
    list->borrows = 1;
  } else if (tpi_is_object(other)) {
    const tpi_Reference *r = other->as.object;
    return tpi_list_object(list, value, other->tag, r->object, r->retain,
                           r->let_go);
  } else if (bytes != NULL && (other->tag & TPI_BLOB)) {
    tpi_Blob *blob = (tpi_Blob *)(void *)((char *)(uintptr_t)bytes -
                                          offsetof(tpi_Blob, bytes));
    if (share_blob(list, blob) != TP_OK)
      return TP_NOMEM;
    tpi_ref(&blob->refs);
  } else if (bytes != NULL) {
    return tpi_list_bytes(list, value, bytes, length) != NULL ? TP_OK
                                                              : TP_NOMEM;
  }
  return TP_OK;
}
