/*
 * Streams: writing.
 *
 * A write goes to the kernel at once: one system call, no copy. What the kernel does not take is
 * copied, if all that is pending stays below the high-water mark, and sent by the loop as the peer
 * reads (net/stream_output.c); the write is over then. Above the mark the writing task waits, with
 * its own memory, until what is left fits. So a slow reader costs a bounded amount of memory, and
 * the memory of the caller is the caller's again however a write returns.
 *
 * A message of which only a part went out is worse than none: whatever were sent after it would be
 * read as its rest. So from then on the stream takes no more. Loop thread.
 */
#include <weft/timeout.h>

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "net/stream_object.h"

enum {
	PARTS_AT_ONCE = 16,
	PRINTF_BUFFER = 512,
};

/* ---- Who may write, and what went wrong ---- */

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
	weft__stream_fail_output(stream, (int)n);
	return (int)n;
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
	return unlikely(stream->out.error) ? weft__stream_output_error(stream) : 0;
}

static int refuse_after_eof(const char *function)
{
	return weft_error_set(
		-EPIPE,
		"%s() was called after weft_stream_write_eof(), which promised the "
		"peer that no more will come",
		function);
}

/* ---- Sending ---- */

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

/*
 * Nothing is pending: sends from the caller's memory, at least one byte. As
 * weft__stream_wait_for_drain().
 */
static int send_directly(weft_stream *stream, struct source *source)
{
	struct iovec parts[PARTS_AT_ONCE];
	struct op op = { .code = OP_SEND };
	ssize_t n;
	int r = 0;

	(void)describe(&op, stream, source, parts);
	weft__stream_watch_progress(stream);
	stream_ref(stream);
	n = weft__op_await(&op, "write");
	if (n >= 0)
		source_advance(source, (size_t)n);
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
		source_advance(source, (size_t)n);
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
		r = weft__stream_keep(stream, source);
		if (r == 0)
			break;
		/* Without memory it takes longer, but it goes. */
		if (out->pending)
			r = weft__stream_wait_for_drain(
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
	source_skip_empty(&source);
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
	int n, r = weft__stream_check(stream, __func__);

	if (r < 0)
		return r;
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
