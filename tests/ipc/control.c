/*
 * Tests of ipc/control.c: messages over a control socket.
 */
#include "ipc/control.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/test.h"

static int ours, theirs;
static struct weft__control_message message;

static void open_pair(void)
{
	cr_assert_eq(weft__control_pair(&ours, &theirs), 0);
}

static void close_pair(void)
{
	close(ours);
	if (theirs >= 0)
		close(theirs);
}

static int say(enum weft__control_kind kind, uint64_t value, const char *text)
{
	return weft__control_send(theirs, kind, value, weft_bytes_text(text));
}

Test(control, message_arrives_whole_and_in_order)
{
	open_pair();
	cr_assert_eq(say(WEFT__CONTROL_READY, 3, ""), 0);
	cr_assert_eq(say(WEFT__CONTROL_BYTES, 0, "hello"), 0);
	cr_assert_eq(weft__control_receive(ours, &message), 0);
	cr_expect_eq(message.kind, WEFT__CONTROL_READY);
	cr_expect_eq(message.value, 3u);
	cr_expect_eq(message.size, 0u);
	cr_assert_eq(weft__control_receive(ours, &message), 0);
	cr_expect_eq(message.kind, WEFT__CONTROL_BYTES);
	cr_expect_eq(message.protocol, WEFT__CONTROL_PROTOCOL);
	cr_assert_eq(message.size, 5u);
	cr_expect_arr_eq(message.bytes, "hello", 5);
	cr_expect_eq(weft__control_receive(ours, &message), -EAGAIN);
	close_pair();
}

Test(control, sockets_are_close_on_exec_and_never_block)
{
	open_pair();
	cr_expect_eq(fcntl(ours, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	cr_expect_eq(fcntl(theirs, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	cr_expect_eq(fcntl(ours, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	cr_expect_eq(fcntl(theirs, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	close_pair();
}

Test(control, largest_message_passes_and_a_larger_one_is_refused)
{
	static char bytes[WEFT__CONTROL_MOST_BYTES + 1];

	open_pair();
	cr_expect_eq(weft__control_send(theirs, WEFT__CONTROL_BYTES, 0,
					weft_bytes_of(bytes, WEFT__CONTROL_MOST_BYTES)),
		     0);
	cr_expect_eq(weft__control_send(theirs, WEFT__CONTROL_BYTES, 0,
					weft_bytes_of(bytes, sizeof(bytes))),
		     -EMSGSIZE);
	cr_assert_eq(weft__control_receive(ours, &message), 0);
	cr_expect_eq(message.size, WEFT__CONTROL_MOST_BYTES);
	close_pair();
}

Test(control, sender_is_told_that_nobody_reads)
{
	int r = 0, n = 0;

	open_pair();
	while (r == 0 && n++ < 100000)
		r = say(WEFT__CONTROL_HEARTBEAT, 0, "");
	cr_expect_eq(r, -EAGAIN);
	cr_expect_gt(n, 100, "some fit in");
	close_pair();
}

Test(control, end_of_the_other_side_is_seen_after_its_last_words)
{
	open_pair();
	cr_assert_eq(say(WEFT__CONTROL_BYTES, 0, "adieu"), 0);
	close(theirs);
	theirs = -1;
	cr_expect_eq(weft__control_receive(ours, &message), 0);
	cr_expect_eq(weft__control_receive(ours, &message), -EPIPE);
	/* Without a SIGPIPE, which would end this test. */
	cr_expect_eq(weft__control_send(ours, WEFT__CONTROL_STOP, 0,
					(struct weft_bytes){ 0 }),
		     -EPIPE);
	close_pair();
}

Test(control, end_of_a_side_that_had_not_read_everything_is_seen)
{
	open_pair();
	cr_assert_eq(weft__control_send(ours, WEFT__CONTROL_DUMP, 0,
					(struct weft_bytes){ 0 }),
		     0);
	close(theirs);
	theirs = -1;
	cr_expect_eq(weft__control_receive(ours, &message), -EPIPE);
	close_pair();
}

Test(control, what_is_no_message_is_refused)
{
	static char long_one[WEFT__CONTROL_MOST_BYTES + 17];
	static const unsigned char header[] = { 0x74,
						0x66,
						0x65,
						0x77,
						WEFT__CONTROL_PROTOCOL,
						0,
						WEFT__CONTROL_READY,
						0,
						1,
						0,
						0,
						0,
						0,
						0,
						0,
						0 };
	static const struct {
		const char *name;
		const void *bytes;
		size_t size;
		int result;
	} cases[] = {
		{ "one byte", "w", 1, -EPROTO },
		{ "another magic", "????????????????", 16, -EPROTO },
		{ "half a header", header, 7, -EPROTO },
		{ "header without its value", header, 12, -EPROTO },
		{ "longer than any message", long_one, sizeof(long_one), -EPROTO },
		{ "nothing at all", "", 0, -EPIPE },
		{ "a whole header", header, 16, 0 },
	};

	memcpy(long_one, header, sizeof(header));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		open_pair();
		cr_assert_eq(send(theirs, cases[i].bytes, cases[i].size, 0),
			     (ssize_t)cases[i].size);
		cr_expect_eq(weft__control_receive(ours, &message), cases[i].result, "%s",
			     cases[i].name);
		close_pair();
	}
}

Test(control, other_version_is_recognised_by_its_first_bytes)
{
	static const unsigned char header[] = { 0x74, 0x66, 0x65, 0x77, 9, 0, 1, 0 };

	open_pair();
	cr_assert_eq(send(theirs, header, sizeof(header), 0), (ssize_t)sizeof(header));
	cr_expect_eq(weft__control_receive(ours, &message), -EPROTONOSUPPORT);
	cr_expect_eq(message.protocol, 9);
	close_pair();
}

Test(control, descriptors_sent_along_are_dropped)
{
	char byte = 'x', room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr packet = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = room,
				 .msg_controllen = sizeof(room) };
	struct cmsghdr *rights = CMSG_FIRSTHDR(&packet);

	open_pair();
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(rights), &theirs, sizeof(int));
	cr_assert_eq(sendmsg(theirs, &packet, 0), 1);
	cr_expect_eq(weft__control_receive(ours, &message), -EPROTO);
	close_pair(); /* and none is left open */
}

Test(control, supervisor_is_recognised_by_its_socket)
{
	int other[2];

	open_pair();
	cr_expect(weft__control_is_from(theirs, getpid()));
	cr_expect(!weft__control_is_from(theirs, getppid()));
	cr_expect(!weft__control_is_from(-1, getpid()));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other), 0);
	cr_expect(!weft__control_is_from(other[0], getpid()), "a stream");
	close(other[0]);
	close(other[1]);
	cr_assert_eq(pipe2(other, O_CLOEXEC), 0);
	cr_expect(!weft__control_is_from(other[0], getpid()), "a pipe");
	close(other[0]);
	close(other[1]);
	close_pair();
}
