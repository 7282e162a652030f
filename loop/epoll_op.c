/*
 * Operations on top of epoll: try the call first, and again when the kernel says that it
 * may work.
 *
 * A descriptor is registered once, edge-triggered, the first time that something would
 * block. An edge says "something has changed", so a side is believed ready until a call
 * said EAGAIN. One call is saved where it can be: a short read of a TCP socket means
 * drained, because whatever comes later makes a new edge. That holds only while no end,
 * error or urgent byte was reported: those share an edge with data (a reader that stopped
 * short would never see the end), so from then on only EAGAIN counts. On Unix sockets,
 * pipes and terminals a short read means nothing.
 *
 * Loop thread.
 */
#include <unistd.h>

#include "loop/epoll.h"
#include "loop/loop.h"
#include "loop/transfer.h"

/* Bits of descriptor->state. */
enum {
	READ_READY = 1 << 0,
	WRITE_READY = 1 << 1,
	SAW_END =
		1
		<< 2, /* EPOLLRDHUP, HUP, ERR or PRI: a short read is not the end of it */
};

enum {
	END_EVENTS = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI,
	ALL_EVENTS = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI,
};

/* ---- One try ---- */

static ssize_t try_receive(struct op *op)
{
	struct descriptor *descriptor = op->descriptor;
	ssize_t n;

	do {
		n = descriptor->kind == DESCRIPTOR_FILE
			    ? read(descriptor->fd, op->receive.data, op->receive.size)
			    : transfer_receive(descriptor->fd, op->receive.data,
					       op->receive.size);
	} while (unlikely(n < 0 && errno == EINTR));
	if (n < 0)
		return -errno;
	if (descriptor->kind == DESCRIPTOR_TCP && (size_t)n < op->receive.size &&
	    !(descriptor->state & SAW_END))
		descriptor->state &= ~READ_READY;
	return n;
}

static ssize_t try_send(struct op *op)
{
	struct descriptor *descriptor = op->descriptor;
	ssize_t n;

	do {
		n = descriptor->kind == DESCRIPTOR_FILE
			    ? write(descriptor->fd, op->send.data, op->send.size)
			    : transfer_send(descriptor->fd, op->send.data, op->send.size);
	} while (unlikely(n < 0 && errno == EINTR));
	return n < 0 ? -errno : n;
}

static ssize_t try_send_parts(struct op *op)
{
	struct descriptor *descriptor = op->descriptor;
	struct msghdr message = {
		.msg_iov =
			(struct iovec *)(uintptr_t)op->send_parts.parts, /* only read */
		.msg_iovlen = (size_t)op->send_parts.n_parts,
	};
	ssize_t n;

	do {
		n = descriptor->kind == DESCRIPTOR_FILE
			    ? writev(descriptor->fd, op->send_parts.parts,
				     op->send_parts.n_parts)
			    : sendmsg(descriptor->fd, &message, MSG_NOSIGNAL);
	} while (unlikely(n < 0 && errno == EINTR));
	return n < 0 ? -errno : n;
}

/* The first try begins the connect, the second asks how it went. */
static ssize_t try_connect(struct op *op)
{
	struct descriptor *descriptor = op->descriptor;
	int error = 0;
	socklen_t size = sizeof(error);

	if (op->connect.address) {
		const struct sockaddr *address = op->connect.address;

		op->connect.address = NULL;
		if (connect(descriptor->fd, address, op->connect.size) == 0)
			return 0;
		/* EINTR: it goes on, as after EINPROGRESS. A Unix listener that is full:
		 * EAGAIN. */
		return errno == EINPROGRESS || errno == EINTR ? -EAGAIN
		       : errno == EAGAIN		      ? -ECONNREFUSED
							      : -errno;
	}
	if (getsockopt(descriptor->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -errno;
	return -error;
}

static ssize_t try_op(struct op *op)
{
	switch (op->code) {
	case OP_RECEIVE:
		return try_receive(op);
	case OP_SEND:
		return try_send(op);
	case OP_SEND_PARTS:
		return try_send_parts(op);
	case OP_CONNECT:
		return try_connect(op);
	}
	return -EINVAL;
}

/* ---- Readiness ---- */

static bool is_reading(const struct op *op)
{
	return op->code == OP_RECEIVE;
}

/* Where a descriptor has the operation that is under way. */
static struct op **side_of(struct op *op)
{
	return is_reading(op) ? &op->descriptor->reading : &op->descriptor->writing;
}

/* EAGAIN: all that was reported so far has been seen. */
static void saw_nothing(struct descriptor *descriptor, uint8_t ready_bit)
{
	descriptor->state &= (uint8_t)~ready_bit;
	if (ready_bit == READ_READY)
		descriptor->state &= (uint8_t)~SAW_END;
}

/* It may work now: whoever waits for it is told, once, and tries. Until then it keeps its side. */
static void tell_owner(struct op *op)
{
	if (op->result != -EINPROGRESS)
		return;
	op->result = -EAGAIN;
	op->done(op);
}

/* One side may work again: try what waits on it, and end it unless it still would block.
 */
static void try_waiting(struct descriptor *descriptor, struct op **side,
			uint8_t ready_bit)
{
	struct op *op = *side;
	ssize_t n;

	descriptor->state |= ready_bit;
	if (!op)
		return;
	if (op->is_finished_by_owner) {
		tell_owner(op);
		return;
	}
	n = try_op(op);
	if (n == -EAGAIN) {
		saw_nothing(descriptor, ready_bit);
		return;
	}
	*side = NULL;
	op->result = n;
	op->done(op);
}

static void on_events(struct descriptor *descriptor, uint32_t events)
{
	struct epoll_poller *poller = weft__epoll_of(descriptor->loop);
	uint32_t generation = poller->table[descriptor->fd].generation;
	int fd = descriptor->fd;

	if (events & END_EVENTS)
		descriptor->state |= SAW_END;
	if (events & (EPOLLIN | END_EVENTS))
		try_waiting(descriptor, &descriptor->reading, READ_READY);
	/* `done` only wakes somebody, but who knows: look whether the descriptor is still
	 * there. */
	if (poller->table[fd].generation != generation)
		return;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		try_waiting(descriptor, &descriptor->writing, WRITE_READY);
}

int weft__descriptor_init(struct descriptor *descriptor, weft_loop *loop, int fd,
			  enum descriptor_kind kind)
{
	*descriptor = (struct descriptor){
		.on_events = on_events,
		.loop = loop,
		.fd = fd,
		.kind = (uint8_t)kind,
		.state = READ_READY |
			 WRITE_READY, /* who knows? the first call will tell */
	};
	return weft__epoll_claim(weft__epoll_of(loop), descriptor);
}

void weft__descriptor_fini(struct descriptor *descriptor)
{
	weft_assert(
		!descriptor->reading && !descriptor->writing,
		"descriptor %d was given up with an operation under way: end it first",
		descriptor->fd);
	weft__epoll_release(weft__epoll_of(descriptor->loop), descriptor);
}

/* ---- Operations ---- */

/*
 * Nobody was told of edges so far, so the kernel tells now what is ready already: nothing
 * that came between the failed try and this can be missed.
 */
static int start_listening(struct descriptor *descriptor)
{
	if (likely(descriptor->registered))
		return 0;
	return weft__epoll_add(weft__epoll_of(descriptor->loop), descriptor,
			       ALL_EVENTS | EPOLLET);
}

ssize_t weft__op_try(struct op *op)
{
	struct descriptor *descriptor = op->descriptor;
	uint8_t ready_bit = is_reading(op) ? READ_READY : WRITE_READY;
	ssize_t n = -EAGAIN;

	if (descriptor->state & ready_bit) {
		n = try_op(op);
		if (n == -EAGAIN)
			saw_nothing(descriptor, ready_bit);
	}
	return n;
}

ssize_t weft__op_start(struct op *op)
{
	struct descriptor *descriptor = op->descriptor;
	ssize_t n = weft__op_try(op);
	int r;

	if (n != -EAGAIN)
		return n;
	r = start_listening(descriptor);
	if (r < 0)
		return r;
	op->result = -EINPROGRESS;
	*side_of(op) = op;
	return -EINPROGRESS;
}

ssize_t weft__op_finish(struct op *op)
{
	if (op->result != -EAGAIN)
		return op->result; /* it was cancelled */
	*side_of(op) = NULL;
	return weft__op_try(op);
}

void weft__op_cancel(struct op *op)
{
	bool was_told = op->result == -EAGAIN;

	*side_of(op) = NULL;
	op->result = -ECANCELED;
	if (!was_told)
		op->done(op);
}
