/*
 * Readers and writers.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/loop.h>

#include "tests/test.h"

struct ends {
	weft_loop *loop;
	int read_end, write_end;
};

static struct ends ends_begin(void)
{
	struct ends ends;
	int fds[2];

	cr_assert_eq(weft_loop_new(NULL, &ends.loop), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
				fds),
		     0);
	ends.read_end = fds[0];
	ends.write_end = fds[1];
	return ends;
}

static void ends_end(struct ends *ends)
{
	cr_expect_eq(weft_loop_close(ends->loop), 0);
	close(ends->read_end);
	if (ends->write_end >= 0)
		close(ends->write_end);
}

static void send_byte(const struct ends *ends)
{
	cr_assert_eq(write(ends->write_end, "x", 1), 1);
}

/* Runs turns until nothing happens any more, at most `n`. Returns how many ran something. */
static int settle(weft_loop *loop, int n)
{
	int ran = 0;

	for (int i = 0; i < n; i++)
		ran += weft_loop_run_once(loop, 0) > 0;
	return ran;
}

struct watcher {
	weft_loop *loop;
	int n, fd, other;
	bool consume;
	bool (*remove)(weft_loop *loop, int fd);
	bool removed;
};

static void on_fd(int fd, void *arg)
{
	struct watcher *watcher = arg;
	char bytes[64];

	watcher->n++;
	watcher->fd = fd;
	if (watcher->consume)
		(void)!read(fd, bytes, sizeof(bytes));
	if (watcher->remove)
		watcher->removed = watcher->remove(watcher->loop, watcher->other);
}

Test(reader, is_called_each_turn_as_long_as_data_waits)
{
	struct ends ends = ends_begin();
	struct watcher watcher = { 0 };

	cr_expect_eq(weft_loop_add_reader(ends.loop, ends.read_end, on_fd, &watcher), 0);
	settle(ends.loop, 5);
	cr_expect_eq(watcher.n, 0);
	send_byte(&ends);
	for (int i = 1; i <= 10; i++) {
		cr_expect_eq(weft_loop_run_once(ends.loop, 0), 1);
		cr_expect_eq(watcher.n, i, "once a turn");
	}
	cr_expect_eq(watcher.fd, ends.read_end);
	watcher.consume = true;
	cr_expect_eq(weft_loop_run_once(ends.loop, 0), 1);
	watcher.n = 0;
	settle(ends.loop, 5);
	cr_expect_le(watcher.n, 1, "what was found before may still be called");
	watcher.n = 0;
	settle(ends.loop, 5);
	cr_expect_eq(watcher.n, 0);
	cr_expect(weft_loop_remove_reader(ends.loop, ends.read_end));
	ends_end(&ends);
}

Test(writer, is_called_each_turn_as_long_as_there_is_room)
{
	struct ends ends = ends_begin();
	struct watcher watcher = { 0 };
	char bytes[4096] = "";

	cr_expect_eq(weft_loop_add_writer(ends.loop, ends.write_end, on_fd, &watcher), 0);
	cr_expect_eq(settle(ends.loop, 5), 5);
	cr_expect_eq(watcher.n, 5);
	while (write(ends.write_end, bytes, sizeof(bytes)) > 0)
		;
	settle(ends.loop, 2);
	watcher.n = 0;
	settle(ends.loop, 5);
	cr_expect_eq(watcher.n, 0, "no room");
	cr_expect(weft_loop_remove_writer(ends.loop, ends.write_end));
	ends_end(&ends);
}

Test(reader, and_writer_of_one_descriptor_are_two_things)
{
	struct ends ends = ends_begin();
	struct watcher reader = { 0 }, writer = { 0 };
	int fd = ends.read_end;

	cr_expect_eq(weft_loop_add_reader(ends.loop, fd, on_fd, &reader), 0);
	cr_expect_eq(weft_loop_add_writer(ends.loop, fd, on_fd, &writer), 0);
	settle(ends.loop, 5);
	cr_expect_eq(reader.n, 0);
	cr_expect_gt(writer.n, 0);
	cr_expect(weft_loop_remove_writer(ends.loop, fd));
	cr_expect(!weft_loop_remove_writer(ends.loop, fd));
	writer.n = 0;
	send_byte(&ends);
	settle(ends.loop, 5);
	cr_expect_gt(reader.n, 0);
	cr_expect_eq(writer.n, 0);
	cr_expect_eq(weft_loop_add_writer(ends.loop, fd, on_fd, &writer), 0);
	cr_expect(weft_loop_remove_reader(ends.loop, fd));
	reader.n = 0;
	settle(ends.loop, 5);
	cr_expect_eq(reader.n, 0);
	cr_expect_gt(writer.n, 0);
	cr_expect(weft_loop_remove_writer(ends.loop, fd));
	ends_end(&ends);
}

Test(reader, added_again_replaces_the_one_before)
{
	struct ends ends = ends_begin();
	struct watcher first = { 0 }, second = { 0 };

	cr_expect_eq(weft_loop_add_reader(ends.loop, ends.read_end, on_fd, &first), 0);
	send_byte(&ends);
	settle(ends.loop, 3);
	cr_expect_gt(first.n, 0);
	first.n = 0;
	cr_expect_eq(weft_loop_add_reader(ends.loop, ends.read_end, on_fd, &second), 0);
	settle(ends.loop, 3);
	cr_expect_eq(first.n, 0);
	cr_expect_gt(second.n, 0);
	cr_expect(weft_loop_remove_reader(ends.loop, ends.read_end), "one, not two");
	cr_expect(!weft_loop_remove_reader(ends.loop, ends.read_end));
	ends_end(&ends);
}

Test(reader, that_is_removed_is_not_called_although_it_was_queued)
{
	struct ends one = ends_begin(), two = ends_begin();
	struct watcher watchers[2] = { 0 };

	/* Both are found in one look; whichever is called first removes the other. */
	cr_expect_eq(weft_loop_close(two.loop), 0);
	two.loop = one.loop;
	for (int i = 0; i < 2; i++) {
		watchers[i].loop = one.loop;
		watchers[i].remove = weft_loop_remove_reader;
		watchers[i].other = i ? one.read_end : two.read_end;
	}
	cr_expect_eq(weft_loop_add_reader(one.loop, one.read_end, on_fd, &watchers[0]),
		     0);
	cr_expect_eq(weft_loop_add_reader(one.loop, two.read_end, on_fd, &watchers[1]),
		     0);
	send_byte(&one);
	send_byte(&two);
	cr_expect_eq(weft_loop_run_once(one.loop, 0) > 0, 1);
	cr_expect_eq(watchers[0].n + watchers[1].n, 1, "%d and %d", watchers[0].n,
		     watchers[1].n);
	for (int i = 0; i < 2; i++) {
		watchers[i].remove = NULL;
		(void)weft_loop_remove_reader(one.loop, i ? two.read_end : one.read_end);
	}
	close(two.read_end);
	close(two.write_end);
	ends_end(&one);
}

static void remove_and_close(int fd, void *arg)
{
	struct watcher *watcher = arg;

	watcher->n++;
	cr_expect(weft_loop_remove_reader(watcher->loop, fd));
	cr_expect(weft_loop_remove_writer(watcher->loop, fd));
	close(fd);
}

Test(reader, may_remove_itself_and_close_its_descriptor)
{
	struct ends ends = ends_begin();
	struct watcher watcher = { .loop = ends.loop };

	cr_expect_eq(weft_loop_add_reader(ends.loop, ends.read_end, remove_and_close,
					  &watcher),
		     0);
	cr_expect_eq(weft_loop_add_writer(ends.loop, ends.read_end, remove_and_close,
					  &watcher),
		     0);
	send_byte(&ends);
	settle(ends.loop, 5);
	cr_expect_eq(watcher.n, 1, "the other call was taken back");
	ends.read_end = -1;
	cr_expect_eq(weft_loop_close(ends.loop), 0);
	close(ends.write_end);
}

/* The number is given to something else at once: what was found for the old one is not its. */
static void close_and_reuse(int fd, void *arg)
{
	struct watcher *watcher = arg;
	int fds[2];

	watcher->n++;
	cr_expect(weft_loop_remove_reader(watcher->loop, watcher->other));
	close(watcher->other);
	cr_assert_eq(pipe(fds), 0);
	if (fds[0] != watcher->other) {
		cr_assert_eq(dup2(fds[0], watcher->other), watcher->other);
		close(fds[0]);
	}
	close(fds[1]);
	watcher->fd = fd;
}

static void never_called(int fd, void *arg)
{
	(void)arg;
	cr_expect_fail("called for descriptor %d", fd);
}

Test(reader, of_a_number_that_is_in_use_again_is_not_called_for_the_old_one)
{
	struct ends one = ends_begin();
	struct watcher watcher = { .loop = one.loop };
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	watcher.other = fds[0];
	cr_expect_eq(weft_loop_add_reader(one.loop, one.read_end, close_and_reuse,
					  &watcher),
		     0);
	cr_expect_eq(weft_loop_add_reader(one.loop, fds[0], never_called, NULL), 0);
	send_byte(&one);
	cr_expect_gt(weft_loop_run_once(one.loop, 0), 0);
	cr_expect_eq(watcher.n, 1);
	cr_expect(weft_loop_remove_reader(one.loop, one.read_end));
	settle(one.loop, 3);
	close(fds[0]);
	close(fds[1]);
	ends_end(&one);
}

static void note_end(int fd, void *arg)
{
	struct watcher *watcher = arg;
	char byte;

	watcher->n++;
	cr_expect_eq(read(fd, &byte, 1), 0, "the end");
	cr_expect(weft_loop_remove_reader(watcher->loop, fd));
}

Test(reader, is_called_when_the_other_end_is_closed)
{
	struct ends ends = ends_begin();
	struct watcher watcher = { .loop = ends.loop };

	cr_expect_eq(weft_loop_add_reader(ends.loop, ends.read_end, note_end, &watcher),
		     0);
	close(ends.write_end);
	ends.write_end = -1;
	settle(ends.loop, 3);
	cr_expect_eq(watcher.n, 1);
	ends_end(&ends);
}

/* ---- Refused ---- */

Test(reader, of_a_regular_file_or_folder_is_refused_with_a_sentence)
{
	static const struct {
		const char *name;
		int flags;
	} cases[] = { { "a file", O_TMPFILE | O_RDWR },
		      { "a folder", O_RDONLY | O_DIRECTORY } };
	const char *folder = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = open(folder, cases[i].flags | O_CLOEXEC, 0600);
		char expected[128];
		weft_loop *loop;

		cr_assert_ge(fd, 0, "%s", cases[i].name);
		cr_assert_eq(weft_loop_new(NULL, &loop), 0);
		snprintf(
			expected, sizeof(expected),
			"descriptor %d is a regular file or directory, which is always ready: "
			"read it in an executor",
			fd);
		cr_expect_eq(weft_loop_add_reader(loop, fd, never_called, NULL), -EINVAL,
			     "%s", cases[i].name);
		cr_expect_str_eq(weft_error_text(-EINVAL), expected);
		cr_expect_eq(weft_loop_add_writer(loop, fd, never_called, NULL), -EINVAL,
			     "%s", cases[i].name);
		cr_expect(!weft_loop_remove_reader(loop, fd));
		cr_expect_eq(weft_loop_close(loop), 0);
		close(fd);
	}
}

Test(reader, of_what_is_no_descriptor_is_refused)
{
	static const int fds[] = { -1, -1000, 1000000 };
	weft_loop *loop;
	int closed = dup(0);

	cr_assert_eq(weft_loop_new(NULL, &loop), 0);
	close(closed);
	cr_expect_eq(weft_loop_add_reader(loop, closed, never_called, NULL), -EBADF);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		cr_expect_eq(weft_loop_add_reader(loop, fds[i], never_called, NULL),
			     -EBADF, "%d", fds[i]);
		cr_expect_eq(weft_loop_add_writer(loop, fds[i], never_called, NULL),
			     -EBADF, "%d", fds[i]);
		cr_expect(!weft_loop_remove_reader(loop, fds[i]));
		cr_expect(!weft_loop_remove_writer(loop, fds[i]));
	}
	cr_expect_eq(weft_loop_close(loop), 0);
}

Test(reader, without_memory_is_refused_and_leaves_nothing_behind)
{
	struct ends ends = ends_begin();
	struct watcher watcher = { 0 };
	int n_failed = 0, r = -ENOMEM;

	for (long nth = 1; r == -ENOMEM && nth < 20; nth++) {
		weft__fail_allocation(nth);
		r = weft_loop_add_reader(ends.loop, ends.read_end, on_fd, &watcher);
		weft__fail_allocation(0);
		n_failed += r == -ENOMEM;
		cr_expect_eq(weft_loop_remove_reader(ends.loop, ends.read_end), r == 0);
	}
	cr_expect_eq(r, 0);
	cr_expect_gt(n_failed, 0);
	ends_end(&ends);
}

/* ---- Many ---- */

Test(reader, many_are_called_for_their_own_descriptor_alone)
{
	enum { N = 200 };
	static struct watcher watchers[N];
	int fds[N][2];
	weft_loop *loop;

	cr_assert_eq(weft_loop_new(NULL, &loop), 0);
	for (int i = 0; i < N; i++) {
		cr_assert_eq(pipe(fds[i]), 0);
		watchers[i] = (struct watcher){ .consume = true };
		cr_assert_eq(weft_loop_add_reader(loop, fds[i][0], on_fd, &watchers[i]),
			     0);
	}
	for (int i = 0; i < N; i += 3)
		cr_assert_eq(write(fds[i][1], "x", 1), 1);
	settle(loop, 10); /* more than one batch of the poller */
	for (int i = 0; i < N; i++) {
		cr_expect_eq(watchers[i].n > 0, i % 3 == 0, "%d", i);
		cr_expect(watchers[i].n == 0 || watchers[i].fd == fds[i][0]);
		cr_expect(weft_loop_remove_reader(loop, fds[i][0]));
		close(fds[i][0]);
		close(fds[i][1]);
	}
	cr_expect_eq(weft_loop_close(loop), 0);
}
