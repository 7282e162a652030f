/*
 * The supervisor's thread: one poll over the signal pipe and, for each process, its pidfd
 * and its control socket. See the header for the model and ipc/slot.c for what follows
 * from what happens.
 *
 * A turn takes messages before deaths (the last words of a process count), deaths before
 * signals, and deadlines last, so that nobody is late for what has arrived already. No
 * turn allocates, and none waits for a worker: sends do not block, and a process is
 * reaped when its pidfd says so.
 */
#include "ipc/slot.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_START	  (30 * WEFT_SEC)
#define DEFAULT_GRACE	  (30 * WEFT_SEC)
#define DEFAULT_STOP	  (200 * WEFT_MSEC)
#define DEFAULT_HEARTBEAT (30 * WEFT_SEC)
#define DEFAULT_DUMP	  (5 * WEFT_SEC)
/* A worker that floods us delays the others by so many messages. */
#define MESSAGES_PER_TURN 64
/* Of one that is dead; its socket holds fewer. */
#define LAST_MESSAGES 4096
/*
 * A turn that begins so late was preceded by a stop (SIGSTOP, a debugger), or a slow
 * callback.
 */
#define LATE (1 * WEFT_SEC)
/*
 * Two requests to stop within this are one: timeout(1) and shells that pass on what the
 * terminal sent already deliver a signal twice.
 */
#define SAME_REQUEST (100 * WEFT_MSEC)

static const int our_signals[] = {
	SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGTTIN, SIGTTOU, SIGCHLD,
};

/* ---- Preparing ---- */

static void fill_in_defaults(struct weft__supervisor_options *options)
{
	if (options->n_workers <= 0)
		options->n_workers = 1;
	if (!options->ready_call)
		options->ready_call = "its ready message";
	if (options->start_ns <= 0)
		options->start_ns = DEFAULT_START;
	if (options->grace_ns <= 0)
		options->grace_ns = DEFAULT_GRACE;
	if (options->stop_ns <= 0)
		options->stop_ns = DEFAULT_STOP;
	if (options->heartbeat_ns == 0)
		options->heartbeat_ns = DEFAULT_HEARTBEAT;
	if (options->dump_ns <= 0)
		options->dump_ns = DEFAULT_DUMP;
}

static int prepare(struct weft__supervisor *supervisor)
{
	int r;

	supervisor->polls = weft__alloc_array(1, sizeof(*supervisor->polls)); /* grows */
	if (!supervisor->polls)
		return -ENOMEM;
	supervisor->n_polls_max = 1;
	r = weft__launch_init(&supervisor->launch, &supervisor->options);
	if (r < 0)
		return r;
	while (supervisor->n_slots < supervisor->options.n_workers) {
		r = weft__slot_add(supervisor);
		if (r < 0)
			return r;
	}
	supervisor->n_wanted = supervisor->n_slots;
	return weft__program_open(&supervisor->program, supervisor->options.program);
}

int weft__supervisor_new(const struct weft__supervisor_options *options,
			 struct weft__supervisor **out)
{
	struct weft__supervisor *supervisor;
	int r;

	weft_assert(options->argv && options->callbacks,
		    "a supervisor needs .argv and .callbacks: set both");
	if (options->n_workers > WEFT__SUPERVISOR_MOST_WORKERS)
		return weft_error_set(-EINVAL, "%d workers: at most %d are supervised",
				      options->n_workers, WEFT__SUPERVISOR_MOST_WORKERS);
	/* Before anything is opened that could take their place. */
	r = weft__open_standard_fds();
	if (r < 0)
		return r;
	supervisor = weft__zalloc(sizeof(*supervisor));
	if (!supervisor)
		return -ENOMEM;
	list_init(&supervisor->slots);
	list_init(&supervisor->processes);
	supervisor->options = *options;
	supervisor->generation = 1;
	fill_in_defaults(&supervisor->options);
	r = prepare(supervisor);
	if (r < 0) {
		weft__supervisor_free(supervisor);
		return r;
	}
	*out = supervisor;
	return 0;
}

void weft__supervisor_free(struct weft__supervisor *supervisor)
{
	if (!supervisor)
		return;
	while (supervisor->n_slots > 0)
		weft__slot_remove(supervisor);
	weft__program_close(&supervisor->program);
	weft__launch_fini(&supervisor->launch);
	free(supervisor->polls);
	free(supervisor);
}

/* ---- Waiting ---- */

static weft_time next_deadline(const struct weft__supervisor *supervisor)
{
	weft_time next = WEFT_FOREVER;

	list_for_each (link, &supervisor->processes)
		next = MIN(next, list_entry(link, struct weft__process, link)->deadline);
	list_for_each (link, &supervisor->slots)
		next = MIN(next, list_entry(link, struct weft__slot, link)->start_at);
	return next;
}

static size_t fill_polls(struct weft__supervisor *supervisor)
{
	struct pollfd *polls = supervisor->polls;
	size_t n = 0;

	polls[n++] = (struct pollfd){ .fd = supervisor->signals.fd, .events = POLLIN };
	list_for_each (link, &supervisor->processes) {
		struct weft__process *process =
			list_entry(link, struct weft__process, link);

		process->poll_at = n;
		polls[n++] =
			(struct pollfd){ .fd = process->child.pidfd, .events = POLLIN };
		/* Entries count against the limit of descriptors, also those of none. */
		if (process->control >= 0)
			polls[n++] = (struct pollfd){ .fd = process->control,
						      .events = POLLIN };
	}
	return n;
}

static void wait_until(struct weft__supervisor *supervisor, weft_time deadline)
{
	size_t n = fill_polls(supervisor);
	weft_time span = MAX(deadline - weft__clock(), 0);
	struct timespec limit = { .tv_sec = span / WEFT_SEC, .tv_nsec = span % WEFT_SEC };
	int r;

	r = ppoll(supervisor->polls, n, deadline == WEFT_FOREVER ? NULL : &limit, NULL);
	weft_assert(
		r >= 0 || errno == EINTR || errno == ENOMEM,
		"the supervisor cannot poll %zu descriptors: raise the limit of descriptors",
		n);
	if (r < 0)
		for (size_t i = 0; i < n; i++)
			supervisor->polls[i].revents = 0; /* they were not filled in */
}

/* One that was started since has no entry yet. */
static bool may_have_ended(const struct weft__supervisor *supervisor,
			   const struct weft__process *process)
{
	return process->poll_at > 0 && supervisor->polls[process->poll_at].revents != 0;
}

static bool has_messages(const struct weft__supervisor *supervisor,
			 const struct weft__process *process)
{
	return process->poll_at > 0 && process->control >= 0 &&
	       supervisor->polls[process->poll_at + 1].revents != 0;
}

/* ---- Processes ---- */

static double seconds(weft_time time)
{
	return (double)time / (double)WEFT_SEC;
}

static void on_bytes(struct weft__supervisor *supervisor,
		     const struct weft__process *process)
{
	const struct weft__control_message *message = &supervisor->message;

	if (supervisor->options.callbacks->on_bytes)
		supervisor->options.callbacks->on_bytes(
			supervisor->options.arg, process->index, process->child.pid,
			weft_bytes_of(message->bytes, message->size));
}

static void on_cut_off(struct weft__supervisor *supervisor,
		       const struct weft__process *process)
{
	double grace = seconds(supervisor->options.grace_ns);

	if (supervisor->stopping == WEFT__STOPPING_DRAIN)
		weft__supervisor_fail(
			supervisor, -ETIMEDOUT,
			"worker %d (pid %d) did not leave within %.3g s and was cut off",
			process->index, (int)process->child.pid, grace);
	weft__tell_of(supervisor, WEFT__NEWS_CUT_OFF, process, 0,
		      "did not leave in time and was cut off");
}

/* What is wrong with it, without a subject. Return: which news that is. */
static enum weft__news_kind describe_failure(const struct weft__supervisor *supervisor,
					     const struct weft__process *process,
					     enum weft__process_outcome outcome,
					     char *text, size_t size)
{
	const struct weft__supervisor_options *options = &supervisor->options;

	switch (outcome) {
	case WEFT__PROCESS_IS_LATE:
		snprintf(text, size, "was not ready within %.3g s%s",
			 seconds(options->start_ns),
			 process->said_hello ? "" : " and never said hello");
		return WEFT__NEWS_LATE;
	case WEFT__PROCESS_IS_HUNG:
		snprintf(text, size, "hangs: its loop %u has been silent for %.3g s",
			 process->hung_loop, seconds(options->heartbeat_ns));
		return WEFT__NEWS_HUNG;
	case WEFT__PROCESS_SPEAKS_OTHERWISE:
		snprintf(
			text, size,
			"speaks version %u of the worker protocol, this supervisor version %d: "
			"stop it and start it anew",
			supervisor->message.protocol, WEFT__CONTROL_PROTOCOL);
		return WEFT__NEWS_BROKEN;
	default:
		snprintf(text, size, "sent what is no message of the worker protocol");
		return WEFT__NEWS_BROKEN;
	}
}

static void on_failure(struct weft__supervisor *supervisor, struct weft__process *process,
		       enum weft__process_outcome outcome)
{
	char text[256], why[320];
	enum weft__news_kind kind;

	kind = describe_failure(supervisor, process, outcome, text, sizeof(text));
	snprintf(why, sizeof(why), "worker %d (pid %d) %s", process->index,
		 (int)process->child.pid, text);
	weft__tell_of(supervisor, kind, process, 0, "%s", text);
	weft__slot_on_failure(supervisor, process, why);
}

static void on_outcome(struct weft__supervisor *supervisor, struct weft__process *process,
		       enum weft__process_outcome outcome)
{
	switch (outcome) {
	case WEFT__PROCESS_NOTHING:
		break;
	case WEFT__PROCESS_IS_READY:
		weft__slot_on_ready(supervisor, process);
		break;
	case WEFT__PROCESS_RETIRES:
		weft__slot_on_retire(supervisor, process);
		break;
	case WEFT__PROCESS_SAYS:
		on_bytes(supervisor, process);
		break;
	case WEFT__PROCESS_WAS_CUT_OFF:
		on_cut_off(supervisor, process);
		break;
	default:
		on_failure(supervisor, process, outcome);
		break;
	}
}

static void read_messages(struct weft__supervisor *supervisor,
			  struct weft__process *process, int most)
{
	enum weft__process_outcome outcome;

	while (most-- > 0 && weft__process_read(process, &supervisor->message, &outcome))
		on_outcome(supervisor, process, outcome);
}

static void read_all(struct weft__supervisor *supervisor)
{
	list_for_each (link, &supervisor->processes) {
		struct weft__process *process =
			list_entry(link, struct weft__process, link);

		if (has_messages(supervisor, process))
			read_messages(supervisor, process, MESSAGES_PER_TURN);
	}
}

static void reap_all(struct weft__supervisor *supervisor)
{
	struct weft__child_end end;

	list_for_each_safe (link, &supervisor->processes) {
		struct weft__process *process =
			list_entry(link, struct weft__process, link);

		if (!may_have_ended(supervisor, process) ||
		    weft__child_reap(&process->child, &end) == 0)
			continue;
		read_messages(supervisor, process, LAST_MESSAGES);
		weft__slot_on_end(supervisor, process, &end);
	}
}

static bool is_ours(const struct weft__supervisor *supervisor, pid_t pid)
{
	list_for_each (link, &supervisor->processes)
		if (list_entry(link, struct weft__process, link)->child.pid == pid)
			return true;
	return false;
}

/*
 * Process 1 inherits the orphans of its container and is the only one that can reap them.
 * It looks at who has ended without taking the status, so that a worker is left to its
 * pidfd.
 */
static void reap_strangers(const struct weft__supervisor *supervisor)
{
	siginfo_t info = { .si_pid = 0 };

	if (!supervisor->options.reap_strangers && getpid() != 1)
		return;
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid != 0) {
		if (is_ours(supervisor, info.si_pid))
			return; /* its turn comes next, the others' after it */
		(void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
		info.si_pid = 0;
	}
}

static void check_deadlines(struct weft__supervisor *supervisor)
{
	weft_time now = weft__clock();

	list_for_each (link, &supervisor->processes) {
		struct weft__process *process =
			list_entry(link, struct weft__process, link);

		on_outcome(supervisor, process, weft__process_check(process, now));
	}
}

static void start_what_is_due(struct weft__supervisor *supervisor)
{
	weft_time now = weft__clock();

	list_for_each (link, &supervisor->slots) {
		struct weft__slot *slot = list_entry(link, struct weft__slot, link);

		if (slot->start_at <= now)
			weft__slot_start(supervisor, slot);
	}
}

static void excuse_all(struct weft__supervisor *supervisor, weft_time late)
{
	list_for_each (link, &supervisor->processes)
		weft__process_excuse(list_entry(link, struct weft__process, link), late);
}

/* ---- Orders ---- */

void weft__supervisor_stop(struct weft__supervisor *supervisor)
{
	if (supervisor->stopping < WEFT__STOPPING_KILL)
		weft__stop(supervisor, supervisor->stopping + 1);
}

void weft__supervisor_reload(struct weft__supervisor *supervisor)
{
	supervisor->reload_wanted =
		true; /* after this turn, or after the present reload */
}

void weft__supervisor_resize(struct weft__supervisor *supervisor, int by)
{
	int wanted =
		MIN(MAX(supervisor->n_wanted + by, 1), WEFT__SUPERVISOR_MOST_WORKERS);

	if (supervisor->stopping != WEFT__STOPPING_NOT)
		return;
	weft__tell(supervisor, WEFT__NEWS_RESIZED, wanted, "%d worker%s wanted%s", wanted,
		   wanted == 1 ? " is" : "s are",
		   wanted == supervisor->n_wanted ? ", as before" : " now");
	supervisor->n_wanted = wanted;
}

int weft__supervisor_send(struct weft__supervisor *supervisor, int index,
			  struct weft_bytes bytes)
{
	list_for_each (link, &supervisor->slots) {
		struct weft__slot *slot = list_entry(link, struct weft__slot, link);

		if (slot->index == index && weft__process_is_ready(slot->current) &&
		    slot->current->control >= 0)
			return weft__control_send(slot->current->control,
						  WEFT__CONTROL_BYTES, 0, bytes);
	}
	return -ESRCH;
}

int weft__supervisor_n_ready(const struct weft__supervisor *supervisor)
{
	int n = 0;

	list_for_each (link, &supervisor->slots)
		n += weft__process_is_ready(
			list_entry(link, struct weft__slot, link)->current);
	return n;
}

static void dump_all(struct weft__supervisor *supervisor)
{
	weft__tell(supervisor, WEFT__NEWS_DUMPING, -1, "asking %zu workers for a dump",
		   supervisor->n_processes);
	list_for_each (link, &supervisor->processes)
		weft__process_dump(list_entry(link, struct weft__process, link));
}

static void pass_on(struct weft__supervisor *supervisor, int signo)
{
	weft__tell(supervisor, WEFT__NEWS_PASSED_ON, signo,
		   "passing SIG%s on to %zu workers", sigabbrev_np(signo),
		   supervisor->n_processes);
	list_for_each (link, &supervisor->processes)
		weft__process_pass_on(list_entry(link, struct weft__process, link),
				      signo);
}

static void on_signal(struct weft__supervisor *supervisor, int signo)
{
	switch (signo) {
	case SIGTERM:
	case SIGINT:
		if (supervisor->stopping == WEFT__STOPPING_NOT ||
		    weft__clock() - supervisor->stop_asked_at >= SAME_REQUEST)
			weft__supervisor_stop(supervisor);
		break;
	case SIGHUP:
		weft__supervisor_reload(supervisor);
		break;
	case SIGQUIT:
		dump_all(supervisor);
		break;
	case SIGUSR1:
		pass_on(supervisor, signo);
		break;
	case SIGTTIN:
		weft__supervisor_resize(supervisor, 1);
		break;
	case SIGTTOU:
		weft__supervisor_resize(supervisor, -1);
		break;
	default:
		break; /* SIGCHLD has done its work by waking us */
	}
}

static void take_signals(struct weft__supervisor *supervisor)
{
	int signo;

	while ((signo = weft__signals_next(&supervisor->signals)) != 0)
		on_signal(supervisor, signo);
}

/* What had to wait for its moment. */
static void follow_wishes(struct weft__supervisor *supervisor)
{
	if (supervisor->stopping != WEFT__STOPPING_NOT || supervisor->reloading)
		return;
	while (supervisor->n_slots > supervisor->n_wanted)
		weft__slot_remove(supervisor);
	while (supervisor->n_slots < supervisor->n_wanted) {
		if (weft__slot_add(supervisor) == 0)
			continue;
		supervisor->n_wanted = supervisor->n_slots;
		weft__tell(supervisor, WEFT__NEWS_RESIZED, supervisor->n_wanted,
			   "no memory for one worker more: %d remain wanted",
			   supervisor->n_wanted);
	}
	if (supervisor->reload_wanted) {
		supervisor->reload_wanted = false;
		weft__reload_begin(supervisor);
	}
}

static void tell_if_all_ready(struct weft__supervisor *supervisor)
{
	if (supervisor->ever_all_ready || supervisor->stopping != WEFT__STOPPING_NOT ||
	    weft__supervisor_n_ready(supervisor) < supervisor->n_slots)
		return;
	supervisor->ever_all_ready = true;
	weft__tell(supervisor, WEFT__NEWS_ALL_READY, supervisor->n_slots,
		   "%d workers are ready", supervisor->n_slots);
}

/* ---- Running ---- */

static void turn(struct weft__supervisor *supervisor)
{
	weft_time deadline = next_deadline(supervisor);
	weft_time late;

	wait_until(supervisor, deadline);
	late = weft__clock() - deadline;
	read_all(supervisor);
	reap_all(supervisor);
	reap_strangers(supervisor);
	take_signals(supervisor);
	follow_wishes(supervisor);
	if (late > LATE)
		excuse_all(supervisor,
			   late); /* and hear them out before anybody is blamed */
	else
		check_deadlines(supervisor);
	start_what_is_due(supervisor); /* late or not: it blames nobody */
	tell_if_all_ready(supervisor);
}

int weft__supervisor_run(struct weft__supervisor *supervisor)
{
	int r;

	r = weft__signals_open(&supervisor->signals, our_signals,
			       ARRAY_SIZE(our_signals));
	if (r < 0)
		return r;
	weft__tell(supervisor, WEFT__NEWS_BEGUN, -1, "supervising %d worker%s",
		   supervisor->n_slots, supervisor->n_slots == 1 ? "" : "s");
	while (supervisor->stopping == WEFT__STOPPING_NOT ||
	       !list_is_empty(&supervisor->processes))
		turn(supervisor);
	weft__signals_close(&supervisor->signals);
	return supervisor->result < 0
		       ? weft_error_set(supervisor->result, "%s", supervisor->result_text)
		       : 0;
}
