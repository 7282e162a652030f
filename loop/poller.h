/*
 * The poller: how a loop waits for the kernel.
 *
 * It speaks completions, not readiness: an operation (receive, send, accept, connect) is
 * started on a descriptor and ends once, with a result. The epoll poller tries the call
 * at once and, when it would block, again when the kernel says so; a ring poller hands it
 * to the kernel. Nobody above this file can tell which one runs.
 *
 * A buffer belongs to its operation until the operation has ended. Cancelling asks it to
 * end: it still ends once, with what it had done by then or -ECANCELED.
 *
 * Watches are the other use: a callback for as long as a descriptor is ready
 * (level-triggered), for readers, writers and listeners.
 *
 * All on the loop's thread, but weft__poller_wake(). A descriptor is removed before it is
 * closed, and what the kernel reports for it afterwards is dropped, also if its number is
 * in use again.
 */
#ifndef WEFT_LOOP_POLLER_H
#define WEFT_LOOP_POLLER_H

#include <sys/socket.h>
#include <sys/uio.h>

#include <weft/loop.h>

#include "base/base.h"

struct epoll_poller;
struct op;

/* What a short read says about the descriptor. */
enum descriptor_kind {
	DESCRIPTOR_TCP, /* a short read means drained, as long as no end or error was
			   reported */
	DESCRIPTOR_SOCKET, /* only EAGAIN means drained; recv() and send() */
	DESCRIPTOR_FILE, /* the same, but read() and write(): pipes, terminals */
};

/* Something of the kernel's that operations run on; its storage is the owner's. */
struct descriptor {
	void (*on_events)(struct descriptor *descriptor,
			  uint32_t events); /* the poller's */
	weft_loop *loop;
	int fd;
	uint8_t kind; /* enum descriptor_kind */
	uint8_t registered; /* the rest is the poller's, too */
	uint8_t state;
	struct op *reading;
	struct op *writing;
};

enum op_code {
	/* Reading side. */
	OP_RECEIVE,
	/* Writing side. */
	OP_SEND,
	OP_SEND_PARTS,
	OP_CONNECT,
};

/* An operation; its storage is the caller's until `done` was called. */
struct op {
	enum op_code code;
	struct descriptor *descriptor;
	union {
		struct {
			void *data;
			size_t size;
		} receive;
		struct {
			const void *data;
			size_t size;
		} send;
		struct {
			const struct iovec *parts;
			int n_parts;
		} send_parts;
		struct {
			const struct sockaddr *address;
			socklen_t size;
		} connect;
	};
	ssize_t result;
	void *owner; /* the caller's */
	/* Called once on the loop's thread, never inside weft__op_start(); short. */
	void (*done)(struct op *op);
	/*
	 * The owner asks for the result by weft__op_finish() when it comes to use it. A poller may
	 * leave the work until then: so of many that have come at once, each is received when it
	 * is used, into a cache that is not full of the others.
	 */
	bool is_finished_by_owner;
};

/*
 * `fd` is non-blocking and stays the owner's.
 * Return: 0, -ENOMEM, -EBADF, -EBUSY if it is in use on this loop.
 */
int weft__descriptor_init(struct descriptor *descriptor, weft_loop *loop, int fd,
			  enum descriptor_kind kind);
/* Before close(fd); no operation may be under way. */
void weft__descriptor_fini(struct descriptor *descriptor);

/*
 * Starts an operation; one at a time on each side of a descriptor.
 * Return: its result if it ended at once (then `done` is not called), else -EINPROGRESS;
 * -ENOMEM, -ENOSPC if the kernel cannot watch the descriptor.
 */
ssize_t weft__op_start(struct op *op);
/*
 * Tries an operation, and never leaves it under way; its side must be free. Return: its result,
 * or -EAGAIN if it would have to wait.
 */
ssize_t weft__op_try(struct op *op);
/*
 * Of an operation that is finished by its owner, after `done`. Return: its result; -EAGAIN if
 * nothing came of it: then it may be started again.
 */
ssize_t weft__op_finish(struct op *op);
/*
 * Asks an operation under way, or one that is yet to be finished by its owner, to end; `done` may
 * be called before this returns, but not a second time.
 */
void weft__op_cancel(struct op *op);

/* ---- Watches ---- */

enum {
	WATCH_READABLE = 1 << 0,
	WATCH_WRITABLE = 1 << 1,
	WATCH_EXCLUSIVE = 1 << 2, /* of several loops that watch it, wake one */
	WATCH_FIRST = 1 << 3, /* served before the others of a batch */
};

struct watch {
	struct descriptor descriptor;
	unsigned interests;
	/* Called on the loop's thread with POLLIN, POLLOUT, POLLERR, POLLHUP, POLLRDHUP;
	 * short. */
	void (*on_ready)(struct watch *watch, short events);
};

/* Return: 0; -EPERM for a file that is always ready; -EBADF, -ENOMEM, -ENOSPC, -EEXIST.
 */
int weft__watch_start(struct watch *watch, weft_loop *loop, int fd, unsigned interests,
		      void (*on_ready)(struct watch *watch, short events));
/* Other interests; not with WATCH_EXCLUSIVE. */
int weft__watch_change(struct watch *watch, unsigned interests);
void weft__watch_stop(struct watch *watch);

/* ---- For the loop ---- */

int weft__poller_new(weft_loop *loop, struct epoll_poller **poller);
void weft__poller_free(struct epoll_poller *poller);
/* Handles what has come; waits for it until `deadline` on CLOCK_MONOTONIC (0: not at
 * all). */
void weft__poller_wait(struct epoll_poller *poller, weft_time deadline);
/* How many descriptors are registered, without the wake-up's own. */
size_t weft__poller_registered(const struct epoll_poller *poller);

#endif
