/*
 * What a supervisor and its workers say to each other.
 *
 * One packet on a SOCK_SEQPACKET socket pair is one message, so a process that dies in
 * mid-sentence never leaves half of one. The pair lives as long as the worker: the end of
 * either side is the end-of-file of the other. Sockets are non-blocking and close-on-exec
 * from birth.
 *
 * The first eight bytes of a message, and HELLO, are the same in every version of the
 * protocol, for two versions meet whenever a new binary is deployed under a running
 * supervisor.
 *
 * Sending: any thread, several at once. Receiving: one thread.
 */
#ifndef WEFT_IPC_CONTROL_H
#define WEFT_IPC_CONTROL_H

#include "base/base.h"

#define WEFT__CONTROL_PROTOCOL 1
/* The most bytes that a BYTES message carries; longer texts are sent in pieces. */
#define WEFT__CONTROL_MOST_BYTES ((size_t)8 * 1024)

enum weft__control_kind {
	/* Worker to supervisor. */
	WEFT__CONTROL_HELLO = 1, /* first of all */
	WEFT__CONTROL_ARRIVED, /* it has come to the call that gets it ready */
	WEFT__CONTROL_READY, /* it serves; value: how many loops will send heartbeats */
	WEFT__CONTROL_HEARTBEAT, /* value: which loop */
	WEFT__CONTROL_RETIRE, /* it wants to be replaced, and serves until it is */
	WEFT__CONTROL_DUMPED, /* the dump that was asked for is complete */
	/* Supervisor to worker. */
	WEFT__CONTROL_LAST, /* before DRAIN: nobody comes after it, all of us end */
	WEFT__CONTROL_DRAIN, /* take nothing new, finish, leave; value: ns it has */
	WEFT__CONTROL_STOP, /* leave at once */
	WEFT__CONTROL_DUMP, /* tell what every task does, and go on */
	WEFT__CONTROL_SIGNAL, /* value: a signal that the supervisor got and passes on */
	/* Either way. */
	WEFT__CONTROL_BYTES, /* of the layer above */
};

struct weft__control_message {
	uint16_t protocol; /* of the sender */
	uint16_t kind;
	uint64_t value;
	size_t size; /* of bytes */
	unsigned char bytes[WEFT__CONTROL_MOST_BYTES];
};

/* Return: 0, with both ends the caller's; or a negative errno, with a sentence. */
int weft__control_pair(int *supervisor_end, int *worker_end);

/*
 * weft__control_send() - send one message
 * @fd:    an end of a pair
 * @kind:  what it says
 * @value: see the kinds; else 0
 * @bytes: up to WEFT__CONTROL_MOST_BYTES
 *
 * Return: 0; -EAGAIN if the other side does not read and the socket is full; -EPIPE if it
 * has gone; -EMSGSIZE.
 */
int weft__control_send(int fd, enum weft__control_kind kind, uint64_t value,
		       struct weft_bytes bytes);

/*
 * weft__control_receive() - take the next message
 * @fd:      an end of a pair
 * @message: receives it
 *
 * Return: 0; -EAGAIN if there is none; -EPIPE if the other side has gone; -EPROTO if it
 * is no message; -EPROTONOSUPPORT if it is of another version of the protocol, with only
 * .protocol filled in.
 */
int weft__control_receive(int fd, struct weft__control_message *message);

/* Is this descriptor a worker's end whose supervisor is process `supervisor`? */
bool weft__control_is_from(int fd, pid_t supervisor);

#endif
