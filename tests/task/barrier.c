/*
 * Barriers.
 */
#include "tests/task_test.h"

struct party {
	struct weft_barrier *barrier;
	int n_rounds;
	int r; /* of its last wait; 1000: it waits */
	int after; /* of the wait after that */
	unsigned *numbers; /* of each round: which were given out; may be NULL */
};

static int come(void *arg)
{
	struct party *party = arg;
	int i = 0;

	do {
		party->r = 1000;
		party->r = weft_barrier_wait(party->barrier);
		if (party->r >= 0 && party->numbers) {
			cr_expect(!(party->numbers[i] & BIT(party->r)),
				  "given out twice");
			party->numbers[i] |= BIT(party->r);
		}
	} while (party->r >= 0 && ++i < party->n_rounds);
	party->after = weft_yield();
	return party->r;
}

static weft_task *start_party(struct party *party, struct weft_barrier *barrier)
{
	weft_task *task;

	*party = (struct party){ .barrier = barrier, .n_rounds = 1 };
	task = start(come, party);
	pass_turns(2);
	return task;
}

TaskTest(barrier, waits_until_all_have_come_and_numbers_them)
{
	enum { N = 5 };
	struct weft_barrier barrier = WEFT_BARRIER_INIT(N);
	struct party parties[N];
	weft_task *tasks[N];

	for (int i = 0; i < N - 1; i++) {
		tasks[i] = start_party(&parties[i], &barrier);
		cr_expect_eq(weft_barrier_waiting(&barrier), (size_t)i + 1);
	}
	pass_time(WEFT_SEC);
	for (int i = 0; i < N - 1; i++)
		cr_expect_eq(parties[i].r, 1000, "waits");
	tasks[N - 1] = start_party(&parties[N - 1], &barrier);
	cr_expect_eq(weft_barrier_waiting(&barrier), 0);
	for (int i = 0; i < N; i++)
		cr_expect_eq(weft_task_join(tasks[i]), i, "in the order of arrival");
}

TaskTest(barrier, can_be_used_round_after_round)
{
	enum { N = 4, N_ROUNDS = 20 };
	struct weft_barrier barrier = WEFT_BARRIER_INIT(N);
	unsigned numbers[N_ROUNDS] = { 0 };
	struct party parties[N];
	weft_task *tasks[N];

	for (int i = 0; i < N; i++) {
		parties[i] = (struct party){ &barrier, N_ROUNDS, 0, 0, numbers };
		tasks[i] = start(come, &parties[i]);
	}
	for (int i = 0; i < N; i++)
		cr_expect_ge(weft_task_join(tasks[i]), 0);
	for (int i = 0; i < N_ROUNDS; i++)
		cr_expect_eq(numbers[i], BIT(N) - 1, "each number once, round %d", i);
}

TaskTest(barrier, counts_who_comes_while_the_last_round_leaves_for_the_next)
{
	struct weft_barrier barrier = WEFT_BARRIER_INIT(2);
	struct party first;
	weft_task *task = start_party(&first, &barrier);
	struct party second = { .barrier = &barrier, .n_rounds = 1 };
	weft_task *next;

	cr_expect_eq(weft_barrier_wait(&barrier), 1);
	cr_expect_eq(first.r, 1000, "it was let go and did not run yet");
	next = start(come, &second);
	pass_turns(3);
	cr_expect_eq(first.r, 0);
	cr_expect_eq(second.r, 1000, "it waits for the next round");
	cr_expect_eq(weft_barrier_wait(&barrier), 1);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(weft_task_join(next), 0);
}

TaskTest(barrier, for_one_task_lets_it_pass)
{
	struct weft_barrier barrier = WEFT_BARRIER_INIT(1);

	weft_task_cancel(weft_task_current(), NULL);
	cr_expect_eq(weft_barrier_wait(&barrier), 0, "no wait, so no cancellation");
	cr_expect_eq(weft_barrier_wait(&barrier), 0);
	cr_expect_eq(weft_yield(), -ECANCELED);
	cr_expect_eq(weft_task_uncancel(weft_task_current()), 0);
}

TaskTestInOrder(barrier, for_no_task_is_an_assertion, .signal = SIGABRT)
{
	struct weft_barrier barrier = WEFT_BARRIER_INIT(0);

	(void)!weft_barrier_wait(&barrier);
}

/* ---- Cancellation ---- */

TaskTest(barrier, is_left_by_a_cancelled_waiter_and_not_broken)
{
	struct weft_barrier barrier = WEFT_BARRIER_INIT(3);
	struct party parties[4];
	weft_task *tasks[4];

	for (int i = 0; i < 2; i++)
		tasks[i] = start_party(&parties[i], &barrier);
	weft_task_cancel(tasks[0], NULL);
	cr_expect_eq(weft_barrier_waiting(&barrier), 1);
	cr_expect_eq(weft_task_join(tasks[0]), -ECANCELED);
	cr_expect(!weft_barrier_is_broken(&barrier));
	tasks[2] = start_party(&parties[2], &barrier);
	cr_expect_eq(parties[2].r, 1000, "one is missing again");
	tasks[3] = start_party(&parties[3], &barrier);
	for (int i = 1; i < 4; i++)
		cr_expect_eq(weft_task_join(tasks[i]), i - 1, "numbers without a gap");
}

TaskTest(barrier, that_opened_before_the_cancellation_is_passed)
{
	struct weft_barrier barrier = WEFT_BARRIER_INIT(2);
	struct party party;
	weft_task *task = start_party(&party, &barrier);

	cr_expect_eq(weft_barrier_wait(&barrier), 1);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), 0, "result first");
	cr_expect_eq(party.after, -ECANCELED, "at its next wait");
}

TaskTest(barrier, is_not_entered_by_a_task_with_a_pending_cancellation)
{
	struct weft_barrier barrier = WEFT_BARRIER_INIT(2);

	weft_task_cancel(weft_task_current(), NULL);
	cr_expect_eq(weft_barrier_wait(&barrier), -ECANCELED);
	cr_expect_eq(weft_barrier_waiting(&barrier), 0);
	cr_expect_eq(weft_task_uncancel(weft_task_current()), 0);
}

TaskTest(barrier, in_a_timeout_lets_the_others_wait_on)
{
	struct weft_barrier barrier = WEFT_BARRIER_INIT(3);
	struct weft_timeout timeout;
	struct party party;
	weft_task *task = start_party(&party, &barrier);
	int r;

	weft_timeout_begin(&timeout, WEFT_SEC);
	r = weft_barrier_wait(&barrier);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
	cr_expect_eq(weft_barrier_waiting(&barrier), 1);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
}

/* ---- Reset and abort ---- */

TaskTest(barrier, that_is_reset_sends_the_waiters_away_and_starts_anew)
{
	struct weft_barrier barrier = WEFT_BARRIER_INIT(3);
	struct party parties[3];
	weft_task *tasks[3];

	for (int i = 0; i < 2; i++)
		tasks[i] = start_party(&parties[i], &barrier);
	weft_barrier_reset(&barrier);
	cr_expect_eq(weft_barrier_waiting(&barrier), 0);
	cr_expect(!weft_barrier_is_broken(&barrier));
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(weft_task_join(tasks[i]), -EPIPE);
		cr_expect_str_eq(weft_error_text(-EPIPE),
				 "the barrier was reset or aborted "
				 "before all had come");
	}
	for (int i = 0; i < 3; i++)
		tasks[i] = start_party(&parties[i], &barrier);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(weft_task_join(tasks[i]), i);
}

TaskTest(barrier, that_is_reset_keeps_who_comes_before_the_others_have_left)
{
	struct weft_barrier barrier = WEFT_BARRIER_INIT(2);
	struct party gone, stays;
	weft_task *tasks[2];

	tasks[0] = start_party(&gone, &barrier);
	weft_barrier_reset(&barrier);
	stays = (struct party){ .barrier = &barrier, .n_rounds = 1 };
	tasks[1] = start(come, &stays);
	pass_turns(3);
	cr_expect_eq(weft_barrier_waiting(&barrier), 1);
	cr_expect_eq(weft_barrier_wait(&barrier), 1);
	cr_expect_eq(weft_task_join(tasks[0]), -EPIPE);
	cr_expect_eq(weft_task_join(tasks[1]), 0);
}

TaskTest(barrier, that_is_aborted_sends_everybody_away_until_it_is_reset)
{
	struct weft_barrier barrier = WEFT_BARRIER_INIT(2);
	struct party party;
	weft_task *task = start_party(&party, &barrier);

	weft_barrier_abort(&barrier);
	cr_expect(weft_barrier_is_broken(&barrier));
	cr_expect_eq(weft_task_join(task), -EPIPE, "who waited");
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(weft_barrier_wait(&barrier), -EPIPE, "who comes later");
		cr_expect_str_eq(weft_error_text(-EPIPE),
				 "the barrier was aborted: it can be used again after "
				 "weft_barrier_reset()");
	}
	weft_barrier_reset(&barrier);
	cr_expect(!weft_barrier_is_broken(&barrier));
	task = start_party(&party, &barrier);
	cr_expect_eq(weft_barrier_wait(&barrier), 1);
	cr_expect_eq(weft_task_join(task), 0);
}

TaskTest(barrier, that_opened_before_an_abort_is_passed)
{
	struct weft_barrier barrier = WEFT_BARRIER_INIT(2);
	struct party party;
	weft_task *task = start_party(&party, &barrier);

	cr_expect_eq(weft_barrier_wait(&barrier), 1);
	weft_barrier_abort(&barrier); /* the waiter did not run yet */
	cr_expect_eq(weft_task_join(task), 0);
}

static void reset_in_callback(void *barrier)
{
	weft_barrier_reset(barrier);
}

TaskTest(barrier, may_be_reset_by_a_callback)
{
	struct weft_barrier barrier = WEFT_BARRIER_INIT(2);

	cr_assert_eq(weft_loop_call_soon(weft_loop_current(), reset_in_callback, &barrier,
					 NULL),
		     0);
	cr_expect_eq(weft_barrier_wait(&barrier), -EPIPE);
}
