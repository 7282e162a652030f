/*
 * Streams: bytes both ways over TCP, Unix sockets, pipes and terminals.
 *
 * Addresses are text: "example.org:80", "127.0.0.1:0", "[::1]:8080", ":8080" or "*:8080" (all
 * interfaces, IPv4 and IPv6), "unix:/run/app.sock", "unix:@abstract", "fd:3" (a descriptor that is
 * open already). A port is a number.
 *
 * One task may read while another writes. A read takes bytes into your memory, or lends a view
 * of the stream's buffer, good until the next read. A write copies what the kernel does not
 * take at once, up to the high-water mark, and suspends above it: write and drain in one. After
 * either has returned, your buffer is yours, however it returned.
 *
 * A TCP peer that takes nothing for 30 s, or is gone without a word, breaks the connection:
 * -ETIMEDOUT. Small writes go out at once (TCP_NODELAY).
 *
 * A server runs a handler for each connection, in a task of its own, on the loop that listens
 * or on the one of its options.loops that has the least to do; a loop that is blocked gets none.
 * The stream is the server's: it is flushed and closed when the handler returns, and aborted when
 * it returns an error. While the process is out of descriptors new connections wait, and after a
 * while are closed one by one, which is reported.
 */
#ifndef WEFT_STREAM_H
#define WEFT_STREAM_H

#include <sys/uio.h>

#include <weft/task.h>

WEFT_BEGIN_DECLS

typedef struct weft_stream weft_stream;
typedef struct weft_server weft_server;

/**
 * weft_connection_fn - serves one connection
 *
 * @stream is borrowed, @arg is what was given to weft_listen() or weft_serve(). A negative
 * return is reported, but for -ECANCELED and the peer's disappearance.
 */
typedef int weft_connection_fn(weft_stream *stream, void *arg);

/* ---- Opening ---- */

/**
 * struct weft_connect_options - zero stands for the default of each
 * @local:           numeric address to connect from, "192.0.2.1:0"
 * @limit_ns:        for look-up and connect together (10 s)
 * @stagger_ns:      until the next address is tried as well (250 ms)
 * @line_limit:      longest line or record, bytes before its ending (64 KiB)
 * @high_water:      a write suspends above so many bytes (64 KiB)
 */
struct weft_connect_options {
	const char *local;
	weft_time limit_ns;
	weft_time stagger_ns;
	size_t line_limit;
	size_t high_water;
	uintptr_t reserved[10];
};

/**
 * weft_connect() - open a connection
 * @address: where to
 * @options: may be NULL
 * @stream:  receives the stream; end it with weft_stream_close() or weft_stream_abort()
 *
 * Return: 0; -ENOENT for an unknown name; -ETIMEDOUT; -ECANCELED; the error of the address
 * tried last, with all of them as children if there were several.
 *
 * Thread: task.
 * Cancellation point: yes; nothing stays open.
 */
WEFT_API WEFT_MUST_CHECK int
weft_connect(const char *address, const struct weft_connect_options *options,
	     weft_stream **stream);

/**
 * weft_stream_adopt() - make a stream of a descriptor
 * @fd:     stream socket, pipe or terminal; the stream's if this returns 0, and set non-blocking
 * @stream: receives the stream
 *
 * Return: 0; -EBADF; -EINVAL for a regular file, or a socket that is no stream; -EBUSY if
 * something else on this loop uses @fd; -ENOMEM.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int weft_stream_adopt(int fd, weft_stream **stream);

/* ---- Reading ---- */

/**
 * weft_stream_read() - read what is there
 * @stream: one task at a time reads
 * @buffer: filled, borrowed until this returns
 * @size:   at least 1
 *
 * Return: the number of bytes, at least 1; 0 at the end of the stream; -ECONNRESET,
 * -ECANCELED with nothing lost, -EBUSY if another task is reading.
 *
 * Thread: task, on the stream's loop.
 * Cancellation point: yes, unless bytes are buffered.
 */
WEFT_API WEFT_MUST_CHECK ssize_t
weft_stream_read(weft_stream *stream, void *buffer, size_t size);

/**
 * weft_stream_read_exactly() - read so many bytes
 * @stream: as above
 * @buffer: filled
 * @size:   bytes wanted
 *
 * Return: @size; -ENODATA if the stream ends before, with what came still to be read; and as
 * weft_stream_read().
 *
 * Thread: task, on the stream's loop.
 * Cancellation point: yes, unless the bytes are buffered.
 */
WEFT_API WEFT_MUST_CHECK ssize_t
weft_stream_read_exactly(weft_stream *stream, void *buffer, size_t size);

/**
 * weft_stream_read_line() - read a line, without copying it
 * @stream: as above
 * @line:   receives the line, terminated by a zero byte, without its "\n" or "\r\n"; good until
 *          the next read
 *
 * Return: bytes taken from the stream, line ending included; 0 at the end of the stream;
 * -ENODATA if the stream ends before the line does, with the rest still to be read, by
 * weft_stream_read(); -EMSGSIZE with more than the line limit before the ending, the bytes still
 * to be read; and as weft_stream_read().
 *
 * Thread: task, on the stream's loop.
 * Cancellation point: yes, unless a line is buffered.
 */
WEFT_API WEFT_MUST_CHECK ssize_t weft_stream_read_line(weft_stream *stream, char **line);

/**
 * weft_stream_read_until() - read up to and including a separator, without copying
 * @stream:    as above
 * @separator: not empty
 * @record:    receives the bytes, separator included; good until the next read
 *
 * Return: the size of @record; 0 if the stream ends at once, -ENODATA if it ends before the
 * separator, with the rest still to be read; -EMSGSIZE with more than the line limit before the
 * separator; and as weft_stream_read_line().
 *
 * Thread: task, on the stream's loop.
 * Cancellation point: yes, unless the record is buffered.
 */
WEFT_API WEFT_MUST_CHECK ssize_t
weft_stream_read_until(weft_stream *stream, struct weft_bytes separator,
		       struct weft_bytes *record);

/* ---- Writing ---- */

/**
 * weft_stream_write() - write all of it, and wait if the peer is slow
 * @stream: the stream
 * @data:   the caller's again on return
 * @size:   bytes at @data
 *
 * Return: 0; -EPIPE or -ECONNRESET; -ETIMEDOUT; -EBUSY if another task is writing; -ECANCELED:
 * if a part was sent and the rest was not, later writes answer -EPIPE, so a cut message is never
 * followed by another.
 *
 * Thread: task, on the stream's loop.
 * Cancellation point: yes, above the high-water mark.
 */
WEFT_API int weft_stream_write(weft_stream *stream, const void *data, size_t size);

/**
 * weft_stream_writev() - weft_stream_write() from several places
 * @stream: the stream
 * @parts:  as for writev(2)
 * @n:      number of @parts
 *
 * Return: as weft_stream_write().
 *
 * Thread: task, on the stream's loop.
 * Cancellation point: yes, above the high-water mark.
 */
WEFT_API int weft_stream_writev(weft_stream *stream, const struct iovec *parts, size_t n);

/**
 * weft_stream_printf() - weft_stream_write() of formatted text
 * @stream: the stream
 * @format: as for printf(3)
 *
 * Return: as weft_stream_write(), or -ENOMEM.
 *
 * Thread: task, on the stream's loop.
 * Cancellation point: yes, above the high-water mark.
 */
WEFT_API int weft_stream_printf(weft_stream *stream, const char *format, ...)
	WEFT_PRINTF(2, 3);

/**
 * weft_stream_flush() - wait until the kernel has everything
 * @stream: the stream
 *
 * Return: as weft_stream_write().
 *
 * Thread: task, on the stream's loop.
 * Cancellation point: yes, unless nothing is buffered.
 */
WEFT_API int weft_stream_flush(weft_stream *stream);

/**
 * weft_stream_write_eof() - flush, then tell the peer that no more will come
 * @stream: can still be read
 *
 * Return: as weft_stream_flush(); -ENOTSUP for a pipe or terminal, which ends by its close.
 *
 * Thread: task, on the stream's loop.
 * Cancellation point: yes, unless nothing is buffered.
 */
WEFT_API int weft_stream_write_eof(weft_stream *stream);

/* ---- Ending ---- */

/**
 * weft_stream_close() - flush, close and release the stream
 * @stream: the caller's; may be NULL; no other task uses it
 *
 * Return: 0, or why bytes were lost; -ECANCELED, or -ETIMEDOUT after 30 s without progress.
 * Released in any case.
 *
 * Thread: task, on the stream's loop.
 * Cancellation point: yes, unless nothing is buffered.
 */
WEFT_API int weft_stream_close(weft_stream *stream);

/**
 * weft_stream_abort() - drop what is buffered, close and release the stream, at once
 * @stream: the caller's; may be NULL; a task that waits on it gets -ECONNABORTED
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API void weft_stream_abort(weft_stream *stream);

/* ---- More ---- */

/**
 * weft_stream_peername() - the peer's address as text
 * @stream: the stream
 *
 * Return: borrowed from @stream, "192.0.2.7:41234"; "" if it has none.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API const char *weft_stream_peername(const weft_stream *stream);

/**
 * weft_stream_sockname() - our own address as text
 * @stream: the stream
 *
 * Return: borrowed from @stream.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API const char *weft_stream_sockname(const weft_stream *stream);

/**
 * weft_stream_fd() - the descriptor, for socket options and credentials
 * @stream: the stream
 *
 * Return: borrowed from @stream; do not read, write or close it.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API int weft_stream_fd(const weft_stream *stream);

/* ---- Servers ---- */

/**
 * struct weft_listen_options - zero stands for the default of each
 * @loops:           spread connections over these loops (only the listening one)
 * @backlog:         (128)
 * @max_connections: accept no more than this at a time (no limit)
 * @reuse_port:      one socket per loop, SO_REUSEPORT: each loop serves what the kernel gives it,
 *                   a blocked one keeps it waiting
 * @line_limit:      as for weft_connect()
 * @high_water:      as for weft_connect()
 */
struct weft_listen_options {
	weft_loops *loops;
	int backlog;
	int max_connections;
	bool reuse_port;
	size_t line_limit;
	size_t high_water;
	uintptr_t reserved[9];
};

/**
 * weft_listen() - accept connections and run a handler for each
 * @address: where; port 0 picks one; a path is made for this user alone (mode 0600), and replaces
 *           a socket that nobody listens on any more
 * @options: may be NULL
 * @handler: runs in a task of its own
 * @arg:     borrowed until the server is closed
 * @server:  receives the server; end it with weft_server_close()
 *
 * Return: 0; -EADDRINUSE, -EACCES, -EINVAL …, with the address in the message.
 *
 * Thread: task.
 * Cancellation point: yes, where a name has to be looked up.
 */
WEFT_API WEFT_MUST_CHECK int
weft_listen(const char *address, const struct weft_listen_options *options,
	    weft_connection_fn *handler, void *arg, weft_server **server);

/**
 * weft_stream_finish_on_cancel() - tell the server that a cancelled handler finishes in good order
 * @stream: the handler's
 *
 * Without this a server that is being closed leaves a handler alone until the grace is over: it
 * cannot know what a cancellation would cut. With it the handler is cancelled at once: its wait for
 * the next message returns -ECANCELED, it completes what it has begun, within the grace, and
 * returns 0.
 *
 * Thread: task, the one that runs the handler.
 * Cancellation point: no.
 */
WEFT_API void weft_stream_finish_on_cancel(weft_stream *stream);

/**
 * weft_server_address() - where it listens, with the port that was picked
 * @server: the server
 *
 * Return: borrowed from @server, "127.0.0.1:40123".
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API const char *weft_server_address(const weft_server *server);

/**
 * weft_server_close() - stop listening, let handlers finish, release the server
 * @server:   the caller's; may be NULL
 * @grace_ns: then the handlers left are cancelled (see also weft_stream_finish_on_cancel())
 *
 * Who has connected by then is served, as far as .max_connections allows it; from the moment of the
 * call new connections are refused. It returns when all handlers have, so one that ignores its
 * cancellation keeps it. A descriptor that was given as "fd:3" goes on listening.
 *
 * Return: 0; -ETIMEDOUT if handlers had to be cancelled; -ECANCELED if the caller was: released in
 * any case. -EDEADLK, with nothing done, in one of its own handlers.
 *
 * Thread: task, on the server's loop.
 * Cancellation point: yes; acts as if the grace were over.
 */
WEFT_API int weft_server_close(weft_server *server, weft_time grace_ns);

/**
 * weft_server_abort() - stop listening, cancel the handlers, release the server, without waiting
 * @server: the caller's; may be NULL; the handlers' arg has to live as long as they do
 *
 * Who has connected and was not let in yet is turned away.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API void weft_server_abort(weft_server *server);

/**
 * weft_server_serve_forever() - wait to be cancelled, then close
 * @server:   the caller's
 * @grace_ns: as for weft_server_close()
 *
 * Under weft_run() that is SIGINT or SIGTERM. Being cancelled is how serving ends, so it is not
 * an error here.
 *
 * Return: as weft_server_close(), with the server closed and released.
 *
 * Thread: task, on the server's loop.
 * Cancellation point: yes.
 */
WEFT_API int weft_server_serve_forever(weft_server *server, weft_time grace_ns);

WEFT_END_DECLS

#endif
