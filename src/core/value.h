/*
** value.h: lists of values that no Lua state owns.
**
** One thread at a time: whoever builds a list, and later whoever settled the
** future it stands in, after which it is only read. Never blocks.
**
** A list owns all its memory: a first piece inside the structure that holds
** the list, then blocks. Long strings are blobs with a reference count, so
** that an argument moves into a result without a copy. A table of another
** list may be referred to only if that list's blocks are handed over too
** (tpi_list_adopt). Freeing a list lets go of everything at once.
*/
#ifndef TPI_VALUE_H
#define TPI_VALUE_H

#include "core/atomic.h"
#include "tidepool.h"

enum {
  TPI_MAXDEPTH = 200,  /* how deep tables may nest */
  TPI_BLOB = 1 << 4,   /* flag in a tag: these bytes stand in a blob */
  TPI_SHAPED = 1 << 5, /* flag: stands in a tpi_Table, but is none */
  TPI_OBJECT = 1 << 6, /* flag: a tpi_Reference, as futures and managers are */
  TPI_LONG = 1024      /* bytes from which on a string becomes a blob */
};

typedef struct tpi_List tpi_List;

/* Something a list lets go of at its end. */
typedef struct tpi_Block {
  struct tpi_Block *next;
  void (*release)(struct tpi_Block *, tpi_List *list);
  size_t size; /* bytes of memory it stands for */
} tpi_Block;

struct tpi_List {
  tp_Value *items;
  uint32_t count;
  uint32_t room; /* items fit into `items` */
  tpi_Block *blocks;
  char *spare; /* free memory of the newest piece */
  uint32_t left;
  uint32_t borrows; /* refers to tables of another list */
};

/* What a tpi_Table stands for. */
typedef enum tpi_Shape {
  TPI_TABLE,
  TPI_AN_ERROR, /* a table to C code: an Error */
  TPI_CLOSURE,  /* a function: its code, then its upvalues */
  TPI_CELL,     /* an upvalue that functions may share */
  TPI_REBUILT,  /* a function to call, and its arguments */
  TPI_SANDBOX,  /* an _ENV: names and values; in the array, each name that was
                   left behind and why */
  TPI_OWN       /* something of tidepool's, by its name */
} tpi_Shape;

/* A table, tp_Table being its public face. `shared`: it may be referred to
   more than once, so that readers must keep its identity. It is only ever
   set, also while other threads read the table. */
typedef struct tpi_Table {
  tp_Table table;
  atomic_uint shared;
  unsigned height; /* of the tables in it, and itself */
  tpi_Shape shape;
  size_t array_room;
  size_t pair_room;
} tpi_Table;

/*
** A shared object of ours in a list: how to keep it and let it go. An object
** that dies of it bequeaths its own blocks to the list, which is being freed,
** instead of freeing them itself: futures may own each other a million deep,
** which no stack is.
*/
typedef void tpi_LetGo (void *object, tpi_List *heir);

typedef struct tpi_Reference {
  tpi_Block block;
  void *object;
  void (*retain)(void *object);
  tpi_LetGo *let_go;
} tpi_Reference;

#pragma GCC visibility push(hidden)

/* `buffer` (may be NULL, aligned for a pointer) is borrowed while the list
   lives. */
void tpi_list_init (tpi_List *list, void *buffer, size_t size);
void tpi_list_fini (tpi_List *list);

/* Bytes of memory the list owns outside its buffer. */
size_t tpi_list_weight (const tpi_List *list);

/* Leaves blocks to a list, to be freed next. */
void tpi_list_bequeath (tpi_List *heir, tpi_Block *blocks);

/* Takes the blocks of `from`, so that values of it may be referred to. */
void tpi_list_adopt (tpi_List *list, tpi_List *from);

/* Room for n items at once. TP_OK or TP_NOMEM, as all that follow. */
int tpi_list_reserve (tpi_List *list, size_t n);

/* Appends a value; what it refers to must live in this list. */
int tpi_list_push (tpi_List *list, tp_Value value);

/* Raw memory of the list, aligned for a pointer, an int64_t and a double;
   NULL if there is none. */
void *tpi_list_room (tpi_List *list, size_t size);

/* Makes *value a string of this list: a copy of the bytes, or, with bytes
   NULL, memory to be filled (answered as its address, else NULL). */
char *tpi_list_bytes (tpi_List *list, tp_Value *value, const char *bytes,
                      size_t length);

/* Makes *value a reference to an object, which it retains. `tag` is a type,
   with TPI_OBJECT unless objects are all there is of that type. */
int tpi_list_object (tpi_List *list, tp_Value *value, uint64_t tag,
                     void *object, void (*retain)(void *), tpi_LetGo *let_go);

/* Makes *value an empty table; the sizes are hints. Its shape is
   TPI_TABLE. */
int tpi_list_table (tpi_List *list, tp_Value *value, size_t narray,
                    size_t npairs);
int tpi_table_append (tpi_List *list, tpi_Table *table, tp_Value value);
int tpi_table_put (tpi_List *list, tpi_Table *table, tp_Value key,
                   tp_Value value);

/* How deep tables nest in a value; 0 for what is none. */
unsigned tpi_value_height (const tp_Value *value);
/* There is something in the table that is so high. */
void tpi_table_raise (tpi_Table *table, unsigned height);

/* Makes *value the same as a value of another list, without copying long
   strings or tables. A list that borrows must adopt the other in time. */
int tpi_list_share (tpi_List *list, tp_Value *value, const tp_Value *other);

/* The object of a reference. */
void *tpi_value_object (const tp_Value *value);

#pragma GCC visibility pop

/* The table that a value stands in, shaped or not; or NULL. */
static inline tpi_Table *tpi_tableof (const tp_Value *value) {
  int is = tp_typeof(value) == TP_TTABLE || (value->tag & TPI_SHAPED) != 0;
  return is ? (tpi_Table *)(void *)value->as.table : NULL;
}

static inline int tpi_is_object (const tp_Value *value) {
  tp_Type type = tp_typeof(value);
  return type == TP_TFUTURE || type == TP_TMANAGER ||
         (type > TP_TMANAGER && (value->tag & TPI_OBJECT) != 0);
}

static inline tp_Value tpi_nil (void) {
  tp_Value v = {TP_TNIL, {0}};
  return v;
}

static inline tp_Value tpi_integer (int64_t integer) {
  tp_Value v = {TP_TINTEGER, {0}};
  v.as.integer = integer;
  return v;
}

#endif
