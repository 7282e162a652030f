/*
 * One task produces, two consume, through a queue of two places.
 *
 * The queue is where the work meets its limit: weft_queue_put() suspends the producer
 * while both places are taken, so a fast producer can never fill the memory. Shutting
 * the queue down is how the producer says that no more will come: consumers take what is
 * left, then get -ESHUTDOWN.
 */
#include <stdio.h>
#include <weft/weft.h>

static int produce(void *arg)
{
	weft_queue *queue = arg;
	int r;

	for (int i = 1; i <= 6; i++) {
		r = weft_queue_put(queue, &i); /* copies the number, waits for a place */
		if (r < 0)
			return r;
		printf("put %d, %zu waiting\n", i, weft_queue_size(queue));
	}
	weft_queue_shutdown(queue, false);
	return 0;
}

static int consume(void *arg)
{
	const char *name = weft_task_name(weft_task_current());
	weft_queue *queue = arg;
	int number, r;

	while ((r = weft_queue_get(queue, &number)) == 0) {
		printf("    %s got %d\n", name, number);
		r = weft_sleep(200 * WEFT_MSEC); /* work on it */
		if (r < 0)
			return r;
	}
	printf("    %s: %s\n", name, r == -ESHUTDOWN ? "no more" : weft_error_text(r));
	return r == -ESHUTDOWN ? 0 : r;
}

static int app(void *arg)
{
	struct weft_group group;
	weft_queue *queue;
	int r;

	(void)arg;
	r = weft_queue_new(sizeof(int), 2, NULL, &queue);
	if (r < 0)
		return r;

	weft_group_begin(&group);
	weft_task_set_name(weft_group_spawn(&group, produce, queue), "producer");
	weft_task_set_name(weft_group_spawn(&group, consume, queue), "ann");
	weft_task_set_name(weft_group_spawn(&group, consume, queue), "bob");
	r = weft_group_end(&group, 0);
	weft_queue_free(queue);
	return r;
}

int main(void)
{
	return weft_exit_status(weft_run(app, NULL));
}

/*
 * Output:
 *
 *	$ ./producer_consumer
 *	put 1, 1 waiting
 *	put 2, 2 waiting
 *	    ann got 1
 *	    bob got 2
 *	put 3, 1 waiting
 *	put 4, 2 waiting
 *	    ann got 3
 *	    bob got 4
 *	put 5, 1 waiting
 *	put 6, 2 waiting
 *	    ann got 5
 *	    bob got 6
 *	    ann: no more
 *	    bob: no more
 */
