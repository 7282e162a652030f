/*
 * One task produces, another consumes, through a queue of two places.
 *
 * The queue is where the work meets its limit: weft_queue_put() suspends the producer
 * while both places are taken, so a fast producer can never fill the memory. Shutting the
 * queue down is how the producer says that no more will come: the consumer takes what is
 * left, then gets -ESHUTDOWN. There may be many of both.
 */
#include <stdio.h>
#include <weft/weft.h>

static int produce(void *arg)
{
	weft_queue *queue = arg;
	int r;

	for (int i = 1; i <= 5; i++) {
		r = weft_queue_put(queue, &i); /* copies the number in */
		if (r < 0)
			return r;
		printf("put %d\n", i);
	}
	weft_queue_shutdown(queue, false);
	return 0;
}

static int consume(void *arg)
{
	weft_queue *queue = arg;
	int number, r;

	while ((r = weft_queue_get(queue, &number)) == 0) {
		printf("        got %d\n", number);
		r = weft_sleep(200 * WEFT_MSEC); /* stands for work on it */
		if (r < 0)
			return r;
	}
	if (r != -ESHUTDOWN)
		return r;

	printf("        no more\n");
	return 0;
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
	weft_group_spawn(&group, produce, queue);
	weft_group_spawn(&group, consume, queue);
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
 *	put 1
 *	put 2
 *	        got 1
 *	put 3
 *	        got 2
 *	put 4
 *	        got 3
 *	put 5
 *	        got 4
 *	        got 5
 *	        no more
 */
