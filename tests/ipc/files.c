/*
 * Files for tests of ipc/; see the header.
 */
#include "tests/ipc/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

const char *scratch_path(const char *name)
{
	static char paths[4][4096];
	static unsigned next;
	const char *folder = getenv("TMPDIR");
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s-%d", folder ? folder : "/tmp", name,
		 (int)getpid());
	return path;
}

void write_file(const char *path, const char *contents, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	cr_assert_ge(fd, 0, "%s", path);
	cr_assert_eq(write(fd, contents, strlen(contents)), (ssize_t)strlen(contents));
	cr_assert_eq(fchmod(fd, mode), 0); /* whatever the umask */
	cr_assert_eq(close(fd), 0);
}

void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	struct stat of_in;
	off_t at = 0;

	cr_assert_ge(in, 0, "%s", from);
	cr_assert_ge(out, 0, "%s", to);
	cr_assert_eq(fstat(in, &of_in), 0);
	while (at < of_in.st_size)
		cr_assert_gt(sendfile(out, in, &at, (size_t)(of_in.st_size - at)), 0);
	cr_assert_eq(close(in), 0);
	cr_assert_eq(close(out), 0);
}
