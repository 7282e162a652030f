/*
 * Readers and writers: callbacks for descriptors that belong to the user.
 *
 * One watch for each descriptor, with the interests of its reader and its writer. A
 * callback is queued once when the poller finds its side ready, and again only after it
 * has run: so it is called once a turn as long as data waits. Removing also takes back a
 * call that is queued. The watches of a loop are found by descriptor number. Loop thread.
 */
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "loop/loop.h"

struct side {
	weft_fd_callback *fn; /* NULL: nobody */
	void *arg;
	struct handle handle;
	struct context *context; /* of who added it, with a reference */
};

struct watcher {
	struct watch watch;
	struct open_object open;
	struct side reader, writer;
};

static void call_reader(void *arg)
{
	struct watcher *watcher = arg;

	/* May free the watcher. */
	watcher->reader.fn(watcher->watch.descriptor.fd, watcher->reader.arg);
}

static void call_writer(void *arg)
{
	struct watcher *watcher = arg;

	watcher->writer.fn(watcher->watch.descriptor.fd, watcher->writer.arg);
}

/* Each call begins with the context of who added it. */
static void run_side(struct watcher *watcher, struct side *side, weft_callback *call)
{
	if (unlikely(side->context))
		weft__context_call(weft__context_ref(side->context), call, watcher);
	else
		call(watcher);
}

static void run_reader(void *arg)
{
	struct watcher *watcher = arg;

	run_side(watcher, &watcher->reader, call_reader);
}

static void run_writer(void *arg)
{
	struct watcher *watcher = arg;

	run_side(watcher, &watcher->writer, call_writer);
}

const void *weft__watcher_callback(const struct handle *handle)
{
	const struct watcher *watcher = handle->arg;

	return handle->fn == run_reader	  ? (const void *)(uintptr_t)watcher->reader.fn
	       : handle->fn == run_writer ? (const void *)(uintptr_t)watcher->writer.fn
					  : NULL;
}

static void queue(weft_loop *loop, struct side *side)
{
	if (side->fn && handle_state(&side->handle) == HANDLE_IDLE)
		ready_push_handle(&loop->ready, &side->handle);
}

static void on_ready(struct watch *watch, short events)
{
	struct watcher *watcher = container_of(watch, struct watcher, watch);
	weft_loop *loop = watch->descriptor.loop;

	if (events & (POLLIN | POLLRDHUP | POLLHUP | POLLERR))
		queue(loop, &watcher->reader);
	if (events & (POLLOUT | POLLHUP | POLLERR))
		queue(loop, &watcher->writer);
}

/* ---- The table ---- */

static struct watcher *find(weft_loop *loop, int fd)
{
	return fd >= 0 && (size_t)fd < loop->n_watchers ? loop->watchers[fd] : NULL;
}

static int make_room(weft_loop *loop, size_t fd)
{
	size_t n = MAX(loop->n_watchers, (size_t)16);
	struct watcher **watchers;

	if (fd < loop->n_watchers)
		return 0;
	while (n <= fd)
		n *= 2;
	watchers = weft__realloc_array(loop->watchers, n, sizeof(struct watcher *));
	if (!watchers)
		return -ENOMEM;
	memset(watchers + loop->n_watchers, 0,
	       (n - loop->n_watchers) * sizeof(struct watcher *));
	loop->watchers = watchers;
	loop->n_watchers = n;
	return 0;
}

static int explain(int r, int fd)
{
	if (r == -EPERM)
		return weft_error_set(
			-EINVAL,
			"descriptor %d is a regular file or directory, which is always "
			"ready: read it in an executor",
			fd);
	if (r == -EBADF)
		return weft_error_set(r, "descriptor %d is not open", fd);
	return r;
}

static int new_watcher(weft_loop *loop, int fd, unsigned interests, struct watcher **out)
{
	struct watcher *watcher;
	int r;

	if (fd < 0)
		return explain(-EBADF, fd);
	r = make_room(loop, (size_t)fd);
	if (r < 0)
		return r;
	watcher = weft__zalloc(sizeof(*watcher));
	if (!watcher)
		return -ENOMEM;
	r = weft__watch_start(&watcher->watch, loop, fd, interests, on_ready);
	if (r < 0) {
		free(watcher);
		return explain(r, fd);
	}
	handle_init(&watcher->reader.handle, HANDLE_USER, run_reader, watcher);
	handle_init(&watcher->writer.handle, HANDLE_USER, run_writer, watcher);
	watcher->reader.handle.loop = watcher->writer.handle.loop = loop;
	loop->watchers[fd] = watcher;
	*out = watcher;
	return 0;
}

static void free_watcher(weft_loop *loop, struct watcher *watcher)
{
	loop->watchers[watcher->watch.descriptor.fd] = NULL;
	weft__watch_stop(&watcher->watch);
	loop_untrack(&watcher->open);
	context_drop(&watcher->reader.context);
	context_drop(&watcher->writer.context);
	free(watcher);
}

/* ---- Adding and removing ---- */

static int add(weft_loop *loop, int fd, unsigned interest, weft_fd_callback *fn,
	       void *arg, const void *place)
{
	struct watcher *watcher = find(loop, fd);
	struct context *before;
	struct side *side;
	int r = 0;

	if (!watcher) {
		r = new_watcher(loop, fd, interest, &watcher);
		if (r < 0)
			return r;
		loop_track(loop, &watcher->open, "a reader or writer", place);
	} else if (!(watcher->watch.interests & interest)) {
		r = weft__watch_change(&watcher->watch,
				       watcher->watch.interests | interest);
		if (r < 0)
			return explain(r, fd);
	}
	side = interest == WATCH_READABLE ? &watcher->reader : &watcher->writer;
	if (handle_state(&side->handle) != HANDLE_IDLE)
		weft__ready_remove(&loop->ready, &side->handle); /* the old one's call */
	side->fn = fn;
	side->arg = arg;
	before = side->context;
	side->context = context_capture();
	weft__context_unref(before);
	return 0;
}

static bool remove_side(weft_loop *loop, int fd, unsigned interest)
{
	struct watcher *watcher = find(loop, fd);
	struct side *side;

	if (!watcher || !(watcher->watch.interests & interest))
		return false;
	side = interest == WATCH_READABLE ? &watcher->reader : &watcher->writer;
	if (handle_state(&side->handle) != HANDLE_IDLE)
		weft__ready_remove(&loop->ready, &side->handle);
	side->fn = NULL;
	context_drop(&side->context);
	if (watcher->watch.interests == interest)
		free_watcher(loop, watcher);
	else /* fails only for a descriptor that is closed already, which is never ready
		again */
		(void)weft__watch_change(&watcher->watch,
					 watcher->watch.interests & ~interest);
	return true;
}

int weft_loop_add_reader(weft_loop *loop, int fd, weft_fd_callback *fn, void *arg)
{
	int r = loop_check(loop, __func__);

	return r < 0 ? r
		     : add(loop, fd, WATCH_READABLE, fn, arg,
			   __builtin_return_address(0));
}

int weft_loop_add_writer(weft_loop *loop, int fd, weft_fd_callback *fn, void *arg)
{
	int r = loop_check(loop, __func__);

	return r < 0 ? r
		     : add(loop, fd, WATCH_WRITABLE, fn, arg,
			   __builtin_return_address(0));
}

bool weft_loop_remove_reader(weft_loop *loop, int fd)
{
	return loop_check(loop, __func__) == 0 && remove_side(loop, fd, WATCH_READABLE);
}

bool weft_loop_remove_writer(weft_loop *loop, int fd)
{
	return loop_check(loop, __func__) == 0 && remove_side(loop, fd, WATCH_WRITABLE);
}

void weft__loop_remove_watchers(weft_loop *loop)
{
	for (size_t fd = 0; fd < loop->n_watchers; fd++)
		if (loop->watchers[fd])
			free_watcher(loop, loop->watchers[fd]);
	free(loop->watchers);
}
