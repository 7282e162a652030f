/*
 * Tests of ipc/program.c: which file is executed.
 */
#include "ipc/program.h"

#include <link.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/ipc/files.h"
#include "tests/ipc/run_app.h"
#include "tests/test.h"

static ino_t inode_of_fd(int fd)
{
	struct stat file;

	cr_assert_eq(fstat(fd, &file), 0);
	return file.st_ino;
}

static ino_t inode_of(const char *path)
{
	struct stat file;

	cr_assert_eq(stat(path, &file), 0);
	return file.st_ino;
}

Test(program, default_is_the_program_that_runs_here)
{
	struct weft__program program;
	char path[4096] = "";

	/* Not stat(): under an emulator that leads to the emulator. */
	cr_assert_gt(readlink("/proc/self/exe", path, sizeof(path) - 1), 0);
	cr_assert_eq(weft__program_open(&program, NULL), 0);
	cr_expect_eq(program.path[0], '/', "%s", program.path);
	cr_expect_eq(inode_of_fd(program.fd), inode_of(path));
	weft__program_close(&program);
}

static int keep_interpreter(struct dl_phdr_info *object, size_t size, void *text)
{
	(void)size;
	for (size_t i = 0; i < object->dlpi_phnum; i++)
		if (object->dlpi_phdr[i].p_type == PT_INTERP)
			snprintf(text, 256, "%s",
				 (const char *)(uintptr_t)(object->dlpi_addr +
							   object->dlpi_phdr[i].p_vaddr));
	return 1;
}

Test(program, program_that_the_loader_was_told_to_run_is_it)
{
	char loader[256] = "", command[4096], line[4096] = "", expected[4096];
	FILE *said;

	(void)dl_iterate_phdr(keep_interpreter, loader);
	if (!*loader || access(loader, X_OK) != 0)
		cr_skip_test("there is no loader here that executes %s", app_path());
	snprintf(command, sizeof(command), "%s '%s' program", loader, app_path());
	said = popen(command, "re");
	cr_assert_not_null(said);
	cr_assert_not_null(fgets(line, sizeof(line), said));
	(void)pclose(said); /* for LeakSanitizer the loader's own memory is a leak then */
	snprintf(expected, sizeof(expected), "program %s\n", app_path());
	cr_expect_str_eq(line, expected);
}

Test(program, relative_path_counts_from_the_folder_of_that_time)
{
	const char *path = scratch_path("program");
	struct weft__program program, reopened;

	write_file(path, "x", 0755);
	cr_assert_eq(chdir(getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp"), 0);
	cr_assert_eq(weft__program_open(&program, strrchr(path, '/') + 1), 0);
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(weft__program_reopen(&program, &reopened), 0);
	cr_expect_eq(inode_of_fd(reopened.fd), inode_of(path));
	weft__program_close(&program);
	weft__program_close(&reopened);
	remove(path);
}

Test(program, file_stays_the_same_until_the_path_is_opened_anew)
{
	const char *path = scratch_path("program"), *newer = scratch_path("newer");
	struct weft__program program, reopened;
	ino_t old_inode, new_inode;

	write_file(path, "old", 0755);
	write_file(newer, "new", 0755);
	old_inode = inode_of(path);
	new_inode = inode_of(newer);
	cr_assert_eq(weft__program_open(&program, path), 0);
	cr_assert_eq(rename(newer, path), 0);
	cr_expect_eq(inode_of_fd(program.fd), old_inode);
	cr_assert_eq(weft__program_reopen(&program, &reopened), 0);
	cr_expect_eq(inode_of_fd(reopened.fd), new_inode);
	weft__program_close(&program);
	weft__program_close(&reopened);
	remove(path);
}

Test(program, symbolic_link_is_followed_anew)
{
	const char *old = scratch_path("old"), *newer = scratch_path("newer");
	const char *link = scratch_path("current");
	struct weft__program program, reopened;

	write_file(old, "old", 0755);
	write_file(newer, "new", 0755);
	cr_assert_eq(symlink(old, link), 0);
	cr_assert_eq(weft__program_open(&program, link), 0);
	remove(link);
	cr_assert_eq(symlink(newer, link), 0);
	cr_assert_eq(weft__program_reopen(&program, &reopened), 0);
	cr_expect_eq(inode_of_fd(reopened.fd), inode_of(newer));
	weft__program_close(&program);
	weft__program_close(&reopened);
	remove(link);
	remove(newer);
	remove(old);
}

Test(program, what_is_not_there_is_an_error_with_a_sentence)
{
	struct weft__program program;

	cr_expect_eq(weft__program_open(&program, "/no/such/program"), -ENOENT);
	cr_expect_str_eq(weft_error_text(-ENOENT),
			 "could not open the program /no/such/program: "
			 "No such file or directory");
}

Test(program, closing_twice_is_harmless)
{
	struct weft__program program;

	cr_assert_eq(weft__program_open(&program, app_path()), 0);
	weft__program_close(&program);
	weft__program_close(&program);
	cr_expect_null(program.path);
}

Test(program, no_memory_is_an_error)
{
	struct weft__program program, reopened;

	weft__fail_allocation(1);
	cr_expect_eq(weft__program_open(&program, NULL), -ENOMEM);
	weft__fail_allocation(1);
	cr_expect_eq(weft__program_open(&program, "relative"), -ENOMEM);
	cr_assert_eq(weft__program_open(&program, NULL), 0);
	weft__fail_allocation(1);
	cr_expect_eq(weft__program_reopen(&program, &reopened), -ENOMEM);
	weft__fail_allocation(0);
	weft__program_close(&program);
}
