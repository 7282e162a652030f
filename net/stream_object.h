/*
 * A stream, inside net/: what its files share.
 *
 * stream.c has its life, stream_read.c and stream_write.c one side each, stream_output.c what lies
 * between a write and the kernel. All on the loop's thread.
 *
 * The owner has one reference, and each task that waits inside has another. When the owner gives
 * the stream up its descriptor is closed at once; the memory goes with the last who is inside.
 */
#ifndef WEFT_NET_STREAM_OBJECT_H
#define WEFT_NET_STREAM_OBJECT_H

#include "net/address.h"
#include "net/source.h"
#include "net/stream.h"
#include "task/io.h"

enum {
	DEFAULT_LINE_LIMIT = 64 * 1024,
	DEFAULT_HIGH_WATER = 64 * 1024,
};

/* Received, and not read: [begin, end) of `data`. */
struct stream_input {
	char *data; /* NULL: nothing is buffered */
	size_t begin, end;
	size_t capacity;
	size_t wanted; /* capacity that the last receive made look right */
	bool busy; /* a task is reading */
	bool at_end;
};

/* A piece of what was written and the kernel has not taken. Never moves. */
struct chunk {
	struct chunk *next;
	size_t size;
	size_t capacity;
	char data[];
};

/* A task that waits until no more than `mark` bytes are pending. */
struct drain_wait {
	struct park park;
	weft_stream *stream;
	size_t mark;
};

/* Written, and not sent. */
struct stream_output {
	struct chunk *first, *last;
	size_t sent; /* of the first chunk */
	size_t pending; /* bytes not sent */
	size_t high_water;
	int error; /* what every later write answers; 0: none */
	bool busy; /* a task is writing */
	bool was_cut; /* `error` is there because a message was not sent whole */
	bool is_shut; /* weft_stream_write_eof() */
	struct op op; /* sends the first chunk */
	struct drain_wait *waiter;
	weft_time stall_ns; /* WEFT_FOREVER: no limit */
	weft_time progress_at;
	int in_kernel; /* bytes that the peer has not acknowledged, at the last look */
	struct handle stall; /* the next look; not moved at every progress */
};

struct weft_stream {
	struct descriptor
		descriptor; /* its fd is -1 once the owner has given the stream up */
	struct open_object open;
	int references;
	int error; /* what broke the connection; 0: nothing did */
	bool server_is_closing; /* that it came from */
	bool finishes_on_cancel; /* see weft_stream_finish_on_cancel() */
	size_t line_limit;
	struct stream_input in;
	struct stream_output out;
	/* As text, made when somebody asks. */
	char *peername, *sockname;
	union { /* who it is, as far as that was known at the beginning; else family 0 */
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} peer;
};

/* Zero stands for the default of each. */
struct stream_options {
	size_t line_limit;
	size_t high_water;
};

/* ---- Life: stream.c ---- */

/*
 * Makes a stream of a descriptor that is non-blocking, in storage that free() releases: its first
 * member is the stream. The descriptor is the stream's if this returns 0.
 */
int weft__stream_init(weft_stream *stream, weft_loop *loop, int fd,
		      enum descriptor_kind kind, const struct stream_options *options);
/* weft_stream_adopt() with options; `place` is who asked. */
int weft__stream_adopt(int fd, const struct stream_options *options, const void *place,
		       weft_stream **stream);
/* Tells of it when its loop is closed; `place` is who opened it. */
void weft__stream_track(weft_stream *stream, const void *place);
void weft__stream_set_peer(weft_stream *stream, const struct sockaddr *address,
			   socklen_t size);

/* The owner gives it up: closes the descriptor, wakes who waits. After that nobody enters. */
void weft__stream_give_up(weft_stream *stream, bool reset);

static inline bool stream_is_given_up(const weft_stream *stream)
{
	return stream->descriptor.fd < 0;
}

static inline void stream_ref(weft_stream *stream)
{
	stream->references++;
}

void weft__stream_unref(weft_stream *stream);


/* The kernel found an address of the caller's in a guard: tells of the overflow, and ends. */
void weft__stream_fault(const void *data, size_t size);

/* ---- Reading: stream_read.c ---- */

/* Drops the buffer; no view of it is out. */
void weft__stream_drop_input(weft_stream *stream);

/* ---- What was written, and not sent: stream_output.c ---- */

void weft__stream_output_init(weft_stream *stream, size_t high_water);
/* Drops what is pending, ends the operation under way, wakes who waits. */
void weft__stream_drop_output(weft_stream *stream);
/* The connection takes no more. What is pending is lost, and who waits is told. */
void weft__stream_fail_output(weft_stream *stream, int error);
/* Why nothing can be written any more: out->error, explained. */
int weft__stream_output_error(const weft_stream *stream);
/* The peer has to take something from now on. */
void weft__stream_watch_progress(weft_stream *stream);
/* Copies all that is left and sees that it is sent. Return: 0, -ENOBUFS above the mark, -ENOMEM. */
int weft__stream_keep(weft_stream *stream, struct source *source);
/* Waits until no more than `mark` bytes are pending. Only after an error can the stream be gone. */
int weft__stream_wait_for_drain(weft_stream *stream, size_t mark);
/* Waits until the kernel has everything; -ETIMEDOUT after so long without progress. */
int weft__stream_drain(weft_stream *stream);

#endif
