/*
 * One supervised process: its states, its control socket, its deadlines.
 *
 * See ipc/supervisor.h for the states. This is mechanism only: what a death or a silence
 * means for its slot is decided by ipc/slot.c. The supervisor's thread.
 */
#ifndef WEFT_IPC_PROCESS_H
#define WEFT_IPC_PROCESS_H

#include "base/list.h"
#include "ipc/control.h"
#include "ipc/launch.h"
#include "ipc/spawn.h"
#include "ipc/supervisor.h"
#include "ipc/worker.h"

struct weft__slot;

enum weft__process_state {
	WEFT__PROCESS_STARTING,
	WEFT__PROCESS_READY,
	WEFT__PROCESS_DRAINING,
	WEFT__PROCESS_DUMPING, /* asked for its last words */
	WEFT__PROCESS_STOPPING,
	WEFT__PROCESS_KILLED,
	WEFT__PROCESS_N_STATES,
};

struct weft__process {
	struct list link; /* supervisor->processes, which owns it */
	/* Where it serves or is to serve; NULL once it was told to leave. Borrowed. */
	struct weft__slot *slot;
	const struct weft__supervisor_options *options; /* borrowed */
	struct weft__child child;
	int control; /* owned; -1 if mute, or closed by the other side */
	int index;
	unsigned generation;
	enum weft__process_state state;
	weft_time deadline; /* of the state; when to look at the heartbeats if READY */
	size_t poll_at; /* in the supervisor's polls: pidfd, then control if any; 0: nowhere */
	bool said_hello;
	bool has_arrived; /* at the call that gets it ready */
	bool was_ready;
	bool wants_replacement;
	bool was_cut_off; /* did not leave in time, or was not given any */
	uint32_t hung_loop;
	uint32_t n_loops;
	weft_time beats[WEFT__WORKER_LOOPS]; /* the last of each loop */
};

/* What a message or a deadline brought to light. */
enum weft__process_outcome {
	WEFT__PROCESS_NOTHING,
	WEFT__PROCESS_IS_READY,
	WEFT__PROCESS_RETIRES, /* wants to be replaced */
	WEFT__PROCESS_SAYS, /* bytes for the layer above */
	WEFT__PROCESS_IS_BROKEN, /* what it sent makes no sense; it is being stopped */
	WEFT__PROCESS_SPEAKS_OTHERWISE, /* another protocol; it is being stopped */
	WEFT__PROCESS_IS_LATE, /* not ready in time; it is being dumped */
	WEFT__PROCESS_IS_HUNG, /* .hung_loop is silent; it is being dumped */
	WEFT__PROCESS_WAS_CUT_OFF, /* not gone in time; it was stopped or killed */
};

/*
 * weft__process_start() - start one
 * @launch:  borrowed; its options as long as the process lives
 * @process: receives it, in state STARTING, or READY if mute; not in any list
 *
 * Return: 0, or a negative errno with a sentence.
 */
int weft__process_start(struct weft__launch *launch, const struct weft__program *program,
			int index, unsigned generation, struct weft__process **process);
/* It has been reaped. */
void weft__process_free(struct weft__process *process);

/* What it is told to do next it does as the last one: all processes of the program end. */
void weft__process_is_last(struct weft__process *process);
/* Nothing happens to one that has got as far already. */
void weft__process_drain(struct weft__process *process);
void weft__process_stop(struct weft__process *process);
void weft__process_kill(struct weft__process *process);

/* Asks for a dump and changes nothing else. */
void weft__process_dump(struct weft__process *process);
void weft__process_pass_on(struct weft__process *process, int signo);

/*
 * weft__process_read() - take one message and do what it asks for
 * @message: room for it; filled in
 * @outcome: receives what came of it
 *
 * Return: is there perhaps another one?
 */
bool weft__process_read(struct weft__process *process,
			struct weft__control_message *message,
			enum weft__process_outcome *outcome);

/* Has its deadline passed? Goes on to the next state then. */
enum weft__process_outcome weft__process_check(struct weft__process *process,
					       weft_time now);

/* The supervisor itself slept for so long: no deadline counts that time. */
void weft__process_excuse(struct weft__process *process, weft_time late);

static inline bool weft__process_is_ready(const struct weft__process *process)
{
	return process && process->state == WEFT__PROCESS_READY;
}

#endif
