/*
 * How many CPUs this process may use.
 *
 * Affinity says on how many it may run at the same time; the quota of its control group
 * (v2's cpu.max, v1's cfs_quota) how much time it gets in all, of which ceil(quota /
 * period) CPUs can make use. Containers usually set the second. Asked anew at each call;
 * any thread.
 */
#include "base/base.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int cpus_of_affinity(void)
{
	cpu_set_t set;
	long n;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return CPU_COUNT(&set);
	n = sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than the set can hold */
	return n > 0 ? (int)n : 1;
}

static int n_at_start = 1;

__attribute__((constructor)) static void count_at_start(void)
{
	n_at_start = cpus_of_affinity();
}

int weft__cpus_at_start(void)
{
	return n_at_start;
}

/* The file's first two words as numbers; "max" is -1. */
static bool read_two(const char *path, double *first, double *second)
{
	char word[2][32];
	int n;
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	n = fscanf(file, "%31s %31s", word[0], word[1]);
	(void)fclose(file); /* was only read */
	if (n < 1)
		return false;
	*first = strcmp(word[0], "max") == 0 ? -1 : strtod(word[0], NULL);
	*second = n == 2 ? strtod(word[1], NULL) : 0;
	return true;
}

/* The process' own group in the v2 hierarchy, such as "/user.slice"; the caller frees it.
 */
static char *group_v2(void)
{
	char *line = NULL, *group = NULL;
	size_t size = 0;
	FILE *file = fopen("/proc/self/cgroup", "re");

	if (!file)
		return NULL;
	while (!group && getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3) == 0)
			group = strdup(line + 3);
	}
	free(line);
	(void)fclose(file); /* was only read */
	return group;
}

/* The least quota / period from the process' own group up to the root; 0 if there is
 * none. */
static double quota_v2(void)
{
	double least = 0, quota, period;
	char *group = group_v2(), *slash = group, *path;

	while (slash) {
		if (asprintf(&path, "/sys/fs/cgroup%s/cpu.max", group) < 0)
			break;
		if (read_two(path, &quota, &period) && quota > 0 && period > 0 &&
		    (least == 0 || quota / period < least))
			least = quota / period;
		free(path);
		slash = strrchr(group, '/');
		if (slash)
			*slash = '\0';
	}
	free(group);
	return least;
}

static double quota_v1(void)
{
	double quota, period, rest;

	if (!read_two("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &quota, &rest) ||
	    !read_two("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &period, &rest))
		return 0;
	return quota > 0 && period > 0 ? quota / period : 0;
}

static double quota_cpus(void)
{
	double quota = quota_v2();

	return quota > 0 ? quota : quota_v1();
}

int weft__cpus(void)
{
	int n = cpus_of_affinity();
	double quota = quota_cpus();

	if (quota > 0 && quota < n) {
		n = (int)quota;
		if (n < quota)
			n++;
	}
	return MAX(n, 1);
}

bool weft__cpus_have_quota(void)
{
	return quota_cpus() > 0;
}

int weft_cpus(void)
{
	return weft__cpus();
}
