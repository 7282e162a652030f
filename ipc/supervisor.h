/*
 * Supervision: keep n processes of a program running, replace them, and stop them in an
 * orderly way.
 *
 * A supervisor is one thread with a poll of its own: no loop, no task, no other thread,
 * so that workers inherit nothing, and nothing that a worker does can stop it. It holds n
 * slots. In each slot one process serves. It is started by executing the program anew,
 * gets the descriptors handed down, and says over its control socket when it is ready
 * (ipc/control.h, ipc/worker.h). It is in one of these states:
 *
 *   STARTING   until it says that it is ready, for up to start_ns
 *   READY      serves; each of its loops sends a heartbeat at least every heartbeat_ns
 *   DRAINING   was told to leave, and has grace_ns for it
 *   STOPPING   was told to leave at once, and has stop_ns for it
 *   DUMPING    was late or fell silent, and has dump_ns to tell what it was doing
 *   KILLED     got SIGKILL
 *
 * What dies in a slot is started again after a delay that grows (ipc/backoff.h). A reload
 * starts a process of the new generation beside each of the old. Only when all of them
 * are ready do the old ones drain; if one of them fails, all of them go, and the old
 * generation stays. A worker that asks to be replaced is replaced in the same order,
 * alone.
 *
 * Signals, while weft__supervisor_run() runs:
 *
 *   SIGTERM, SIGINT    drain; the second one: leave at once; the third one: kill
 *   SIGHUP             reload
 *   SIGQUIT            ask every worker for a dump, and go on
 *   SIGTTIN, SIGTTOU   one worker more, one less
 *   SIGUSR1            is passed on to the workers
 *   SIGCHLD            only wakes; children are watched by their pidfds
 *
 * All that happens is told by .on_news with a sentence; nothing is printed. All functions
 * belong to the thread that runs the supervisor.
 */
#ifndef WEFT_IPC_SUPERVISOR_H
#define WEFT_IPC_SUPERVISOR_H

#include "ipc/backoff.h"

#include <sys/resource.h>

struct weft__supervisor;

enum weft__news_kind {
	/* About one worker: .index, .generation and .pid say which. */
	WEFT__NEWS_STARTED, /* its process runs */
	WEFT__NEWS_READY, /* it serves */
	WEFT__NEWS_NOT_STARTED, /* no process, so no .pid; next try after .delay_ns */
	WEFT__NEWS_DIED, /* ended unasked; started again after .delay_ns */
	WEFT__NEWS_LEFT, /* ended as told */
	WEFT__NEWS_CUT_OFF, /* did not leave in time: told to stop, or killed */
	WEFT__NEWS_LATE, /* was not ready in time: dumped, then killed */
	WEFT__NEWS_HUNG, /* a loop of it fell silent: dumped, then killed */
	WEFT__NEWS_BROKEN, /* says what cannot be understood: stopped */
	WEFT__NEWS_REPLACING, /* asked to be replaced, its successor is being started */
	WEFT__NEWS_SPENT, /* the restart budget of its slot is spent; no .pid */
	/* About all. */
	WEFT__NEWS_BEGUN, /* first of all: from now on signals come here */
	WEFT__NEWS_ALL_READY, /* once: every worker of the first generation serves */
	WEFT__NEWS_RELOADING,
	WEFT__NEWS_RELOADED,
	WEFT__NEWS_RELOAD_FAILED, /* the old generation goes on */
	WEFT__NEWS_RESIZED, /* .index: how many workers there are to be now */
	WEFT__NEWS_DUMPING,
	WEFT__NEWS_PASSED_ON, /* .index: the signal */
	WEFT__NEWS_STOPPING,
	WEFT__NEWS_STOPPING_AT_ONCE,
	WEFT__NEWS_GAVE_UP,
	WEFT__N_NEWS,
};

/*
 * struct weft__news - what has happened
 * @kind:       see above
 * @is_trouble: worth a look; the rest is routine
 * @index:      of the slot, unless said otherwise above; -1: of none
 * @generation: of the worker; else the one that serves
 * @pid:        of the worker, or 0
 * @delay_ns:   until the next start, or 0
 * @text:       a sentence without a full stop; lent for the call
 */
struct weft__news {
	enum weft__news_kind kind;
	bool is_trouble;
	int index;
	unsigned generation;
	pid_t pid;
	weft_time delay_ns;
	const char *text;
};

/* Called on the supervisor's thread, which goes on when they return. */
struct weft__supervisor_callbacks {
	void (*on_news)(void *arg, const struct weft__news *news);
	/* A BYTES message of a worker; may be NULL. */
	void (*on_bytes)(void *arg, int index, pid_t pid, struct weft_bytes bytes);
};

/*
 * struct weft__supervisor_options - zero stands for the default of each
 * @program:        to execute (the program that runs here)
 * @argv:           of the workers; required
 * @envp:           of the workers (environ)
 * @hide:           names of variables that workers do not see, ended by NULL (none)
 * @fds:            handed down to each worker, and not closed here; from
 *                  WEFT__SUPERVISOR_FIRST_FD on in the worker
 * @n_fds:          how many (0)
 * @n_workers:      slots (1)
 * @mute:           the program knows nothing of us: it is ready once it runs, drains on
 *                  SIGTERM, and has no control socket
 * @ready_call:     what gets a worker ready, for messages ("its ready message"); static
 * @start_ns:       from the start of a process until it is ready (30 s)
 * @grace_ns:       to drain (30 s)
 * @stop_ns:        from being told to leave at once until SIGKILL (200 ms)
 * @heartbeat_ns:   the longest silence of a loop (30 s); < 0: nobody watches
 * @dump_ns:        for the dump before SIGKILL (5 s)
 * @backoff:        delays and budget of restarts
 * @soft_files:     soft limit of descriptors of a worker (as here)
 * @no_new_privs:   set by a process that has dropped privileges
 * @reap_strangers: reap children that are not ours; process 1 always does
 * @callbacks:      required; static
 * @arg:            of the callbacks; borrowed
 *
 * All else is copied; the descriptors have to stay open.
 */
struct weft__supervisor_options {
	const char *program;
	char *const *argv;
	char *const *envp;
	const char *const *hide;
	const int *fds;
	size_t n_fds;
	int n_workers;
	bool mute;
	const char *ready_call;
	weft_time start_ns;
	weft_time grace_ns;
	weft_time stop_ns;
	weft_time heartbeat_ns;
	weft_time dump_ns;
	struct weft__backoff_options backoff;
	rlim_t soft_files;
	bool no_new_privs;
	bool reap_strangers;
	const struct weft__supervisor_callbacks *callbacks;
	void *arg;
};

/* Descriptors in a worker: the control socket, then those handed down. */
#define WEFT__SUPERVISOR_CONTROL_FD   3
#define WEFT__SUPERVISOR_FIRST_FD     4
#define WEFT__SUPERVISOR_MOST_WORKERS 4096

/*
 * weft__supervisor_new() - prepare supervision; nothing is started yet
 * @options:    see above
 * @supervisor: receives it; ended with weft__supervisor_free()
 *
 * The path of the program is read here, and its file opened.
 *
 * Return: 0, or a negative errno with a sentence.
 */
int weft__supervisor_new(const struct weft__supervisor_options *options,
			 struct weft__supervisor **supervisor);

/*
 * weft__supervisor_run() - start the workers and supervise them until told to stop
 *
 * Once. Takes over the signals above and gives them back. No process is left when it
 * returns.
 *
 * Return, with a sentence if negative: 0 after an orderly stop; -ETIMEDOUT if a worker
 * had to be cut off; -EINTR after a second signal; -ECHILD if a worker ended badly while
 * it drained, or if the workers died too often before any of them was ever ready; -EBUSY
 * if there is a supervisor in this process; why the program cannot be executed.
 */
int weft__supervisor_run(struct weft__supervisor *supervisor);

/* May be NULL. Not while it runs. */
void weft__supervisor_free(struct weft__supervisor *supervisor);

/* ---- For callbacks ---- */

/* As the first SIGTERM; the second call as the second. */
void weft__supervisor_stop(struct weft__supervisor *supervisor);
/* As SIGHUP. */
void weft__supervisor_reload(struct weft__supervisor *supervisor);
/* As so many SIGTTIN or, negative, SIGTTOU. */
void weft__supervisor_resize(struct weft__supervisor *supervisor, int by);
/*
 * Sends bytes to the worker that serves in a slot. Return: as weft__control_send();
 * -ESRCH if none does.
 */
int weft__supervisor_send(struct weft__supervisor *supervisor, int index,
			  struct weft_bytes bytes);
/* How many slots have a worker that is ready. */
int weft__supervisor_n_ready(const struct weft__supervisor *supervisor);

#endif
