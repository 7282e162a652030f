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

#include <unistd.h>

#include <weft/group.h>
#include <weft/task.h>

enum {
	PROCESSES_MIN = 2,
	PROCESSES_MAX = 8, /* unless asked for: more rows are no better picture */
	LOOPS = 2,
	THREADS = 16,
	CONNECTIONS_PER_LOOP = 16,
	INTERRUPTED = 130, /* 128 + SIGINT, as shells say it */
};

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
	demo_progress_clear(&demo->progress);
	demo_control_close(&demo->control);
	child_stop(&demo->server, STOP_GRACE_NS);
	return r;
}

/* ---- Showing ---- */

/* Return: 0 or a negative errno, explained. */
static int write_picture(const struct demo_run *run, const char *path)
{
	FILE *out;
	int r = 0;

	out = fopen(path, "we");
	if (!out)
		return weft_error_set(-errno, "%s cannot be written: %s", path,
				      strerror(errno));
	demo_write_svg(run, out);
	if (ferror(out))
		r = -EIO;
	if (fclose(out) != 0 && r == 0)
		r = -errno;
	return r < 0 ? weft_error_set(r, "%s cannot be written: %s", path, strerror(-r))
		     : 0;
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
	int r;

	show(run, options->json);
	r = write_picture(run, options->svg);
	if (r == 0)
		fprintf(options->json ? stderr : stdout, "%sthe picture: %s\n",
			options->json ? "weft demo: " : " ", options->svg);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		tool_complain("demo", "the results could not be written");
		return TOOL_FAILED;
	}
	if (r < 0)
		return weft_exit_status(r);
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

static int run_demo(const struct demo_options *options)
{
	struct demo_setup setup;
	struct demo *demo;
	int r;

	fill_setup(&setup, options);
	r = demo_work_measure_fsync(&setup);
	if (r < 0)
		return weft_exit_status(r);
	demo = calloc(1, sizeof(*demo));
	if (!demo)
		return weft_exit_status(-ENOMEM);
	r = demo_run_init(&demo->run, &setup);
	if (r < 0)
		goto free_demo;

	announce(&setup);
	demo_progress_init(&demo->progress, stderr);
	r = weft_run(demo_task, demo);
	demo_progress_clear(&demo->progress);
	if (r == 0)
		r = conclude(&demo->run, options);
	else
		r = r == -ECANCELED ? INTERRUPTED : weft_exit_status(r);
	demo_run_fini(&demo->run);
	free(demo);
	return r;
free_demo:
	free(demo);
	return weft_exit_status(r);
}

static int run(const struct command *command, int argc, char **argv)
{
	struct demo_options options = { .seconds = SECONDS_NS, .svg = "weft-demo.svg" };

	switch (options_parse(command, argc, argv, &options)) {
	case OPTIONS_GO:
		break;
	case OPTIONS_HELP:
		return TOOL_OK;
	case OPTIONS_WRONG:
		return TOOL_USAGE;
	}
	return run_demo(&options);
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
