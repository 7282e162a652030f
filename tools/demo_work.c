/*
 * The work that the demo's server does for a request.
 *
 * The file of an fsync has no name (O_TMPFILE), or loses it at once where the file system
 * cannot do that: whatever happens to the process, nothing stays behind.
 */
#include "tools/demo_work.h"

#include "tools/tool.h"

#include <crypt.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <math.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum { FSYNCS_MAX = 256 }; /* of one request, where they cost next to nothing */

int demo_work_sleep(void *options)
{
	struct timespec left = { .tv_nsec = DEMO_SLEEP_NS };

	(void)options;
	while (nanosleep(&left, &left) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int demo_work_hash(void *options)
{
	struct crypt_data *data;
	const char *hash;
	char salt[64];
	int r = 0;

	(void)options;
	data = calloc(1, sizeof(*data)); /* 32 KiB, too much for a task's stack */
	if (!data)
		return -ENOMEM;

	snprintf(salt, sizeof(salt), "$6$rounds=%d$weft.demo.salt$", DEMO_HASH_ROUNDS);
	errno = 0;
	hash = crypt_r("correct horse battery staple", salt, data);
	if (!hash || hash[0] == '*')
		r = errno ? -errno : -EINVAL;
	free(data);
	return r;
}

static int open_nameless(const char *directory)
{
	char *name;
	int fd;

	fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)
		return -errno;

	if (asprintf(&name, "%s/weft-demo.XXXXXX", directory) < 0)
		return -ENOMEM;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	else
		(void)unlink(name);
	free(name);
	return fd;
}

/* Writes and fsyncs `n` times. */
static int write_and_fsync(int fd, int n)
{
	static const char block[DEMO_FSYNC_BYTES] = "weft demo";

	for (int i = 0; i < n; i++) {
		ssize_t written = pwrite(fd, block, sizeof(block), 0);

		if (written < 0)
			return -errno;
		if (written < (ssize_t)sizeof(block))
			return -ENOSPC;
		if (fsync(fd) < 0)
			return -errno;
	}
	return 0;
}

int demo_work_fsync(void *options)
{
	const struct demo_work_options *work = options;
	int fd, r;

	fd = open_nameless(work->directory);
	if (fd < 0)
		return fd;
	r = write_and_fsync(fd, work->fsyncs);
	(void)close(fd); /* what matters has been synced */
	return r;
}

int (*demo_work_function(enum demo_work work))(void *options)
{
	static int (*const functions[DEMO_N_WORKS])(void *options) = {
		[DEMO_SLEEP] = demo_work_sleep,
		[DEMO_HASH] = demo_work_hash,
		[DEMO_FSYNC] = demo_work_fsync,
	};

	return functions[work];
}

/* ---- Where does an fsync cost something, and how much? ---- */

static bool is_memory(const char *directory)
{
	struct statfs fs;

	return statfs(directory, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* The first of the usual folders that can be written to and is, or is not, in memory. */
static const char *find_directory(bool in_memory)
{
	const char *const candidates[] = { getenv("TMPDIR"), "/var/tmp", ".", "/tmp" };

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		int fd;

		if (!candidates[i] || is_memory(candidates[i]) != in_memory)
			continue;
		fd = open_nameless(candidates[i]);
		if (fd < 0)
			continue;
		(void)close(fd);
		return candidates[i];
	}
	return NULL;
}

/* The time of one write and fsync, from as many as fit into a twentieth of a second. */
static int measure(const char *directory, weft_time *took)
{
	enum { AT_LEAST = 3, AT_MOST = 500 };
	weft_time begin;
	int fd, n = 0, r;

	fd = open_nameless(directory);
	if (fd < 0)
		return fd;
	r = write_and_fsync(fd, 1); /* allocates the block */
	begin = weft_now();
	while (r == 0 && n < AT_MOST &&
	       (n < AT_LEAST || weft_now() - begin < WEFT_SEC / 20)) {
		r = write_and_fsync(fd, 1);
		n++;
	}
	if (r == 0)
		*took = (weft_now() - begin) / n;
	(void)close(fd);
	return r;
}

int demo_work_measure_fsync(struct demo_setup *setup)
{
	double times;
	int r;

	setup->fsync_is_free = false;
	setup->directory = find_directory(false);
	if (!setup->directory) {
		setup->fsync_is_free = true;
		setup->directory = find_directory(true);
	}
	if (!setup->directory)
		return weft_error_set(
			-EACCES, "there is no folder to write to; set TMPDIR to one");

	r = measure(setup->directory, &setup->fsync_ns);
	if (r < 0)
		return weft_error_wrap(r, "writing in %s", setup->directory);
	times = round((double)DEMO_FSYNC_TARGET_NS / (double)MAX(setup->fsync_ns, 1));
	setup->fsyncs = (int)fmin(fmax(times, 1), FSYNCS_MAX);
	return 0;
}
