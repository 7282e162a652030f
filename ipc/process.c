/*
 * One supervised process; see the header.
 *
 * Heartbeats only note a time; the silence of the loops is looked at when the first of
 * them can have lasted too long, so that a beat costs one store however many loops there
 * are.
 */
#include "ipc/process.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define BEATS_PER_DEADLINE 4 /* so three may be lost or late */

static const uint8_t may_follow[] = {
	[WEFT__PROCESS_STARTING] = BIT(WEFT__PROCESS_READY) | BIT(WEFT__PROCESS_DUMPING) |
				   BIT(WEFT__PROCESS_STOPPING) |
				   BIT(WEFT__PROCESS_KILLED),
	[WEFT__PROCESS_READY] = BIT(WEFT__PROCESS_DRAINING) | BIT(WEFT__PROCESS_DUMPING) |
				BIT(WEFT__PROCESS_STOPPING) | BIT(WEFT__PROCESS_KILLED),
	[WEFT__PROCESS_DRAINING] =
		BIT(WEFT__PROCESS_STOPPING) | BIT(WEFT__PROCESS_KILLED),
	[WEFT__PROCESS_DUMPING] = BIT(WEFT__PROCESS_STOPPING) | BIT(WEFT__PROCESS_KILLED),
	[WEFT__PROCESS_STOPPING] = BIT(WEFT__PROCESS_KILLED),
	[WEFT__PROCESS_KILLED] = 0,
};
static_assert(ARRAY_SIZE(may_follow) == WEFT__PROCESS_N_STATES, "one row per state");

/* Is it allowed from here? Then goes there, with so much time to spend. */
static bool enter(struct weft__process *process, enum weft__process_state state,
		  weft_time time)
{
	if (!(may_follow[process->state] & BIT(state)))
		return false;
	process->state = state;
	process->deadline = weft__time_add(weft__clock(), time);
	return true;
}

/* A process that does not read is found by its deadline, one that has gone by its pidfd.
 */
static void tell(struct weft__process *process, enum weft__control_kind kind,
		 uint64_t value)
{
	if (process->control >= 0)
		(void)weft__control_send(process->control, kind, value,
					 (struct weft_bytes){ 0 });
}

/* ---- Start and end ---- */

static weft_time beat_interval(const struct weft__supervisor_options *options)
{
	return options->heartbeat_ns < 0 ? 0 : options->heartbeat_ns / BEATS_PER_DEADLINE;
}

static void write_mark(const struct weft__process *process, struct weft__launch *launch)
{
	struct weft__worker worker = {
		.control = WEFT__SUPERVISOR_CONTROL_FD,
		.supervisor = getpid(),
		.index = process->index,
		.generation = process->generation,
		.first_fd = WEFT__SUPERVISOR_FIRST_FD,
		.n_fds = (int)process->options->n_fds,
		.beat_ns = beat_interval(process->options),
	};
	int size = weft__worker_format_mark(&worker, launch->mark, launch->mark_bytes);

	weft_assert((size_t)size < launch->mark_bytes,
		    "a mark of %d bytes: give it more room", size);
}

static int spawn_worker(struct weft__process *process, struct weft__launch *launch)
{
	int theirs, r;

	if (process->options->mute)
		return weft__spawn(&launch->spawn, &process->child);
	r = weft__control_pair(&process->control, &theirs);
	if (r < 0)
		return r;
	launch->fds[0] = (struct weft__spawn_fd){ theirs, WEFT__SUPERVISOR_CONTROL_FD };
	write_mark(process, launch);
	r = weft__spawn(&launch->spawn, &process->child);
	(void)close(theirs); /* the child's now */
	if (r < 0)
		(void)close(process->control);
	return r;
}

int weft__process_start(struct weft__launch *launch, const struct weft__program *program,
			int index, unsigned generation, struct weft__process **started)
{
	struct weft__process *process;
	int r;

	process = weft__zalloc(sizeof(*process));
	if (!process)
		return weft_error_set(-ENOMEM, "no memory to start worker %d", index);
	list_init(&process->link);
	process->options = launch->options;
	process->control = -1;
	process->index = index;
	process->generation = generation;
	process->deadline = weft__time_add(weft__clock(), launch->options->start_ns);
	launch->spawn.program = program;
	r = spawn_worker(process, launch);
	if (r < 0) {
		free(process);
		return r;
	}
	if (launch->options->mute) {
		process->was_ready = true;
		(void)enter(process, WEFT__PROCESS_READY, WEFT_FOREVER);
	}
	*started = process;
	return 0;
}

void weft__process_free(struct weft__process *process)
{
	list_unlink(&process->link);
	if (process->control >= 0)
		(void)close(process->control); /* nothing to lose */
	free(process);
}

/* ---- Orders ---- */

void weft__process_is_last(struct weft__process *process)
{
	tell(process, WEFT__CONTROL_LAST, 0);
}

void weft__process_drain(struct weft__process *process)
{
	weft_time grace = process->options->grace_ns;

	if (process->state == WEFT__PROCESS_STARTING) {
		weft__process_stop(process); /* it has nothing to drain */
		return;
	}
	if (!enter(process, WEFT__PROCESS_DRAINING, grace))
		return;
	tell(process, WEFT__CONTROL_DRAIN, (uint64_t)grace);
	if (process->options->mute)
		(void)weft__child_signal(&process->child,
					 SIGTERM); /* gone: the pidfd says it */
}

void weft__process_stop(struct weft__process *process)
{
	if (process->options->mute)
		weft__process_kill(process); /* SIGTERM it had, or has no right to */
	else if (enter(process, WEFT__PROCESS_STOPPING, process->options->stop_ns))
		tell(process, WEFT__CONTROL_STOP, 0);
}

void weft__process_kill(struct weft__process *process)
{
	if (enter(process, WEFT__PROCESS_KILLED, WEFT_FOREVER))
		(void)weft__child_signal(&process->child, SIGKILL); /* as above */
}

void weft__process_dump(struct weft__process *process)
{
	tell(process, WEFT__CONTROL_DUMP, 0);
}

void weft__process_pass_on(struct weft__process *process, int signo)
{
	if (process->options->mute)
		(void)weft__child_signal(&process->child, signo); /* as above */
	else
		tell(process, WEFT__CONTROL_SIGNAL, (uint64_t)signo);
}

/* Something is wrong with it, and it has to go once it has told what it was doing. */
static void dump_and_kill(struct weft__process *process)
{
	if (process->control < 0)
		weft__process_kill(process);
	else if (enter(process, WEFT__PROCESS_DUMPING, process->options->dump_ns))
		weft__process_dump(process);
}

/* ---- Messages ---- */

/*
 * It makes no sense to listen to it any further. Worth telling unless it was leaving
 * anyway.
 */
static enum weft__process_outcome give_up(struct weft__process *process,
					  enum weft__process_outcome outcome)
{
	enum weft__process_state before = process->state;

	weft__process_stop(process);
	return process->state != before ? outcome : WEFT__PROCESS_NOTHING;
}

static enum weft__process_outcome on_ready(struct weft__process *process,
					   uint64_t n_loops)
{
	weft_time now = weft__clock();

	if (n_loops > WEFT__WORKER_LOOPS)
		return give_up(process, WEFT__PROCESS_IS_BROKEN);
	if (process->state != WEFT__PROCESS_STARTING)
		return WEFT__PROCESS_NOTHING; /* said twice, or told to leave meanwhile */
	process->was_ready = true;
	process->n_loops = (uint32_t)n_loops;
	for (uint32_t i = 0; i < process->n_loops; i++)
		process->beats[i] = now;
	(void)enter(process, WEFT__PROCESS_READY,
		    n_loops > 0 && process->options->heartbeat_ns > 0
			    ? process->options->heartbeat_ns
			    : WEFT_FOREVER);
	return WEFT__PROCESS_IS_READY;
}

static enum weft__process_outcome on_message(struct weft__process *process,
					     const struct weft__control_message *message)
{
	switch (message->kind) {
	case WEFT__CONTROL_HELLO:
		process->said_hello = true;
		return WEFT__PROCESS_NOTHING;
	case WEFT__CONTROL_ARRIVED:
		process->has_arrived = true;
		return WEFT__PROCESS_NOTHING;
	case WEFT__CONTROL_READY:
		return on_ready(process, message->value);
	case WEFT__CONTROL_HEARTBEAT:
		if (message->value < process->n_loops)
			process->beats[message->value] = weft__clock();
		return WEFT__PROCESS_NOTHING;
	case WEFT__CONTROL_RETIRE:
		if (process->wants_replacement)
			return WEFT__PROCESS_NOTHING;
		process->wants_replacement = true;
		return WEFT__PROCESS_RETIRES;
	case WEFT__CONTROL_DUMPED:
		if (process->state == WEFT__PROCESS_DUMPING)
			weft__process_kill(process);
		return WEFT__PROCESS_NOTHING;
	case WEFT__CONTROL_BYTES:
		return WEFT__PROCESS_SAYS;
	default:
		return give_up(process, WEFT__PROCESS_IS_BROKEN);
	}
}

/*
 * A process that ends closes its socket a moment before its pidfd tells. One that does
 * not end within stop_ns has closed it otherwise, and can be told nothing any more. One
 * that drains keeps the time it was given: main() may have a lot to put away.
 */
static void on_closed(struct weft__process *process)
{
	(void)close(process->control);
	process->control = -1;
	if (process->state == WEFT__PROCESS_DRAINING)
		return;
	(void)enter(process, WEFT__PROCESS_STOPPING, process->options->stop_ns);
}

bool weft__process_read(struct weft__process *process,
			struct weft__control_message *message,
			enum weft__process_outcome *outcome)
{
	*outcome = WEFT__PROCESS_NOTHING;
	if (process->control < 0)
		return false;
	switch (weft__control_receive(process->control, message)) {
	case 0:
		*outcome = on_message(process, message);
		return true;
	case -EAGAIN:
		return false;
	case -EPROTONOSUPPORT:
		*outcome = give_up(process, WEFT__PROCESS_SPEAKS_OTHERWISE);
		return true;
	case -EPROTO:
		*outcome = give_up(process, WEFT__PROCESS_IS_BROKEN);
		return true;
	default:
		on_closed(process);
		return false;
	}
}

/* ---- Deadlines ---- */

static enum weft__process_outcome check_beats(struct weft__process *process,
					      weft_time now)
{
	uint32_t oldest = 0;

	for (uint32_t i = 1; i < process->n_loops; i++)
		if (process->beats[i] < process->beats[oldest])
			oldest = i;
	process->deadline =
		weft__time_add(process->beats[oldest], process->options->heartbeat_ns);
	if (now < process->deadline)
		return WEFT__PROCESS_NOTHING;
	process->hung_loop = oldest;
	dump_and_kill(process);
	return WEFT__PROCESS_IS_HUNG;
}

enum weft__process_outcome weft__process_check(struct weft__process *process,
					       weft_time now)
{
	if (now < process->deadline)
		return WEFT__PROCESS_NOTHING;
	switch (process->state) {
	case WEFT__PROCESS_STARTING:
		dump_and_kill(process);
		return WEFT__PROCESS_IS_LATE;
	case WEFT__PROCESS_READY:
		return check_beats(process, now);
	case WEFT__PROCESS_DRAINING:
		process->was_cut_off = true;
		weft__process_stop(process);
		return WEFT__PROCESS_WAS_CUT_OFF;
	case WEFT__PROCESS_STOPPING:
		weft__process_kill(process);
		if (process->was_cut_off || !process->was_ready)
			return WEFT__PROCESS_NOTHING; /* told; or nothing to cut */
		process->was_cut_off = true;
		return WEFT__PROCESS_WAS_CUT_OFF;
	case WEFT__PROCESS_DUMPING:
		weft__process_kill(process);
		return WEFT__PROCESS_NOTHING; /* told when it began */
	default:
		return WEFT__PROCESS_NOTHING;
	}
}

void weft__process_excuse(struct weft__process *process, weft_time late)
{
	process->deadline = weft__time_add(process->deadline, late);
	for (uint32_t i = 0; i < process->n_loops; i++)
		process->beats[i] += late;
}
