/*
 * Waiting for a descriptor that belongs to somebody else.
 *
 * A watch for as long as the wait lasts, after a look that costs one system call. Loop
 * thread.
 */
#include <poll.h>

#include "task/task.h"

struct poll_wait {
	struct park park;
	struct watch watch;
};

static void on_ready(struct watch *watch, short events)
{
	struct poll_wait *wait = container_of(watch, struct poll_wait, watch);

	weft__watch_stop(&wait->watch);
	weft__unpark(&wait->park, events);
}

static enum cancel_answer stop_watching(struct park *park)
{
	weft__watch_stop(&container_of(park, struct poll_wait, park)->watch);
	return CANCEL_ENDS;
}

/* What holds now; 0 if nothing does. */
static int look(int fd, short events)
{
	struct pollfd asked = { .fd = fd, .events = events };
	int n;

	do
		n = poll(&asked, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (asked.revents & POLLNVAL)
		return weft_error_set(-EBADF, "weft_poll(): descriptor %d is not open",
				      fd);
	return asked.revents;
}

int weft_poll(int fd, short events)
{
	struct poll_wait wait = { .park = { .what = "poll", .cancel = stop_watching } };
	weft_task *me = task_current();
	unsigned interests = 0;
	int r;

	if (!me)
		return weft__task_none(__func__);
	if (fd < 0 || !(events & (POLLIN | POLLOUT)) || (events & ~(POLLIN | POLLOUT)))
		return weft_error_set(
			fd < 0 ? -EBADF : -EINVAL,
			"weft_poll() takes an open descriptor and POLLIN, POLLOUT or "
			"both");
	if (events & POLLIN)
		interests |= WATCH_READABLE;
	if (events & POLLOUT)
		interests |= WATCH_WRITABLE;
	r = weft__watch_start(&wait.watch, me->loop, fd, interests, on_ready);
	if (r == -EPERM)
		return weft_error_set(
			-EINVAL,
			"weft_poll(): descriptor %d is a regular file or directory, "
			"which is always ready: read it in an executor",
			fd);
	if (r < 0)
		return r;
	r = look(fd, events);
	if (r == 0)
		r = weft__cancel_point(me);
	if (r != 0) {
		weft__watch_stop(&wait.watch);
		return r;
	}
	return weft__park(&wait.park);
}
