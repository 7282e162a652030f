/*
 * Waiting by epoll; epoll.h has the model. What the events mean to operations is
 * epoll_op.c.
 *
 * The wait is exact to the nanosecond by epoll_pwait2() (Linux 5.11). Where the kernel
 * lacks it or a filter forbids it, a timerfd in the interest list does the same for one
 * call more; WEFT_TIMER=timerfd forces that.
 */
#include "loop/epoll.h"

#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "loop/loop.h"

enum { BATCH = 64 };

/* Tags of events that are not for a descriptor: no generation has these bits. */
#define TAG_WAKE  UINT64_MAX
#define TAG_TIMER (UINT64_MAX - 1)

struct epoll_poller *weft__epoll_of(weft_loop *loop)
{
	return loop->poller;
}

/* ---- Beginning and end ---- */

static int add_internal(struct epoll_poller *poller, int fd, uint64_t tag)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = tag };

	return epoll_ctl(poller->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static bool has_pwait2(int epoll_fd)
{
	const char *forced = getenv("WEFT_TIMER");
	struct timespec zero = { 0 };
	struct epoll_event event;

	if (forced && strcmp(forced, "timerfd") == 0)
		return false;
	return epoll_pwait2(epoll_fd, &event, 1, &zero, NULL) >= 0;
}

int weft__poller_new(weft_loop *loop, struct epoll_poller **out)
{
	struct epoll_poller *poller = weft__zalloc(sizeof(*poller));
	int r;

	if (!poller)
		return -ENOMEM;
	poller->timer_fd = -1;
	poller->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (poller->epoll_fd < 0) {
		r = weft_error_set(-errno, "cannot make an epoll descriptor for a loop");
		goto free_poller;
	}
	if (!has_pwait2(poller->epoll_fd)) {
		poller->timer_fd =
			timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		if (poller->timer_fd < 0) {
			r = weft_error_set(-errno, "cannot make a timerfd for a loop");
			goto close_epoll;
		}
		r = add_internal(poller, poller->timer_fd, TAG_TIMER);
		if (r < 0)
			goto close_timer;
	}
	r = add_internal(poller, loop->wake_fd, TAG_WAKE);
	if (r < 0)
		goto close_timer;
	*out = poller;
	return 0;
close_timer:
	if (poller->timer_fd >= 0)
		(void)close(poller->timer_fd);
close_epoll:
	(void)close(poller->epoll_fd);
free_poller:
	free(poller);
	return r;
}

void weft__poller_free(struct epoll_poller *poller)
{
	if (poller->timer_fd >= 0)
		(void)close(poller->timer_fd);
	(void)close(poller->epoll_fd);
	free(poller->table);
	free(poller);
}

size_t weft__poller_registered(const struct epoll_poller *poller)
{
	return poller->n_registered;
}

/* ---- The table ---- */

static int make_room(struct epoll_poller *poller, size_t fd)
{
	size_t n = MAX(poller->n_entries, (size_t)64);
	struct epoll_entry *table;

	while (n <= fd)
		n *= 2;
	table = weft__realloc_array(poller->table, n, sizeof(*table));
	if (!table)
		return -ENOMEM;
	memset(table + poller->n_entries, 0, (n - poller->n_entries) * sizeof(*table));
	poller->table = table;
	poller->n_entries = n;
	return 0;
}

int weft__epoll_claim(struct epoll_poller *poller, struct descriptor *descriptor)
{
	size_t fd = (size_t)descriptor->fd;

	if (descriptor->fd < 0)
		return -EBADF;
	if (fd >= poller->n_entries && make_room(poller, fd) < 0)
		return -ENOMEM;
	if (poller->table[fd].descriptor)
		return weft_error_set(
			-EBUSY,
			"descriptor %d is used by something else on this loop already: "
			"close or remove that first",
			descriptor->fd);
	poller->table[fd].descriptor = descriptor;
	poller->table[fd].first = false;
	return 0;
}

void weft__epoll_release(struct epoll_poller *poller, struct descriptor *descriptor)
{
	struct epoll_entry *entry = &poller->table[descriptor->fd];

	if (descriptor->registered)
		weft__epoll_remove(poller, descriptor);
	entry->descriptor = NULL;
	entry->generation =
		(entry->generation + 1) & 0x7fffffff; /* never that of a tag */
}

/* ---- The kernel's list ---- */

static int control(struct epoll_poller *poller, int what, struct descriptor *descriptor,
		   uint32_t events)
{
	uint32_t generation = poller->table[descriptor->fd].generation;
	struct epoll_event event = {
		.events = events,
		.data.u64 = (uint64_t)generation << 32 | (uint32_t)descriptor->fd,
	};

	return epoll_ctl(poller->epoll_fd, what, descriptor->fd, &event) < 0 ? -errno : 0;
}

int weft__epoll_add(struct epoll_poller *poller, struct descriptor *descriptor,
		    uint32_t events)
{
	int r = control(poller, EPOLL_CTL_ADD, descriptor, events);

	if (r < 0)
		return r;
	descriptor->registered = true;
	poller->n_registered++;
	return 0;
}

int weft__epoll_modify(struct epoll_poller *poller, struct descriptor *descriptor,
		       uint32_t events)
{
	return control(poller, EPOLL_CTL_MOD, descriptor, events);
}

void weft__epoll_remove(struct epoll_poller *poller, struct descriptor *descriptor)
{
	/* Fails only if the user closed the descriptor before us; then it is gone anyway.
	 */
	(void)epoll_ctl(poller->epoll_fd, EPOLL_CTL_DEL, descriptor->fd, NULL);
	descriptor->registered = false;
	poller->n_registered--;
}

/* ---- Waiting ---- */

static struct timespec timespec_of(weft_time ns)
{
	return (struct timespec){ .tv_sec = ns / WEFT_SEC, .tv_nsec = ns % WEFT_SEC };
}

static int wait_by_timerfd(struct epoll_poller *poller, struct epoll_event *events,
			   weft_time deadline)
{
	struct itimerspec when = { .it_value = timespec_of(deadline) };

	if (timerfd_settime(poller->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		return 0; /* cannot fail with these arguments; the loop would only spin */
	return epoll_wait(poller->epoll_fd, events, BATCH, -1);
}

static int wait_for_events(struct epoll_poller *poller, struct epoll_event *events,
			   weft_time deadline)
{
	struct timespec left;
	weft_time now;

	if (deadline <= 0)
		return epoll_wait(poller->epoll_fd, events, BATCH, 0);
	if (deadline == WEFT_FOREVER)
		return epoll_wait(poller->epoll_fd, events, BATCH, -1);
	now = weft__clock();
	if (deadline <= now)
		return epoll_wait(poller->epoll_fd, events, BATCH, 0);
	if (poller->timer_fd >= 0)
		return wait_by_timerfd(poller, events, deadline);
	left = timespec_of(deadline - now);
	return epoll_pwait2(poller->epoll_fd, events, BATCH, &left, NULL);
}

/* The descriptor that an event is for; NULL if it is gone or the event is not for one. */
static struct epoll_entry *entry_of(struct epoll_poller *poller, uint64_t tag)
{
	uint32_t fd = (uint32_t)tag, generation = (uint32_t)(tag >> 32);
	struct epoll_entry *entry;

	if (tag == TAG_WAKE || tag == TAG_TIMER || fd >= poller->n_entries)
		return NULL;
	entry = &poller->table[fd];
	return entry->descriptor && entry->generation == generation ? entry : NULL;
}

static void dispatch(struct epoll_poller *poller, const struct epoll_event *events, int n,
		     bool first)
{
	for (int i = 0; i < n; i++) {
		struct epoll_entry *entry = entry_of(poller, events[i].data.u64);

		if (entry && entry->first == first)
			entry->descriptor->on_events(entry->descriptor, events[i].events);
	}
}

void weft__poller_wait(struct epoll_poller *poller, weft_time deadline)
{
	struct epoll_event events[BATCH];
	int n;

	if (deadline <= 0 && !poller->n_registered)
		return; /* there is nothing to look at */
	n = wait_for_events(poller, events, deadline);
	/* n < 0 is EINTR: as if nothing had come. */
	if (poller->n_first)
		dispatch(poller, events, n, true);
	dispatch(poller, events, n, false);
}

/* ---- Watches ---- */

static uint32_t watch_events(unsigned interests)
{
	uint32_t events = 0;

	if (interests & WATCH_READABLE)
		events |= EPOLLIN | EPOLLRDHUP;
	if (interests & WATCH_WRITABLE)
		events |= EPOLLOUT;
	if (interests & WATCH_EXCLUSIVE)
		events = (events & ~(uint32_t)EPOLLRDHUP) | EPOLLEXCLUSIVE;
	return events;
}

static void watch_on_events(struct descriptor *descriptor, uint32_t events)
{
	struct watch *watch = container_of(descriptor, struct watch, descriptor);

	/* The EPOLL constants are those of poll(2). */
	watch->on_ready(watch, (short)(events & (POLLIN | POLLOUT | POLLERR | POLLHUP |
						 POLLRDHUP)));
}

int weft__watch_start(struct watch *watch, weft_loop *loop, int fd, unsigned interests,
		      void (*on_ready)(struct watch *watch, short events))
{
	struct epoll_poller *poller = weft__epoll_of(loop);
	int r;

	*watch = (struct watch){
		.descriptor = { .on_events = watch_on_events, .loop = loop, .fd = fd },
		.interests = interests,
		.on_ready = on_ready,
	};
	r = weft__epoll_claim(poller, &watch->descriptor);
	if (r < 0)
		return r;
	r = weft__epoll_add(poller, &watch->descriptor, watch_events(interests));
	if (r < 0) {
		weft__epoll_release(poller, &watch->descriptor);
		return r;
	}
	if (interests & WATCH_FIRST) {
		poller->table[fd].first = true;
		poller->n_first++;
	}
	return 0;
}

int weft__watch_change(struct watch *watch, unsigned interests)
{
	watch->interests = interests;
	return weft__epoll_modify(weft__epoll_of(watch->descriptor.loop),
				  &watch->descriptor, watch_events(interests));
}

void weft__watch_stop(struct watch *watch)
{
	struct epoll_poller *poller = weft__epoll_of(watch->descriptor.loop);

	if (watch->interests & WATCH_FIRST)
		poller->n_first--;
	weft__epoll_release(poller, &watch->descriptor);
}
