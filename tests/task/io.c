/*
 * Awaiting operations: between the moment in which one may work and the one in which its task
 * runs, anything can happen.
 */
#include "task/io.h"

#include <sys/socket.h>
#include <unistd.h>

#include "tests/task_test.h"

struct reader {
	struct descriptor descriptor;
	int peer;
	struct op op;
	char data[8];
	weft_task *task;
};

static int receive_once(void *arg)
{
	struct reader *reader = arg;

	reader->op = (struct op){
		.code = OP_RECEIVE,
		.descriptor = &reader->descriptor,
		.receive = { .data = reader->data, .size = sizeof(reader->data) },
	};
	return (int)weft__op_await(&reader->op, "test");
}

/* A task waits for bytes that nobody has sent yet. */
static void reader_start(struct reader *reader)
{
	int fds[2];

	*reader = (struct reader){ .peer = -1 };
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
				fds),
		     0);
	reader->peer = fds[1];
	cr_assert_eq(weft__descriptor_init(&reader->descriptor, weft_loop_current(),
					   fds[0], DESCRIPTOR_SOCKET),
		     0);
	reader->task = start(receive_once, reader);
	pass_turns(1);
	cr_assert_eq(reader->task->state, TASK_WAITING);
}

static void reader_close(struct reader *reader)
{
	weft__descriptor_fini(&reader->descriptor);
	(void)close(reader->descriptor.fd);
	(void)close(reader->peer);
}

/* Bytes come, and the loop has seen that, but the task has not run yet. */
static void wake_reader(struct reader *reader)
{
	cr_assert_eq(write(reader->peer, "some", 4), 4);
	loop_want_look(weft_loop_current());
	cr_assert_eq(weft_yield(), 0);
	cr_assert_eq(reader->task->state, TASK_READY);
}

static ssize_t drain(const struct reader *reader)
{
	char other[8];

	return recv(reader->descriptor.fd, other, sizeof(other), 0);
}

TaskTestInOrder(io, bytes_are_received_when_the_task_runs)
{
	struct reader reader;

	reader_start(&reader);
	wake_reader(&reader);
	cr_assert_eq(write(reader.peer, "more", 4), 4);
	cr_expect_eq(weft_task_join(reader.task), 8);
	reader_close(&reader);
}

TaskTestInOrder(io, a_task_that_was_woken_for_nothing_waits_on)
{
	struct reader reader;

	reader_start(&reader);
	wake_reader(&reader);
	cr_assert_eq(drain(&reader), 4);
	pass_turns(2);
	cr_expect_eq(reader.task->state, TASK_WAITING);
	cr_assert_eq(write(reader.peer, "late", 4), 4);
	cr_expect_eq(weft_task_join(reader.task), 4);
	cr_expect_arr_eq(reader.data, "late", 4);
	reader_close(&reader);
}

TaskTestInOrder(io, bytes_that_are_there_come_before_a_cancellation)
{
	struct reader reader;

	reader_start(&reader);
	wake_reader(&reader);
	cr_expect(weft_task_cancel(reader.task, NULL));
	cr_expect_eq(weft_task_join(reader.task), 4);
	reader_close(&reader);
}

TaskTestInOrder(io, a_task_that_was_woken_for_nothing_can_be_cancelled)
{
	struct reader reader;

	reader_start(&reader);
	wake_reader(&reader);
	cr_assert_eq(drain(&reader), 4);
	cr_expect(weft_task_cancel(reader.task, NULL));
	cr_expect_eq(weft_task_join(reader.task), -ECANCELED);
	reader_close(&reader);
}

TaskTestInOrder(io, what_was_ended_meanwhile_touches_nothing)
{
	struct reader reader;

	reader_start(&reader);
	wake_reader(&reader);
	weft__op_cancel(&reader.op);
	cr_expect_eq(weft_task_join(reader.task), -ECONNABORTED);
	cr_expect_eq(drain(&reader), 4);
	reader_close(&reader);
}
