/*
 * The work that the demo's server does.
 */
#include "tools/demo_work.h"

#include <dirent.h>
#include <unistd.h>

#include "tests/test.h"

/* An empty folder in that of the tests, and how many files it holds. */
static char folder[256];

static void setup(void)
{
	const char *parent = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/demo.XXXXXX", parent ? parent : "/tmp");
	cr_assert_not_null(mkdtemp(folder));
	setenv("TMPDIR", folder, 1);
}

static void teardown(void)
{
	cr_expect_eq(rmdir(folder), 0, "a file was left behind");
}

Test(demo_work, does_each_work, .init = setup, .fini = teardown)
{
	struct demo_work_options options = { .directory = folder, .fsyncs = 2 };

	for (int work = 0; work < DEMO_N_WORKS; work++)
		cr_expect_eq(demo_work_function((enum demo_work)work)(&options), 0, "%s",
			     demo_work_name((enum demo_work)work));
}

Test(demo_work, sleeps_as_long_as_it_says)
{
	weft_time begin = weft__clock();

	cr_assert_eq(demo_work_sleep(NULL), 0);
	cr_expect_ge(weft__clock() - begin, DEMO_SLEEP_NS);
}

Test(demo_work, fails_where_it_cannot_write)
{
	struct demo_work_options options = { .directory = "/nowhere/at/all",
					     .fsyncs = 1 };

	cr_expect_eq(demo_work_fsync(&options), -ENOENT);
}

Test(demo_work, finds_a_folder_and_what_an_fsync_costs_there, .init = setup,
     .fini = teardown)
{
	struct demo_setup found = { 0 };

	cr_assert_eq(demo_work_measure_fsync(&found), 0);
	cr_expect_not_null(found.directory);
	cr_expect_gt(found.fsync_ns, 0);
	cr_expect_ge(found.fsyncs, 1);
	cr_expect_le(found.fsyncs, 256);
	/* The first choice is TMPDIR, unless that is memory and another is not. */
	if (!found.fsync_is_free && strcmp(found.directory, folder) != 0)
		cr_expect_str_eq(found.directory, "/var/tmp");
}

Test(demo_work, says_when_all_is_memory)
{
	struct demo_setup found = { 0 };

	if (access("/dev/shm", W_OK) != 0)
		cr_skip_test("no tmpfs at /dev/shm here");
	setenv("TMPDIR", "/dev/shm", 1);
	cr_assert_eq(demo_work_measure_fsync(&found), 0);
	cr_expect(found.fsync_is_free || strcmp(found.directory, "/dev/shm") != 0,
		  "a folder in memory is not taken for a disk");
}
