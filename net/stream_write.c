/*
 * Streams: writing.
 *
 * A write goes to the kernel at once: one system call, no copy. What the kernel does not take is
 * copied, if all that is pending stays below the high-water mark, and sent by the loop as the peer
 * reads; the write is over then. Above the mark the writing task waits, with its own memory, until
 * what is left fits. So a slow reader costs a bounded amount of memory, and the memory of the
 * caller is the caller's again however a write returns.
 *
 * A message of which only a part went out is worse than none: whatever were sent after it would be
 * read as its rest. So from then on the stream takes no more.
 *
 * Pending bytes lie in chunks that never move, since the kernel may be reading them. The first one
 * is being sent by out->op; its completion sends the next. Loop thread.
 */
#include <weft/timeout.h>

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "net/socket.h"
#include "net/stream_object.h"

enum {
	PARTS_AT_ONCE = 16,
	CHUNK_MIN = 4 * 1024 - (int)sizeof(struct chunk),
	CHUNK_MAX = 16 * 1024 - (int)sizeof(struct chunk),
	PRINTF_BUFFER = 512,
};

/* What is left of a message. */
struct source {
	const struct iovec *parts;
	size_t n;
	size_t at; /* in the first part */
	size_t left; /* in all of them */
};

/* ---- Errors ---- */

/* The connection takes no more. What is pending is lost, and who waits is told. */
static void fail(weft_stream *stream, int error)
{
	struct stream_output *out = &stream->out;

	if (!out->error)
		out->error = error;
	/* After -EPIPE the other direction may still end in order. */
	if (error != -EPIPE && !stream->error)
		stream->error = error;
	weft__stream_drop_output(stream);
}

/* A send that failed. Return: the error. */
static int note_failure(weft_stream *stream, ssize_t n, const struct source *source)
{
	switch (n) {
	case -ECANCELED:
	case -ENOMEM:
	case -ENOBUFS:
	case -ENOSPC:
		return (int)n; /* the connection is as it was */
	case -EFAULT:
		for (size_t i = 0; i < source->n; i++)
			weft__stream_fault(source->parts[i].iov_base,
					   source->parts[i].iov_len);
		return (int)n;
	}
	fail(stream, (int)n);
	return (int)n;
}

/* Why nothing can be written any more. */
static int explain_error(const weft_stream *stream)
{
	const struct stream_output *out = &stream->out;

	if (out->was_cut)
		return weft_error_set(
			-EPIPE, "an earlier write was cut off in the middle, and what "
				"follows would be taken for its rest: abort the stream");
	return out->error;
}

/* May the calling task write? */
static int begin_writing(weft_stream *stream, const char *function)
{
	int r = weft__stream_check(stream, function);

	if (unlikely(r < 0))
		return r;
	if (unlikely(stream->out.busy))
		return weft_error_set(
			-EBUSY,
			"%s() was called while another task writes to this stream: "
			"one task at a time writes",
			function);
	return unlikely(stream->out.error) ? explain_error(stream) : 0;
}

static int refuse_after_eof(const char *function)
{
	return weft_error_set(
		-EPIPE,
		"%s() was called after weft_stream_write_eof(), which promised the "
		"peer that no more will come",
		function);
}

/* ---- What is left of a message ---- */

static void skip_empty(struct source *source)
{
	while (source->n && source->at == source->parts[0].iov_len) {
		source->parts++;
		source->n--;
		source->at = 0;
	}
}

static void advance(struct source *source, size_t size)
{
	source->left -= size;
	while (size) {
		size_t step = MIN(size, source->parts[0].iov_len - source->at);

		source->at += step;
		size -= step;
		skip_empty(source);
	}
}

/* Makes `op` send from the front of the source. Return: how many bytes. */
static size_t describe(struct op *op, weft_stream *stream, const struct source *source,
		       struct iovec parts[PARTS_AT_ONCE])
{
	const char *first = (const char *)source->parts[0].iov_base + source->at;
	size_t first_size = source->parts[0].iov_len - source->at;
	size_t n = MIN(source->n, (size_t)PARTS_AT_ONCE), size = first_size;

	op->descriptor = &stream->descriptor;
	if (source->n == 1) {
		op->code = OP_SEND;
		op->send.data = first;
		op->send.size = first_size;
		return first_size;
	}
	parts[0] = (struct iovec){ .iov_base = (void *)(uintptr_t)first,
				   .iov_len = first_size };
	for (size_t i = 1; i < n; i++) {
		parts[i] = source->parts[i];
		size += parts[i].iov_len;
	}
	op->code = OP_SEND_PARTS;
	op->send_parts.parts = parts;
	op->send_parts.n_parts = (int)n;
	return size;
}

/* ---- The pending bytes ---- */

void weft__stream_output_init(weft_stream *stream, size_t high_water)
{
	struct stream_output *out = &stream->out;

	out->high_water =
		high_water ? MIN(high_water, (size_t)SSIZE_MAX) : DEFAULT_HIGH_WATER;
	out->stall_ns = stream->descriptor.kind == DESCRIPTOR_TCP ? SOCKET_STALL_NS
								  : WEFT_FOREVER;
}

static void wake_waiter(struct stream_output *out)
{
	struct drain_wait *waiter = out->waiter;

	if (!waiter)
		return;
	out->waiter = NULL;
	weft__unpark(&waiter->park, 0);
}

void weft__stream_drop_output(weft_stream *stream)
{
	struct stream_output *out = &stream->out;
	struct chunk *next;

	loop_remove_timer(&out->stall);
	if (stream->descriptor.writing)
		weft__op_cancel(stream->descriptor.writing);
	for (struct chunk *chunk = out->first; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	out->first = out->last = NULL;
	out->sent = out->pending = 0;
	wake_waiter(out);
}

/* ---- Progress ---- */

static void on_stall_time(void *arg)
{
	weft_stream *stream = arg;
	struct stream_output *out = &stream->out;
	weft_time over = weft__time_add(out->progress_at, out->stall_ns);

	if (loop_now(stream->descriptor.loop) < over)
		loop_add_timer(stream->descriptor.loop, &out->stall, over);
	else
		fail(stream, -ETIMEDOUT);
}

/* The peer has to take something from now on. */
static void watch_progress(weft_stream *stream)
{
	struct stream_output *out = &stream->out;

	if (out->stall_ns == WEFT_FOREVER)
		return;
	out->progress_at = loop_now(stream->descriptor.loop);
	if (handle_state(&out->stall) == HANDLE_TIMER)
		return;
	handle_init(&out->stall, HANDLE_DIRECT, on_stall_time, stream);
	loop_add_timer(stream->descriptor.loop, &out->stall,
		       weft__time_add(out->progress_at, out->stall_ns));
}

void weft__stream_set_write_stall(weft_stream *stream, weft_time stall_ns)
{
	struct stream_output *out = &stream->out;

	if (out->stall_ns == stall_ns)
		return;
	out->stall_ns = stall_ns;
	if (stream->descriptor.kind == DESCRIPTOR_TCP)
		weft__socket_set_stall(stream->descriptor.fd, stall_ns);
	loop_remove_timer(&out->stall);
	if (stream->descriptor.writing)
		watch_progress(stream);
}

/* ---- Sending what is pending ---- */

static void on_sent(struct op *op);

/* So many bytes of the first chunk have gone. */
static void note_sent(struct stream_output *out, size_t size)
{
	struct chunk *first = out->first;

	out->sent += size;
	out->pending -= size;
	if (out->sent < first->size)
		return;
	out->first = first->next;
	out->sent = 0;
	if (!out->first)
		out->last = NULL;
	free(first);
}

/* Sends until the kernel takes no more, or nothing is left. */
static void send_pending(weft_stream *stream)
{
	struct stream_output *out = &stream->out;
	ssize_t n;

	while (out->first) {
		out->op = (struct op){
			.code = OP_SEND,
			.descriptor = &stream->descriptor,
			.send = { out->first->data + out->sent,
				  out->first->size - out->sent },
			.done = on_sent,
			.owner = stream,
		};
		n = weft__op_start(&out->op);
		if (n == -EINPROGRESS) {
			watch_progress(stream);
			break;
		}
		if (n < 0) {
			fail(stream, (int)n);
			return;
		}
		note_sent(out, (size_t)n);
	}
	if (!out->first)
		loop_remove_timer(&out->stall);
	if (out->waiter && out->pending <= out->waiter->mark)
		wake_waiter(out);
}

static void on_sent(struct op *op)
{
	weft_stream *stream = op->owner;

	if (op->result == -ECANCELED)
		return; /* whoever did that drops what is pending, too */
	if (op->result < 0) {
		fail(stream, (int)op->result);
		return;
	}
	note_sent(&stream->out, (size_t)op->result);
	send_pending(stream);
}

/* ---- Keeping ---- */

static struct chunk *new_chunk(size_t wanted)
{
	size_t capacity = MAX(MIN(wanted, (size_t)CHUNK_MAX), (size_t)CHUNK_MIN);
	struct chunk *chunk = weft__alloc(sizeof(*chunk) + capacity);

	if (!chunk)
		return NULL;
	chunk->next = NULL;
	chunk->size = 0;
	chunk->capacity = capacity;
	return chunk;
}

/* Chunks with room for so many bytes; NULL without memory. */
static struct chunk *new_chunks(size_t size)
{
	struct chunk *first = NULL, *chunk;

	while (size) {
		chunk = new_chunk(size);
		if (!chunk)
			goto free_chunks;
		chunk->next = first;
		first = chunk;
		size -= MIN(size, chunk->capacity);
	}
	return first;
free_chunks:
	while (first) {
		chunk = first;
		first = chunk->next;
		free(chunk);
	}
	return NULL;
}

static void copy_into(struct chunk *chunk, struct source *source)
{
	while (chunk->size < chunk->capacity && source->left) {
		size_t n = MIN(source->parts[0].iov_len - source->at,
			       chunk->capacity - chunk->size);

		memcpy(chunk->data + chunk->size,
		       (const char *)source->parts[0].iov_base + source->at, n);
		chunk->size += n;
		advance(source, n);
	}
}

/* Copies all that is left and sees that it is sent. Return: 0, -ENOBUFS above the mark, -ENOMEM. */
static int keep(weft_stream *stream, struct source *source)
{
	struct stream_output *out = &stream->out;
	size_t size = source->left,
	       room = out->last ? out->last->capacity - out->last->size : 0;
	bool was_idle = !out->first;
	struct chunk *chunks = NULL, *next;

	if (out->pending > out->high_water || size > out->high_water - out->pending)
		return -ENOBUFS;
	if (size > room) {
		chunks = new_chunks(size - room);
		if (!chunks)
			return -ENOMEM;
	}
	if (out->last)
		copy_into(out->last, source);
	for (; chunks; chunks = next) {
		next = chunks->next;
		chunks->next = NULL;
		copy_into(chunks, source);
		if (out->last)
			out->last->next = chunks;
		else
			out->first = chunks;
		out->last = chunks;
	}
	out->pending += size;
	if (was_idle)
		send_pending(stream);
	return 0;
}

/* ---- Waiting ---- */

static enum cancel_answer leave_drain(struct park *park)
{
	struct drain_wait *wait = container_of(park, struct drain_wait, park);

	wait->stream->out.waiter = NULL;
	return CANCEL_ENDS;
}

/* Waits until no more than `mark` bytes are pending. Only after an error can the stream be gone. */
static int wait_for_drain(weft_stream *stream, size_t mark)
{
	struct drain_wait wait = {
		.park = { .what = "write", .cancel = leave_drain },
		.stream = stream,
		.mark = mark,
	};
	int r = weft__cancel_point(task_current());

	if (r < 0)
		return r;
	stream->out.waiter = &wait;
	stream_ref(stream);
	r = weft__park(&wait.park);
	if (r == 0 && stream_is_given_up(stream))
		r = -ECONNABORTED;
	else if (r == 0 && stream->out.error)
		r = stream->out.error;
	weft__stream_unref(stream);
	return r;
}

/* Nothing is pending: sends from the caller's memory, at least one byte. As wait_for_drain(). */
static int send_directly(weft_stream *stream, struct source *source)
{
	struct iovec parts[PARTS_AT_ONCE];
	struct op op = { .code = OP_SEND };
	ssize_t n;
	int r = 0;

	(void)describe(&op, stream, source, parts);
	watch_progress(stream);
	stream_ref(stream);
	n = weft__op_await(&op, "write");
	if (n >= 0)
		advance(source, (size_t)n);
	else if (n == -ECANCELED)
		r = -ECANCELED;
	else if (stream_is_given_up(stream))
		r = -ECONNABORTED;
	else
		r = stream->out.error ? stream->out.error
				      : note_failure(stream, n, source);
	if (!stream_is_given_up(stream))
		loop_remove_timer(&stream->out.stall);
	else if (r == 0)
		r = -ECONNABORTED;
	weft__stream_unref(stream);
	return r;
}

/* ---- Writing ---- */

/* How far the pending bytes must have gone before it is worth waking the writer. */
static size_t low_water(const struct stream_output *out, size_t left)
{
	size_t low = out->high_water / 4;

	return left <= out->high_water - low ? low : 0;
}

/* One try, or several while the kernel takes all that it is given. Return: 0 or an error. */
static int send_now(weft_stream *stream, struct source *source)
{
	struct iovec parts[PARTS_AT_ONCE];
	struct op op = { .code = OP_SEND };
	size_t size;
	ssize_t n;

	do {
		size = describe(&op, stream, source, parts);
		n = weft__op_try(&op);
		if (unlikely(n < 0))
			return n == -EAGAIN ? 0 : note_failure(stream, n, source);
		advance(source, (size_t)n);
	} while (source->left && (size_t)n == size);
	return 0;
}

/* A message is over, of which `source` was not sent. */
static int end_message(struct stream_output *out, const struct source *source,
		       size_t size, int r)
{
	if (r == 0 && out->error)
		return out->error;
	if (r < 0 && !out->error && source->left < size) {
		out->error = -EPIPE;
		out->was_cut = true;
	}
	return r;
}

/* The kernel did not take all of it. */
static __attribute__((noinline)) int write_rest(weft_stream *stream,
						struct source *source, size_t size)
{
	struct stream_output *out = &stream->out;
	int r;

	out->busy = true;
	stream_ref(stream);
	do {
		r = keep(stream, source);
		if (r == 0)
			break;
		/* Without memory it takes longer, but it goes. */
		if (out->pending)
			r = wait_for_drain(
				stream, r == -ENOMEM ? 0 : low_water(out, source->left));
		else
			r = send_directly(stream, source);
	} while (r == 0 && source->left);
	out->busy = false;
	r = end_message(out, source, size, r);
	weft__stream_unref(stream);
	return r;
}

static int write_all(weft_stream *stream, struct source *source, const char *function)
{
	size_t size = source->left;
	int r = begin_writing(stream, function);

	if (unlikely(r < 0))
		return r;
	if (unlikely(stream->out.is_shut))
		return refuse_after_eof(function);
	if (unlikely(!size))
		return 0;
	if (likely(!stream->out.pending)) {
		r = send_now(stream, source);
		if (unlikely(r < 0))
			return end_message(&stream->out, source, size, r);
		if (likely(!source->left)) {
			io_count(task_current(), size);
			return 0;
		}
	}
	return write_rest(stream, source, size);
}

int weft_stream_write(weft_stream *stream, const void *data, size_t size)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
	struct source source = { .parts = &part, .n = 1, .left = size };

	if (unlikely(size > SSIZE_MAX))
		return weft_error_set(
			-EINVAL, "weft_stream_write() cannot write %zu bytes at once",
			size);
	return write_all(stream, &source, __func__);
}

int weft_stream_writev(weft_stream *stream, const struct iovec *parts, size_t n)
{
	struct source source = { .parts = parts, .n = n };

	for (size_t i = 0; i < n; i++)
		if (__builtin_add_overflow(source.left, parts[i].iov_len, &source.left) ||
		    source.left > SSIZE_MAX)
			return weft_error_set(-EINVAL,
					      "weft_stream_writev(): the parts are more "
					      "than can be written at once");
	skip_empty(&source);
	return write_all(stream, &source, __func__);
}

static int WEFT_PRINTF(2, 0) write_formatted(weft_stream *stream, const char *format,
					     va_list args, size_t size)
{
	char *text = weft__alloc(size + 1);
	int r;

	if (!text)
		return -ENOMEM;
	vsnprintf(text, size + 1, format, args);
	r = weft_stream_write(stream, text, size);
	free(text);
	return r;
}

int weft_stream_printf(weft_stream *stream, const char *format, ...)
{
	char text[PRINTF_BUFFER];
	va_list args;
	int n, r;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0)
		return weft_error_set(-EINVAL,
				      "weft_stream_printf(): the format is not valid");
	if ((size_t)n < sizeof(text))
		return weft_stream_write(stream, text, (size_t)n);
	va_start(args, format);
	r = write_formatted(stream, format, args, (size_t)n);
	va_end(args);
	return r;
}

/* ---- Ends ---- */

int weft__stream_drain(weft_stream *stream)
{
	int r;

	if (stream->out.error)
		return explain_error(stream);
	if (!stream->out.pending)
		return 0;
	stream->out.busy = true;
	stream_ref(stream);
	r = wait_for_drain(stream, 0);
	stream->out.busy = false;
	weft__stream_unref(stream);
	return r;
}

int weft_stream_flush(weft_stream *stream)
{
	int r = begin_writing(stream, __func__);

	return r < 0 ? r : weft__stream_drain(stream);
}

int weft_stream_write_eof(weft_stream *stream)
{
	int r = begin_writing(stream, __func__);

	if (r < 0)
		return r;
	if (stream->descriptor.kind == DESCRIPTOR_FILE)
		return weft_error_set(
			-ENOTSUP, "a pipe or terminal cannot end in one direction alone: "
				  "weft_stream_close() ends it");
	if (stream->out.is_shut)
		return 0;
	r = weft__stream_drain(stream);
	if (r < 0)
		return r;
	if (shutdown(stream->descriptor.fd, SHUT_WR) < 0) {
		r = errno == ENOTCONN ? -EPIPE : -errno; /* the peer has broken it */
		return stream->error ? stream->error : r;
	}
	stream->out.is_shut = true;
	return 0;
}

int weft__stream_linger(weft_stream *stream, weft_time limit_ns, size_t limit_bytes)
{
	struct weft_shield shield;
	const char *data;
	size_t size = 0;
	ssize_t n;
	int r = weft_stream_write_eof(stream);

	if (r < 0 || stream->in.at_end)
		return r;
	weft_shield_begin(&shield, limit_ns);
	do {
		n = weft__stream_peek(stream, &data, 0);
		if (n > 0)
			weft__stream_consume(stream, (size_t)n);
		size += n > 0 ? (size_t)n : 0;
	} while (n > 0 && size <= limit_bytes);
	/* However it ended: what was written has had its time. */
	return weft_shield_end(&shield, 0);
}
