/*
 * A program for tests/debug/every_instruction.sh: each kind of switch there is, over and over.
 *
 * Two tasks take turns, so that one switches straight to the other; they yield alone, so that
 * they go by way of the loop; one makes a call on the thread's stack; and one spawns tasks that
 * end at once, so that a stack begins anew and is used again. Each function that is followed
 * leaves the address of its frame, by which the debugger knows whose stack it is on.
 */
#include <stdio.h>

#include <weft/test.h>
#include <weft/weft.h>

enum { ROUNDS = 1000 };

void *frame_of_main, *frame_of_alpha, *frame_of_beta;

static int on_thread_stack(void *arg)
{
	return *(int *)arg + 1;
}

static int brief(void *arg)
{
	(void)arg;
	return 0;
}

static int alpha(void *arg)
{
	int n = 0;

	(void)arg;
	frame_of_alpha = __builtin_frame_address(0);
	for (int i = 0; i < ROUNDS; i++) {
		if (weft_yield() < 0 ||
		    weft_call_on_thread_stack(on_thread_stack, &n) != n + 1)
			return -EPERM;
	}
	return 0;
}

static int beta(void *arg)
{
	weft_task *task;

	(void)arg;
	frame_of_beta = __builtin_frame_address(0);
	for (int i = 0; i < ROUNDS; i++) {
		if (weft_spawn(brief, NULL, &task) < 0 || weft_yield() < 0 ||
		    weft_task_join(task) < 0)
			return -EPERM;
	}
	return 0;
}

static int app(void *arg)
{
	struct weft_group group;

	(void)arg;
	weft_group_begin(&group);
	weft_group_spawn(&group, alpha, NULL);
	weft_group_spawn(&group, beta, NULL);
	return weft_group_end(&group, 0);
}

int main(void)
{
	frame_of_main = __builtin_frame_address(0);
	/* On a test clock: under a debugger seconds pass between two switches, and timers of the
	 * library's own would be all there is to see. */
	return weft_exit_status(weft_test_run(app, NULL, NULL));
}
