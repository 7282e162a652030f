/*
 * The worker's side of supervision; see the header.
 *
 * The mark begins with the version of the protocol and the control descriptor in every
 * version, so that both sides can say which versions met.
 */
#include "ipc/worker.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int weft__worker_format_mark(const struct weft__worker *worker, char *buffer, size_t size)
{
	return snprintf(buffer, size,
			WEFT__WORKER_MARK
			"=protocol=%d control=%d supervisor=%d index=%d "
			"generation=%u first_fd=%d fds=%d beat_ns=%" PRId64,
			WEFT__CONTROL_PROTOCOL, worker->control, (int)worker->supervisor,
			worker->index, worker->generation, worker->first_fd,
			worker->n_fds, worker->beat_ns);
}

static bool parse_mark(const char *mark, struct weft__worker *worker)
{
	int supervisor, end = 0;

	if (sscanf(mark,
		   "protocol=%*d control=%d supervisor=%d index=%d generation=%u first_fd=%d "
		   "fds=%d beat_ns=%" SCNd64 "%n",
		   &worker->control, &supervisor, &worker->index, &worker->generation,
		   &worker->first_fd, &worker->n_fds, &worker->beat_ns, &end) != 7)
		return false;
	worker->supervisor = supervisor;
	return mark[end] == '\0' && worker->index >= 0 && worker->n_fds >= 0;
}

/* Descriptors that were handed down are ours now, not those of what we execute. */
static int keep_fds(const struct weft__worker *worker)
{
	if (fcntl(worker->control, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	for (int i = 0; i < worker->n_fds; i++)
		if (fcntl(worker->first_fd + i, F_SETFD, FD_CLOEXEC) < 0)
			return -errno;
	return 0;
}

/*
 * A program that is executed through a descriptor is named after its number until
 * Linux 6.14, and then nobody finds it by name.
 */
static void repair_name(void)
{
	char name[16] = "";

	if (prctl(PR_GET_NAME, name, 0, 0, 0) == 0 && isdigit((unsigned char)name[0]))
		(void)prctl(PR_SET_NAME, program_invocation_short_name, 0, 0, 0);
}

/*
 * A worker has a process group of its own, so for the terminal it is in the background, also
 * where its supervisor is not. It shall not be stopped for a line that it prints.
 */
static void ignore_terminal(void)
{
	static const int signals[] = { SIGTTIN, SIGTTOU };
	struct sigaction action;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigaction(signals[i], NULL, &action) == 0 &&
		    action.sa_handler == SIG_DFL)
			(void)signal(signals[i], SIG_IGN);
}

/* Something is wrong with the mark. */
static int misfit(const char *mark, const char *why)
{
	return weft_error_set(
		-EBADF,
		"%s is set (%s) but %s; unset it if this process is not to be a "
		"worker",
		WEFT__WORKER_MARK, mark, why);
}

static int begin_with(const char *mark, struct weft__worker *worker)
{
	struct weft__worker found = { .control = -1 };
	int protocol;

	if (sscanf(mark, "protocol=%d control=%d", &protocol, &found.control) != 2)
		return misfit(mark, "cannot be understood");
	if (protocol != WEFT__CONTROL_PROTOCOL) {
		(void)weft__control_send(
			found.control, WEFT__CONTROL_HELLO, 0,
			(struct weft_bytes){ 0 }); /* it learns our version */
		return weft_error_set(
			-EPROTONOSUPPORT,
			"this program speaks version %d of the worker protocol, its "
			"supervisor version %d: stop the old one and start it anew",
			WEFT__CONTROL_PROTOCOL, protocol);
	}
	if (!parse_mark(mark, &found))
		return misfit(mark, "cannot be understood");
	if (!weft__control_is_from(found.control, found.supervisor))
		return misfit(mark,
			      "that descriptor is not the socket of that supervisor");
	if (keep_fds(&found) < 0)
		return misfit(mark, "not all of the descriptors are open");
	repair_name();
	ignore_terminal();
	(void)weft__control_send(
		found.control, WEFT__CONTROL_HELLO, 0,
		(struct weft_bytes){ 0 }); /* if it has gone, receiving says so */
	*worker = found;
	return 1;
}

int weft__worker_begin(struct weft__worker *worker)
{
	const char *mark = getenv(WEFT__WORKER_MARK);
	int r;

	if (!mark)
		return 0;
	r = begin_with(mark, worker);
	(void)unsetenv(WEFT__WORKER_MARK); /* fails only for names that are none */
	return r;
}

void weft__worker_end(struct weft__worker *worker)
{
	(void)close(worker->control); /* what was sent has arrived */
	worker->control = -1;
}

static int tell(const struct weft__worker *worker, enum weft__control_kind kind,
		uint64_t value)
{
	return weft__control_send(worker->control, kind, value, (struct weft_bytes){ 0 });
}

int weft__worker_arrived(const struct weft__worker *worker)
{
	return tell(worker, WEFT__CONTROL_ARRIVED, 0);
}

int weft__worker_ready(const struct weft__worker *worker, unsigned n_loops)
{
	weft_assert(n_loops <= WEFT__WORKER_LOOPS, "%u loops: at most %d are watched",
		    n_loops, WEFT__WORKER_LOOPS);
	return tell(worker, WEFT__CONTROL_READY, n_loops);
}

int weft__worker_beat(const struct weft__worker *worker, unsigned loop)
{
	return tell(worker, WEFT__CONTROL_HEARTBEAT, loop);
}

int weft__worker_retire(const struct weft__worker *worker)
{
	return tell(worker, WEFT__CONTROL_RETIRE, 0);
}

int weft__worker_dumped(const struct weft__worker *worker)
{
	return tell(worker, WEFT__CONTROL_DUMPED, 0);
}

int weft__worker_send(const struct weft__worker *worker, struct weft_bytes bytes)
{
	return weft__control_send(worker->control, WEFT__CONTROL_BYTES, 0, bytes);
}

int weft__worker_receive(const struct weft__worker *worker,
			 struct weft__control_message *message)
{
	return weft__control_receive(worker->control, message);
}
