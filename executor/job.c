/*
 * What becomes of a job without its function being called, and how its outcome reaches the loop
 * that waits; job.h has the model. Any thread.
 */
#include "executor/lane.h"

void weft__job_deliver(struct job *job)
{
	/* A closed loop had abandoned the task, whose stack is kept: nobody misses it. */
	if (weft__loop_post(job->done.loop, &job->done) < 0)
		weft__error_forget();
}

void weft__job_deliver_all(_Atomic(struct job *) *jobs, int n)
{
	struct handle *first = NULL, *last = NULL;

	for (int i = 0; i < n; i++) {
		/* Relaxed: the caller's own, or streak.c says why. */
		struct job *job = atomic_load_explicit(&jobs[i], memory_order_relaxed);

		handle_set_state(&job->done, HANDLE_POSTED);
		if (last)
			last->link.next = &job->done.link;
		else
			first = &job->done;
		last = &job->done;
	}
	if (first && weft__loop_post_chain(first->loop, first, last) < 0)
		weft__error_forget();
}

void weft__job_drop(struct job *job, int code, const struct weft_error *error)
{
	if (job->is_kept) {
		weft__kept_drop(kept_of(job), code, error);
		return;
	}
	job->result = code;
	job->error = error;
	weft__job_deliver(job);
}

void weft__job_fail(weft_executor *pool, struct job *job, int code,
		    const struct weft_error *error)
{
	bool is_long = job->is_long; /* with its drop the job may be gone */

	weft__job_drop(job, code, weft_error_ref(error));
	weft__place_give(pool, 1, is_long);
}

bool weft__job_withdraw(weft_executor *pool, struct job *job)
{
	bool found = job->lane ? weft__lane_withdraw(job->lane, job)
			       : weft__queue_withdraw(pool, job);

	if (found)
		place_give_of(pool, job);
	return found;
}
