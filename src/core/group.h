/*
** group.h: futures, in the order in which they settle.
**
** Any thread, but one at a time adds, takes and removes: its owner. A Group
** retains its members until they are taken. Members that have settled stand
** in a list of their own, first come first; who waits for the next one waits
** for the Group's signal, a future that settles when that list is not empty
** any more. Nothing here blocks.
*/
#ifndef TPI_GROUP_H
#define TPI_GROUP_H

#include "core/future.h"

typedef struct tpi_Group tpi_Group;

typedef struct tpi_Member {
  tpi_Waiter waiter;
  tpi_Group *group;                   /* retained */
  tpi_Future *future;                 /* retained */
  struct tpi_Member *next, **link;    /* among those that have settled; lock */
  struct tpi_Member *older, *younger; /* among all; the owner changes it; lock */
  int reference;                      /* the owner's, for what it likes */
  unsigned char arrived;              /* lock */
} tpi_Member;

#pragma GCC visibility push(hidden)

/* NULL when out of memory. `aside`: its members are only looked on. */
tpi_Group *tpi_group_new (int aside);
/* By its owner, once: all members go. */
void tpi_group_close (tpi_Group *group);
/* All members go. */
void tpi_group_clear (tpi_Group *group);

/* One more, which may have settled; NULL when out of memory. */
tpi_Member *tpi_group_add (tpi_Group *group, tpi_Future *future, int reference);
/* The first that has settled and was not taken, out of the Group; or NULL. */
tpi_Member *tpi_group_take (tpi_Group *group);
/* Takes out this one. */
void tpi_group_remove (tpi_Member *member);
/* What was taken out is let go of. */
void tpi_member_free (tpi_Member *member);
/* The youngest of the members, or NULL; `older` leads to the others. */
tpi_Member *tpi_group_members (const tpi_Group *group);
unsigned tpi_group_count (const tpi_Group *group);

/* A future, retained for the caller, that settles once there is something to
   take, or the last member was taken out; NULL when out of memory. All who
   wait at a time wait for the same one, and look again then. */
tpi_Future *tpi_group_signal (tpi_Group *group);

#pragma GCC visibility pop
#endif
