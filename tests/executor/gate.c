#include "tests/executor/gate.h"

#include <stdio.h>
#include <time.h>

#include <weft/report.h>

#include "tests/test.h"

/* Far more than anything here takes. */
#define PATIENCE (30 * WEFT_SEC)

int gate_pass(void *arg)
{
	struct gate *gate = arg;
	int result;

	pthread_mutex_lock(&gate->lock);
	gate->n_inside++;
	pthread_cond_broadcast(&gate->changed);
	while (!gate->is_open)
		pthread_cond_wait(&gate->changed, &gate->lock);
	gate->n_out++;
	result = gate->result;
	pthread_mutex_unlock(&gate->lock);
	return result;
}

static void set_open(struct gate *gate, bool is_open)
{
	pthread_mutex_lock(&gate->lock);
	gate->is_open = is_open;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

void gate_open(struct gate *gate)
{
	set_open(gate, true);
}

void gate_close(struct gate *gate)
{
	set_open(gate, false);
}

void await_condition(bool (*fn)(void *arg), void *arg, const char *what)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };
	weft_time give_up = weft__clock() + PATIENCE;

	while (!fn(arg)) {
		if (weft__clock() > give_up) {
			cr_expect_fail("never happened: %s", what);
			return;
		}
		if (!weft_task_current() || weft_yield() < 0 || weft_sleep(WEFT_MSEC) < 0)
			(void)nanosleep(&pause, NULL); /* cut short is fine */
	}
}

int gate_n_inside(struct gate *gate)
{
	int n;

	pthread_mutex_lock(&gate->lock);
	n = gate->n_inside;
	pthread_mutex_unlock(&gate->lock);
	return n;
}

struct wanted {
	struct gate *gate;
	int n;
};

static bool are_inside(void *arg)
{
	struct wanted *wanted = arg;

	return gate_n_inside(wanted->gate) >= wanted->n;
}

static bool are_out(void *arg)
{
	struct wanted *wanted = arg;
	bool are;

	pthread_mutex_lock(&wanted->gate->lock);
	are = wanted->gate->n_out >= wanted->n;
	pthread_mutex_unlock(&wanted->gate->lock);
	return are;
}

void gate_await_inside(struct gate *gate, int n)
{
	struct wanted wanted = { .gate = gate, .n = n };

	await_condition(are_inside, &wanted, "jobs go into the gate");
}

void gate_await_out(struct gate *gate, int n)
{
	struct wanted wanted = { .gate = gate, .n = n };

	await_condition(are_out, &wanted, "jobs come out of the gate");
}

weft_executor *new_pool(const struct weft_thread_pool_options *options)
{
	static const struct weft_thread_pool_options one = { .min_threads = 1,
							     .max_threads = 1 };
	weft_executor *pool = NULL;
	int r = weft_thread_pool_new(options ? options : &one, &pool);

	cr_expect_eq(r, 0, "weft_thread_pool_new(): %s", weft_error_text(r));
	return pool;
}

void run_task(weft_fn *main, void *arg)
{
	int r = weft_run(main, arg);

	cr_expect_eq(r, 0, "%s", weft_error_text(r));
}

/* ---- Reports ---- */

static pthread_mutex_t reports_lock = PTHREAD_MUTEX_INITIALIZER;
static char reports[4096];

static void note(const struct weft_report *report, void *unused)
{
	size_t used;

	(void)unused;
	pthread_mutex_lock(&reports_lock);
	used = strlen(reports);
	snprintf(reports + used, sizeof(reports) - used, "%s\n", report->message);
	pthread_mutex_unlock(&reports_lock);
}

void reports_begin(void)
{
	weft_set_report_hook(note, NULL);
}

const char *reports_end(void)
{
	weft_set_report_hook(NULL, NULL);
	return reports;
}
