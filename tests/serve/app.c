/*
 * The program that the tests of serve/ execute: a service whose routes do what a test needs.
 *
 *   app [NAME=VALUE...] [-- FLAG...]    what can be set stands in the table `settings`, flags are
 *                                       those of weft_serve_parse()
 *
 * It serves HTTP. A request for /do/WHAT/NUMBER does one of the table `deeds` and answers
 * "PID INDEX RESULT". What there is to tell is a line on standard output, written at once; so is
 * all that the library prints, for standard error is the same:
 *
 *   ready                        .on_ready was called
 *   result CODE                  what weft_serve() returned in the supervisor, or without one
 *   worker INDEX left CODE       in a worker
 *   fds N                        open in the end, but for the standard ones
 *
 * Nothing is left behind when a test ends: workers go with their supervisor, and that goes with
 * the test (PR_SET_PDEATHSIG, see run_app.c).
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <weft/weft.h>

#include "base/base.h"

/* Nobody waits for so long. */
#define LONG (60 * WEFT_MIN)

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

/* ---- Settings ---- */

/* Of the options; 0 is the default of the library. */
static long n_workers, n_loops, n_threads, grace_ms, heartbeat_ms, budget, backlog;
static const char *address = "127.0.0.1:0";
static const char *program; /* what workers execute */

/* What goes wrong. `only` limits it to the worker of that index. */
static long only = -1;
static const char *forgets = ""; /* "init", or "serve": ends with status 0 before it */
static const char *fails = ""; /* "early", "start", "supervisor-start": with -EPROTO */
static const char *crashes = ""; /* "early", "start": abort() */
static const char *waits = ""; /* "early", "start", "stop", "end": for long */
static long tells_hooks; /* a line for each call of a hook */
static long strips_arguments; /* after weft_init(), as some parsers do */
static long serves_twice;
static long in_task; /* calls weft_serve() in a task */
static long reserved; /* sets a reserved field */
static long
	raw; /* no HTTP: each connection is greeted with "PID INDEX" and waits for its end */
static long handles_usr1; /* says so */
static long own_listening; /* prints "mine: ADDRESS" */
static long signal_listening; /* comes as soon as the service says that it listens */

static const struct setting {
	const char *name;
	long *number;
	const char **text;
} settings[] = {
	{ "workers", &n_workers, NULL },
	{ "loops", &n_loops, NULL },
	{ "threads", &n_threads, NULL },
	{ "grace", &grace_ms, NULL },
	{ "heartbeat", &heartbeat_ms, NULL },
	{ "budget", &budget, NULL },
	{ "backlog", &backlog, NULL },
	{ "address", NULL, &address },
	{ "program", NULL, &program },
	{ "only", &only, NULL },
	{ "forgets", NULL, &forgets },
	{ "fails", NULL, &fails },
	{ "crashes", NULL, &crashes },
	{ "waits", NULL, &waits },
	{ "tells-hooks", &tells_hooks, NULL },
	{ "strips-arguments", &strips_arguments, NULL },
	{ "serves-twice", &serves_twice, NULL },
	{ "in-task", &in_task, NULL },
	{ "reserved", &reserved, NULL },
	{ "raw", &raw, NULL },
	{ "handles-usr1", &handles_usr1, NULL },
	{ "own-listening", &own_listening, NULL },
	{ "signal-listening", &signal_listening, NULL },
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

/* Is this to go wrong here? */
static bool is(const char *setting, const char *what)
{
	return strcmp(setting, what) == 0 && (only < 0 || only == weft_worker_index());
}

/* ---- Deeds ---- */

static void block(weft_time span)
{
	struct timespec left = { .tv_sec = span / WEFT_SEC, .tv_nsec = span % WEFT_SEC };

	while (nanosleep(&left, &left) < 0)
		;
}

static int block_ms(void *ms)
{
	block((weft_time)(intptr_t)ms * WEFT_MSEC);
	return 0;
}

/* The loops of this process, as .on_start saw them. */
static weft_loop *loops[64];
static atomic_int n_loops_seen;

static int do_pid(long unused)
{
	(void)unused;
	return 0;
}

static int do_sleep(long ms)
{
	return weft_sleep(ms * WEFT_MSEC);
}

static int do_block(long ms)
{
	block(ms * WEFT_MSEC);
	return 0;
}

static int do_executor(long ms)
{
	return weft_run_in_executor(NULL, block_ms, (void *)(intptr_t)ms);
}

/* All loops but this one, which has to answer; it is the next request that finds it blocked. */
static int do_block_others(long ms)
{
	int r = 0;

	for (int i = 0; i < n_loops_seen && r == 0; i++)
		if (loops[i] != weft_loop_current())
			r = weft_spawn_on(loops[i], block_ms, (void *)(intptr_t)ms, NULL);
	return r;
}

static int block_later(void *ms)
{
	int r = weft_sleep(20 * WEFT_MSEC); /* the answer has been sent by then */

	return r < 0 ? r : block_ms(ms);
}

/* All loops of this process, this one shortly after the answer. */
static int do_block_all(long ms)
{
	int r = do_block_others(ms);

	return r < 0 ? r : weft_spawn(block_later, (void *)(intptr_t)ms, NULL);
}

/* A job that nobody waits for. */
static int do_leave_job(long ms)
{
	return weft_executor_submit(NULL, block_ms, (void *)(intptr_t)ms, NULL, NULL);
}

static int do_exit(long status)
{
	_exit((int)status);
}

static int do_abort(long unused)
{
	static const struct rlimit no_core = { 0 };

	(void)unused;
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)signal(SIGABRT, SIG_DFL); /* whatever a sanitizer says to it */
	abort();
}

static int do_loops(long unused)
{
	(void)unused;
	return n_loops_seen;
}

static int do_files(long unused)
{
	struct rlimit limit;

	(void)unused;
	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (int)limit.rlim_cur : -errno;
}

/* How many jobs of the shared pool run at once, of so many. */
static atomic_int n_running, most_running;

static int note_running(void *unused)
{
	int n = atomic_fetch_add(&n_running, 1) + 1;
	int most = atomic_load(&most_running);

	(void)unused;
	while (n > most && !atomic_compare_exchange_weak(&most_running, &most, n))
		;
	block(50 * WEFT_MSEC);
	atomic_fetch_sub(&n_running, 1);
	return 0;
}

static int run_note(void *unused)
{
	return weft_run_in_executor(NULL, note_running, unused);
}

static int do_crowd(long n)
{
	struct weft_group group;
	int r;

	weft_group_begin(&group);
	while (n-- > 0)
		weft_group_spawn(&group, run_note, NULL);
	r = weft_group_end(&group, 0);
	return r < 0 ? r : most_running;
}

/* The last byte of the file that runs here: what a new version differs by. */
static int do_version(long unused)
{
	unsigned char byte = 0;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)unused;
	if (fd < 0)
		return -errno;
	if (lseek(fd, -1, SEEK_END) < 0 || read(fd, &byte, 1) != 1)
		byte = 0;
	(void)close(fd);
	return byte;
}

static const struct deed {
	const char *name;
	int (*fn)(long number);
} deeds[] = {
	{ "pid", do_pid },
	{ "sleep", do_sleep },
	{ "block", do_block },
	{ "executor", do_executor },
	{ "block-others", do_block_others },
	{ "block-all", do_block_all },
	{ "leave-job", do_leave_job },
	{ "exit", do_exit },
	{ "abort", do_abort },
	{ "loops", do_loops },
	{ "files", do_files },
	{ "crowd", do_crowd },
	{ "version", do_version },
};

static int reply_result(weft_http_request *request, int result)
{
	return weft_http_reply_text(request, 200, "%d %d %d\n", (int)getpid(),
				    weft_worker_index(), result);
}

static int answer(weft_http_request *request, void *unused)
{
	const char *what = weft_http_request_param(request, "what");
	long number = strtol(weft_http_request_param(request, "number"), NULL, 10);

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++)
		if (strcmp(deeds[i].name, what) == 0)
			return reply_result(request, deeds[i].fn(number));
	return weft_http_reply_text(request, 404, "app cannot do %s\n", what);
}

/* The names of the threads of this process, separated by spaces. */
static int answer_threads(weft_http_request *request, void *unused)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	char text[1024] = "";
	size_t n = 0;

	(void)unused;
	while (dir && (entry = readdir(dir)) != NULL) {
		char path[300];
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (!file)
			continue;
		if (fgets(text + n, (int)(sizeof(text) - n), file))
			n = strlen(text);
		fclose(file);
	}
	if (dir)
		closedir(dir);
	return weft_http_reply_text(request, 200, "%s", text);
}

/* A connection of the kind that has to be cancelled. */
static int greet_and_wait(weft_stream *stream, void *arg)
{
	char byte;
	ssize_t n;
	int r;

	(void)arg;
	r = weft_stream_printf(stream, "%d %d\n", (int)getpid(), weft_worker_index());
	if (r < 0)
		return r;
	do
		n = weft_stream_read(stream, &byte, 1);
	while (n > 0);
	return (int)n;
}

/* ---- Hooks ---- */

static int on_supervisor_start(void *arg)
{
	(void)arg;
	if (tells_hooks)
		say("hook supervisor-start %d", weft_worker_index());
	return strcmp(fails, "supervisor-start") == 0
		       ? weft_error_set(-EPROTO, "no supervisor today")
		       : 0;
}

static void on_listening(const char *text, void *arg)
{
	(void)arg;
	say("mine: %s", text);
	if (signal_listening)
		(void)raise((int)signal_listening);
}

static void on_ready(void *arg)
{
	(void)arg;
	say("ready");
}

static void on_usr1(int signo, void *arg)
{
	(void)signo;
	(void)arg;
	say("worker %d got SIGUSR1", weft_worker_index());
}

static int on_start(void *arg)
{
	int i = atomic_fetch_add(&n_loops_seen, 1);

	(void)arg;
	if (i < (int)ARRAY_SIZE(loops))
		loops[i] = weft_loop_current();
	if (tells_hooks)
		say("hook start %d", weft_worker_index());
	if (handles_usr1)
		(void)weft_loop_add_signal_handler(weft_loop_current(), SIGUSR1, on_usr1,
						   NULL);
	if (is(crashes, "start"))
		return do_abort(0);
	if (is(waits, "start"))
		return weft_sleep(LONG);
	return is(fails, "start") ? weft_error_set(-EPROTO, "no worker today") : 0;
}

static int on_stop(void *arg)
{
	(void)arg;
	if (tells_hooks)
		say("hook stop %d", weft_worker_index());
	return is(waits, "stop") ? weft_sleep(LONG) : 0;
}

/* ---- main() ---- */

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n - 2 /* . and .. */ - 1 /* this */ - 3 /* the standard ones */;
}

static void go_wrong_early(void)
{
	if (weft_worker_index() < 0)
		return;
	if (tells_hooks)
		say("hook main %d, %d files", weft_worker_index(), do_files(0));
	if (is(forgets, "serve"))
		exit(0);
	if (is(fails, "early"))
		exit(7);
	if (is(crashes, "early"))
		(void)do_abort(0);
	if (is(waits, "early"))
		block(LONG);
}

static int serve(void *arg)
{
	struct weft_serve_options options = *(struct weft_serve_options *)arg;
	weft_http_app *app;
	int r = weft_http_app_new(NULL, &app);

	if (r < 0)
		return r;
	weft_http_app_route(app, "GET", "/do/{what}/{number}", answer, NULL);
	weft_http_app_route(app, "GET", "/threads", answer_threads, NULL);
	r = weft_serve(&options, raw ? greet_and_wait : weft_http_serve_connection, app);
	weft_http_app_free(app);
	return r;
}

static void finish(int r)
{
	if (weft_worker_index() < 0) {
		say("result %d", r);
		say("fds %d", count_fds());
		return;
	}
	say("worker %d left %d", weft_worker_index(), r);
	if (is(waits, "end"))
		block(WEFT_SEC);
	if (is(waits, "end"))
		say("worker %d has waited", weft_worker_index());
}

/* ThreadSanitizer would wait for a second at the end, and the end is limited in time here. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "atexit_sleep_ms=0";
}

int main(int argc, char **argv)
{
	const char *loud = NULL;
	const struct weft_serve_flag flags[] = {
		{ "loud", "HOW", "print more", &loud },
		{ 0 },
	};
	struct weft_serve_options options = {
		.flags = flags,
		.on_supervisor_start = on_supervisor_start,
		.on_ready = on_ready,
		.on_start = on_start,
		.on_stop = on_stop,
	};
	int i = 1, r;

	(void)dup2(STDOUT_FILENO, STDERR_FILENO);
	for (; i < argc && strcmp(argv[i], "--") != 0; i++)
		parse_setting(argv[i]);
	if (strcmp(forgets, "init") != 0)
		weft_init(&argc, &argv);
	go_wrong_early();
	options.address = address;
	options.program = program;
	options.workers = (int)n_workers;
	options.loops = (int)n_loops;
	options.threads = (int)n_threads;
	options.grace_ns = grace_ms * WEFT_MSEC;
	options.heartbeat_ns = heartbeat_ms * WEFT_MSEC;
	options.restarts_per_10s = (int)budget;
	options.listen.backlog = (int)backlog;
	options.reserved[3] = (uintptr_t)reserved;
	if (own_listening)
		options.on_listening = on_listening;
	if (i < argc)
		(void)weft_serve_parse(&options, argc - i, argv + i);
	if (strips_arguments)
		argv[1] = NULL;
	r = in_task ? weft_run(serve, &options) : serve(&options);
	if (serves_twice && r == 0)
		r = serve(&options);
	finish(r);
	return weft_exit_status(r);
}
