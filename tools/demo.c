/*
 * `weft demo`: what a blocking call does to event loops, measured on a real server.
 *
 * This process is the load. It starts `weft demo-server` (a supervisor and its workers)
 * as a child, waits until each loop of the server has reported, runs the phases, ends the
 * child and shows what came of it. The child is ended on every path: in order when the
 * demo ends, fails or is interrupted; by the kernel (the parent's death is a SIGTERM to
 * it) when this process is killed.
 */
#include "tools/commands.h"

#include "tools/child.h"
#include "tools/demo_load.h"
#include "tools/demo_picture.h"
#include "tools/demo_work.h"
#include "tools/number.h"
#include "tools/tool.h"

#include <fcntl.h>
#include <unistd.h>

#include <weft/group.h>
#include <weft/task.h>

enum {
	PROCESSES_MIN = 2,
	PROCESSES_MAX = 8, /* unless asked for: more rows are no better picture */
	LOOPS = 2,
	THREADS = 16,
	CONNECTIONS_PER_LOOP = 16,
};

#define PICTURE	      "weft-demo.svg"
#define SECONDS_NS    (2 * WEFT_SEC)
#define STOP_GRACE_NS (5 * WEFT_SEC)

struct demo_options {
	int processes;
	int loops;
	int threads;
	int connections;
	weft_time seconds;
	const char *svg;
	bool json;
};

struct demo {
	struct demo_run run;
	struct demo_control control;
	struct demo_progress progress;
	struct child server;
	char address[128];
	const struct weft_error *error; /* why the measuring failed, or NULL */
};

/* ---- Measuring ---- */

static int start_server(struct demo *demo)
{
	const struct demo_setup *setup = &demo->run.setup;
	char processes[16], loops[16], threads[16], parent[16], fsyncs[16];
	const char *const argv[] = {
		"weft",	       "demo-server",
		"--processes", processes,
		"--loops",     loops,
		"--threads",   threads,
		"--parent",    parent,
		"--fsyncs",    fsyncs,
		"--directory", setup->directory,
		"--load",      demo_control_address(&demo->control),
		NULL,
	};

	snprintf(processes, sizeof(processes), "%d", setup->processes);
	snprintf(loops, sizeof(loops), "%d", setup->loops);
	snprintf(threads, sizeof(threads), "%d", setup->threads);
	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	snprintf(fsyncs, sizeof(fsyncs), "%d", setup->fsyncs);
	/* posix_spawn() takes its strings without const, but leaves them alone. */
	return child_start(&demo->server, (char *const *)(uintptr_t)argv);
}

/* Ends with a failure when the server ends before it is told to. */
static int watch_server(void *arg)
{
	struct demo *demo = arg;
	char text[64];
	int r;

	r = child_wait(&demo->server);
	if (r < 0)
		return r;
	child_describe_end(&demo->server, text, sizeof(text));
	return weft_error_set(-EOWNERDEAD, "the demo's server has ended early: %s", text);
}

static int measure(struct demo *demo)
{
	int r;

	r = child_read_line(&demo->server, demo->address, sizeof(demo->address));
	if (r == 0)
		r = demo_control_wait_for_loops(&demo->control);
	if (r == 0)
		r = demo_load_run(&demo->run, demo->address, &demo->control,
				  &demo->progress);
	return r;
}

/*
 * Measures until that is done or the server has ended. A server that ends in the first
 * moment is seen by its stdout first; how it ended explains more, and is about to be
 * known.
 */
static int measure_while_watching(struct demo *demo)
{
	struct weft_group group;
	int r;

	weft_group_begin(&group);
	weft_group_spawn(&group, watch_server, demo);
	r = measure(demo);
	if (r == -ENODATA) {
		r = weft_sleep(STOP_GRACE_NS);
		if (r == 0)
			r = weft_error_set(-ENODATA,
					   "the demo's server does not say its address");
	}
	weft_group_cancel(&group);
	return weft_group_end(&group, r);
}

static int demo_task(void *arg)
{
	struct demo *demo = arg;
	int r;

	demo_progress_say(&demo->progress, "starting the server");
	r = demo_control_open(&demo->control, &demo->run);
	if (r < 0)
		return r;
	r = start_server(demo);
	if (r == 0)
		r = measure_while_watching(demo);
	if (r < 0) /* kept: what follows may fail for reasons of its own */
		demo->error = weft_error_ref(weft_error_of(r));
	demo_progress_clear(&demo->progress);
	demo_control_close(&demo->control);
	child_stop(&demo->server, STOP_GRACE_NS);
	return r;
}

/* ---- Showing ---- */

/*
 * Opens the file that was asked for, or else weft-demo.svg in the current folder; where that
 * cannot be written, a new file in the folder for temporary ones.
 *
 * Return: NULL with errno set, if it cannot be done. `path` is to be freed in any case.
 */
static FILE *open_picture(const char *asked, char **path)
{
	const char *folder = getenv("TMPDIR");
	FILE *out;
	int fd;

	*path = strdup(asked ? asked : PICTURE);
	if (!*path)
		return NULL;
	out = fopen(*path, "we");
	if (out || asked)
		return out;

	free(*path);
	if (asprintf(path, "%s/weft-demo-XXXXXX.svg",
		     folder && *folder ? folder : "/tmp") < 0) {
		*path = NULL;
		return NULL;
	}
	/* A name that nobody can have put there before us. */
	fd = mkostemps(*path, (int)strlen(".svg"), O_CLOEXEC);
	if (fd < 0)
		return NULL;
	(void)close(fd);
	return fopen(*path, "we");
}

static int picture_failed(const char *path, int error)
{
	return weft_error_set(-error, "the picture %s cannot be written: %s",
			      path ? path : PICTURE, strerror(error));
}

/* Return: 0 or a negative errno, explained; `path` is to be freed in any case. */
static int write_picture(const struct demo_run *run, const char *asked, char **path)
{
	FILE *out;
	bool failed;

	out = open_picture(asked, path);
	if (!out)
		return picture_failed(*path, errno);
	demo_write_svg(run, out);
	failed = ferror(out);
	if (fclose(out) != 0 || failed)
		return picture_failed(*path, errno);
	return 0;
}

/* Before the run: one should not have to wait for its end to learn of a wrong name. */
static int check_picture(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd >= 0)
			(void)unlink(path);
	}
	if (fd < 0)
		return picture_failed(path, errno);
	(void)close(fd);
	return 0;
}

static void show(const struct demo_run *run, bool json)
{
	struct terminal terminal;

	if (json) {
		demo_write_json(run, stdout);
		return;
	}
	terminal_init(&terminal, stdout);
	demo_write_table(run, &terminal);
	demo_write_rows(run, &terminal);
	fputc('\n', stdout);
}

/* Return: the exit status. */
static int conclude(const struct demo_run *run, const struct demo_options *options)
{
	char *path;
	int r;

	show(run, options->json);
	r = write_picture(run, options->svg, &path);
	if (r == 0)
		fprintf(options->json ? stderr : stdout, "%sthe picture: %s%s\n",
			options->json ? "weft demo: " : " ", path,
			options->svg || strcmp(path, PICTURE) == 0
				? ""
				: " (the current folder cannot be written to)");
	free(path);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		tool_complain("demo", "the results could not be written");
		return TOOL_FAILED;
	}
	if (r < 0)
		return tool_fail("demo", weft_error_of(r));
	if (!demo_all_answered(run)) {
		tool_complain("demo", "not every request was answered");
		return TOOL_FAILED;
	}
	return TOOL_OK;
}

/* ---- The command ---- */

static void announce(const struct demo_setup *setup)
{
	fprintf(stderr,
		"weft demo: a server of %d process%s with %d loop%s and up to %d pool threads each, "
		"%d clients, %d phases of %s\n",
		setup->processes, setup->processes == 1 ? "" : "es", setup->loops,
		setup->loops == 1 ? "" : "s", setup->threads, setup->connections,
		DEMO_N_PHASES, number_exact(setup->phase_ns).text);
	if (setup->fsync_is_free)
		fprintf(stderr,
			"weft demo: %s is in memory (tmpfs), where fsync costs nothing; set TMPDIR to "
			"a folder on a disk to see what it costs\n",
			setup->directory);
}

/* What was not asked for follows from the CPUs that this process may use. */
static void fill_setup(struct demo_setup *setup, const struct demo_options *options)
{
	int cpus = weft_cpus();

	memset(setup, 0, sizeof(*setup));
	setup->cpus = cpus;
	setup->phase_ns = options->seconds;
	setup->loops = options->loops ? options->loops : LOOPS;
	setup->threads = options->threads ? options->threads : THREADS;
	setup->processes = options->processes;
	if (!setup->processes)
		setup->processes =
			MAX(PROCESSES_MIN, MIN(PROCESSES_MAX, cpus / setup->loops));
	setup->connections = options->connections;
	if (!setup->connections)
		setup->connections =
			setup->processes * setup->loops * CONNECTIONS_PER_LOOP;
}

/* Return: the exit status. */
static int run_demo(struct demo *demo, const struct demo_options *options)
{
	int r;

	announce(&demo->run.setup);
	demo_progress_init(&demo->progress, stderr);
	r = weft_run(demo_task, demo);
	demo_progress_clear(&demo->progress);
	if (r == 0)
		return conclude(&demo->run, options);
	if (r == -ECANCELED)
		return TOOL_INTERRUPTED;
	return tool_fail("demo", demo->error ? demo->error : weft_error_of(r));
}

static int prepare(struct demo *demo, const struct demo_options *options)
{
	struct demo_setup setup;
	int r = 0;

	if (options->svg)
		r = check_picture(options->svg);
	if (r < 0)
		return r;
	fill_setup(&setup, options);
	r = demo_work_measure_fsync(&setup);
	if (r < 0)
		return r;
	return demo_run_init(&demo->run, &setup);
}

static int run(const struct command *command, int argc, char **argv)
{
	struct demo_options options = { .seconds = SECONDS_NS };
	struct demo demo = { 0 };
	int r;

	switch (options_parse(command, argc, argv, &options)) {
	case OPTIONS_GO:
		break;
	case OPTIONS_HELP:
		return TOOL_OK;
	case OPTIONS_WRONG:
		return TOOL_USAGE;
	}

	r = prepare(&demo, &options);
	if (r < 0)
		return tool_fail(command->name, weft_error_of(r));
	r = run_demo(&demo, &options);
	weft_error_unref(demo.error);
	demo_run_fini(&demo.run);
	return r;
}

static const struct option_row options[] = {
	{ "seconds", "S", OPTION_SECONDS, offsetof(struct demo_options, seconds), 100,
	  3600000, "how long each of the 7 phases takes (2)" },
	{ "processes", "N", OPTION_NUMBER, offsetof(struct demo_options, processes), 1,
	  256, "processes of the server (from the CPUs: 2 to 8)" },
	{ "loops", "N", OPTION_NUMBER, offsetof(struct demo_options, loops), 1, 64,
	  "loops of each process (2)" },
	{ "threads", "N", OPTION_NUMBER, offsetof(struct demo_options, threads), 1, 1024,
	  "most pool threads of each process (16)" },
	{ "connections", "N", OPTION_NUMBER, offsetof(struct demo_options, connections),
	  1, 10000, "clients, each with a connection (16 for each loop)" },
	{ "json", NULL, OPTION_FLAG, offsetof(struct demo_options, json), 0, 0,
	  "print an object a line for machines, instead of the table" },
	{ "svg", "FILE", OPTION_TEXT, offsetof(struct demo_options, svg), 0, 0,
	  "where to write the picture (weft-demo.svg)" },
};

const struct command demo_command = {
	.name = "demo",
	.summary = "show what a blocking call does to event loops, on a real server",
	.about =
		"Serves three kinds of work (a sleep, a password hash, a write with fsync) by a blocking\n"
		"call on the loop, by the same call in the executor, and the sleep also asynchronously;\n"
		"measures requests and loop lag under real load; draws when loops were held.\n"
		"Exits with 0 if every request was answered.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.run = run,
};
