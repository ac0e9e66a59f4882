/*
** cpus.h: how many processors this process may use.
**
** Any thread. Reads files of the system where there are control groups; may
** block for as long as that takes.
*/
#ifndef TPI_CPUS_H
#define TPI_CPUS_H

#pragma GCC visibility push(hidden)

/* The processors that the calling thread may run on, but no more than the quota
   of its control group comes to; at least 1. */
unsigned tpi_cpus (void);

/* The quota in processors, rounded up, or 0 for none: the least of the control
   groups that the file `groups` (as /proc/self/cgroup) names and of those
   around them, in the tree at `root` (as /sys/fs/cgroup). */
unsigned tpi_cpus_quota (const char *groups, const char *root);

#pragma GCC visibility pop
#endif
