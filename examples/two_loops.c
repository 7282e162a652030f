/*
 * Two loops on two threads play ping-pong, without a task: loop.h alone.
 *
 * weft_loop_call_soon_threadsafe() is the one door into a loop of another thread: it
 * calls a function there. The handle that it needs lies inside the ball, so a throw
 * allocates nothing, takes no lock, and cannot fail for want of memory. The ball has one
 * holder at a time, so its fields need no lock either.
 */
#include <pthread.h>
#include <stdio.h>
#include <weft/loop.h>

enum { N_BOUNCES = 100000 };

struct ball {
	struct weft_handle handle;
	weft_loop *loops[2];
	int bounces;
};

static void on_arrival(void *arg)
{
	struct ball *ball = arg;

	if (++ball->bounces == N_BOUNCES) {
		weft_loop_stop(ball->loops[0]); /* from any thread, too */
		weft_loop_stop(ball->loops[1]);
		return;
	}
	weft_loop_call_soon_threadsafe(ball->loops[ball->bounces % 2], on_arrival, ball,
				       &ball->handle);
}

static void *run_loop(void *loop)
{
	weft_loop_run(loop); /* until weft_loop_stop() */
	return NULL;
}

int main(void)
{
	struct ball ball = { .bounces = 0 };
	pthread_t other;

	if (weft_loop_new(NULL, &ball.loops[0]) < 0)
		return 1;
	if (weft_loop_new(NULL, &ball.loops[1]) < 0)
		return 1;
	if (pthread_create(&other, NULL, run_loop, ball.loops[1]) != 0)
		return 1;

	weft_loop_call_soon_threadsafe(ball.loops[0], on_arrival, &ball, &ball.handle);
	weft_loop_run(ball.loops[0]);

	pthread_join(other, NULL);
	weft_loop_close(ball.loops[0]);
	weft_loop_close(ball.loops[1]);
	printf("%d bounces\n", ball.bounces);
	return 0;
}

/*
 * Output:
 *
 *	$ ./two_loops
 *	100000 bounces
 */
