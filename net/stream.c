/*
 * Streams: their life; stream_object.h says who holds what. Loop thread.
 */
#include "net/stream_object.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/socket.h"
#include "task/overflow.h"

enum { PAGE_BYTES = 4096 };

/* ---- Beginning ---- */

int weft__stream_init(weft_stream *stream, weft_loop *loop, int fd,
		      enum descriptor_kind kind, const struct stream_options *options)
{
	int r;

	memset(stream, 0, sizeof(*stream));
	r = weft__descriptor_init(&stream->descriptor, loop, fd, kind);
	if (r < 0)
		return r;
	list_init(&stream->open.link);
	stream->references = 1;
	stream->line_limit = options && options->line_limit
				     ? MIN(options->line_limit, (size_t)SSIZE_MAX / 2)
				     : DEFAULT_LINE_LIMIT;
	weft__stream_output_init(stream, options ? options->high_water : 0);
	return 0;
}

void weft__stream_track(weft_stream *stream, const void *place)
{
	loop_track(stream->descriptor.loop, &stream->open, "a stream", place);
}

void weft__stream_set_peer(weft_stream *stream, const struct sockaddr *address,
			   socklen_t size)
{
	if (size >= sizeof(address->sa_family) && size <= sizeof(stream->peer))
		memcpy(&stream->peer, address, size);
}

/* ---- Adopting ---- */

static int kind_of_socket(int fd, enum descriptor_kind *kind)
{
	if (weft__socket_option(fd, SO_TYPE) != SOCK_STREAM)
		return weft_error_set(
			-EINVAL,
			"descriptor %d is a socket that keeps messages apart, and no "
			"stream",
			fd);
	if (weft__socket_option(fd, SO_ACCEPTCONN) == 1)
		return weft_error_set(-EINVAL,
				      "descriptor %d is a listening socket: give it to "
				      "weft_listen() as \"fd:%d\"",
				      fd, fd);
	*kind = socket_kind(weft__socket_option(fd, SO_DOMAIN));
	return 0;
}

static int kind_of(int fd, enum descriptor_kind *kind)
{
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return weft_error_set(-EBADF, "descriptor %d is not open", fd);
	if (S_ISSOCK(status.st_mode))
		return kind_of_socket(fd, kind);
	if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
		return weft_error_set(
			-EINVAL,
			"descriptor %d is a regular file or directory, which is "
			"always ready: read it in an executor",
			fd);
	*kind = DESCRIPTOR_FILE;
	return 0;
}

int weft__stream_adopt(int fd, const struct stream_options *options, const void *place,
		       weft_stream **out)
{
	enum descriptor_kind kind = DESCRIPTOR_FILE;
	weft_stream *stream;
	int r;

	r = kind_of(fd, &kind);
	if (r < 0)
		return r;
	stream = weft__alloc(sizeof(*stream));
	if (!stream)
		return -ENOMEM;
	r = weft__stream_init(stream, weft__thread.loop, fd, kind, options);
	if (r < 0)
		goto free_stream;
	r = weft__socket_set_nonblocking(fd);
	if (r < 0)
		goto fini_descriptor;
	if (kind == DESCRIPTOR_TCP)
		weft__socket_tune(fd, AF_INET);
	weft__stream_track(stream, place);
	*out = stream;
	return 0;
fini_descriptor:
	weft__descriptor_fini(&stream->descriptor);
free_stream:
	free(stream);
	return r;
}

/* Not inlined, so that the return address is the caller's. */
__attribute__((noinline)) int weft_stream_adopt(int fd, weft_stream **stream)
{
	if (!weft__thread.loop)
		return weft__loop_none(__func__);
	return weft__stream_adopt(fd, NULL, __builtin_return_address(0), stream);
}

/* ---- Who may enter ---- */

int weft__stream_check(const weft_stream *stream, const char *function)
{
	if (unlikely(!task_current()))
		return weft__task_none(function);
	return loop_check(stream->descriptor.loop, function);
}

int weft__stream_check_loop(const weft_stream *stream, const char *function)
{
	return loop_check(stream->descriptor.loop, function);
}

void weft__stream_fault(const void *data, size_t size)
{
	/* The kernel does not say which byte it was. */
	for (size_t at = 0; at < size; at += PAGE_BYTES)
		weft__overflow_tell((const char *)data + at);
}

/* ---- Ending ---- */

void weft__stream_unref(weft_stream *stream)
{
	if (--stream->references > 0)
		return;
	weft__stream_drop_input(stream);
	free(stream->peername);
	free(stream->sockname);
	free(stream);
}

/* Closing then drops what the kernel has not sent, and tells the peer by a reset. */
static void make_close_reset(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now,
			 sizeof(now)); /* else an orderly end */
}

void weft__stream_give_up(weft_stream *stream, bool reset)
{
	struct descriptor *descriptor = &stream->descriptor;
	int fd = descriptor->fd;

	if (reset && descriptor->kind == DESCRIPTOR_TCP)
		make_close_reset(fd);
	weft__stream_drop_output(stream);
	if (descriptor->reading)
		weft__op_cancel(descriptor->reading);
	weft__descriptor_fini(descriptor);
	descriptor->fd = -1;
	/* An error here could only speak of bytes that nobody waits for any more. */
	(void)close(fd);
	loop_untrack(&stream->open);
	weft__stream_unref(stream);
}

int weft_stream_close(weft_stream *stream)
{
	int r;

	if (!stream)
		return 0;
	r = weft__stream_check(stream, __func__);
	if (r < 0)
		return r;
	weft_assert(
		!stream->in.busy && !stream->out.busy,
		"weft_stream_close() was called while another task reads or writes: end that "
		"first, or call weft_stream_abort()");
	if (stream->out.stall_ns == WEFT_FOREVER)
		weft__stream_set_write_stall(stream, SOCKET_STALL_NS);
	r = weft__stream_drain(stream);
	weft__stream_give_up(stream, r < 0);
	return r;
}

void weft_stream_abort(weft_stream *stream)
{
	if (!stream)
		return;
	weft_assert(
		loop_check(stream->descriptor.loop, __func__) == 0,
		"weft_stream_abort() was called on a thread that is not that of the stream's "
		"loop: send it there with weft_loop_call_soon_threadsafe()");
	weft__stream_give_up(stream, true);
}

/* ---- Names ---- */

/* The text of an address, kept in *kept; "" without memory. */
static const char *keep_name(char **kept, const union socket_address *address,
			     socklen_t size)
{
	char text[ADDRESS_TEXT_SIZE];

	*kept = weft__strdup(weft__address_format(&address->any, size, text));
	return *kept ? *kept : "";
}

const char *weft_stream_peername(const weft_stream *stream)
{
	weft_stream *mine = (weft_stream *)(uintptr_t)stream; /* the text is kept in it */
	union socket_address address = { .any.sa_family = AF_UNSPEC };
	socklen_t size = sizeof(address);

	if (loop_check(stream->descriptor.loop, __func__) < 0)
		return "";
	if (stream->peername)
		return stream->peername;
	/* The kernel forgets it when the connection breaks; what we know we know. */
	if (stream->peer.any.sa_family)
		memcpy(&address, &stream->peer, sizeof(stream->peer));
	else if (getpeername(stream->descriptor.fd, &address.any, &size) < 0)
		size = 0;
	return keep_name(&mine->peername, &address, size);
}

const char *weft_stream_sockname(const weft_stream *stream)
{
	weft_stream *mine = (weft_stream *)(uintptr_t)stream;
	union socket_address address = { .any.sa_family = AF_UNSPEC };
	socklen_t size = sizeof(address);

	if (loop_check(stream->descriptor.loop, __func__) < 0)
		return "";
	if (stream->sockname)
		return stream->sockname;
	if (getsockname(stream->descriptor.fd, &address.any, &size) < 0)
		size = 0;
	return keep_name(&mine->sockname, &address, size);
}

int weft_stream_fd(const weft_stream *stream)
{
	int r = loop_check(stream->descriptor.loop, __func__);

	return r < 0 ? r : stream->descriptor.fd;
}
