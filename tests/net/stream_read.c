/*
 * Reading from streams: net/stream_read.c.
 */
#include "net/stream.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/group.h>
#include <weft/timeout.h>

#include "net/stream_object.h"
#include "tests/net/net.h"

/* ---- read ---- */

static int reads_what_is_there(void *arg)
{
	char buffer[64];
	struct pair pair;

	(void)arg;
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		pair_open(&pair, kind, false);
		peer_send_text(&pair, "hello");
		cr_expect_eq(weft_stream_read(pair.stream, buffer, 3), 3, "%s",
			     pair.name);
		cr_expect_arr_eq(buffer, "hel", 3, "%s", pair.name);
		cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 2,
			     "%s", pair.name);
		cr_expect_arr_eq(buffer, "lo", 2, "%s", pair.name);
		peer_end(&pair);
		cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 0,
			     "%s", pair.name);
		cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 0,
			     "%s: the end stays the end", pair.name);
		pair_close(&pair);
	}
	return 0;
}

Test(stream_read, takes_what_is_there_up_to_the_end)
{
	run_net(reads_what_is_there, NULL);
}

static int sees_an_end_behind_data(void *arg)
{
	char buffer[64];
	struct pair pair;

	(void)arg;
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		for (size_t room = 10; room <= sizeof(buffer);
		     room += sizeof(buffer) - 10) {
			pair_open(&pair, kind, false);
			peer_send_text(&pair, "last words");
			close(pair.peer);
			pair.peer = -1;
			cr_expect_eq(weft_stream_read(pair.stream, buffer, room), 10,
				     "%s", pair.name);
			cr_expect_eq(weft_stream_read(pair.stream, buffer, room), 0, "%s",
				     pair.name);
			pair_close(&pair);
		}
	}
	return 0;
}

Test(stream_read, sees_an_end_that_came_together_with_data)
{
	run_net(sees_an_end_behind_data, NULL);
}

/* A reader that waits, and what it got. */
struct reader {
	struct pair pair;
	ssize_t n;
	char buffer[64];
	bool has_ended;
};

static int read_once(void *arg)
{
	struct reader *reader = arg;

	reader->n = weft_stream_read(reader->pair.stream, reader->buffer,
				     sizeof(reader->buffer));
	reader->has_ended = true;
	return 0;
}

/* The peer acts while a reader waits: its result. */
static ssize_t read_while(struct reader *reader, enum pair_kind kind,
			  void (*act)(struct reader *reader))
{
	weft_task *task;

	*reader = (struct reader){ 0 };
	pair_open(&reader->pair, kind, false);
	cr_assert_eq(weft_spawn(read_once, reader, &task), 0);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(weft_yield(), 0);
	cr_assert(!reader->has_ended);
	act(reader);
	cr_assert_eq(weft_task_join(task), 0);
	return reader->n;
}

static void send_some(struct reader *reader)
{
	peer_send_text(&reader->pair, "late");
}

static void end_only(struct reader *reader)
{
	peer_end(&reader->pair);
}

static void send_and_close(struct reader *reader)
{
	peer_send_text(&reader->pair, "bye");
	close(reader->pair.peer);
	reader->pair.peer = -1;
}

static void reset(struct reader *reader)
{
	peer_reset(&reader->pair);
}

static int waits_for_data(void *arg)
{
	struct reader reader;

	(void)arg;
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		cr_expect_eq(read_while(&reader, kind, send_some), 4, "%s",
			     reader.pair.name);
		cr_expect_arr_eq(reader.buffer, "late", 4);
		pair_close(&reader.pair);
		cr_expect_eq(read_while(&reader, kind, end_only), 0, "%s",
			     reader.pair.name);
		pair_close(&reader.pair);
		cr_expect_eq(read_while(&reader, kind, send_and_close), 3, "%s",
			     reader.pair.name);
		cr_expect_eq(weft_stream_read(reader.pair.stream, reader.buffer, 64), 0,
			     "%s", reader.pair.name);
		pair_close(&reader.pair);
	}
	return 0;
}

Test(stream_read, waits_for_data_and_for_the_end)
{
	run_net(waits_for_data, NULL);
}

static int is_reset(void *arg)
{
	struct reader reader;

	(void)arg;
	cr_expect_eq(read_while(&reader, PAIR_TCP, reset), -ECONNRESET);
	for (int i = 0; i < 2; i++)
		cr_expect_eq(weft_stream_read(reader.pair.stream, reader.buffer, 64),
			     -ECONNRESET, "a broken connection never looks like an end");
	pair_close(&reader.pair);
	return 0;
}

Test(stream_read, is_told_of_a_reset)
{
	run_net(is_reset, NULL);
}

static int is_reset_after_write(void *arg)
{
	struct pair pair;
	char buffer[8];
	int r;

	(void)arg;
	pair_open(&pair, PAIR_TCP, false);
	peer_send_text(&pair, "abc");
	peer_reset(&pair);
	do
		r = weft_stream_write(pair.stream, "x", 1);
	while (r == 0);
	cr_expect_eq(r, -ECONNRESET);
	while ((r = (int)weft_stream_read(pair.stream, buffer, sizeof(buffer))) > 0)
		;
	cr_expect_eq(r, -ECONNRESET,
		     "the kernel told the writer alone, and shows us an end");
	pair_close(&pair);
	return 0;
}

Test(stream_read, is_told_of_a_reset_that_a_writer_has_met)
{
	run_net(is_reset_after_write, NULL);
}

/* ---- Urgent bytes ---- */

static void send_urgent(struct reader *reader)
{
	peer_send_text(&reader->pair, "ab");
	cr_assert_eq(send(reader->pair.peer, "!", 1, MSG_OOB), 1);
	peer_send_text(&reader->pair, "cd");
}

static int goes_on_after_urgent(void *arg)
{
	struct reader reader;
	weft_loop *loop = weft_loop_current();
	uint64_t looks;
	size_t got = 0;
	ssize_t n;
	char text[8];

	(void)arg;
	n = read_while(&reader, PAIR_TCP, send_urgent);
	cr_assert_gt(n, 0);
	memcpy(text, reader.buffer, (size_t)n);
	got = (size_t)n;
	while (got < 4) {
		n = weft_stream_read(reader.pair.stream, text + got, sizeof(text) - got);
		cr_assert_gt(n, 0);
		got += (size_t)n;
	}
	cr_expect_eq(got, 4);
	cr_expect_arr_eq(text, "abcd", 4, "the urgent byte is not among the others");
	looks = loop->looks;
	cr_assert_eq(weft_sleep(50 * WEFT_MSEC), 0);
	cr_expect_lt(loop->looks - looks, 20, "the loop sleeps after an urgent byte");
	peer_send_text(&reader.pair, "more");
	cr_expect_eq(weft_stream_read(reader.pair.stream, text, sizeof(text)), 4);
	peer_end(&reader.pair);
	cr_expect_eq(weft_stream_read(reader.pair.stream, text, sizeof(text)), 0);
	pair_close(&reader.pair);
	return 0;
}

Test(stream_read, goes_on_behind_an_urgent_byte)
{
	run_net(goes_on_after_urgent, NULL);
}

/* ---- Who may read ---- */

static int wants_room(void *arg)
{
	struct pair pair;
	char byte;

	(void)arg;
	pair_open(&pair, PAIR_UNIX, false);
	cr_expect_eq(weft_stream_read(pair.stream, &byte, 0), -EINVAL);
	cr_expect_str_eq(weft_error_text(-EINVAL),
			 "weft_stream_read() needs room for at least one byte");
	cr_expect_eq(weft_stream_read_exactly(pair.stream, &byte, (size_t)-1), -EINVAL);
	cr_expect_eq(weft_stream_read_until(pair.stream, weft_bytes_of("", 0),
					    &(struct weft_bytes){ 0 }),
		     -EINVAL);
	cr_expect_str_eq(
		weft_error_text(-EINVAL),
		"weft_stream_read_until() needs a separator of at least one byte");
	cr_expect_eq(weft_stream_read_exactly(pair.stream, &byte, 0), 0);
	pair_close(&pair);
	return 0;
}

Test(stream_read, wants_room_and_a_separator)
{
	run_net(wants_room, NULL);
}

static void try_second_reader(struct reader *reader)
{
	weft_stream *stream = reader->pair.stream;
	struct weft_bytes record;
	const char *data;
	char byte, *line;

	cr_expect_eq(weft_stream_read(stream, &byte, 1), -EBUSY);
	cr_expect_str_eq(
		weft_error_text(-EBUSY),
		"weft_stream_read() was called while another task reads from this stream: "
		"one task at a time reads");
	cr_expect_eq(weft_stream_read_exactly(stream, &byte, 1), -EBUSY);
	cr_expect_eq(weft_stream_read_line(stream, &line), -EBUSY);
	cr_expect_eq(weft_stream_read_until(stream, weft_bytes_text("x"), &record),
		     -EBUSY);
	cr_expect_eq(weft__stream_peek(stream, &data, 0), -EBUSY);
	cr_expect_eq(weft_stream_write(stream, "x", 1), 0,
		     "a writer beside the reader is fine");
	peer_send_text(&reader->pair, "y");
}

static int refuses_second_reader(void *arg)
{
	struct reader reader;

	(void)arg;
	cr_expect_eq(read_while(&reader, PAIR_TCP, try_second_reader), 1);
	pair_close(&reader.pair);
	return 0;
}

Test(stream_read, serves_one_reader_at_a_time)
{
	run_net(refuses_second_reader, NULL);
}

static void abort_stream(struct reader *reader)
{
	weft_stream_abort(reader->pair.stream);
	reader->pair.stream = NULL;
}

static int is_aborted(void *arg)
{
	struct reader reader;

	(void)arg;
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		cr_expect_eq(read_while(&reader, kind, abort_stream), -ECONNABORTED, "%s",
			     reader.pair.name);
		pair_close(&reader.pair);
	}
	return 0;
}

Test(stream_read, ends_when_the_stream_is_aborted)
{
	run_net(is_aborted, NULL);
}

static int read_line_once(void *arg)
{
	struct reader *reader = arg;
	char *line;

	reader->n = weft_stream_read_line(reader->pair.stream, &line);
	reader->has_ended = true;
	return 0;
}

static int read_block_once(void *arg)
{
	struct reader *reader = arg;
	char *block = malloc(20000);

	cr_assert_not_null(block);
	reader->n = weft_stream_read_exactly(reader->pair.stream, block, 20000);
	reader->has_ended = true;
	free(block);
	return 0;
}

/* Data, an abort and a cancellation in one turn: nothing of the stream is touched afterwards. */
static int is_aborted_with_data(void *arg)
{
	static weft_fn *const bodies[] = { read_once, read_line_once, read_block_once };

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		for (int mode = 0; mode < 4; mode++) {
			struct reader reader = { 0 };
			weft_task *task;

			pair_open(&reader.pair, PAIR_TCP, false);
			cr_assert_eq(weft_spawn(bodies[i], &reader, &task), 0);
			cr_assert_eq(weft_yield(), 0);
			if (mode & 1)
				peer_send_text(&reader.pair, "some");
			loop_want_look(weft_loop_current());
			if (mode & 2)
				(void)weft_task_cancel(task, NULL);
			abort_stream(&reader);
			cr_assert_eq(weft_task_join(task), 0);
			cr_expect_eq(reader.n, mode & 2 ? -ECANCELED : -ECONNABORTED,
				     "%zu %d", i, mode);
			pair_close(&reader.pair);
		}
	}
	return 0;
}

Test(stream_read, leaves_an_aborted_stream_alone)
{
	run_net(is_aborted_with_data, NULL);
}

static int tries_elsewhere(void *stream)
{
	struct weft_bytes record;
	char byte, *line;

	cr_expect_eq(weft_stream_read(stream, &byte, 1), -EPERM);
	cr_expect_eq(weft_stream_read_exactly(stream, &byte, 1), -EPERM);
	cr_expect_eq(weft_stream_read_line(stream, &line), -EPERM);
	cr_expect_eq(weft_stream_read_until(stream, weft_bytes_text("x"), &record),
		     -EPERM);
	return 0;
}

static void try_in_callback(void *stream)
{
	char byte;

	cr_expect_eq(weft_stream_read(stream, &byte, 1), -EPERM);
}

static int is_of_one_loop(void *arg)
{
	struct pair pair;
	weft_loops *loops;
	weft_future *future;

	(void)arg;
	pair_open(&pair, PAIR_TCP, false);
	cr_assert_eq(weft_loops_new(1, NULL, &loops), 0);
	cr_assert_eq(weft_spawn_on(weft_loops_get(loops, 0), tries_elsewhere, pair.stream,
				   &future),
		     0);
	cr_assert_eq(weft_future_await(future), 0);
	weft_future_unref(future);
	cr_expect_eq(weft_loops_close(loops), 0);
	cr_assert_eq(weft_loop_call_soon(weft_loop_current(), try_in_callback,
					 pair.stream, NULL),
		     0);
	cr_assert_eq(weft_yield(), 0);
	pair_close(&pair);
	return 0;
}

Test(stream_read, is_for_tasks_of_the_streams_loop)
{
	run_net(is_of_one_loop, NULL);
}

/* ---- Pieces ---- */

/* Sends a text in two pieces, the second when the reader has taken the first. */
struct sender {
	struct pair *pair;
	const char *data;
	size_t size, cut;
};

static int send_pieces(void *arg)
{
	struct sender *sender = arg;

	peer_send(sender->pair, sender->data, sender->cut);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(weft_yield(), 0);
	peer_send(sender->pair, sender->data + sender->cut, sender->size - sender->cut);
	return 0;
}

/* Calls check(stream) for every way to cut the text in two. */
static void for_each_cut(enum pair_kind kind, const char *data, size_t size,
			 void (*check)(weft_stream *stream, size_t cut))
{
	struct pair pair;
	weft_task *task;

	for (size_t cut = 0; cut <= size; cut++) {
		struct sender sender = {
			.pair = &pair, .data = data, .size = size, .cut = cut
		};

		pair_open(&pair, kind, false);
		cr_assert_eq(weft_spawn(send_pieces, &sender, &task), 0);
		check(pair.stream, cut);
		cr_assert_eq(weft_task_join(task), 0);
		pair_close(&pair);
	}
}

static void check_exactly(weft_stream *stream, size_t cut)
{
	char buffer[8];

	cr_expect_eq(weft_stream_read_exactly(stream, buffer, 4), 4, "cut at %zu", cut);
	cr_expect_arr_eq(buffer, "abcd", 4, "cut at %zu", cut);
	cr_expect_eq(weft_stream_read_exactly(stream, buffer, 1), 1, "cut at %zu", cut);
	cr_expect_eq(buffer[0], 'e', "cut at %zu", cut);
	cr_expect_eq(weft_stream_read_exactly(stream, buffer, 3), 3, "cut at %zu", cut);
	cr_expect_arr_eq(buffer, "fgh", 3, "cut at %zu", cut);
}

static void check_lines(weft_stream *stream, size_t cut)
{
	static const struct {
		const char *line;
		ssize_t n;
	} lines[] = { { "one", 4 }, { "two", 5 },  { "", 1 },
		      { "", 2 },    { "a\rb", 5 }, { "x\r", 4 } };
	char *line;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		cr_expect_eq(weft_stream_read_line(stream, &line), lines[i].n,
			     "line %zu, cut %zu", i, cut);
		cr_expect_str_eq(line, lines[i].line, "line %zu, cut at %zu", i, cut);
	}
}

static void check_records(weft_stream *stream, size_t cut)
{
	static const char *const records[] = { "aaab", "aab", "baab", "xaab" };
	struct weft_bytes record;

	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		size_t size = strlen(records[i]);

		cr_expect_eq(weft_stream_read_until(stream, weft_bytes_text("aab"),
						    &record),
			     (ssize_t)size, "record %zu, cut at %zu", i, cut);
		cr_expect_eq(record.size, size);
		cr_expect_arr_eq(record.data, records[i], size, "record %zu, cut at %zu",
				 i, cut);
	}
}

static int reads_pieces(void *arg)
{
	static const char lines[] = "one\ntwo\r\n\n\r\na\rb\r\nx\r\r\n";
	static const char records[] = "aaabaabbaabxaab";

	(void)arg;
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		for_each_cut(kind, "abcdefgh", 8, check_exactly);
		for_each_cut(kind, lines, sizeof(lines) - 1, check_lines);
		for_each_cut(kind, records, sizeof(records) - 1, check_records);
	}
	return 0;
}

Test(stream_read, does_not_depend_on_where_segments_end)
{
	run_net(reads_pieces, NULL);
}

/* ---- Ends and limits ---- */

static int ends_in_the_middle(void *arg)
{
	struct weft_bytes record;
	char buffer[16], *line;
	struct pair pair;

	(void)arg;
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		pair_open(&pair, kind, false);
		peer_send_text(&pair, "line\nrest");
		peer_end(&pair);
		cr_expect_eq(weft_stream_read_line(pair.stream, &line), 5);
		cr_expect_eq(weft_stream_read_line(pair.stream, &line), -ENODATA);
		cr_expect_eq(weft_stream_read_exactly(pair.stream, buffer, 5), -ENODATA);
		cr_expect_eq(weft_stream_read_until(pair.stream, weft_bytes_text("x"),
						    &record),
			     -ENODATA);
		cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 4);
		cr_expect_arr_eq(buffer, "rest", 4);
		cr_expect_eq(weft_stream_read_line(pair.stream, &line), 0);
		cr_expect_eq(weft_stream_read_until(pair.stream, weft_bytes_text("x"),
						    &record),
			     0);
		cr_expect_eq(weft_stream_read_exactly(pair.stream, buffer, 1), -ENODATA);
		pair_close(&pair);
	}
	return 0;
}

Test(stream_read, leaves_what_came_before_an_early_end)
{
	run_net(ends_in_the_middle, NULL);
}

/* A stream with a line limit of 8 bytes, and its other end. */
static void open_limited(struct pair *pair)
{
	struct stream_options options = { .line_limit = 8 };
	int ends[2];

	*pair = (struct pair){ .name = "limited" };
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(weft__stream_adopt(ends[0], &options, NULL, &pair->stream), 0);
	pair->peer = ends[1];
}

static int keeps_the_limit(void *arg)
{
	static const struct {
		const char *name, *text;
		ssize_t n;
	} cases[] = {
		{ "one byte less", "1234567\n", 8 },
		{ "exactly", "12345678\n", 9 },
		{ "exactly, with a carriage return", "12345678\r\n", 10 },
		{ "one byte more", "123456789\n", -EMSGSIZE },
		{ "one byte more, with a carriage return", "123456789\r\n", -EMSGSIZE },
		{ "one byte more, and no ending yet", "123456789", -EMSGSIZE },
		{ "a carriage return that is no ending", "12345678\r9", -EMSGSIZE },
		{ "many more", "12345678901234567890\n", -EMSGSIZE },
	};
	struct pair pair;
	char buffer[32], *line;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t size = strlen(cases[i].text);

		open_limited(&pair);
		peer_send_text(&pair, cases[i].text);
		cr_expect_eq(weft_stream_read_line(pair.stream, &line), cases[i].n, "%s",
			     cases[i].name);
		if (cases[i].n < 0) {
			cr_expect_str_eq(
				weft_error_text(-EMSGSIZE),
				"more than 8 bytes came without an ending: raise "
				".line_limit, or read them by weft_stream_read()");
			cr_expect_eq(weft_stream_read(pair.stream, buffer,
						      sizeof(buffer)),
				     (ssize_t)size, "%s: all of it is still there",
				     cases[i].name);
			cr_expect_arr_eq(buffer, cases[i].text, size, "%s",
					 cases[i].name);
		}
		pair_close(&pair);
	}
	return 0;
}

Test(stream_read, keeps_the_line_limit_to_the_byte)
{
	run_net(keeps_the_limit, NULL);
}

static int keeps_the_record_limit(void *arg)
{
	struct weft_bytes record;
	struct pair pair;

	(void)arg;
	open_limited(&pair);
	peer_send_text(&pair, "12345678--1234567\r--123456789--");
	cr_expect_eq(weft_stream_read_until(pair.stream, weft_bytes_text("--"), &record),
		     10);
	cr_expect_eq(weft_stream_read_until(pair.stream, weft_bytes_text("--"), &record),
		     10);
	cr_expect_eq(weft_stream_read_until(pair.stream, weft_bytes_text("--"), &record),
		     -EMSGSIZE);
	pair_close(&pair);
	return 0;
}

Test(stream_read, keeps_the_limit_of_a_record)
{
	run_net(keeps_the_record_limit, NULL);
}

/* ---- Much ---- */

enum { BLOCK = 50000 };

static int send_block(void *arg)
{
	struct pair *pair = arg;
	char *data = malloc(BLOCK);

	cr_assert_not_null(data);
	fill_pattern(data, BLOCK);
	for (size_t at = 0; at < BLOCK; at += 5000) {
		peer_send(pair, data + at, 5000);
		cr_assert_eq(weft_yield(), 0);
	}
	free(data);
	return 0;
}

static int reads_blocks(void *arg)
{
	char *expected = malloc(BLOCK), *buffer = malloc(BLOCK);
	struct pair pair;
	weft_task *task;

	(void)arg;
	cr_assert(expected && buffer);
	fill_pattern(expected, BLOCK);
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		for (size_t first = 1; first < 10000; first *= 10) {
			pair_open(&pair, kind, false);
			cr_assert_eq(weft_spawn(send_block, &pair, &task), 0);
			cr_expect_eq(weft_stream_read_exactly(pair.stream, buffer, first),
				     (ssize_t)first);
			cr_expect_eq(weft_stream_read_exactly(pair.stream, buffer + first,
							      BLOCK - first),
				     (ssize_t)(BLOCK - first));
			cr_expect_arr_eq(buffer, expected, BLOCK, "%s, %zu bytes first",
					 pair.name, first);
			cr_assert_eq(weft_task_join(task), 0);
			pair_close(&pair);
		}
	}
	free(expected);
	free(buffer);
	return 0;
}

Test(stream_read, reads_blocks_larger_than_any_buffer)
{
	run_net(reads_blocks, NULL);
}

static int gives_back(void *arg)
{
	char *expected = malloc(BLOCK), *buffer = malloc(BLOCK);
	struct pair pair;

	(void)arg;
	cr_assert(expected && buffer);
	fill_pattern(expected, BLOCK);
	for (size_t size = 100; size < BLOCK; size += 9000) {
		struct weft_timeout timeout;
		ssize_t n;

		pair_open(&pair, PAIR_TCP, false);
		peer_send(&pair, expected, size);
		weft_timeout_begin(&timeout, 5 * WEFT_MSEC);
		n = weft_stream_read_exactly(pair.stream, buffer, BLOCK);
		cr_expect_eq(weft_timeout_end(&timeout, (int)n), -ETIMEDOUT);
		peer_send(&pair, expected + size, 10);
		cr_expect_eq(weft_stream_read_exactly(pair.stream, buffer, size + 10),
			     (ssize_t)size + 10, "%zu bytes came before it was cancelled",
			     size);
		cr_expect_arr_eq(buffer, expected, size + 10);
		peer_end(&pair);
		cr_expect_eq(weft_stream_read_exactly(pair.stream, buffer, BLOCK),
			     -ENODATA);
		pair_close(&pair);
	}
	free(expected);
	free(buffer);
	return 0;
}

Test(stream_read, loses_nothing_when_cancelled)
{
	run_net(gives_back, NULL);
}

static int says_what_is_lost(void *arg)
{
	struct weft_timeout timeout;
	char *buffer = malloc(BLOCK);
	struct pair pair;
	ssize_t n;

	(void)arg;
	cr_assert_not_null(buffer);
	pair_open(&pair, PAIR_TCP, false);
	peer_send_text(&pair, "0123456789");
	weft_timeout_begin(&timeout, 5 * WEFT_MSEC);
	weft__fail_allocation(1);
	n = weft_stream_read_exactly(pair.stream, buffer, BLOCK);
	weft__fail_allocation(0);
	cr_expect_eq(weft_timeout_end(&timeout, (int)n), -ENOMEM,
		     "what came cannot be kept, so it is not silently left out");
	peer_send_text(&pair, "more");
	cr_expect_eq(weft_stream_read(pair.stream, buffer, BLOCK), -ENOMEM);
	pair_close(&pair);
	free(buffer);
	return 0;
}

Test(stream_read, goes_on_with_no_hole_in_the_data)
{
	run_net(says_what_is_lost, NULL);
}

/* ---- Cancelling ---- */

static int is_cancelled(void *arg)
{
	struct weft_timeout timeout;
	struct weft_bytes record;
	const char *data;
	char buffer[16], *line;
	struct pair pair;
	ssize_t n = 0;

	(void)arg;
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		pair_open(&pair, kind, false);
		peer_send_text(&pair, "abc");
		for (int i = 0; i < 4; i++) {
			weft_timeout_begin(&timeout, 2 * WEFT_MSEC);
			switch (i) {
			case 0:
				n = weft_stream_read_line(pair.stream, &line);
				break;
			case 1:
				n = weft_stream_read_until(pair.stream,
							   weft_bytes_text("x"), &record);
				break;
			case 2:
				n = weft_stream_read_exactly(pair.stream, buffer, 4);
				break;
			case 3:
				n = weft__stream_peek(pair.stream, &data, 3);
				break;
			}
			cr_expect_eq(n, -ECANCELED, "%s %d", pair.name, i);
			cr_expect_eq(weft_timeout_end(&timeout, (int)n), -ETIMEDOUT);
		}
		cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 3);
		weft_timeout_begin(&timeout, 2 * WEFT_MSEC);
		n = weft_stream_read(pair.stream, buffer, sizeof(buffer));
		cr_expect_eq(weft_timeout_end(&timeout, (int)n), -ETIMEDOUT);
		peer_send_text(&pair, "def");
		cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 3);
		pair_close(&pair);
	}
	return 0;
}

Test(stream_read, can_be_cancelled_and_repeated)
{
	run_net(is_cancelled, NULL);
}

static int result_comes_first(void *arg)
{
	struct reader reader = { 0 };
	weft_task *task;

	(void)arg;
	pair_open(&reader.pair, PAIR_UNIX, false);
	cr_assert_eq(weft_spawn(read_once, &reader, &task), 0);
	cr_assert_eq(weft_yield(), 0);
	peer_send_text(&reader.pair, "here");
	weft__poller_wait(weft_loop_current()->poller, 0); /* it is given its data */
	(void)weft_task_cancel(task, NULL);
	cr_assert_eq(weft_task_join(task), 0);
	cr_expect_eq(reader.n, 4, "what was received comes before the cancellation");
	pair_close(&reader.pair);
	return 0;
}

Test(stream_read, prefers_data_to_a_cancellation_that_follows)
{
	run_net(result_comes_first, NULL);
}

/* ---- Views ---- */

static int lends(void *arg)
{
	struct pair pair;
	const char *data;

	(void)arg;
	pair_open(&pair, PAIR_TCP, false);
	peer_send_text(&pair, "0123456789");
	cr_expect_eq(weft__stream_peek(pair.stream, &data, 0), 10);
	cr_expect_arr_eq(data, "0123456789", 10);
	weft__stream_consume(pair.stream, 4);
	cr_expect_eq(weft__stream_buffered(pair.stream), 6);
	cr_expect_eq(weft__stream_peek(pair.stream, &data, 5), 6);
	cr_expect_arr_eq(data, "456789", 6);
	peer_send_text(&pair, "ab");
	cr_expect_eq(weft__stream_peek(pair.stream, &data, 6), 8);
	cr_expect_arr_eq(data, "456789ab", 8);
	peer_end(&pair);
	cr_expect_eq(weft__stream_peek(pair.stream, &data, 8), 8,
		     "the end: no more than there was");
	weft__stream_consume(pair.stream, 8);
	cr_expect_eq(weft__stream_peek(pair.stream, &data, 0), 0);
	pair_close(&pair);
	return 0;
}

Test(stream_read, lends_what_is_buffered)
{
	run_net(lends, NULL);
}

static int consumes_too_much(void *arg)
{
	struct pair pair;
	const char *data;

	(void)arg;
	pair_open(&pair, PAIR_TCP, false);
	peer_send_text(&pair, "abc");
	cr_assert_eq(weft__stream_peek(pair.stream, &data, 0), 3);
	weft__stream_consume(pair.stream, 4);
	return 0;
}

Test(stream_read, takes_no_more_than_was_lent, .signal = SIGABRT)
{
	run_net(consumes_too_much, NULL);
}

static int peek_more(void *arg)
{
	struct pair *pair = arg;
	const char *data;

	cr_expect_eq(weft__stream_peek(pair->stream, &data, 0), 4);
	return 0;
}

static int read_more(void *arg)
{
	struct pair *pair = arg;
	char buffer[100];

	cr_expect_eq(weft_stream_read(pair->stream, buffer, sizeof(buffer)), 4);
	return 0;
}

static int read_much_more(void *arg)
{
	struct pair *pair = arg;
	char *buffer = malloc(BLOCK);

	cr_assert_not_null(buffer);
	cr_expect_eq(weft_stream_read_exactly(pair->stream, buffer, BLOCK), -ENODATA);
	free(buffer);
	return 0;
}

/* Takes what a fast sender sends, by a buffer that grows. */
static void take_block(struct pair *pair, const char *block)
{
	size_t taken = 0, largest = 0;
	const char *data;
	ssize_t n;

	peer_send(pair, block, BLOCK);
	while (taken < BLOCK) {
		n = weft__stream_peek(pair->stream, &data, 0);
		cr_assert_gt(n, 0);
		cr_expect_arr_eq(data, block + taken, (size_t)n);
		largest = MAX(largest, (size_t)n);
		weft__stream_consume(pair->stream, (size_t)n);
		taken += (size_t)n;
	}
	cr_expect_ge(largest, 8192, "a fast sender finds a buffer that grows");
	cr_expect_gt(pair->stream->in.capacity, 4096);
}

static int waits_on_little(void *arg)
{
	static const struct {
		const char *name;
		weft_fn *fn;
		bool ends;
	} rows[] = {
		{ "a look", peek_more, false },
		{ "a read", read_more, false },
		{ "a large read", read_much_more, true },
	};
	char *block = malloc(BLOCK);
	struct pair pair;
	weft_task *task;

	(void)arg;
	cr_assert_not_null(block);
	fill_pattern(block, BLOCK);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		pair_open(&pair, PAIR_TCP, false);
		cr_expect_eq(pair.stream->in.capacity, 0,
			     "nothing is allocated before it is needed");
		take_block(&pair, block);
		cr_assert_eq(weft_spawn(rows[i].fn, &pair, &task), 0);
		cr_assert_eq(weft_yield(), 0);
		cr_expect_le(pair.stream->in.capacity, 4096,
			     "%s does not wait on a large one", rows[i].name);
		peer_send_text(&pair, "more");
		if (rows[i].ends)
			peer_end(&pair);
		cr_assert_eq(weft_task_join(task), 0);
		pair_close(&pair);
	}
	free(block);
	return 0;
}

Test(stream_read, waits_on_a_small_buffer)
{
	run_net(waits_on_little, NULL);
}

static int reads_long_lines(void *arg)
{
	struct pair pair;
	char *text = malloc(60001), *line;
	weft_task *task;

	(void)arg;
	cr_assert_not_null(text);
	for (int i = 0; i < 3; i++) {
		struct sender sender = {
			.pair = &pair, .data = text, .size = 60001, .cut = 30000
		};

		memset(text, 'a' + i, 60000);
		text[60000] = '\n';
		pair_open(&pair, PAIR_UNIX, false);
		cr_assert_eq(weft_spawn(send_pieces, &sender, &task), 0);
		cr_expect_eq(weft_stream_read_line(pair.stream, &line), 60001);
		cr_expect_eq(strlen(line), 60000);
		cr_assert_eq(weft_task_join(task), 0);
		pair_close(&pair);
	}
	free(text);
	return 0;
}

Test(stream_read, lends_lines_up_to_the_default_limit)
{
	run_net(reads_long_lines, NULL);
}

/* ---- No memory ---- */

static int runs_out_of_memory(void *arg)
{
	struct pair pair;
	char *line, buffer[8];

	(void)arg;
	pair_open(&pair, PAIR_TCP, false);
	peer_send_text(&pair, "text\n");
	weft__fail_allocation(1);
	cr_expect_eq(weft_stream_read_line(pair.stream, &line), -ENOMEM);
	weft__fail_allocation(0);
	cr_expect_eq(weft_stream_read_line(pair.stream, &line), 5, "nothing was lost");
	peer_send_text(&pair, "x");
	weft__fail_allocation(1);
	cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 1,
		     "a plain read takes no memory");
	weft__fail_allocation(0);
	pair_close(&pair);
	return 0;
}

Test(stream_read, survives_a_lack_of_memory)
{
	run_net(runs_out_of_memory, NULL);
}
