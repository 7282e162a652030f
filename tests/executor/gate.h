/*
 * A gate: jobs that go in stay until it is opened. So a test decides how long a job takes, and
 * knows when it runs, without a clock.
 */
#ifndef WEFT_TESTS_EXECUTOR_GATE_H
#define WEFT_TESTS_EXECUTOR_GATE_H

#include <pthread.h>

#include <weft/executor.h>

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_open;
	int n_inside; /* jobs that went in, ever */
	int n_out; /* jobs that came out */
	int result; /* of gate_pass() */
};

#define GATE_INIT                                                                       \
	{                                                                               \
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, \
	}

/* The job; arg is the gate. */
int gate_pass(void *gate);
void gate_open(struct gate *gate);
void gate_close(struct gate *gate);
/* In a task or on a plain thread: returns when n jobs are or were inside, or have come out. */
void gate_await_inside(struct gate *gate, int n);
void gate_await_out(struct gate *gate, int n);
int gate_n_inside(struct gate *gate);

/* In a task or on a plain thread: returns when fn(arg) is true. Fails the test after a while. */
void await_condition(bool (*fn)(void *arg), void *arg, const char *what);

/* A pool of 1 thread, unless the options say something else. */
weft_executor *new_pool(const struct weft_thread_pool_options *options);

/* Runs `main` on a loop; fails the test if it fails. */
void run_task(weft_fn *main, void *arg);

/* What was reported meanwhile, one line each. */
void reports_begin(void);
const char *reports_end(void);

#endif
