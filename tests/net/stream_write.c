/*
 * Writing to streams: net/stream_write.c.
 */
#include "net/stream.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/test.h>
#include <weft/timeout.h>

#include "net/stream_object.h"
#include "tests/net/net.h"

enum { LARGE = 300000 };

/* ---- What fits ---- */

static int writes(void *arg)
{
	struct pair pair;

	(void)arg;
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		pair_open(&pair, kind, false);
		cr_expect_eq(weft_stream_write(pair.stream, "hello", 5), 0, "%s",
			     pair.name);
		cr_expect_eq(weft_stream_write(pair.stream, "", 0), 0, "%s", pair.name);
		cr_expect_eq(weft_stream_printf(pair.stream, " %d %s", 42, "times"), 0,
			     "%s", pair.name);
		peer_expect(&pair, "hello 42 times", 14);
		cr_expect_eq(weft_stream_flush(pair.stream), 0);
		cr_expect_eq(weft_stream_close(pair.stream), 0);
		pair.stream = NULL;
		cr_expect(peer_sees_end(&pair), "%s", pair.name);
		pair_close(&pair);
	}
	return 0;
}

Test(stream_write, sends_at_once_what_the_kernel_takes)
{
	run_net(writes, NULL);
}

static int writes_parts(void *arg)
{
	char text[40];
	struct iovec parts[44] = { 0 };
	struct pair pair;

	(void)arg;
	fill_pattern(text, sizeof(text));
	for (size_t i = 0; i < sizeof(text);
	     i++) /* empty ones at both ends and in between */
		parts[i + 1 + (i >= 20)] = (struct iovec){ &text[i], 1 };
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		pair_open(&pair, kind, false);
		cr_expect_eq(weft_stream_writev(pair.stream, parts, ARRAY_SIZE(parts)),
			     0);
		cr_expect_eq(weft_stream_writev(pair.stream, parts, 1), 0,
			     "nothing at all");
		cr_expect_eq(weft_stream_writev(pair.stream, NULL, 0), 0);
		peer_expect(&pair, text, sizeof(text));
		pair_close(&pair);
	}
	return 0;
}

Test(stream_write, sends_from_more_places_than_one_call_takes)
{
	run_net(writes_parts, NULL);
}

static int refuses_too_much(void *arg)
{
	char byte;
	struct iovec parts[2] = { { &byte, SIZE_MAX }, { &byte, 2 } };
	struct pair pair;

	(void)arg;
	pair_open(&pair, PAIR_TCP, false);
	cr_expect_eq(weft_stream_write(pair.stream, "x", SIZE_MAX), -EINVAL);
	cr_expect_eq(weft_stream_writev(pair.stream, parts, 2), -EINVAL,
		     "the sum overflows");
	parts[0].iov_len = SIZE_MAX / 2;
	parts[1].iov_len = SIZE_MAX / 4;
	cr_expect_eq(weft_stream_writev(pair.stream, parts, 2), -EINVAL);
	cr_expect_eq(weft_stream_write(pair.stream, "x", 1), 0);
	peer_expect(&pair, "x", 1);
	pair_close(&pair);
	return 0;
}

Test(stream_write, refuses_sizes_that_cannot_be)
{
	run_net(refuses_too_much, NULL);
}

static int prints_long(void *arg)
{
	char text[5000];
	struct pair pair;

	(void)arg;
	for (size_t size = 510; size <= 514; size++) { /* around the size of its buffer */
		pair_open(&pair, PAIR_TCP, false);
		memset(text, 'a', sizeof(text));
		cr_expect_eq(weft_stream_printf(pair.stream, "%.*s", (int)size, text), 0);
		peer_expect(&pair, text, size);
		pair_close(&pair);
	}
	pair_open(&pair, PAIR_TCP, false);
	cr_expect_eq(weft_stream_printf(pair.stream, "%.*s", 5000, text), 0);
	peer_expect(&pair, text, sizeof(text));
	weft__fail_allocation(1);
	cr_expect_eq(weft_stream_printf(pair.stream, "%.*s", 5000, text), -ENOMEM);
	weft__fail_allocation(0);
	cr_expect_eq(weft_stream_printf(pair.stream, "%s", "ok"), 0);
	peer_expect(&pair, "ok", 2);
	pair_close(&pair);
	return 0;
}

Test(stream_write, prints_texts_of_any_length)
{
	run_net(prints_long, NULL);
}

/* ---- What does not fit ---- */

/* A peer on a thread of its own, which reads all there is, slowly or not, and compares. */
struct drain {
	int fd;
	const char *expected;
	size_t size;
	size_t step;
	bool is_right;
	pthread_t thread;
};

static void *drain_main(void *arg)
{
	struct drain *drain = arg;
	char buffer[8192];
	size_t done = 0;
	ssize_t n;

	drain->is_right = true;
	while ((n = recv(drain->fd, buffer, MIN(drain->step, sizeof(buffer)), 0)) > 0) {
		if (done + (size_t)n > drain->size ||
		    memcmp(buffer, drain->expected + done, (size_t)n) != 0)
			drain->is_right = false;
		done += (size_t)n;
	}
	drain->is_right = drain->is_right && n == 0 && done == drain->size;
	return NULL;
}

static void drain_start(struct drain *drain, const struct pair *pair,
			const char *expected, size_t size, size_t step)
{
	*drain = (struct drain){
		.fd = pair->peer, .expected = expected, .size = size, .step = step
	};
	cr_assert_eq(pthread_create(&drain->thread, NULL, drain_main, drain), 0);
}

static bool drain_end(struct drain *drain)
{
	pthread_join(drain->thread, NULL);
	return drain->is_right;
}

static int writes_much(void *arg)
{
	/* The size of a write, and how much the peer takes at a time. */
	static const struct {
		const char *name;
		size_t write, step;
	} cases[] = {
		{ "all at once", LARGE, 8192 },
		{ "all at once, read in crumbs", LARGE, 700 },
		{ "small writes", 999, 8192 },
		{ "just below the mark", 65536, 8192 },
		{ "just above the mark", 65537, 8192 },
		{ "odd sizes", 20011, 1234 },
	};
	char *data = malloc(LARGE), *scratch = malloc(LARGE);
	struct drain drain;
	struct pair pair;

	(void)arg;
	cr_assert(data && scratch);
	fill_pattern(data, LARGE);
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			pair_open(&pair, kind, true);
			drain_start(&drain, &pair, data, LARGE, cases[i].step);
			for (size_t at = 0; at < LARGE; at += cases[i].write) {
				size_t n = MIN(cases[i].write, LARGE - at);

				memcpy(scratch, data + at, n);
				cr_expect_eq(weft_stream_write(pair.stream, scratch, n),
					     0);
				memset(scratch, 0, n); /* it is ours again */
				cr_expect_le(pair.stream->out.pending, 65536, "%s",
					     cases[i].name);
			}
			cr_expect_eq(weft_stream_close(pair.stream), 0);
			pair.stream = NULL;
			cr_expect(drain_end(&drain), "%s, %s", pair.name, cases[i].name);
			pair_close(&pair);
		}
	}
	free(data);
	free(scratch);
	return 0;
}

Test(stream_write, delivers_every_byte_to_a_slow_reader)
{
	run_net(writes_much, NULL);
}

static int writes_many_parts(void *arg)
{
	char *data = malloc(LARGE);
	struct iovec parts[100];
	struct drain drain;
	struct pair pair;
	size_t at = 0;

	(void)arg;
	cr_assert_not_null(data);
	fill_pattern(data, LARGE);
	for (size_t i = 0; i < 100; i++) { /* 0, 60, 120 ... */
		size_t size = i == 99 ? LARGE - at : i * 60;

		parts[i] = (struct iovec){ data + at, size };
		at += size;
	}
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		pair_open(&pair, kind, true);
		drain_start(&drain, &pair, data, LARGE, 8192);
		cr_expect_eq(weft_stream_writev(pair.stream, parts, 100), 0);
		cr_expect_eq(weft_stream_close(pair.stream), 0);
		pair.stream = NULL;
		cr_expect(drain_end(&drain), "%s", pair.name);
		pair_close(&pair);
	}
	free(data);
	return 0;
}

Test(stream_write, delivers_parts_of_any_size_to_a_slow_reader)
{
	run_net(writes_many_parts, NULL);
}

/* ---- The mark ---- */

struct writer {
	struct pair pair;
	const char *data;
	size_t size;
	int r;
	bool has_ended;
};

static int write_once(void *arg)
{
	struct writer *writer = arg;

	writer->r = weft_stream_write(writer->pair.stream, writer->data, writer->size);
	writer->has_ended = true;
	return 0;
}

/* Writes small pieces until the kernel takes no more and `pending` bytes are buffered. */
static size_t fill_up_to(struct pair *pair, const char *data, size_t pending)
{
	size_t written = 0;

	while (pair->stream->out.pending < pending) {
		cr_assert_eq(weft_stream_write(pair->stream, data + written, 1000), 0);
		written += 1000;
		cr_assert_lt(written, LARGE);
	}
	return written;
}

static int waits_above_the_mark(void *arg)
{
	char *data = malloc(LARGE);
	struct writer writer = { 0 };
	struct drain drain;
	weft_task *task;
	size_t written;
	long n_chunks = 0, memory = 0;

	(void)arg;
	cr_assert_not_null(data);
	fill_pattern(data, LARGE);
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		writer = (struct writer){ .data = data };
		pair_open(&writer.pair, kind, true);
		written = fill_up_to(&writer.pair, data, 64000);
		cr_expect_le(writer.pair.stream->out.pending, 65536);
		for (struct chunk *chunk = writer.pair.stream->out.first; chunk;
		     chunk = chunk->next, n_chunks++)
			memory += (long)(chunk->capacity + sizeof(*chunk));
		cr_expect_le(memory, 96 * 1024,
			     "a stalled reader costs no more than that");
		memory = 0;

		writer.data = data + written;
		writer.size = 5000;
		cr_assert_eq(weft_spawn(write_once, &writer, &task), 0);
		for (int i = 0; i < 10; i++)
			cr_assert_eq(weft_yield(), 0);
		cr_expect(!writer.has_ended, "%s: above the mark a write waits",
			  writer.pair.name);
		drain_start(&drain, &writer.pair, data, written + 5000, 8192);
		cr_assert_eq(weft_task_join(task), 0);
		cr_expect_eq(writer.r, 0);
		cr_expect_eq(weft_stream_close(writer.pair.stream), 0);
		writer.pair.stream = NULL;
		cr_expect(drain_end(&drain), "%s", writer.pair.name);
		pair_close(&writer.pair);
	}
	free(data);
	return 0;
}

Test(stream_write, waits_above_the_high_water_mark)
{
	run_net(waits_above_the_mark, NULL);
}

/* ---- Cancelling ---- */

static int cancel_write(struct writer *writer, size_t size)
{
	weft_task *task;

	writer->size = size;
	writer->has_ended = false;
	cr_assert_eq(weft_spawn(write_once, writer, &task), 0);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(weft_yield(), 0);
	cr_assert(!writer->has_ended);
	cr_assert(weft_task_cancel(task, NULL));
	cr_assert_eq(weft_task_join(task), 0);
	return writer->r;
}

static int is_cut(void *arg)
{
	char *data = malloc(LARGE);
	struct writer writer;

	(void)arg;
	cr_assert_not_null(data);
	fill_pattern(data, LARGE);
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		writer = (struct writer){ .data = data };
		pair_open(&writer.pair, kind, true);
		cr_expect_eq(cancel_write(&writer, LARGE), -ECANCELED, "%s",
			     writer.pair.name);
		cr_expect_eq(weft_stream_write(writer.pair.stream, "x", 1), -EPIPE);
		cr_expect_str_eq(
			weft_error_text(-EPIPE),
			"an earlier write was cut off in the middle, and what follows "
			"would be taken for its rest: abort the stream");
		cr_expect_eq(weft_stream_flush(writer.pair.stream), -EPIPE);
		cr_expect_eq(weft_stream_write_eof(writer.pair.stream), -EPIPE);
		cr_expect_eq(weft_stream_close(writer.pair.stream), -EPIPE);
		writer.pair.stream = NULL;
		pair_close(&writer.pair);
	}
	free(data);
	return 0;
}

Test(stream_write, is_over_after_a_message_that_was_cut)
{
	run_net(is_cut, NULL);
}

static int is_not_cut(void *arg)
{
	char *data = malloc(LARGE);
	struct writer writer;
	struct drain drain;
	size_t written;

	(void)arg;
	cr_assert_not_null(data);
	fill_pattern(data, LARGE);
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		writer = (struct writer){ .data = data };
		pair_open(&writer.pair, kind, true);
		written = fill_up_to(&writer.pair, data, 64000);
		cr_expect_eq(cancel_write(&writer, 5000), -ECANCELED, "%s",
			     writer.pair.name);
		drain_start(&drain, &writer.pair, data, written + 1000, 8192);
		cr_expect_eq(weft_stream_write(writer.pair.stream, data + written, 1000),
			     0,
			     "nothing of the cancelled message was sent, so all is well");
		cr_expect_eq(weft_stream_close(writer.pair.stream), 0);
		writer.pair.stream = NULL;
		cr_expect(drain_end(&drain), "%s", writer.pair.name);
		pair_close(&writer.pair);
	}
	free(data);
	return 0;
}

Test(stream_write, goes_on_after_a_message_that_had_not_begun)
{
	run_net(is_not_cut, NULL);
}

static int is_no_cancellation_point(void *arg)
{
	struct pair pair;

	(void)arg;
	pair_open(&pair, PAIR_TCP, false);
	(void)weft_task_cancel(weft_task_current(), NULL);
	cr_expect_eq(weft_stream_write(pair.stream, "whole", 5), 0);
	cr_expect_eq(weft_stream_flush(pair.stream), 0, "with nothing buffered");
	cr_expect_eq(weft_yield(), -ECANCELED);
	peer_expect(&pair, "whole", 5);
	pair_close(&pair);
	(void)weft_task_uncancel(weft_task_current());
	return 0;
}

Test(stream_write, is_not_cut_by_a_cancellation_that_is_pending)
{
	run_net(is_no_cancellation_point, NULL);
}

/* ---- Others ---- */

static int serves_one_writer(void *arg)
{
	char *data = malloc(LARGE);
	struct writer writer;
	weft_task *task;

	(void)arg;
	cr_assert_not_null(data);
	fill_pattern(data, LARGE);
	writer = (struct writer){ .data = data, .size = LARGE };
	pair_open(&writer.pair, PAIR_TCP, true);
	cr_assert_eq(weft_spawn(write_once, &writer, &task), 0);
	cr_assert_eq(weft_yield(), 0);
	cr_expect_eq(weft_stream_write(writer.pair.stream, "x", 1), -EBUSY);
	cr_expect_str_eq(
		weft_error_text(-EBUSY),
		"weft_stream_write() was called while another task writes to this stream: "
		"one task at a time writes");
	cr_expect_eq(weft_stream_printf(writer.pair.stream, "x"), -EBUSY);
	cr_expect_eq(weft_stream_flush(writer.pair.stream), -EBUSY);
	cr_expect_eq(weft_stream_write_eof(writer.pair.stream), -EBUSY);
	weft_stream_abort(writer.pair.stream);
	writer.pair.stream = NULL;
	cr_assert_eq(weft_task_join(task), 0);
	cr_expect_eq(writer.r, -ECONNABORTED, "it was sending from its own memory");
	pair_close(&writer.pair);
	free(data);
	return 0;
}

Test(stream_write, serves_one_writer_at_a_time)
{
	run_net(serves_one_writer, NULL);
}

static int flush_once(void *arg)
{
	struct writer *writer = arg;

	writer->r = weft_stream_flush(writer->pair.stream);
	writer->has_ended = true;
	return 0;
}

static int is_aborted(void *arg)
{
	static weft_fn *const bodies[] = { write_once, flush_once };
	char *data = malloc(LARGE);
	struct writer writer;
	weft_task *task;

	(void)arg;
	cr_assert_not_null(data);
	fill_pattern(data, LARGE);
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		for (int cancel = 0; cancel < 2; cancel++) {
			writer = (struct writer){ .data = data, .size = 5000 };
			pair_open(&writer.pair, PAIR_TCP, true);
			(void)fill_up_to(&writer.pair, data, 64000);
			cr_assert_eq(weft_spawn(bodies[i], &writer, &task), 0);
			cr_assert_eq(weft_yield(), 0);
			cr_assert(!writer.has_ended);
			if (cancel)
				(void)weft_task_cancel(task, NULL);
			weft_stream_abort(writer.pair.stream);
			writer.pair.stream = NULL;
			cr_assert_eq(weft_task_join(task), 0);
			cr_expect_eq(writer.r, cancel ? -ECANCELED : -ECONNABORTED);
			pair_close(&writer.pair);
		}
	}
	free(data);
	return 0;
}

Test(stream_write, ends_when_the_stream_is_aborted)
{
	run_net(is_aborted, NULL);
}

/* ---- Peers that leave ---- */

static int meets_a_reset(void *arg)
{
	char *data = malloc(LARGE);
	struct writer writer;
	weft_task *task;
	int r;

	(void)arg;
	cr_assert_not_null(data);
	fill_pattern(data, LARGE);
	signal(SIGPIPE, SIG_DFL); /* a raised one would end the test */
	writer = (struct writer){ .data = data, .size = LARGE };
	pair_open(&writer.pair, PAIR_TCP, true);
	cr_assert_eq(weft_spawn(write_once, &writer, &task), 0);
	cr_assert_eq(weft_yield(), 0);
	peer_reset(&writer.pair);
	cr_assert_eq(weft_task_join(task), 0);
	cr_expect_eq(writer.r, -ECONNRESET, "while it sends from its own memory");
	r = weft_stream_write(writer.pair.stream, "x", 1);
	cr_expect_eq(r, -ECONNRESET, "and ever after");
	pair_close(&writer.pair);

	writer = (struct writer){ .data = data, .size = 5000 };
	pair_open(&writer.pair, PAIR_TCP, true);
	(void)fill_up_to(&writer.pair, data, 64000);
	cr_assert_eq(weft_spawn(write_once, &writer, &task), 0);
	cr_assert_eq(weft_yield(), 0);
	peer_reset(&writer.pair);
	cr_assert_eq(weft_task_join(task), 0);
	cr_expect_eq(writer.r, -ECONNRESET, "while it waits for what is buffered");
	cr_expect_eq(weft_stream_close(writer.pair.stream), -ECONNRESET,
		     "bytes were lost");
	writer.pair.stream = NULL;
	pair_close(&writer.pair);

	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		pair_open(&writer.pair, kind, false);
		close(writer.pair.peer);
		writer.pair.peer = -1;
		do
			r = weft_stream_write(writer.pair.stream, "x", 1);
		while (r == 0);
		cr_expect(r == -EPIPE || r == -ECONNRESET, "%s: %d", writer.pair.name, r);
		pair_close(&writer.pair);
	}
	free(data);
	return 0;
}

Test(stream_write, tells_of_a_peer_that_has_left)
{
	run_net(meets_a_reset, NULL);
}

/* ---- No progress: on the virtual clock ---- */

static int stalls(void *arg)
{
	char *data = malloc(LARGE);
	struct pair pair;
	weft_time begun;
	int r;

	(void)arg;
	cr_assert_not_null(data);
	fill_pattern(data, LARGE);
	pair_open(&pair, PAIR_TCP, true);
	begun = weft_now();
	cr_expect_eq(weft_stream_write(pair.stream, data, LARGE), -ETIMEDOUT);
	cr_expect_eq(weft_now() - begun, 30 * WEFT_SEC);
	cr_expect_eq(weft_stream_write(pair.stream, "x", 1), -ETIMEDOUT);
	pair_close(&pair);

	pair_open(&pair, PAIR_TCP, true);
	weft__stream_set_write_stall(pair.stream, 2 * WEFT_SEC);
	(void)fill_up_to(&pair, data, 1);
	begun = weft_now();
	cr_expect_eq(weft_stream_flush(pair.stream), -ETIMEDOUT);
	cr_expect_eq(weft_now() - begun, 2 * WEFT_SEC);
	pair_close(&pair);

	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		pair_open(&pair, kind, true);
		(void)fill_up_to(&pair, data, 1);
		begun = weft_now();
		r = weft_stream_close(pair.stream);
		pair.stream = NULL;
		cr_expect_eq(r, -ETIMEDOUT, "%s", pair.name);
		cr_expect_eq(weft_now() - begun, 30 * WEFT_SEC, "%s", pair.name);
		pair_close(&pair);
	}
	free(data);
	return 0;
}

Test(stream_write, gives_up_after_so_long_without_progress)
{
	cr_expect_eq(weft_test_run(stalls, NULL, NULL), 0);
}

/* The peer takes a little now and then. */
static int sip(void *arg)
{
	struct pair *pair = arg;
	char buffer[8192];

	for (;;) {
		int r = weft_sleep(20 * WEFT_SEC);

		if (r < 0)
			return r;
		while (recv(pair->peer, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
			;
	}
}

static int progresses(void *arg)
{
	char *data = malloc(LARGE);
	struct pair pair;
	weft_task *task;
	weft_time begun;

	(void)arg;
	cr_assert_not_null(data);
	fill_pattern(data, LARGE);
	pair_open(&pair, PAIR_TCP, true);
	cr_assert_eq(weft_spawn(sip, &pair, &task), 0);
	begun = weft_now();
	cr_expect_eq(weft_stream_write(pair.stream, data, LARGE), 0);
	cr_expect_eq(weft_stream_flush(pair.stream), 0);
	cr_expect_gt(weft_now() - begun, 30 * WEFT_SEC, "slow is not stalled");
	(void)weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	pair_close(&pair);
	free(data);
	return 0;
}

Test(stream_write, goes_on_as_long_as_the_peer_takes_something)
{
	cr_expect_eq(weft_test_run(progresses, NULL, NULL), 0);
}

/*
 * With large buffers the kernel takes more only when a third of them is free again: what the peer
 * takes meanwhile is progress as well.
 */
struct sipping {
	struct pair *pair;
	size_t n_bytes; /* at a time */
	int n_times;
};

static int sip_slowly(void *arg)
{
	const struct sipping *sipping = arg;
	char *buffer = malloc(sipping->n_bytes);
	int r = 0;

	cr_assert_not_null(buffer);
	for (int i = 0; i < sipping->n_times && r == 0; i++) {
		r = weft_sleep(20 * WEFT_SEC);
		for (size_t n = 0; r == 0 && n < sipping->n_bytes;) {
			ssize_t got = recv(sipping->pair->peer, buffer,
					   sipping->n_bytes - n, MSG_DONTWAIT);

			if (got <= 0)
				break;
			n += (size_t)got;
		}
	}
	free(buffer);
	return r;
}

static int progresses_unseen(void *arg)
{
	const size_t size = (size_t)64 * 1024 * 1024;
	char *data = calloc(1, size);
	struct pair pair;
	struct sipping sipping = { &pair, (size_t)256 * 1024, 10 };
	int room =
		256 * 1024; /* else it grows, and its peer tells of what it took late */
	weft_time begun;
	weft_task *task;

	(void)arg;
	cr_assert_not_null(data);
	pair_open(&pair, PAIR_TCP, false);
	cr_assert_eq(setsockopt(pair.peer, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)),
		     0);
	cr_assert_eq(weft_spawn(sip_slowly, &sipping, &task), 0);
	begun = weft_now();
	cr_expect_eq(weft_stream_write(pair.stream, data, size), -ETIMEDOUT);
	cr_expect_ge(weft_now() - begun, 230 * WEFT_SEC, "30 s after the last sip");
	cr_expect_le(weft_now() - begun, 235 * WEFT_SEC, "and not much later");
	cr_expect_eq(weft_task_join(task), 0);
	pair_close(&pair);
	free(data);
	return 0;
}

Test(stream_write, sees_a_slow_peer_take_what_the_kernel_has)
{
	cr_expect_eq(weft_test_run(progresses_unseen, NULL, NULL), 0);
}

static int waits_for_local_peers(void *arg)
{
	char *data = malloc(LARGE);
	struct weft_timeout timeout;
	struct pair pair;
	int r;

	(void)arg;
	cr_assert_not_null(data);
	fill_pattern(data, LARGE);
	pair_open(&pair, PAIR_UNIX, true);
	weft_timeout_begin(&timeout, 3600 * WEFT_SEC);
	r = weft_stream_write(pair.stream, data, LARGE);
	cr_expect_eq(r, -ECANCELED, "a process on this machine may take an hour");
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
	pair_close(&pair);
	free(data);
	return 0;
}

Test(stream_write, has_patience_with_processes_of_this_machine)
{
	cr_expect_eq(weft_test_run(waits_for_local_peers, NULL, NULL), 0);
}

/* ---- Ends ---- */

static int half_closes(void *arg)
{
	char *data = malloc(LARGE), buffer[8];
	struct drain drain;
	struct pair pair;

	(void)arg;
	cr_assert_not_null(data);
	fill_pattern(data, LARGE);
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		pair_open(&pair, kind, true);
		drain_start(&drain, &pair, data, LARGE, 8192);
		cr_expect_eq(weft_stream_write(pair.stream, data, LARGE), 0);
		cr_expect_eq(weft_stream_write_eof(pair.stream), 0, "%s", pair.name);
		cr_expect(drain_end(&drain), "%s: the end comes behind all bytes",
			  pair.name);
		cr_expect_eq(weft_stream_write_eof(pair.stream), 0, "again");
		cr_expect_eq(weft_stream_write(pair.stream, "x", 1), -EPIPE);
		cr_expect_str_eq(
			weft_error_text(-EPIPE),
			"weft_stream_write() was called after weft_stream_write_eof(), "
			"which promised the peer that no more will come");
		peer_send_text(&pair, "answer");
		cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 6);
		cr_expect_eq(weft_stream_close(pair.stream), 0);
		pair.stream = NULL;
		pair_close(&pair);
	}
	free(data);
	return 0;
}

Test(stream_write, ends_one_side_and_can_still_read)
{
	run_net(half_closes, NULL);
}

static int answers_after_end(void *arg)
{
	struct pair pair;
	char buffer[8];

	(void)arg;
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		pair_open(&pair, kind, false);
		peer_end(&pair);
		cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 0);
		cr_expect_eq(weft_stream_write(pair.stream, "answer", 6), 0, "%s",
			     pair.name);
		peer_expect(&pair, "answer", 6);
		pair_close(&pair);
	}
	return 0;
}

Test(stream_write, answers_a_peer_that_has_ended_its_side)
{
	run_net(answers_after_end, NULL);
}

static int pipes_end_whole(void *arg)
{
	weft_stream *stream;
	char buffer[8];
	int ends[2];

	(void)arg;
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(weft_stream_adopt(ends[1], &stream), 0);
	cr_expect_eq(weft_stream_write(stream, "ab", 2), 0);
	cr_expect_eq(weft_stream_write_eof(stream), -ENOTSUP);
	cr_expect_str_eq(weft_error_text(-ENOTSUP),
			 "a pipe or terminal cannot end in one direction alone: "
			 "weft_stream_close() ends it");
	cr_expect_eq(weft_stream_close(stream), 0);
	cr_expect_eq(read(ends[0], buffer, sizeof(buffer)), 2);
	cr_expect_eq(read(ends[0], buffer, sizeof(buffer)), 0);
	close(ends[0]);
	return 0;
}

Test(stream_write, ends_a_pipe_by_its_close)
{
	run_net(pipes_end_whole, NULL);
}

/* ---- Lingering ---- */

struct lingering {
	struct pair pair;
	bool has_ended;
};

static int linger(void *arg)
{
	struct lingering *lingering = arg;

	cr_expect_eq(weft__stream_linger(lingering->pair.stream, 2 * WEFT_SEC, 10000), 0);
	lingering->has_ended = true;
	return 0;
}

static int lingers(void *arg)
{
	/* How the peer behaves after our end, and how long we stay. */
	enum { LEAVES, STAYS, FLOODS };
	char block[1000] = { 0 };

	(void)arg;
	for (int peer = LEAVES; peer <= FLOODS; peer++) {
		struct lingering lingering = { 0 };
		weft_time begun = weft_now();
		weft_task *task;

		pair_open(&lingering.pair, PAIR_UNIX, false);
		peer_send_text(&lingering.pair, "unread");
		cr_expect_eq(weft_stream_write(lingering.pair.stream, "no", 2), 0);
		cr_assert_eq(weft_spawn(linger, &lingering, &task), 0);
		cr_assert_eq(weft_yield(), 0);
		peer_expect(&lingering.pair, "no", 2);
		cr_expect(peer_sees_end(&lingering.pair));
		(void)weft_task_cancel(task, NULL);
		for (int i = 0; i < 12 && peer == FLOODS; i++) {
			peer_send(&lingering.pair, block, sizeof(block));
			cr_assert_eq(weft_yield(), 0);
		}
		if (peer == LEAVES)
			peer_end(&lingering.pair);
		cr_assert_eq(weft_task_join(task), 0);
		cr_expect(lingering.has_ended, "a cancellation does not cut it");
		cr_expect_eq(weft_now() - begun, peer == STAYS ? 2 * WEFT_SEC : 0, "%d",
			     peer);
		pair_close(&lingering.pair);
	}
	return 0;
}

Test(stream_write, lingers_for_a_bounded_time_and_number_of_bytes)
{
	cr_expect_eq(weft_test_run(lingers, NULL, NULL), 0);
}

/* ---- No memory ---- */

static int has_no_memory(void *arg)
{
	char *data = malloc(LARGE);
	struct drain drain;
	struct pair pair;

	(void)arg;
	cr_assert_not_null(data);
	fill_pattern(data, LARGE);
	for (long nth = 1; nth < 10; nth++) {
		pair_open(&pair, PAIR_TCP, true);
		drain_start(&drain, &pair, data, LARGE, 8192);
		weft__fail_allocation(nth);
		for (size_t at = 0; at < LARGE; at += 30000)
			cr_expect_eq(weft_stream_write(pair.stream, data + at, 30000), 0,
				     "without memory a write waits");
		weft__fail_allocation(0);
		cr_expect_eq(weft_stream_close(pair.stream), 0);
		pair.stream = NULL;
		cr_expect(drain_end(&drain), "allocation %ld failed", nth);
		pair_close(&pair);
	}
	free(data);
	return 0;
}

Test(stream_write, needs_no_memory)
{
	run_net(has_no_memory, NULL);
}
