#define _GNU_SOURCE
#include "core/cpus.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST = 4096, MOST_CPUS = 1 << 16 }; /* of a path; of a mask */

/* Reads what is at most two numbers, as text or "max", from a file; how many
   there were, a "max" not among them. */
static int read_numbers (const char *path, long long *a, long long *b) {
  FILE *file = fopen(path, "re");
  int n;
  if (file == NULL)
    return 0;
  n = fscanf(file, "%lld %lld", a, b);
  fclose(file);
  return n < 0 ? 0 : n;
}

static int join (char *path, const char *folder, const char *name) {
  return snprintf(path, LONGEST, "%s/%s", folder, name) < LONGEST;
}

/* Of one group, whichever version keeps that folder; 0 for none. */
static unsigned quota_of (const char *folder) {
  char path[LONGEST];
  long long quota = 0, period = 0, ignored;
  if (!join(path, folder, "cpu.max"))
    return 0;
  if (read_numbers(path, &quota, &period) != 2) {
    if (!join(path, folder, "cpu.cfs_quota_us") ||
        read_numbers(path, &quota, &ignored) < 1 ||
        !join(path, folder, "cpu.cfs_period_us") ||
        read_numbers(path, &period, &ignored) < 1)
      return 0;
  }
  if (quota <= 0 || period <= 0 || (quota - 1) / period >= MOST_CPUS)
    return 0;
  return (unsigned)((quota - 1) / period + 1);
}

static unsigned least (unsigned a, unsigned b) {
  return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Of a group and of those around it, up to the mount. In a container the path
   may be that of the host, and then only the mount itself is there. */
static unsigned quota_up (const char *mount, const char *group) {
  char folder[LONGEST];
  size_t top = strlen(mount);
  unsigned quota = 0;
  char *slash;
  if (snprintf(folder, sizeof folder, "%s%s", mount, group) >= LONGEST)
    return 0;
  for (;;) {
    quota = least(quota, quota_of(folder));
    slash = strrchr(folder, '/');
    if (slash == NULL || (size_t)(slash - folder) < top)
      return quota;
    *slash = '\0';
  }
}

/* Is "cpu" among the controllers, which have commas between them? */
static int has_cpu (const char *list) {
  while (strncmp(list, "cpu", 3) != 0 || (list[3] != ',' && list[3] != '\0')) {
    list = strchr(list, ',');
    if (list == NULL)
      return 0;
    list++;
  }
  return 1;
}

/* "number:controllers:path"; without controllers it is of version 2. */
static unsigned quota_by_line (char *line, const char *root) {
  static const char *const second[] = {"", "/unified", NULL};
  static const char *const first[] = {"/cpu", "/cpu,cpuacct", "/cpuacct,cpu",
                                      NULL};
  char *controllers = strchr(line, ':'), *group, mount[LONGEST];
  unsigned quota = 0;
  int is_second;
  if (controllers == NULL || (group = strchr(++controllers, ':')) == NULL)
    return 0;
  *group++ = '\0';
  group[strcspn(group, "\n")] = '\0';
  is_second = *controllers == '\0';
  if (!is_second && !has_cpu(controllers))
    return 0;
  for (const char *const *at = is_second ? second : first; *at != NULL; at++) {
    if (snprintf(mount, sizeof mount, "%s%s", root, *at) < LONGEST)
      quota = least(quota, quota_up(mount, group));
  }
  return quota;
}

unsigned tpi_cpus_quota (const char *groups, const char *root) {
  FILE *file = fopen(groups, "re");
  char line[LONGEST];
  unsigned quota = 0;
  if (file == NULL)
    return 0;
  while (fgets(line, sizeof line, file) != NULL)
    quota = least(quota, quota_by_line(line, root));
  fclose(file);
  return quota;
}

#if defined(__linux__) && !defined(TPI_PORTABLE)
static unsigned allowed (void) {
  unsigned long mask[MOST_CPUS / (8 * sizeof(unsigned long))] = {0};
  cpu_set_t *set = (cpu_set_t *)(void *)mask;
  if (sched_getaffinity(0, sizeof mask, set) != 0)
    return 0;
  return (unsigned)CPU_COUNT_S(sizeof mask, set);
}
#else
static unsigned allowed (void) { return 0; }
#endif

unsigned tpi_cpus (void) {
  unsigned cpus = allowed();
  long online = cpus > 0 ? 0 : sysconf(_SC_NPROCESSORS_ONLN);
  if (cpus == 0)
    cpus = online > 0 ? (unsigned)online : 1;
  return least(tpi_cpus_quota("/proc/self/cgroup", "/sys/fs/cgroup"), cpus);
}
