/*
 * Streams, for the folders above; <weft/stream.h> has the model for callers.
 *
 * What a parser needs: a look at the bytes where they lie, and ends that do not lose an answer on
 * its way. All in a task, on the stream's loop.
 */
#ifndef WEFT_NET_STREAM_H
#define WEFT_NET_STREAM_H

#include <weft/stream.h>

#include "base/base.h"

/* Refuses what was called outside a task, or away from the stream's loop. 0 or -EPERM. */
int weft__stream_check(const weft_stream *stream, const char *function);
/* The same where it need not be a task. */
int weft__stream_check_loop(const weft_stream *stream, const char *function);

/*
 * Waits until more than `more_than` bytes are buffered and lends all that are, until the next
 * read. The caller limits how far it asks. Return: how many are buffered, `more_than` or less
 * only at the end of the stream; and as weft_stream_read().
 */
ssize_t weft__stream_peek(weft_stream *stream, const char **data, size_t more_than);
/* Takes so many of the buffered bytes from the stream. */
void weft__stream_consume(weft_stream *stream, size_t size);
/* How many bytes have been received and not read. */
size_t weft__stream_buffered(const weft_stream *stream);

/*
 * Ends our side, then reads and drops what still comes, until the peer has ended its own, or the
 * time is over, or so many bytes have come. A plain close would answer them by a reset, which can
 * destroy an answer on its way. Not cut by a cancellation: that comes at the next wait. Return: 0,
 * or why not all of what was written went out.
 */
int weft__stream_linger(weft_stream *stream, weft_time limit_ns, size_t limit_bytes);

/* Is there something that has come and was not read, here or in the kernel? */
bool weft__stream_has_unread(const weft_stream *stream);
/* Has the peer ended its side, or broken the connection, with nothing left to read? */
bool weft__stream_peer_is_gone(const weft_stream *stream);

/* How long a write may go on without the peer taking a byte: then it is -ETIMEDOUT. */
void weft__stream_set_write_stall(weft_stream *stream, weft_time stall_ns);

#endif
