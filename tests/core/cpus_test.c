#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/cpus.h"

static char root[64], groups[80];

static void put (const char *name, const char *text) {
  char path[256];
  FILE *file;
  snprintf(path, sizeof path, "%s/%s", root, name);
  for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')) != NULL;
       at++) {
    *at = '\0';
    mkdir(path, 0700);
    *at = '/';
  }
  file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
}

static int make_root (void **state) {
  (void)state;
  strcpy(root, "/tmp/tidepool-cpus-XXXXXX");
  if (mkdtemp(root) == NULL)
    return -1;
  snprintf(groups, sizeof groups, "%s/groups", root);
  return 0;
}

static int drop_root (void **state) {
  char command[128];
  (void)state;
  snprintf(command, sizeof command, "rm -r '%s'", root);
  return system(command) == 0 ? 0 : -1;
}

static void no_group_is_no_quota (void **state) {
  (void)state;
  assert_int_equal(tpi_cpus_quota(groups, root), 0);
  put("groups", "nothing that is known\n7:memory:/a\n");
  put("cpu/a/cpu.cfs_quota_us", "100000\n");
  put("cpu/a/cpu.cfs_period_us", "100000\n");
  assert_int_equal(tpi_cpus_quota(groups, root), 0);
}

static void a_quota_is_rounded_up (void **state) {
  (void)state;
  put("groups", "0::/a\n");
  put("a/cpu.max", "max 100000\n");
  assert_int_equal(tpi_cpus_quota(groups, root), 0);
  put("a/cpu.max", "100000 100000\n");
  assert_int_equal(tpi_cpus_quota(groups, root), 1);
  put("a/cpu.max", "150000 100000\n");
  assert_int_equal(tpi_cpus_quota(groups, root), 2);
  put("a/cpu.max", "1000 100000\n");
  assert_int_equal(tpi_cpus_quota(groups, root), 1);
}

static void the_least_of_those_around_counts (void **state) {
  (void)state;
  put("groups", "0::/a/b\n");
  put("a/b/cpu.max", "400000 100000\n");
  put("a/cpu.max", "300000 100000\n");
  assert_int_equal(tpi_cpus_quota(groups, root), 3);
  put("a/cpu.max", "max 100000\n");
  assert_int_equal(tpi_cpus_quota(groups, root), 4);
  put("cpu.max", "200000 100000\n");
  assert_int_equal(tpi_cpus_quota(groups, root), 2);
  put("groups", "0::/of/the/host\n");
  assert_int_equal(tpi_cpus_quota(groups, root), 2);
}

static void the_first_version_counts_as_well (void **state) {
  (void)state;
  put("groups", "5:cpuset:/\n4:cpu,cpuacct:/a\n0::/\n");
  put("cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
  put("cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
  assert_int_equal(tpi_cpus_quota(groups, root), 0);
  put("cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n");
  assert_int_equal(tpi_cpus_quota(groups, root), 3);
  put("groups", "4:cpuacct,cpu:/a\n");
  put("cpu/cpu.cfs_quota_us", "200000\n");
  put("cpu/cpu.cfs_period_us", "100000\n");
  assert_int_equal(tpi_cpus_quota(groups, root), 2);
}

static void there_is_one_at_least (void **state) {
  (void)state;
  assert_true(tpi_cpus() >= 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_root, drop_root)

int main (void) {
  const struct CMUnitTest tests[] = {
      TEST(no_group_is_no_quota),
      TEST(a_quota_is_rounded_up),
      TEST(the_least_of_those_around_counts),
      TEST(the_first_version_counts_as_well),
      TEST(there_is_one_at_least),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
