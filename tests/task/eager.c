/*
 * Eager tasks: they run inside the call that spawns them, up to their first wait.
 */
#include "tests/task_test.h"

static const struct weft_spawn_options eager = { .eager = true };

static weft_task *start_eagerly(weft_fn *fn, void *arg)
{
	weft_task *task = NULL;

	cr_assert_eq(weft_spawn_with(fn, arg, &eager, &task), 0);
	cr_assert_not_null(task);
	return task;
}

struct steps {
	int n; /* how far it came */
	weft_task *self, *outer;
};

static int walk(void *arg)
{
	struct steps *steps = arg;

	steps->self = weft_task_current();
	steps->n = 1;
	cr_expect_eq(weft_yield(), 0);
	steps->n = 2;
	cr_expect_eq(weft_sleep(WEFT_SEC), 0);
	steps->n = 3;
	return 17;
}

TaskTest(eager_task, runs_inside_the_spawn_up_to_its_first_wait)
{
	struct steps steps = { .n = 0 };
	weft_task *me = weft_task_current();
	weft_task *task = start_eagerly(walk, &steps);

	cr_expect_eq(steps.n, 1);
	cr_expect_eq(steps.self, task, "it was the current task");
	cr_expect_eq(weft_task_current(), me, "and is not any more");
	pass_turns(2);
	cr_expect_eq(steps.n, 2);
	cr_expect_eq(weft_task_join(task), 17);
	cr_expect_eq(steps.n, 3);
}

TaskTest(eager_task, that_does_not_wait_has_ended_when_the_spawn_returns)
{
	int result = 5, failure = -EIO;
	weft_task *task = start_eagerly(return_number, &result), *listed[4];

	cr_expect_eq(weft_loop_tasks(weft_loop_current(), listed, 4), 1, "not listed");
	cr_expect_eq(weft_task_join(task), 5);
	task = start_eagerly(return_number, &failure);
	cr_expect_eq(weft_task_join(task), -EIO);
	/* Their stack is the next one's, while we still are where they were begun. */
	for (int i = 0; i < 100; i++)
		cr_expect_eq(weft_spawn_with(return_number, &result, &eager, NULL), 0);
	cr_expect_eq(weft_loop_tasks(weft_loop_current(), listed, 4), 1);
}

TaskTest(eager_task, that_is_detached_and_fails_at_once_is_reported)
{
	int failure = -EIO;

	expect_reports();
	cr_expect_eq(weft_spawn_with(return_number, &failure, &eager, NULL), 0);
	cr_expect_eq(reports_count(), 1);
	cr_expect_eq(reports_with("return_number"), 1);
}

static void note(void *arg)
{
	++*(int *)arg;
}

TaskTest(eager_task, that_has_ended_calls_its_done_callbacks_later)
{
	int result = 5, n_calls = 0;
	weft_task *task = start_eagerly(return_number, &result);

	cr_expect_eq(weft_future_add_done_callback(weft_task_future(task), note, &n_calls,
						   NULL),
		     0);
	cr_expect_eq(n_calls, 0);
	pass_turns(2);
	cr_expect_eq(n_calls, 1);
	cr_expect_eq(weft_task_join(task), 5);
}

/* ---- Order ---- */

struct trace {
	char letters[16];
	int n;
};

struct letter {
	struct trace *trace;
	char first, second;
};

static void write_down(struct trace *trace, char letter)
{
	cr_assert_lt(trace->n, (int)sizeof(trace->letters) - 1);
	trace->letters[trace->n++] = letter;
}

static int write_two(void *arg)
{
	struct letter *letter = arg;

	write_down(letter->trace, letter->first);
	cr_expect_eq(weft_yield(), 0);
	write_down(letter->trace, letter->second);
	return 0;
}

TaskTestInOrder(eager_task, gives_way_to_who_spawned_it_and_then_waits_its_turn)
{
	struct trace trace = { .n = 0 };
	struct letter ready = { &trace, 'r', 's' }, quick = { &trace, 'a', 'b' };
	weft_task *tasks[2];

	tasks[0] = start(write_two, &ready);
	tasks[1] = start_eagerly(write_two, &quick);
	write_down(&trace, 'm');
	cr_expect_eq(weft_task_join(tasks[0]), 0);
	cr_expect_eq(weft_task_join(tasks[1]), 0);
	cr_expect_str_eq(trace.letters, "amrbs");
}

/* ---- In a callback ---- */

struct from_callback {
	struct steps steps;
	struct trace trace;
	struct letter ready;
	weft_task *task;
	weft_task *current;
	int n_seen;
};

static void spawn_in_a_callback(void *arg)
{
	struct from_callback *state = arg;

	cr_expect_eq(weft_spawn(write_two, &state->ready, NULL), 0, "is not let run");
	state->task = start_eagerly(walk, &state->steps);
	state->n_seen = state->steps.n;
	state->current = weft_task_current();
	write_down(&state->trace, 'c');
}

TaskTestInOrder(eager_task, runs_in_a_callback_as_well)
{
	weft_loop *loop = weft_loop_current();
	static const char *const names[] = { "soon", "later", "post", "done" };

	for (int i = 0; i < 4; i++) {
		struct from_callback state = { .ready = { &state.trace, 'r', 's' } };
		weft_future *future;

		cr_assert_eq(weft_future_new(&future), 0);
		if (i == 0)
			cr_expect_eq(weft_loop_call_soon(loop, spawn_in_a_callback,
							 &state, NULL),
				     0);
		else if (i == 1)
			cr_expect_eq(weft_loop_call_later(loop, 1, spawn_in_a_callback,
							  &state, NULL),
				     0);
		else if (i == 2)
			cr_expect_eq(weft_loop_call_soon_threadsafe(
					     loop, spawn_in_a_callback, &state, NULL),
				     0);
		else
			cr_expect_eq(weft_future_add_done_callback(
					     future, spawn_in_a_callback, &state, NULL),
				     0);
		cr_expect(weft_future_cancel(future));
		pass_time(WEFT_MSEC);
		cr_expect_eq(state.n_seen, 1, "%s", names[i]);
		cr_expect_null(state.current, "%s", names[i]);
		cr_expect_str_eq(state.trace.letters, "crs", "%s", names[i]);
		cr_expect_eq(weft_task_join(state.task), 17, "%s", names[i]);
		weft_future_unref(future);
	}
}

/* ---- On the thread's own stack ---- */

static int add_one(void *arg)
{
	cr_expect_null(weft_task_current());
	++*(int *)arg;
	return 0;
}

static int call_below(void *arg)
{
	cr_expect_eq(weft_call_on_thread_stack(add_one, arg), 0);
	cr_expect_eq(weft_yield(), 0);
	return weft_call_on_thread_stack(add_one, arg);
}

static int spawn_below(void *arg)
{
	return weft_spawn_with(call_below, arg, &eager, NULL);
}

static void spawn_one_that_calls_below(void *arg)
{
	cr_expect_eq(spawn_below(arg), 0);
	cr_expect_eq(*(int *)arg, 1);
}

TaskTest(eager_task, may_call_on_the_threads_stack_and_be_spawned_there)
{
	int n = 0;
	weft_task *task = start_eagerly(call_below, &n);

	cr_expect_eq(n, 1);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(n, 2);

	n = 0;
	cr_expect_eq(weft_call_on_thread_stack(spawn_below, &n), 0);
	cr_expect_eq(n, 1);
	pass_turns(3);
	cr_expect_eq(n, 2);

	n = 0;
	cr_expect_eq(weft_loop_call_soon(weft_loop_current(), spawn_one_that_calls_below,
					 &n, NULL),
		     0);
	pass_turns(4);
	cr_expect_eq(n, 2);
}

/* ---- Context and errors ---- */

static const struct weft_context_var var = { .name = "var" };
static char outer_value[] = "outer", inner_value[] = "inner";

static int set_and_fail(void *arg)
{
	(void)arg;
	cr_expect_eq(weft_context_get(&var), outer_value);
	cr_expect_eq(weft_context_set(&var, inner_value), 0);
	(void)weft_error_set(-EIO, "of the inner one");
	return 0;
}

TaskTest(eager_task, has_a_context_and_an_error_of_its_own)
{
	cr_expect_eq(weft_context_set(&var, outer_value), 0);
	(void)weft_error_set(-EIO, "of the outer one");
	cr_expect_eq(weft_spawn_with(set_and_fail, NULL, &eager, NULL), 0);
	cr_expect_eq(weft_context_get(&var), outer_value);
	cr_expect_str_eq(weft_error_text(-EIO), "of the outer one");
}

/* ---- Cancellation ---- */

static int cancel_outer(void *arg)
{
	cr_expect(weft_task_cancel(arg, "by the inner one"));
	return 0;
}

TaskTest(eager_task, may_cancel_who_spawned_it)
{
	weft_task *me = weft_task_current();

	cr_expect_eq(weft_spawn_with(cancel_outer, me, &eager, NULL), 0);
	cr_expect_eq(requests(), 1);
	cr_expect_eq(weft_yield(), -ECANCELED);
	cr_expect_eq(weft_task_uncancel(me), 0);
	cr_expect_eq(weft_yield(), 0);
}

static int join_outer(void *arg)
{
	return weft_future_await(arg);
}

static int spawn_one_that_awaits_me(void *arg)
{
	weft_task **inner = arg;

	*inner = start_eagerly(join_outer, weft_task_future(weft_task_current()));
	return 3;
}

TaskTest(eager_task, may_await_who_spawned_it)
{
	weft_task *inner = NULL;
	weft_task *outer = start(spawn_one_that_awaits_me, &inner);

	cr_expect_eq(weft_task_join(outer), 3);
	cr_expect_eq(weft_task_join(inner), 0);
}

/* ---- Groups ---- */

TaskTest(eager_task, in_a_group)
{
	int result = 5, failure = -EIO;
	struct steps steps = { .n = 0 };
	struct weft_group group;

	weft_group_begin(&group);
	cr_expect_not_null(weft_group_spawn_with(&group, walk, &steps, &eager));
	cr_expect_eq(steps.n, 1);
	cr_expect_null(weft_group_spawn_with(&group, return_number, &result, &eager),
		       "it has ended");
	cr_expect_eq(weft_group_end(&group, 0), 0);
	cr_expect_eq(steps.n, 3);

	weft_group_begin(&group);
	cr_expect_not_null(weft_group_spawn_with(&group, sleep_forever, NULL, &eager));
	cr_expect_null(weft_group_spawn_with(&group, return_number, &failure, &eager));
	cr_expect_eq(weft_yield(), -ECANCELED, "the group has failed");
	cr_expect_eq(weft_group_end(&group, -ECANCELED), -EIO);
	cr_expect_eq(requests(), 0);
}

static int cancel_its_group(void *arg)
{
	weft_group_cancel(arg);
	cr_expect_eq(weft_yield(), -ECANCELED);
	return -ECANCELED;
}

TaskTest(eager_task, that_cancels_its_group_is_cancelled_itself)
{
	struct weft_group group;

	weft_group_begin(&group);
	cr_expect_null(weft_group_spawn_with(&group, cancel_its_group, &group, &eager));
	cr_expect_eq(weft_group_end(&group, 0), 0);
}

/* ---- Depth ---- */

struct nest {
	int depth, deepest;
};

static int nest(void *arg)
{
	struct nest *nest_ = arg;

	nest_->depth++;
	if (nest_->deepest < nest_->depth)
		nest_->deepest = nest_->depth;
	if (nest_->depth < 1000)
		cr_expect_eq(weft_spawn_with(nest, nest_, &eager, NULL), 0);
	nest_->depth--;
	return 0;
}

TaskTest(eager_task, that_is_nested_too_deeply_is_queued)
{
	struct nest state = { 0 };

	cr_expect_eq(weft_spawn_with(nest, &state, &eager, NULL), 0);
	cr_expect_eq(state.depth, 0);
	cr_expect_eq(state.deepest, 64);
	/* That one is left over, and would go on for ever: it ends here. */
	state.depth = 1000;
	pass_turns(2);
	cr_expect_eq(state.deepest, 1001);
}

/* ---- Memory ---- */

static int spawn_all_ways(void *arg)
{
	struct steps steps[2] = { { .n = 0 } };
	weft_task *task = NULL;
	int r = weft_spawn_with(walk, &steps[0], &eager, &task);

	(void)arg;
	if (r < 0)
		return r;
	cr_expect_eq(steps[0].n, 1);
	return weft_task_join(task);
}

static void spawn_if_it_can(void *arg)
{
	int *n = arg;

	if (weft_spawn_with(call_below, n, &eager, NULL) == 0)
		cr_expect_eq(*n, 1);
	else
		*n = 2;
}

static int spawn_in_callbacks(void *arg)
{
	int n = 0;
	int r = weft_loop_call_soon(weft_loop_current(), spawn_if_it_can, &n, NULL);

	if (r < 0)
		return r;
	while (n < 2 && r == 0)
		r = weft_yield();
	return r < 0 ? r : spawn_all_ways(arg);
}

Test(eager_task, survives_each_failing_allocation)
{
	int n_failed = 0;

	for (int n = 1; n < 60; n++) {
		struct weft_test_options options = { .fail_allocation = n };
		int r = weft_test_run(spawn_in_callbacks, NULL, &options);

		cr_expect(r == 17 || r == -ENOMEM, "%d: %d", n, r);
		n_failed += r == -ENOMEM;
	}
	cr_expect_gt(n_failed, 2);
}

/* ---- A look that falls due in between ---- */

static int pass_a_turn(void *arg)
{
	int *n_ended = arg;
	int r = weft_yield();

	(*n_ended)++;
	return r;
}

/* Inside it one more; both suspend. */
static int start_another(void *arg)
{
	int *n_ended = arg;
	weft_task *inner = start_eagerly(pass_a_turn, n_ended);
	int r = weft_task_join(inner);

	(*n_ended)++;
	return r;
}

static void nothing(void *arg)
{
	(void)arg;
}

struct nested {
	int n_ended;
	weft_task *outer;
};

static void start_nested(void *arg)
{
	struct nested *nested = arg;

	/* A timer that is due already makes the loop look as soon as it can. */
	cr_expect_eq(weft_loop_call_later(weft_loop_current(), 0, nothing, NULL, NULL),
		     0);
	nested->outer = start_eagerly(start_another, &nested->n_ended);
}

TaskTestInOrder(eager_task, inside_another_of_a_callback_is_not_lost_when_the_loop_looks)
{
	for (int i = 0; i < 200; i++) {
		struct nested nested = { .n_ended = 0 };

		cr_assert_eq(weft_loop_call_soon(weft_loop_current(), start_nested,
						 &nested, NULL),
			     0);
		pass_turns(3);
		cr_assert_not_null(nested.outer);
		cr_expect_eq(weft_task_join(nested.outer), 0);
		cr_expect_eq(nested.n_ended, 2);
	}
}
