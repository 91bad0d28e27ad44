/* SPDX-License-Identifier: Apache-2.0
 *
 * threads.c - see threads.h. The affinity mask tells which processors may be used, the control
 * group's quota how much of them: in a container with two processors' worth of quota on a 64-way
 * machine, 64 threads would be throttled for most of each period. */
#include "base/threads.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "masksketch_tools.h"

enum { PATH_BYTES = 2048, LARGEST_MASK = 1 << 16 };

static int affinity_threads(void) {
  /* the kernel refuses a mask shorter than its own */
  for (int bits = 1024; bits <= LARGEST_MASK; bits *= 2) {
    cpu_set_t *set = CPU_ALLOC(bits);
    if (set == NULL) return 1;
    bool known = sched_getaffinity(0, CPU_ALLOC_SIZE(bits), set) == 0;
    int count = known ? CPU_COUNT_S(CPU_ALLOC_SIZE(bits), set) : 0;
    CPU_FREE(set);
    if (known) return count > 0 ? count : 1;
  }
  return 1;
}

static bool read_line(const char *path, char *line, size_t line_bytes) {
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  bool got = fgets(line, (int)line_bytes, file) != NULL;
  fclose(file);
  return got;
}

static int rounded_up(double quota, double period) {
  if (!(quota > 0) || !(period > 0) || quota / period > LARGEST_MASK) return 0;
  int threads = (int)(quota / period);
  return threads < quota / period ? threads + 1 : threads;
}

static int tighter(int a, int b) { return a == 0 || (b != 0 && b < a) ? b : a; }

/* Quota of one folder; 0 where there is none. */
static int folder_quota(const char *folder, bool version2) {
  char path[PATH_BYTES + 64], line[128], second[128];
  if (version2) {
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (!read_line(path, line, sizeof line) || strncmp(line, "max", 3) == 0) return 0;
    char *end;
    double quota = strtod(line, &end);
    return rounded_up(quota, strtod(end, NULL));
  }
  snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
  if (!read_line(path, line, sizeof line)) return 0;
  snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
  /* version 1 says -1 where there is no quota, which rounded_up() takes for none */
  if (!read_line(path, second, sizeof second)) return 0;
  return rounded_up(strtod(line, NULL), strtod(second, NULL));
}

/* The tightest quota from root/group up to root. A path that does not exist (seen from inside a
 * container) leaves the root. */
static int tree_quota(const char *root, const char *group, bool version2) {
  char folder[PATH_BYTES];
  int used = snprintf(folder, sizeof folder, "%s%s", root, group);
  if (used < 0 || (size_t)used >= sizeof folder) return 0;
  size_t root_length = strlen(root);
  int limit = 0;
  for (;;) {
    limit = tighter(limit, folder_quota(folder, version2));
    char *slash = strrchr(folder, '/');
    if (strlen(folder) <= root_length || slash == NULL) return limit;
    *slash = 0;
    if (strlen(folder) < root_length) return limit;
  }
}

/* One line of the membership file: "ID:CONTROLLERS:PATH"; version 2 has no controllers. */
static int line_quota(char *line, const char *root) {
  line[strcspn(line, "\n")] = 0;
  char *controllers = strchr(line, ':');
  if (controllers == NULL) return 0;
  controllers++;
  char *group = strchr(controllers, ':');
  if (group == NULL) return 0;
  *group++ = 0;
  if (*controllers == 0) return tree_quota(root, group, true);
  char list[256], base[PATH_BYTES];
  snprintf(list, sizeof list, ",%s,", controllers);
  if (strstr(list, ",cpu,") == NULL) return 0;
  /* a link to the joint hierarchy where several controllers share one */
  snprintf(base, sizeof base, "%s/cpu", root);
  int limit = tree_quota(base, group, false);
  if (limit != 0) return limit;
  snprintf(base, sizeof base, "%s/%.200s", root, controllers);
  return tree_quota(base, group, false);
}

int msk_quota_threads(const char *membership, const char *root) {
  FILE *file = fopen(membership, "re");
  if (file == NULL) return 0;
  char line[PATH_BYTES];
  int limit = 0;
  while (fgets(line, sizeof line, file) != NULL) limit = tighter(limit, line_quota(line, root));
  fclose(file);
  return limit;
}

int msk_default_threads(void) {
  int allowed = affinity_threads(),
      quota = msk_quota_threads("/proc/self/cgroup", "/sys/fs/cgroup");
  return tighter(allowed, quota);
}

msk_status msk_threads_check(int threads, msk_error *error) {
  if (threads >= 0 && threads <= MSK_MAX_THREADS) return MSK_OK;
  return msk_refuse(error, "threads", "%d threads, expected 1 to %d, or 0 for all processors",
                    threads, MSK_MAX_THREADS);
}
