/*
 * Streams: reading.
 *
 * A read with nothing buffered receives straight into the caller's memory: one system call, no
 * copy. What has to be looked at before it is known how much is wanted (lines, records, heads)
 * is received into a buffer of the stream's and lent from there; it is there only while something
 * is buffered, or while a task waits for the first bytes, and then it is small. So an idle
 * connection costs one small buffer at most, and a fast sender finds a large one.
 *
 * What has been lent stays where it is until the next read begins. Loop thread.
 */
#include <limits.h>

#include "net/stream_object.h"

enum {
	SMALL_BUFFER = 4 * 1024, /* to wait on, and to begin with */
	LARGE_BUFFER =
		64 * 1024, /* as far as it grows unless somebody wants more at once */
};

static size_t buffered(const weft_stream *stream)
{
	return stream->in.end - stream->in.begin;
}

size_t weft__stream_buffered(const weft_stream *stream)
{
	return buffered(stream);
}

void weft__stream_drop_input(weft_stream *stream)
{
	struct stream_input *in = &stream->in;

	free(in->data);
	in->data = NULL;
	in->begin = in->end = in->capacity = 0;
}

/* ---- Receiving ---- */

/* May the calling task read? */
static int begin_reading(weft_stream *stream, const char *function)
{
	int r = weft__stream_check(stream, function);

	if (unlikely(r < 0))
		return r;
	if (unlikely(stream->in.busy))
		return weft_error_set(
			-EBUSY,
			"%s() was called while another task reads from this stream: "
			"one task at a time reads",
			function);
	return 0;
}

/* What a receive says about the stream. */
static ssize_t note_received(weft_stream *stream, ssize_t n, const void *data,
			     size_t size)
{
	if (likely(n > 0))
		return n;
	if (n == 0) {
		stream->in.at_end = true;
		/* A reset that the writing side was told of looks like an end here. */
		return stream->error;
	}
	switch (n) {
	case -ECANCELED:
	case -EAGAIN:
	case -ENOMEM:
	case -ENOSPC:
		return n; /* the connection is as it was */
	case -EFAULT:
		weft__stream_fault(data, size);
		return n;
	}
	stream->error = (int)n;
	stream->in.at_end = true;
	return n;
}

/*
 * Receives at least one byte into `data`; 0 at the end of the stream. May suspend. Only after a
 * negative result can the stream be gone.
 */
static ssize_t receive(weft_stream *stream, void *data, size_t size)
{
	struct op op = {
		.code = OP_RECEIVE,
		.descriptor = &stream->descriptor,
		.receive = { .data = data, .size = size },
	};
	ssize_t n;

	if (unlikely(stream->in.at_end))
		return stream->error;
	stream->in.busy = true;
	stream_ref(stream);
	n = weft__op_await(&op, "read");
	stream->in.busy = false;
	if (likely(!stream_is_given_up(stream)))
		n = note_received(stream, n, data, size);
	else if (n != -ECANCELED)
		n = -ECONNABORTED; /* what came is dropped with the rest */
	weft__stream_unref(stream);
	return n;
}

/* The same, without suspending: -EAGAIN if nothing is there. */
static ssize_t try_receive(weft_stream *stream, void *data, size_t size)
{
	struct op op = {
		.code = OP_RECEIVE,
		.descriptor = &stream->descriptor,
		.receive = { .data = data, .size = size },
	};

	if (stream->in.at_end)
		return stream->error;
	return note_received(stream, weft__op_try(&op), data, size);
}

/* ---- The buffer ---- */

/* What was lent has been used: nothing points into the buffer any more. */
static void put_in_front(struct stream_input *in)
{
	size_t size = in->end - in->begin;

	if (in->begin == 0)
		return;
	if (size)
		memmove(in->data, in->data + in->begin, size);
	in->begin = 0;
	in->end = size;
}

static int set_capacity(struct stream_input *in, size_t capacity)
{
	char *data = weft__realloc_array(in->data, capacity, 1);

	if (!data)
		return -ENOMEM;
	in->data = data;
	in->capacity = capacity;
	return 0;
}

/* Room for at least one byte behind what is buffered. */
static int make_room(struct stream_input *in)
{
	size_t capacity;

	put_in_front(in);
	if (in->end < in->capacity)
		return 0;
	if (__builtin_mul_overflow(in->capacity, 2, &capacity))
		return -ENOMEM;
	return set_capacity(in, MAX(capacity, SMALL_BUFFER));
}

static ssize_t note_filled(struct stream_input *in, ssize_t n)
{
	if (n <= 0)
		return n;
	in->end += (size_t)n;
	if (in->end == in->capacity)
		in->wanted = MIN(in->capacity * 2, LARGE_BUFFER);
	return n;
}

/*
 * Receives more, into an empty buffer. A sender that filled the last one finds a larger one; but
 * nobody waits on that.
 */
static ssize_t fill_empty(weft_stream *stream)
{
	struct stream_input *in = &stream->in;
	size_t wanted = MAX(in->wanted, SMALL_BUFFER);
	ssize_t n;

	in->begin = in->end = 0;
	if (wanted > in->capacity && set_capacity(in, wanted) < 0 && !in->capacity)
		return -ENOMEM;
	if (in->capacity <= SMALL_BUFFER)
		goto receive;
	n = try_receive(stream, in->data, in->capacity);
	if (n != -EAGAIN)
		return note_filled(in, n);
	weft__stream_drop_input(stream);
	in->wanted = SMALL_BUFFER;
	if (set_capacity(in, SMALL_BUFFER) < 0)
		return -ENOMEM;
receive:
	n = receive(stream, in->data, in->capacity);
	return n > 0 ? note_filled(in, n) : n;
}

/* Receives more, behind what is buffered. Return: as receive(). */
static ssize_t fill(weft_stream *stream)
{
	struct stream_input *in = &stream->in;
	ssize_t n;
	int r;

	if (in->begin == in->end)
		return fill_empty(stream);
	r = make_room(in);
	if (r < 0)
		return r;
	n = receive(stream, in->data + in->end, in->capacity - in->end);
	return n > 0 ? note_filled(in, n) : n;
}

/* ---- Bytes ---- */

static size_t take(struct stream_input *in, void *buffer, size_t size)
{
	size_t n = MIN(size, in->end - in->begin);

	if (n) {
		memcpy(buffer, in->data + in->begin, n);
		in->begin += n;
	}
	return n;
}

/* An empty buffer that nobody needs while a task waits, maybe for long, with memory of its own. */
static void drop_large(weft_stream *stream)
{
	if (unlikely(stream->in.capacity > SMALL_BUFFER))
		weft__stream_drop_input(stream);
}

ssize_t weft_stream_read(weft_stream *stream, void *buffer, size_t size)
{
	int r = begin_reading(stream, __func__);

	if (unlikely(r < 0))
		return r;
	if (unlikely(size == 0))
		return weft_error_set(
			-EINVAL, "weft_stream_read() needs room for at least one byte");
	if (buffered(stream))
		return (ssize_t)take(&stream->in, buffer, size);
	drop_large(stream);
	return receive(stream, buffer, size);
}

/* Bytes of a read that did not come to its end, back into the (empty) buffer. */
static ssize_t put_back(weft_stream *stream, const void *data, size_t size, ssize_t n)
{
	struct stream_input *in = &stream->in;

	if (size == 0)
		return n;
	in->begin = in->end = 0;
	if (size > in->capacity && set_capacity(in, size) < 0) {
		/* They are lost, so what follows must not be taken for what was asked for. */
		stream->in.at_end = true;
		stream->error = -ENOMEM;
		return -ENOMEM;
	}
	memcpy(in->data, data, size);
	in->end = size;
	return n;
}

/* Many bytes: straight into the caller's memory. Nothing is buffered. */
static ssize_t read_directly(weft_stream *stream, char *buffer, size_t size, size_t done)
{
	ssize_t n;

	drop_large(stream);
	stream_ref(stream);
	do {
		n = receive(stream, buffer + done, size - done);
		done += n > 0 ? (size_t)n : 0;
	} while (n > 0 && done < size);
	if (done == size)
		n = (ssize_t)size;
	else if (!stream_is_given_up(stream))
		n = put_back(stream, buffer, done, n < 0 ? n : -ENODATA);
	weft__stream_unref(stream);
	return n;
}

ssize_t weft_stream_read_exactly(weft_stream *stream, void *buffer, size_t size)
{
	int r = begin_reading(stream, __func__);
	ssize_t n;

	if (unlikely(r < 0))
		return r;
	if (unlikely(size > SSIZE_MAX))
		return weft_error_set(
			-EINVAL,
			"weft_stream_read_exactly() cannot read %zu bytes at once", size);
	while (buffered(stream) < size) {
		if (size - buffered(stream) >= SMALL_BUFFER) {
			size_t done = take(&stream->in, buffer, size);

			return read_directly(stream, buffer, size, done);
		}
		n = fill(stream);
		if (n <= 0)
			return n == 0 ? -ENODATA : n;
	}
	return (ssize_t)take(&stream->in, buffer, size);
}

/* ---- Views ---- */

ssize_t weft__stream_peek(weft_stream *stream, const char **data, size_t more_than)
{
	int r = begin_reading(stream, __func__);
	ssize_t n;

	if (unlikely(r < 0))
		return r;
	while (buffered(stream) <= more_than) {
		n = fill(stream);
		if (n < 0)
			return n;
		if (n == 0)
			break;
	}
	*data = stream->in.data + stream->in.begin;
	return (ssize_t)buffered(stream);
}

void weft__stream_consume(weft_stream *stream, size_t size)
{
	weft_assert(size <= buffered(stream),
		    "weft__stream_consume(): take no more than what was lent");
	stream->in.begin += size;
}

/* What ends a record, and how long one may be without it. */
struct ending {
	const void *data;
	size_t size;
	size_t limit;
	bool may_have_cr; /* a "\r" before it belongs to it */
};

/* Is a record too long of which so many bytes come before the ending? */
static bool is_too_long(const struct stream_input *in, const struct ending *ending,
			size_t size)
{
	if (ending->may_have_cr && size && in->data[in->begin + size - 1] == '\r')
		size--;
	return size > ending->limit;
}

/*
 * Waits until the ending is buffered. Return: bytes before it; -EMSGSIZE beyond the limit,
 * -ENODATA if the stream ends before it, with nothing buffered if it ends at once.
 */
static ssize_t find_ending(weft_stream *stream, const struct ending *ending)
{
	struct stream_input *in = &stream->in;
	size_t seen = 0; /* bytes in which no ending begins */
	const char *found;
	ssize_t n;

	for (;;) {
		found = buffered(stream) == 0 ? NULL
					      : memmem(in->data + in->begin + seen,
						       buffered(stream) - seen,
						       ending->data, ending->size);
		seen = found ? (size_t)(found - (in->data + in->begin))
			     : buffered(stream) - MIN(buffered(stream), ending->size - 1);
		if (is_too_long(in, ending, seen))
			return weft_error_set(
				-EMSGSIZE,
				"more than %zu bytes came without an ending: raise "
				".line_limit, or read them by weft_stream_read()",
				ending->limit);
		if (found)
			return (ssize_t)seen;
		n = fill(stream);
		if (n <= 0)
			return n < 0 ? n : -ENODATA;
	}
}

/* Nothing at all before the end of the stream is no error. */
static ssize_t end_of_records(const weft_stream *stream, ssize_t n)
{
	return n == -ENODATA && !buffered(stream) ? 0 : n;
}

ssize_t weft_stream_read_line(weft_stream *stream, char **line)
{
	struct ending newline = { .data = "\n", .size = 1, .may_have_cr = true };
	ssize_t n = begin_reading(stream, __func__);
	char *text;

	if (unlikely(n < 0))
		return n;
	newline.limit = stream->line_limit;
	n = find_ending(stream, &newline);
	if (n < 0)
		return end_of_records(stream, n);
	text = stream->in.data + stream->in.begin;
	text[n > 0 && text[n - 1] == '\r' ? n - 1 : n] = '\0';
	stream->in.begin += (size_t)n + 1;
	*line = text;
	return n + 1;
}

ssize_t weft_stream_read_until(weft_stream *stream, struct weft_bytes separator,
			       struct weft_bytes *record)
{
	ssize_t n = begin_reading(stream, __func__);
	struct ending ending;

	if (unlikely(n < 0))
		return n;
	if (unlikely(separator.size == 0))
		return weft_error_set(
			-EINVAL,
			"weft_stream_read_until() needs a separator of at least one "
			"byte");
	ending = (struct ending){ separator.data, separator.size, stream->line_limit,
				  false };
	n = find_ending(stream, &ending);
	if (n < 0)
		return end_of_records(stream, n);
	n += (ssize_t)separator.size;
	*record = weft_bytes_of(stream->in.data + stream->in.begin, (size_t)n);
	stream->in.begin += (size_t)n;
	return n;
}

/* ---- A look without reading ---- */

/* What a receive would return; a pipe or terminal cannot tell: -EAGAIN. */
static ssize_t look(const weft_stream *stream)
{
	char byte;
	ssize_t n;

	if (stream->descriptor.kind == DESCRIPTOR_FILE)
		return -EAGAIN;
	do
		n = recv(stream->descriptor.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

bool weft__stream_has_unread(const weft_stream *stream)
{
	return buffered(stream) || (!stream->in.at_end && look(stream) > 0);
}

bool weft__stream_peer_is_gone(const weft_stream *stream)
{
	ssize_t n;

	if (buffered(stream))
		return false;
	if (stream->in.at_end || stream->error)
		return true;
	n = look(stream);
	return n <= 0 && n != -EAGAIN;
}
