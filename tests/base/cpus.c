/*
 * Affinity is what a test can change; the quota of a control group needs an
 * administrator.
 */
#include "tests/test.h"

#include <sched.h>
#include <unistd.h>

Test(cpus, are_at_least_one_and_not_more_than_there_are)
{
	cr_expect_ge(weft__cpus(), 1);
	cr_expect_le(weft__cpus(), sysconf(_SC_NPROCESSORS_CONF));
}

/* The lowest `n` CPUs of `all`. */
static cpu_set_t some_of(const cpu_set_t *all, int n)
{
	cpu_set_t some;

	CPU_ZERO(&some);
	for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&some) < n; i++) {
		if (CPU_ISSET(i, all))
			CPU_SET(i, &some);
	}
	return some;
}

Test(cpus, follow_the_affinity_of_the_caller)
{
	int before = weft__cpus();
	cpu_set_t all, some;

	cr_assert_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	for (int n = 1; n <= CPU_COUNT(&all); n++) {
		some = some_of(&all, n);
		cr_assert_eq(sched_setaffinity(0, sizeof(some), &some), 0);
		/* A quota, if there is one, may be smaller still. */
		cr_expect_eq(weft__cpus(), MIN(n, before), "%d CPUs allowed", n);
	}
}

Test(cpus, are_fewer_than_the_affinity_only_where_there_is_a_quota)
{
	cpu_set_t all;

	cr_assert_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	if (weft__cpus_have_quota())
		cr_expect_le(weft__cpus(), CPU_COUNT(&all));
	else
		cr_expect_eq(weft__cpus(), CPU_COUNT(&all));
}

Test(cpus, are_told_to_everybody)
{
	cr_expect_eq(weft_cpus(), weft__cpus());
}
