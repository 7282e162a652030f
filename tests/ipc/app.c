/*
 * The program that the tests of ipc/ execute: a supervisor, its workers, and a probe.
 *
 *   app probe                       tells what this process inherited
 *   app copy FD                     writes what comes out of descriptor FD
 *   app exit STATUS
 *   app program                     tells the path of the program that runs
 *   app sleep                       until killed
 *   app supervise NAME=VALUE...     what can be set stands in the table `settings`
 *
 * A process that finds the mark of a worker is one; its arguments are its supervisor's.
 * Everything of interest is a line on standard output, written at once:
 *
 *   NEWS INDEX PID TEXT             what the supervisor tells: "READY 0 4711 worker 0 ..."
 *   worker INDEX TEXT               what a worker sees
 *   result CODE TEXT                what weft__supervisor_run() returned
 */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipc/program.h"
#include "ipc/supervisor.h"
#include "ipc/worker.h"

/* One line, in one write, so that lines of several processes do not mix. */
WEFT_PRINTF(1, 2) static void say(const char *format, ...)
{
	char line[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	n = MIN(n, (int)sizeof(line) - 2);
	line[n++] = '\n';
	(void)!write(STDOUT_FILENO, line, (size_t)n); /* the test may have gone */
}

/* ---- The probe ---- */

/* The open descriptors as text: "0 1 2". */
static const char *open_fds(void)
{
	static char text[512];
	DIR *dir = opendir("/proc/self/fd");
	bool is_open[256] = { false };
	struct dirent *entry;
	size_t used = 0;

	while (dir && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && atoi(entry->d_name) < 256)
			is_open[atoi(entry->d_name)] = true;
	if (dir) {
		is_open[dirfd(dir)] = false;
		closedir(dir);
	}
	text[0] = '\0';
	for (int fd = 0; fd < 256; fd++)
		if (is_open[fd])
			used += (size_t)snprintf(text + used, sizeof(text) - used,
						 used > 0 ? " %d" : "%d", fd);
	return text;
}

/* A line of /proc/self/status: "SigBlk:\t0000000000000000". */
static void say_status(const char *name)
{
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		say("%s %s", name, line + strlen(name) + 2);
	}
	if (file)
		fclose(file);
}

static int probe(void)
{
	struct rlimit limit;
	struct stat of_stderr;
	int death_signal = 0;

	say("fds %s", open_fds());
	say_status("SigBlk");
	say_status("SigIgn");
	say_status("NoNewPrivs");
	(void)prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
	say("death_signal %d", death_signal);
	say("leads_group %d", getpgid(0) == getpid());
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	say("files %llu", (unsigned long long)limit.rlim_cur);
	say("stderr %s",
	    fstat(STDERR_FILENO, &of_stderr) == 0 && S_ISCHR(of_stderr.st_mode)
		    ? "device"
		    : "other");
	say("mark %s", getenv(WEFT__WORKER_MARK) ? "yes" : "no");
	say("secret %s", getenv("SECRET") ? getenv("SECRET") : "none");
	say("colour %s", getenv("COLOUR") ? getenv("COLOUR") : "none");
	return 0;
}

static int copy(int fd)
{
	char text[256];
	ssize_t n;

	while ((n = read(fd, text, sizeof(text))) > 0)
		if (write(STDOUT_FILENO, text, (size_t)n) != n)
			return 1;
	return n < 0;
}

static int tell_program(void)
{
	struct weft__program running;
	int r = weft__program_open(&running, NULL);

	if (r < 0) {
		say("no program: %s", weft_error_text(r));
		return 1;
	}
	say("program %s", running.path);
	weft__program_close(&running);
	return 0;
}

/* ---- Settings ---- */

/* Of the supervisor. Times are in milliseconds; 0 is the default of the library. */
static long n_workers = 1;
static const char *program; /* what workers execute */
static const char *command; /* argv[1] of workers, if they are mute */
static long start_ms, grace_ms, stop_ms, beat_ms, dump_ms;
static long budget, window_ms, first_ms, most_ms;
static long soft_files; /* of the workers */
static long max_files; /* of the supervisor: its limit while it starts workers */
static long n_handed_down; /* pipes, each with "pipe N" in it */
static long storm; /* kill so many workers, each when it is ready */
static long fail_nth; /* the allocation that fails */
static long ignore_sigchld; /* start with SIGCHLD ignored */
static long close_standard; /* start without descriptors 0 and 2 */
static long n_strangers; /* orphans that this process inherits */
static long send_hello; /* bytes for each worker that gets ready */
static const char *stop_at = ""; /* the news at which it is told to stop */

/* Of the workers. */
static long only = -1; /* the one that behaves like this; the others just work */
static long exit_early = -1; /* before it says hello */
static long exit_unready = -1; /* before it is ready */
static long exit_drained; /* its status after a drain */
static long never_ready;
static long deaf; /* reads no message, and ignores SIGTERM */
static long keeps_term; /* ignores SIGTERM */
static long ignores_drain;
static long ignores_stop;
static long is_hung; /* one of its two loops sends no heartbeats */
static long dumps_silently; /* does not say that the dump is complete */
static const char *on_usr1 = ""; /* the supervisor passes it on: a test says when */
static const char *wait_file; /* is not ready before this file is there */

static const struct setting {
	const char *name;
	long *number;
	const char **text;
} settings[] = {
	{ "workers", &n_workers, NULL },
	{ "program", NULL, &program },
	{ "mute", NULL, &command },
	{ "start", &start_ms, NULL },
	{ "grace", &grace_ms, NULL },
	{ "stop", &stop_ms, NULL },
	{ "beat", &beat_ms, NULL },
	{ "dump", &dump_ms, NULL },
	{ "budget", &budget, NULL },
	{ "window", &window_ms, NULL },
	{ "first", &first_ms, NULL },
	{ "most", &most_ms, NULL },
	{ "soft-files", &soft_files, NULL },
	{ "max-files", &max_files, NULL },
	{ "hand-down", &n_handed_down, NULL },
	{ "storm", &storm, NULL },
	{ "fail-nth", &fail_nth, NULL },
	{ "ignore-sigchld", &ignore_sigchld, NULL },
	{ "close-standard", &close_standard, NULL },
	{ "strangers", &n_strangers, NULL },
	{ "send-hello", &send_hello, NULL },
	{ "stop-at", NULL, &stop_at },
	{ "only", &only, NULL },
	{ "exit-early", &exit_early, NULL },
	{ "exit-unready", &exit_unready, NULL },
	{ "exit-drained", &exit_drained, NULL },
	{ "never-ready", &never_ready, NULL },
	{ "deaf", &deaf, NULL },
	{ "keeps-term", &keeps_term, NULL },
	{ "ignore-drain", &ignores_drain, NULL },
	{ "ignore-stop", &ignores_stop, NULL },
	{ "hung", &is_hung, NULL },
	{ "dump-silently", &dumps_silently, NULL },
	{ "on-usr1", NULL, &on_usr1 },
	{ "wait-file", NULL, &wait_file },
};

static void parse_setting(const char *text)
{
	size_t length = strcspn(text, "=");

	for (size_t i = 0; i < ARRAY_SIZE(settings) && text[length] == '='; i++) {
		const struct setting *setting = &settings[i];

		if (strncmp(setting->name, text, length) != 0 ||
		    setting->name[length] != '\0')
			continue;
		if (setting->number)
			*setting->number = strtol(text + length + 1, NULL, 10);
		else
			*setting->text = text + length + 1;
		return;
	}
	say("app knows no setting %s", text);
	exit(2);
}

/* ---- The worker ---- */

static struct weft__worker worker;

static void say_as_worker(const char *what, long number)
{
	say("worker %d %s %ld", worker.index, what, number);
}

static void do_what_usr1_says(void)
{
	if (strcmp(on_usr1, "retire") == 0)
		(void)weft__worker_retire(&worker);
	else if (strcmp(on_usr1, "exit") == 0)
		exit(7);
	else if (strcmp(on_usr1, "abort") == 0)
		abort();
	else if (strcmp(on_usr1, "garbage") == 0)
		(void)send(worker.control, "garbage", 7, 0);
	else if (strcmp(on_usr1, "close") == 0)
		weft__worker_end(&worker);
	else if (strcmp(on_usr1, "hang") == 0)
		is_hung = 1;
	else if (strcmp(on_usr1, "stop") == 0)
		raise(SIGSTOP);
	else if (strcmp(on_usr1, "bytes") == 0)
		(void)weft__worker_send(&worker, weft_bytes_text("hello from below"));
}

static void on_message(const struct weft__control_message *message)
{
	switch (message->kind) {
	case WEFT__CONTROL_DRAIN:
		say_as_worker("drain", (long)(message->value / (uint64_t)WEFT_MSEC));
		if (!ignores_drain)
			exit((int)exit_drained);
		break;
	case WEFT__CONTROL_STOP:
		say_as_worker("stop", 0);
		if (!ignores_stop)
			exit(0);
		break;
	case WEFT__CONTROL_DUMP:
		say_as_worker("dump", 0);
		if (!dumps_silently)
			(void)weft__worker_dumped(&worker);
		break;
	case WEFT__CONTROL_SIGNAL:
		say_as_worker("signal", (long)message->value);
		do_what_usr1_says();
		break;
	case WEFT__CONTROL_BYTES:
		say("worker %d bytes %.*s", worker.index, (int)message->size,
		    (const char *)message->bytes);
		break;
	default:
		break;
	}
}

static void take_messages(void)
{
	static struct weft__control_message message;
	int r = 0;

	while (worker.control >= 0 && (r = weft__worker_receive(&worker, &message)) == 0)
		on_message(&message);
	if (r != -EPIPE)
		return;
	say_as_worker("eof", 0);
	exit(0);
}

/* Two "loops" that beat as they should. */
static void work(void)
{
	const struct timespec beat = { .tv_sec = worker.beat_ns / WEFT_SEC,
				       .tv_nsec = worker.beat_ns % WEFT_SEC };
	struct pollfd poll_fd = { .fd = deaf ? -1 : worker.control, .events = POLLIN };

	for (;;) {
		(void)ppoll(&poll_fd, 1, worker.beat_ns > 0 ? &beat : NULL, NULL);
		if (!deaf)
			take_messages();
		else if (getppid() != worker.supervisor)
			exit(0); /* a test that failed leaves nobody behind */
		poll_fd.fd = deaf ? -1 : worker.control;
		if (worker.control < 0)
			continue;
		(void)weft__worker_beat(&worker, 0);
		if (!is_hung)
			(void)weft__worker_beat(&worker, 1);
	}
}

static void wait_for_file(void)
{
	const struct timespec moment = { .tv_nsec = 5000000 };

	while (wait_file && access(wait_file, F_OK) != 0) {
		(void)nanosleep(&moment, NULL);
		take_messages();
	}
}

static void say_what_was_handed_down(void)
{
	char text[32];

	for (int i = 0; i < worker.n_fds; i++) {
		ssize_t n = read(worker.first_fd + i, text, sizeof(text));

		say("worker %d fd %d has %.*s", worker.index, worker.first_fd + i,
		    (int)MAX(n, 0), text);
	}
}

static int work_as_worker(void)
{
	struct stat of_program;

	if (only >= 0 && only != worker.index) {
		exit_unready = -1;
		never_ready = deaf = ignores_drain = ignores_stop = is_hung = 0;
		on_usr1 = "";
	}
	if (deaf || keeps_term)
		(void)signal(SIGTERM, SIG_IGN);
	(void)stat("/proc/self/exe", &of_program);
	say_as_worker("inode", (long)of_program.st_ino);
	say_what_was_handed_down();
	if (exit_unready >= 0)
		return (int)exit_unready;
	wait_for_file();
	if (!never_ready)
		(void)weft__worker_ready(&worker, 2);
	work();
	return 0;
}

/* ---- The supervisor ---- */

static const char *const news_names[] = {
	[WEFT__NEWS_BEGUN] = "BEGUN",
	[WEFT__NEWS_STARTED] = "STARTED",
	[WEFT__NEWS_READY] = "READY",
	[WEFT__NEWS_NOT_STARTED] = "NOT_STARTED",
	[WEFT__NEWS_DIED] = "DIED",
	[WEFT__NEWS_LEFT] = "LEFT",
	[WEFT__NEWS_CUT_OFF] = "CUT_OFF",
	[WEFT__NEWS_LATE] = "LATE",
	[WEFT__NEWS_HUNG] = "HUNG",
	[WEFT__NEWS_BROKEN] = "BROKEN",
	[WEFT__NEWS_REPLACING] = "REPLACING",
	[WEFT__NEWS_ALL_READY] = "ALL_READY",
	[WEFT__NEWS_SPENT] = "SPENT",
	[WEFT__NEWS_RELOADING] = "RELOADING",
	[WEFT__NEWS_RELOADED] = "RELOADED",
	[WEFT__NEWS_RELOAD_FAILED] = "RELOAD_FAILED",
	[WEFT__NEWS_RESIZED] = "RESIZED",
	[WEFT__NEWS_DUMPING] = "DUMPING",
	[WEFT__NEWS_PASSED_ON] = "PASSED_ON",
	[WEFT__NEWS_STOPPING] = "STOPPING",
	[WEFT__NEWS_STOPPING_AT_ONCE] = "STOPPING_AT_ONCE",
	[WEFT__NEWS_GAVE_UP] = "GAVE_UP",
};
static_assert(ARRAY_SIZE(news_names) == WEFT__N_NEWS, "one name per kind of news");

static struct weft__supervisor *supervisor;
static struct rlimit files_before;

/* Children of this process, ended or not, as the kernel counts them. */
static int count_children(void)
{
	FILE *file = fopen("/proc/thread-self/children", "re");
	int n = 0, pid;

	while (file && fscanf(file, "%d", &pid) == 1)
		n++;
	if (file)
		fclose(file);
	return n;
}

static int count_fds(void)
{
	int n = 1;

	for (const char *at = open_fds(); *at; at++)
		n += *at == ' ';
	return n;
}

/* What is left when a storm is over has to be what there was before it. */
static void rage(const struct weft__news *news)
{
	static pid_t victim;
	static long n_killed;
	static bool rages;

	if (news->kind == WEFT__NEWS_READY)
		victim = news->pid;
	if (news->kind == WEFT__NEWS_ALL_READY) {
		say("before the storm: children %d fds %d", count_children(),
		    count_fds());
		rages = true;
	}
	if (!rages || victim == 0)
		return;
	if (n_killed++ < storm)
		(void)kill(victim, SIGKILL); /* not reaped yet, so it is nobody else's */
	else if (weft__supervisor_n_ready(supervisor) == n_workers)
		say("after the storm: children %d fds %d", count_children(), count_fds());
	victim = 0;
}

static void on_news(void *arg, const struct weft__news *news)
{
	say("%s %d %d %s", news_names[news->kind], news->index, (int)news->pid,
	    news->text);
	if (arg)
		rage(news);
	if (send_hello && news->kind == WEFT__NEWS_READY)
		say("sent %d",
		    weft__supervisor_send(supervisor, news->index,
					  weft_bytes_text("hello from above")));
	if (strcmp(stop_at, news_names[news->kind]) == 0) {
		stop_at = "";
		weft__supervisor_stop(supervisor);
	}
	if (max_files && news->kind == WEFT__NEWS_NOT_STARTED)
		(void)setrlimit(RLIMIT_NOFILE, &files_before); /* that was the test */
}

static void on_bytes(void *arg, int index, pid_t pid, struct weft_bytes bytes)
{
	(void)arg;
	say("BYTES %d %d %.*s", index, (int)pid, (int)bytes.size,
	    (const char *)bytes.data);
}

/* Starts a process whose parent ends before it. Return: its pid. */
static pid_t start_orphan(void)
{
	int ends[2];
	pid_t orphan = -1, parent;

	if (pipe2(ends, O_CLOEXEC) < 0)
		exit(2);
	parent = fork();
	if (parent == 0) {
		orphan = fork();
		if (orphan > 0 && write(ends[1], &orphan, sizeof(orphan)) < 0)
			_exit(1);
		_exit(0);
	}
	(void)waitpid(parent, NULL, 0);
	if (read(ends[0], &orphan, sizeof(orphan)) != sizeof(orphan))
		exit(2);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return orphan;
}

/*
 * Orphans that have ended and that nobody has reaped, inherited as a process 1 inherits
 * them.
 */
static void inherit_strangers(void)
{
	if (n_strangers > 0)
		(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	for (long i = 0; i < n_strangers; i++) {
		struct pollfd end = { .events = POLLIN };

		end.fd = (int)syscall(SYS_pidfd_open, start_orphan(), 0);
		if (end.fd < 0 || poll(&end, 1, -1) != 1)
			exit(2);
		(void)close(end.fd);
	}
}

static void arrange_surroundings(void)
{
	if (ignore_sigchld)
		(void)signal(SIGCHLD, SIG_IGN);
	if (close_standard) {
		(void)close(STDIN_FILENO);
		(void)close(STDERR_FILENO);
	}
	(void)getrlimit(RLIMIT_NOFILE, &files_before);
	if (max_files) {
		struct rlimit limit = { (rlim_t)max_files, files_before.rlim_max };

		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	inherit_strangers();
}

static void fill_pipes(int *fds)
{
	for (long i = 0; i < n_handed_down; i++) {
		char text[32];
		int ends[2];
		int n = snprintf(text, sizeof(text), "pipe %ld", i);

		if (pipe2(ends, O_CLOEXEC) < 0 || write(ends[1], text, (size_t)n) != n)
			exit(2);
		(void)close(ends[1]);
		fds[i] = ends[0];
	}
}

static int run_supervisor(const struct weft__supervisor_options *options)
{
	int r;

	if (fail_nth)
		weft__fail_allocation(fail_nth);
	r = weft__supervisor_new(options, &supervisor);
	if (r == 0) {
		r = weft__supervisor_run(supervisor);
		weft__supervisor_free(supervisor);
	}
	say("result %d %s", r, r < 0 ? weft_error_text(r) : "");
	if (fail_nth)
		say("allocations %ld", weft__allocations());
	say("in the end: children %d fds %s", count_children(), open_fds());
	return r < 0;
}

static int supervise(char **argv)
{
	static const struct weft__supervisor_callbacks callbacks = { on_news, on_bytes };
	static const char *const hide[] = { "SECRET", NULL };
	char *mute_argv[] = { argv[0], (char *)(uintptr_t)command, NULL };
	int fds[16];
	struct weft__supervisor_options options = {
		.program = program,
		.argv = command ? mute_argv : argv,
		.hide = hide,
		.fds = fds,
		.n_fds = (size_t)n_handed_down,
		.n_workers = (int)n_workers,
		.mute = command != NULL,
		.ready_call = "app_serve()",
		.start_ns = start_ms * WEFT_MSEC,
		.grace_ns = grace_ms * WEFT_MSEC,
		.stop_ns = stop_ms * WEFT_MSEC,
		.heartbeat_ns = beat_ms * WEFT_MSEC,
		.dump_ns = dump_ms * WEFT_MSEC,
		.backoff = {
			.budget = (int)budget,
			.window_ns = window_ms * WEFT_MSEC,
			.first_ns = first_ms * WEFT_MSEC,
			.most_ns = most_ms * WEFT_MSEC,
		},
		.soft_files = (rlim_t)soft_files,
		.reap_strangers = n_strangers > 0,
		.callbacks = &callbacks,
		.arg = storm > 0 ? &storm : NULL,
	};

	arrange_surroundings();
	fill_pipes(fds);
	return run_supervisor(&options);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	bool supervises = strcmp(what, "supervise") == 0;
	int r;

	for (int i = 2; i < argc && supervises; i++)
		parse_setting(argv[i]);
	if (exit_early >= 0 && getenv(WEFT__WORKER_MARK))
		return (int)exit_early;
	r = weft__worker_begin(&worker);
	if (r < 0) {
		say("no worker: %d %s", r, weft_error_text(r));
		return 3;
	}
	if (r > 0)
		return work_as_worker();
	if (supervises)
		return supervise(argv);
	if (strcmp(what, "probe") == 0)
		return probe();
	if (strcmp(what, "copy") == 0 && argc > 2)
		return copy(atoi(argv[2]));
	if (strcmp(what, "program") == 0)
		return tell_program();
	if (strcmp(what, "exit") == 0 && argc > 2)
		return atoi(argv[2]);
	while (strcmp(what, "sleep") == 0)
		pause();
	say("app cannot do %s", what);
	return 2;
}
