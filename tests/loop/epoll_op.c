/*
 * Operations on top of epoll, from inside: when a call is made and when it is saved, what an edge
 * means, and what comes too late. The loop does not run: its poller is asked directly.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/epoll.h"
#include "loop/loop.h"
#include "tests/test.h"

enum { SIZE = 8 };

/* One end of a connection, and an operation on it. */
struct end {
	struct descriptor descriptor;
	int peer;
	struct op op;
	char data[SIZE];
	int n_done;
	void (*then)(struct end *end); /* what its done does besides */
	struct end *other;
};

static weft_loop *loop;

static void begin(void)
{
	cr_assert_eq(weft_loop_new(NULL, &loop), 0);
}

static void end(void)
{
	cr_expect_eq(weft_loop_close(loop), 0);
}

/* ---- Ends ---- */

static void pair_unix(int *fds)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
				fds),
		     0);
}

static void pair_tcp(int *fds)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *any = (struct sockaddr *)&address;
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(listener, any, size), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, any, &size), 0);
	fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(fds[1], any, size), 0);
	fds[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	cr_assert_ge(fds[0], 0);
	close(listener);
}

static void end_open(struct end *end, enum descriptor_kind kind)
{
	int fds[2];

	if (kind == DESCRIPTOR_TCP)
		pair_tcp(fds);
	else
		pair_unix(fds);
	*end = (struct end){ .peer = fds[1] };
	cr_assert_eq(weft__descriptor_init(&end->descriptor, loop, fds[0], kind), 0);
}

static void end_close(struct end *end)
{
	weft__descriptor_fini(&end->descriptor);
	close(end->descriptor.fd);
	close(end->peer);
}

static void note_done(struct op *op)
{
	struct end *end = op->owner;

	end->n_done++;
	if (end->then)
		end->then(end);
}

static void prepare(struct end *end, bool is_finished_by_owner)
{
	end->op = (struct op){
		.code = OP_RECEIVE,
		.descriptor = &end->descriptor,
		.receive = { .data = end->data, .size = SIZE },
		.owner = end,
		.done = note_done,
		.is_finished_by_owner = is_finished_by_owner,
	};
	end->n_done = 0;
}

static ssize_t start_receive(struct end *end, bool is_finished_by_owner)
{
	prepare(end, is_finished_by_owner);
	return weft__op_start(&end->op);
}

static ssize_t try_receive(struct end *end)
{
	prepare(end, false);
	return weft__op_try(&end->op);
}

static void send_to(const struct end *end, const char *text)
{
	cr_assert_eq(send(end->peer, text, strlen(text), 0), (ssize_t)strlen(text));
}

static void look(void)
{
	weft__poller_wait(loop->poller, 0);
}

/* On loopback bytes are there at once; but who says so? */
static void wait_for_done(struct end *end)
{
	while (!end->n_done)
		weft__poller_wait(loop->poller, weft__clock() + WEFT_SEC);
}

/* As if the kernel had just told. */
static void tell(struct end *end, uint32_t events)
{
	end->descriptor.on_events(&end->descriptor, events);
}

/* It is registered, and has had everything. */
static void end_open_and_drain(struct end *end, enum descriptor_kind kind)
{
	end_open(end, kind);
	cr_assert_eq(start_receive(end, false), -EINPROGRESS);
	send_to(end, "some");
	wait_for_done(end);
	cr_assert_eq(end->op.result, 4);
}

/* ---- Short reads ---- */

Test(epoll_op, a_short_read_of_tcp_saves_the_call_that_would_find_nothing, .init = begin,
     .fini = end)
{
	struct end end;

	end_open_and_drain(&end, DESCRIPTOR_TCP);
	send_to(&end, "more");
	cr_assert_eq(try_receive(&end), -EAGAIN, "no call before the kernel has told");
	cr_assert_eq(start_receive(&end, false), -EINPROGRESS);
	wait_for_done(&end);
	cr_expect_eq(end.op.result, 4);
	end_close(&end);
}

Test(epoll_op, a_full_read_of_tcp_is_followed_by_a_call, .init = begin, .fini = end)
{
	struct end end;

	end_open(&end, DESCRIPTOR_TCP);
	cr_assert_eq(start_receive(&end, false), -EINPROGRESS);
	send_to(&end, "twelve bytes");
	wait_for_done(&end);
	cr_assert_eq(end.op.result, SIZE);
	cr_expect_eq(try_receive(&end), 4);
	end_close(&end);
}

Test(epoll_op, a_short_read_of_another_socket_means_nothing, .init = begin, .fini = end)
{
	struct end end;

	end_open_and_drain(&end, DESCRIPTOR_SOCKET);
	send_to(&end, "more");
	cr_expect_eq(try_receive(&end), 4, "found without an edge");
	cr_expect_eq(try_receive(&end), -EAGAIN);
	send_to(&end, "late");
	cr_expect_eq(try_receive(&end), -EAGAIN, "saved, after EAGAIN");
	look();
	cr_expect_eq(try_receive(&end), 4);
	end_close(&end);
}

Test(epoll_op, a_short_read_before_the_kernel_was_asked_misses_nothing, .init = begin,
     .fini = end)
{
	struct end end;

	end_open(&end, DESCRIPTOR_TCP);
	send_to(&end, "some");
	while (try_receive(&end) == -EAGAIN) /* until it has come; then it is short */
		end.descriptor.state |= 1;
	send_to(&end, "more");
	cr_expect_eq(start_receive(&end, false), -EINPROGRESS);
	wait_for_done(&end);
	cr_expect_eq(end.op.result, 4);
	end_close(&end);
}

/* ---- Ends and urgent bytes ---- */

Test(epoll_op, an_end_that_came_with_bytes_is_found, .init = begin, .fini = end)
{
	struct end end;

	end_open(&end, DESCRIPTOR_TCP);
	cr_assert_eq(start_receive(&end, true), -EINPROGRESS);
	send_to(&end, "last");
	cr_assert_eq(shutdown(end.peer, SHUT_WR), 0);
	wait_for_done(&end);
	tell(&end, EPOLLIN | EPOLLRDHUP); /* one edge for both, or two: the same */
	cr_expect_eq(weft__op_finish(&end.op), 4, "a short read");
	cr_expect_eq(try_receive(&end), 0, "which was not all");
	cr_expect_eq(try_receive(&end), 0, "and stays so");
	cr_expect_eq(start_receive(&end, false), 0);
	end_close(&end);
}

Test(epoll_op, what_was_reported_with_bytes_counts_until_nothing_is_left, .init = begin,
     .fini = end)
{
	static const uint32_t events[] = { EPOLLRDHUP, EPOLLHUP, EPOLLERR, EPOLLPRI };

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		struct end end;

		end_open_and_drain(&end, DESCRIPTOR_TCP);
		tell(&end, EPOLLIN | events[i]);
		send_to(&end, "1234");
		cr_expect_eq(try_receive(&end), 4);
		send_to(&end, "5678");
		cr_expect_eq(try_receive(&end), 4, "%zu: a short read counts for nothing",
			     i);
		cr_expect_eq(try_receive(&end), -EAGAIN, "%zu: but this ends it", i);

		tell(&end, EPOLLIN);
		send_to(&end, "1234");
		cr_expect_eq(try_receive(&end), 4);
		send_to(&end, "5678");
		cr_expect_eq(try_receive(&end), -EAGAIN, "%zu: saved again", i);
		end_close(&end);
	}
}

Test(epoll_op, a_reset_ends_a_reader_and_a_writer, .init = begin, .fini = end)
{
	static char much[1 << 16];
	static const struct linger now = { .l_onoff = 1 };
	struct end end, writer = { .n_done = 0 };

	end_open(&end, DESCRIPTOR_TCP);
	writer.op = (struct op){
		.code = OP_SEND,
		.descriptor = &end.descriptor,
		.send = { .data = much, .size = sizeof(much) },
		.owner = &writer,
		.done = note_done,
	};
	while (weft__op_try(&writer.op) > 0)
		; /* until the kernel takes no more */
	cr_assert_eq(weft__op_start(&writer.op), -EINPROGRESS);
	cr_assert_eq(start_receive(&end, false), -EINPROGRESS);
	cr_assert_eq(setsockopt(end.peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	close(end.peer);
	wait_for_done(&end);
	wait_for_done(&writer);
	cr_expect_eq(end.op.result, -ECONNRESET);
	cr_expect(writer.op.result == -EPIPE || writer.op.result == -ECONNRESET, "%zd",
		  writer.op.result);
	end.peer = dup(end.descriptor.fd); /* for end_close() */
	end_close(&end);
}

/* ---- Woken for nothing ---- */

Test(epoll_op, an_edge_without_bytes_leaves_the_operation_under_way, .init = begin,
     .fini = end)
{
	struct end end;

	end_open(&end, DESCRIPTOR_SOCKET);
	cr_assert_eq(start_receive(&end, false), -EINPROGRESS);
	tell(&end, EPOLLIN);
	tell(&end, EPOLLIN | EPOLLPRI);
	cr_expect_eq(end.n_done, 0);
	cr_expect_eq(end.op.result, -EINPROGRESS);
	send_to(&end, "some");
	wait_for_done(&end);
	cr_expect_eq(end.op.result, 4);
	end_close(&end);
}

Test(epoll_op, an_owner_is_told_once_and_may_find_nothing, .init = begin, .fini = end)
{
	struct end end;
	char taken[SIZE];

	end_open(&end, DESCRIPTOR_SOCKET);
	cr_assert_eq(start_receive(&end, true), -EINPROGRESS);
	send_to(&end, "some");
	wait_for_done(&end);
	tell(&end, EPOLLIN);
	tell(&end, EPOLLIN);
	cr_expect_eq(end.n_done, 1, "told once");
	cr_assert_eq(recv(end.descriptor.fd, taken, SIZE, 0), 4);
	cr_expect_eq(weft__op_finish(&end.op), -EAGAIN);

	cr_assert_eq(start_receive(&end, true), -EINPROGRESS);
	send_to(&end, "late");
	wait_for_done(&end);
	cr_expect_eq(weft__op_finish(&end.op), 4);
	end_close(&end);
}

/* ---- Cancelling ---- */

Test(epoll_op, one_that_is_cancelled_under_way_ends_by_its_completion, .init = begin,
     .fini = end)
{
	struct end end;

	end_open(&end, DESCRIPTOR_SOCKET);
	for (int owned = 0; owned < 2; owned++) {
		cr_assert_eq(start_receive(&end, owned), -EINPROGRESS);
		weft__op_cancel(&end.op);
		cr_expect_eq(end.n_done, 1);
		cr_expect_eq(end.op.result, -ECANCELED);
		cr_expect_null(end.descriptor.reading, "its side is free");
	}
	send_to(&end, "some");
	look();
	cr_expect_eq(end.n_done, 1, "and nothing comes after that");
	cr_expect_eq(try_receive(&end), 4);
	end_close(&end);
}

Test(epoll_op, one_that_was_told_and_is_cancelled_takes_nothing, .init = begin,
     .fini = end)
{
	struct end end;

	end_open(&end, DESCRIPTOR_SOCKET);
	cr_assert_eq(start_receive(&end, true), -EINPROGRESS);
	send_to(&end, "some");
	wait_for_done(&end);
	weft__op_cancel(&end.op);
	cr_expect_eq(end.n_done, 1, "it was told, and is not told again");
	cr_expect_null(end.descriptor.reading, "its side is free");
	cr_expect_eq(weft__op_finish(&end.op), -ECANCELED);
	cr_expect_eq(start_receive(&end, true), 4, "the bytes are the next one's");
	end_close(&end);
}

/* ---- Numbers that are used again ---- */

/*
 * Gives up `end`, whose event may have been fetched, and makes another connection of its number,
 * on which nothing has happened.
 */
static void replace(struct end *end)
{
	int number = end->descriptor.fd;
	int fds[2];

	if (end->descriptor.reading)
		weft__op_cancel(end->descriptor.reading);
	if (end->descriptor.writing)
		weft__op_cancel(end->descriptor.writing);
	weft__descriptor_fini(&end->descriptor);
	close(end->peer);
	pair_unix(fds);
	cr_assert_eq(dup3(fds[0], number, O_CLOEXEC), number); /* closes the old one */
	close(fds[0]);
	end->peer = fds[1];
	cr_assert_eq(weft__descriptor_init(&end->descriptor, loop, number,
					   DESCRIPTOR_SOCKET),
		     0);
	end->then = NULL;
	cr_assert_eq(start_receive(end, true), -EINPROGRESS);
}

static void replace_other(struct end *end)
{
	struct end *other = end->other;

	end->then = other->then = NULL; /* whoever comes first */
	replace(other);
}

Test(epoll_op, an_event_of_a_number_that_is_used_again_goes_nowhere, .init = begin,
     .fini = end)
{
	struct end a, b;

	end_open(&a, DESCRIPTOR_SOCKET);
	end_open(&b, DESCRIPTOR_SOCKET);
	cr_assert_eq(start_receive(&a, true), -EINPROGRESS);
	cr_assert_eq(start_receive(&b, true), -EINPROGRESS);
	a.other = &b;
	b.other = &a;
	a.then = b.then = replace_other;
	look(); /* that they can be written to is known */
	send_to(&a, "some");
	send_to(&b, "some");
	look(); /* both are in one batch */
	cr_expect_eq(a.n_done + b.n_done, 1, "only the first was told");
	if (a.n_done)
		weft__op_cancel(&b.op);
	else
		weft__op_cancel(&a.op);
	cr_expect_eq(weft__op_finish(a.op.result == -EAGAIN ? &a.op : &b.op), 4);
	end_close(&a);
	end_close(&b);
}

static void replace_self(struct end *end)
{
	end->then = NULL;
	replace(end);
	/* A new writer in the same storage, as if it could not write. */
	end->descriptor.writing = &end->other->op;
	end->other->op.result = -EINPROGRESS;
}

Test(epoll_op, a_descriptor_that_goes_in_its_own_event_is_left_alone, .init = begin,
     .fini = end)
{
	struct end end, writer = { .n_done = 0 };

	end_open(&end, DESCRIPTOR_SOCKET);
	writer.op = (struct op){ .code = OP_SEND,
				 .descriptor = &end.descriptor,
				 .owner = &writer,
				 .done = note_done,
				 .is_finished_by_owner = true };
	cr_assert_eq(start_receive(&end, true), -EINPROGRESS);
	end.other = &writer;
	end.then = replace_self;
	tell(&end, EPOLLIN | EPOLLOUT);
	cr_expect_eq(writer.n_done, 0, "the event was that of the descriptor before");
	weft__op_cancel(&writer.op);
	weft__op_cancel(&end.op);
	end_close(&end);
}
