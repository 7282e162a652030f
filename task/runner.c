/*
 * Running a main task from beginning to end: weft_run() and its pieces.
 *
 * A runner owns a loop and belongs to the thread that made it. While a main task runs,
 * the first SIGINT or SIGTERM cancels it, and the second ends the process at once: by the
 * default action, so that whoever waits for the process sees which signal it was. On the
 * runner's thread.
 */
#include "task/runner.h"

#include <signal.h>
#include <sys/resource.h>

#include <weft/signal.h>

#include "base/error.h"
#include "task/future.h"

struct weft_runner {
	weft_loop *loop;
	struct weft_run_options options;
	weft_task *main; /* while it runs */
	bool was_told; /* by a signal to end */
	struct context *context; /* of its main tasks, in turn; with a reference */
};

#define DEFAULT_GRACE (300 * WEFT_SEC)

static weft__drain_fn *drain_executors;

void weft__runner_set_drain(weft__drain_fn *drain)
{
	drain_executors = drain;
}

/* Servers need descriptors: the soft limit is a courtesy to select(), which nobody uses
 * here. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit); /* then it stays as it was */
	}
}

int weft_runner_new(const struct weft_run_options *options, weft_runner **out)
{
	static const struct weft_run_options defaults;
	weft_runner *runner;
	int r;

	if (!options)
		options = &defaults;
	if (weft__has_reserved(options->reserved, ARRAY_SIZE(options->reserved)) ||
	    options->grace_ns < 0)
		return weft_error_set(
			-EINVAL, "the options of a run are not valid: set all fields "
				 "that you do not use to zero");
	if (weft__thread.loop)
		return weft_error_set(
			-EBUSY, "a loop already runs on this thread: start a task with "
				"weft_spawn() instead of another run");
	runner = weft__zalloc(sizeof(*runner));
	if (!runner)
		return -ENOMEM;
	runner->options = *options;
	if (!runner->options.grace_ns)
		runner->options.grace_ns = DEFAULT_GRACE;
	r = weft_loop_new(&options->loop, &runner->loop);
	if (r < 0) {
		free(runner);
		return r;
	}
	runner->context = context_capture();
	raise_descriptor_limit();
	*out = runner;
	return 0;
}

weft_loop *weft_runner_loop(weft_runner *runner)
{
	return runner->loop;
}

/* ---- Signals ---- */

static void on_signal(int signo, void *arg)
{
	weft_runner *runner = arg;

	if (!runner->was_told && runner->main) {
		runner->was_told = true;
		(void)weft_task_cancel(runner->main, signo == SIGINT
							     ? "interrupted (SIGINT)"
							     : "terminated (SIGTERM)");
		return;
	}
	(void)weft_loop_remove_signal_handler(runner->loop, signo);
	(void)signal(signo, SIG_DFL);
	(void)raise(signo);
}

static bool has_default_action(int signo)
{
	struct sigaction action;

	return sigaction(signo, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
}

/* Only where the program left the signal alone; and one loop of several runners has it.
 */
static void take_signals(weft_runner *runner)
{
	if (runner->options.keep_signals)
		return;
	if (has_default_action(SIGINT))
		(void)weft_loop_add_signal_handler(runner->loop, SIGINT, on_signal,
						   runner);
	if (has_default_action(SIGTERM))
		(void)weft_loop_add_signal_handler(runner->loop, SIGTERM, on_signal,
						   runner);
}

static void give_signals_back(weft_runner *runner)
{
	(void)weft_loop_remove_signal_handler(runner->loop, SIGINT);
	(void)weft_loop_remove_signal_handler(runner->loop, SIGTERM);
}

/* ---- Running ---- */

static int run_until_done(weft_runner *runner, weft_task *main)
{
	weft_loop *loop = runner->loop;

	do {
		loop->stop = false; /* nobody but the main task's end stops a run */
		weft__loop_round(loop, WEFT_FOREVER);
	} while (main->state != TASK_DONE && !loop->deadlocked);
	loop->stop = false;
	if (main->state != TASK_DONE)
		return weft_error_set(-EDEADLK,
				      "everything waits, and nothing is left that could "
				      "happen");
	return main->result;
}

/* What this run has set, the next one finds. */
static void keep_context(weft_runner *runner, const weft_task *main)
{
	struct context *before = runner->context;

	runner->context = weft__context_ref(main->carrier.context);
	weft__context_unref(before);
}

static int runner_run(weft_runner *runner, weft_fn *fn, void *arg, const void *place)
{
	weft_loop *loop = runner->loop;
	const struct weft_error *error = NULL;
	weft_task *main;
	int r = weft__loop_enter(loop);

	if (r < 0)
		return r;
	r = weft__task_new(loop, fn, arg, NULL, place, true, &main);
	if (r == 0) {
		runner->main = main;
		main->carrier.context = weft__context_ref(runner->context);
		main->is_main = true;
		runner->was_told = false;
		take_signals(runner);
		r = run_until_done(runner, main);
		give_signals_back(runner);
		runner->main = NULL;
		keep_context(runner, main);
		main->was_seen = true;
		if (main->future)
			weft__future_seen(main->future);
		if (r < 0 && main->error && main->error->code == r)
			error = weft_error_ref(main->error);
		weft__task_unref(main);
	}
	weft__loop_leave(loop);
	weft__error_give(error);
	return r;
}

__attribute__((noinline)) int weft_runner_run(weft_runner *runner, weft_fn *fn, void *arg)
{
	return runner_run(runner, fn, arg, __builtin_return_address(0));
}

int weft_runner_close(weft_runner *runner)
{
	weft_time grace_ns;
	int r;

	if (!runner)
		return 0;
	if (weft__thread_is_stale())
		return weft__loop_none(__func__);
	grace_ns = runner->options.grace_ns;
	r = weft_loop_close(runner->loop);
	weft__context_unref(runner->context);
	free(runner);
	if (drain_executors)
		drain_executors(grace_ns);
	return r;
}

static int run(weft_fn *fn, void *arg, const struct weft_run_options *options,
	       const void *place)
{
	const struct weft_error *error;
	weft_runner *runner;
	int r = weft_runner_new(options, &runner);

	if (r < 0)
		return r;
	r = runner_run(runner, fn, arg, place);
	error = weft__error_take(r);
	(void)weft_runner_close(
		runner); /* tasks that were abandoned have been reported */
	weft__error_give(error);
	return r;
}

__attribute__((noinline)) int weft_run(weft_fn *fn, void *arg)
{
	return run(fn, arg, NULL, __builtin_return_address(0));
}

__attribute__((noinline)) int weft_run_with(weft_fn *fn, void *arg,
					    const struct weft_run_options *options)
{
	return run(fn, arg, options, __builtin_return_address(0));
}

/* ---- Until a future settles ---- */

struct until {
	struct future_waiter waiter;
	weft_loop *loop;
	weft_future *future;
	struct handle message; /* to the loop, for a future that any thread may settle */
	bool settled;
};

static void end_run(void *arg)
{
	struct until *until = arg;

	until->settled = true;
	until->loop->stop = true;
}

static void on_settled(struct future_waiter *waiter)
{
	struct until *until = container_of(waiter, struct until, waiter);

	if (until->future->is_shared)
		(void)weft__loop_post(until->loop, &until->message); /* open: it runs */
	else
		end_run(until);
}

static int run_until(struct until *until)
{
	weft_loop *loop = until->loop;

	do
		weft__loop_round(loop, WEFT_FOREVER);
	while (!loop->stop);
	if (!until->settled && weft__future_remove_waiter(until->future, &until->waiter))
		return weft_error_set(-EINTR,
				      "the loop was stopped before the future settled");
	/* Its message may still be on the way, and must not reach us later, nor end another run. */
	while (!until->settled)
		weft__loop_round(loop, WEFT_FOREVER);
	return 0;
}

int weft_loop_run_until(weft_loop *loop, weft_future *future)
{
	struct until until = {
		.waiter.notify = on_settled,
		.loop = loop,
		.future = future,
	};
	int r;

	if (!future->is_shared && future->loop != loop)
		return weft_error_set(
			-EPERM,
			"weft_loop_run_until(): the future is local to loop "
			"\"%s\": run that, or make a shared future",
			future->loop->name);
	r = weft__loop_enter(loop);
	if (r < 0)
		return r;
	handle_init(&until.message, HANDLE_DIRECT, end_run, &until);
	if (weft__future_add_waiter(future, &until.waiter))
		r = run_until(&until);
	loop->stop = false;
	weft__loop_leave(loop);
	return r;
}
