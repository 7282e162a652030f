/*
 * Streams: what was written and the kernel has not taken.
 *
 * It lies in chunks that never move, since the kernel may be reading them. The first one is being
 * sent by out->op; its completion sends the next. One task at a time waits, until no more than so
 * much is left.
 *
 * A peer that takes nothing for stall_ns is given up. That the kernel takes nothing is not enough:
 * it does so only when a third of its buffer is free, which may be a megabyte. So we look now and
 * then how much it has that the peer has not acknowledged. Loop thread.
 */
#include <limits.h>

#include "net/socket.h"
#include "net/stream_object.h"

enum {
	CHUNK_MIN = 4 * 1024 - (int)sizeof(struct chunk),
	CHUNK_MAX = 16 * 1024 - (int)sizeof(struct chunk),
	LOOKS_PER_STALL = 8,
};

/* ---- Beginning and end ---- */

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

void weft__stream_fail_output(weft_stream *stream, int error)
{
	struct stream_output *out = &stream->out;

	if (!out->error)
		out->error = error;
	/* After -EPIPE the other direction may still end in order. */
	if (error != -EPIPE && !stream->error)
		stream->error = error;
	weft__stream_drop_output(stream);
}

int weft__stream_output_error(const weft_stream *stream)
{
	const struct stream_output *out = &stream->out;

	if (out->was_cut)
		return weft_error_set(
			-EPIPE, "an earlier write was cut off in the middle, and what "
				"follows would be taken for its rest: abort the stream");
	return out->error;
}

/* ---- Progress ---- */

static void on_stall_time(void *arg);

/* Looks again in a while, and when the time is over. */
static void look_later(weft_stream *stream)
{
	struct stream_output *out = &stream->out;
	weft_time over = weft__time_add(out->progress_at, out->stall_ns);
	weft_time next = weft__time_add(loop_now(stream->descriptor.loop),
					out->stall_ns / LOOKS_PER_STALL + 1);

	loop_add_timer(stream->descriptor.loop, &out->stall, MIN(next, over));
}

static void on_stall_time(void *arg)
{
	weft_stream *stream = arg;
	struct stream_output *out = &stream->out;
	weft_time now = loop_now(stream->descriptor.loop);
	int before = out->in_kernel;

	out->in_kernel = weft__socket_unsent(stream->descriptor.fd);
	if (out->in_kernel < before)
		out->progress_at = now;
	if (now < weft__time_add(out->progress_at, out->stall_ns))
		look_later(stream);
	else
		weft__stream_fail_output(stream, -ETIMEDOUT);
}

void weft__stream_watch_progress(weft_stream *stream)
{
	struct stream_output *out = &stream->out;

	if (out->stall_ns == WEFT_FOREVER)
		return;
	out->progress_at = loop_now(stream->descriptor.loop);
	if (handle_state(&out->stall) == HANDLE_TIMER)
		return;
	out->in_kernel = weft__socket_unsent(stream->descriptor.fd);
	handle_init(&out->stall, HANDLE_DIRECT, on_stall_time, stream);
	look_later(stream);
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
		weft__stream_watch_progress(stream);
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
			weft__stream_watch_progress(stream);
			break;
		}
		if (n < 0) {
			weft__stream_fail_output(stream, (int)n);
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
		weft__stream_fail_output(stream, (int)op->result);
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
		source_advance(source, n);
	}
}

int weft__stream_keep(weft_stream *stream, struct source *source)
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

int weft__stream_wait_for_drain(weft_stream *stream, size_t mark)
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

int weft__stream_drain(weft_stream *stream)
{
	int r;

	if (stream->out.error)
		return weft__stream_output_error(stream);
	if (!stream->out.pending)
		return 0;
	stream->out.busy = true;
	stream_ref(stream);
	r = weft__stream_wait_for_drain(stream, 0);
	stream->out.busy = false;
	weft__stream_unref(stream);
	return r;
}
