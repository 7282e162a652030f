/*
 * A task with a result.
 *
 * The result goes into the struct behind the argument: typed, nothing to allocate,
 * nothing to free. It is there once the task was joined. Whoever spawns a task joins it,
 * so the struct may lie on the stack of the one who waits. weft_group and weft_gather do
 * this for many tasks.
 */
#include <stdio.h>
#include <weft/weft.h>

struct question {
	int number;
	char answer[64];
};

static int think(void *arg)
{
	struct question *question = arg;
	int r;

	printf("think: hm\n");
	r = weft_sleep(1 * WEFT_SEC);
	if (r < 0)
		return r;

	snprintf(question->answer, sizeof(question->answer), "the answer to %d is %d",
		 question->number, 2 * question->number);
	return 0;
}

static int app(void *arg)
{
	struct question question = { .number = 21 };
	weft_task *task;
	int r;

	(void)arg;
	r = weft_spawn(think, &question, &task);
	if (r < 0)
		return r;

	printf("app:   it will run as soon as we wait\n");
	r = weft_task_join(task); /* what think() returned */
	if (r < 0)
		return r;

	printf("app:   %s\n", question.answer);
	return 0;
}

int main(void)
{
	return weft_exit_status(weft_run(app, NULL));
}

/*
 * Output:
 *
 *	$ ./task_result
 *	app:   it will run as soon as we wait
 *	think: hm
 *	app:   the answer to 21 is 42
 */
