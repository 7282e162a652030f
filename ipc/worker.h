/*
 * The worker's side of supervision.
 *
 * A process that a supervisor started finds a mark in its environment: who the supervisor
 * is, and where the control socket and the descriptors handed down are.
 * weft__worker_begin() takes the mark out again, so that what the worker starts in its
 * turn is not mistaken for a worker. It also ignores SIGTTIN and SIGTTOU, unless the
 * program handles them: a worker is in the background of its terminal.
 *
 * Plain functions on a descriptor: whoever owns the worker waits until .control is
 * readable and then calls weft__worker_receive() until it returns -EAGAIN. -EPIPE there
 * is the end of the supervisor: finish and leave. Sending: any thread. The rest: one
 * thread.
 */
#ifndef WEFT_IPC_WORKER_H
#define WEFT_IPC_WORKER_H

#include "ipc/control.h"

/* The variable that carries the mark. */
#define WEFT__WORKER_MARK "WEFT_WORKER"
/* Most loops of a worker whose heartbeats are watched one by one. */
#define WEFT__WORKER_LOOPS 1024

struct weft__worker {
	int control; /* owned; non-blocking */
	pid_t supervisor;
	int index; /* of the slot; the same after a restart */
	unsigned generation; /* grows with each reload */
	int first_fd; /* those handed down: n_fds from here on, close-on-exec again */
	int n_fds;
	weft_time beat_ns; /* how often each loop is to send a heartbeat; 0: never */
};

/* What the supervisor writes into the environment. Return: as snprintf(). */
int weft__worker_format_mark(const struct weft__worker *worker, char *buffer,
			     size_t size);

/*
 * weft__worker_begin() - find out whether this process was started as a worker, and say
 * hello
 * @worker: filled in if it was
 *
 * Return: 1 if it was, 0 if not; with a sentence: -EPROTONOSUPPORT if the supervisor
 * speaks another version of the protocol (it is told), -EBADF if the mark does not fit
 * this process.
 *
 * Thread: the only one, for it changes the environment.
 */
int weft__worker_begin(struct weft__worker *worker);

/* Closes the control socket, which the supervisor takes for the beginning of the end. */
void weft__worker_end(struct weft__worker *worker);

/*
 * Says that this worker has come to the call that gets it ready, so that a death from now on is
 * not put down to a main() that never makes that call. Return: as weft__worker_ready().
 */
int weft__worker_arrived(const struct weft__worker *worker);

/*
 * weft__worker_ready() - tell the supervisor that this worker serves
 * @worker:  ours
 * @n_loops: how many loops will send heartbeats, from 0 on; up to WEFT__WORKER_LOOPS
 *
 * Return: this and all that follow: 0; -EAGAIN if the supervisor does not read at
 * present; -EPIPE if it has gone.
 */
int weft__worker_ready(const struct weft__worker *worker, unsigned n_loops);
/* From the loop itself, every beat_ns. One that is lost (-EAGAIN) does not matter. */
int weft__worker_beat(const struct weft__worker *worker, unsigned loop);
/* Asks to be replaced; the worker serves until it is told to drain. */
int weft__worker_retire(const struct weft__worker *worker);
/* The dump that was asked for is written: nobody has to wait for it any longer. */
int weft__worker_dumped(const struct weft__worker *worker);
int weft__worker_send(const struct weft__worker *worker, struct weft_bytes bytes);

/* Return: as weft__control_receive(). */
int weft__worker_receive(const struct weft__worker *worker,
			 struct weft__control_message *message);

#endif
