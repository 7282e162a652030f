/*
 * Four loops on four threads pass a message round.
 *
 * Loops share nothing. What loop 2 knows is touched by tasks of loop 2 only, so it needs
 * no lock. To send a message to another loop is to start a task there: weft_spawn_on()
 * works from any thread, and the task may wait, as any task. The message belongs to
 * whoever has received it.
 */
#include <stdio.h>
#include <weft/weft.h>

enum { N_LOOPS = 4, N_HOPS = 8 };

struct station {
	int n_received; /* touched on this station's loop alone */
};

struct message {
	weft_loops *loops;
	struct station *stations;
	int hops;
	weft_future *arrived; /* shared: any loop may settle it, any thread wait for it */
};

static int receive(void *arg)
{
	struct message *message = arg;
	int here = message->hops % N_LOOPS;
	int n = ++message->stations[here].n_received;
	int r;

	printf("hop %d: loop %d has received %d\n", message->hops, here, n);
	if (++message->hops == N_HOPS)
		return weft_future_set_result(message->arrived, NULL, NULL);

	r = weft_spawn_on(weft_loops_get(message->loops, message->hops), receive, message,
			  NULL);
	if (r < 0) /* nobody joins this task: tell the one who waits for the message */
		weft_future_set_error(message->arrived, r);
	return r;
}

static int pass_round(weft_loops *loops)
{
	struct station stations[N_LOOPS] = { { .n_received = 0 } };
	struct message message = { .loops = loops, .stations = stations };
	int r;

	r = weft_future_new_shared(&message.arrived);
	if (r < 0)
		return r;

	r = weft_spawn_on(weft_loops_get(loops, 0), receive, &message, NULL);
	if (r == 0)
		r = weft_future_wait(message.arrived, WEFT_FOREVER);
	if (r == 0)
		r = weft_future_result(message.arrived);
	weft_future_unref(message.arrived);
	return r;
}

int main(void)
{
	weft_loops *loops;
	int r;

	r = weft_loops_new(N_LOOPS, NULL, &loops);
	if (r < 0)
		return weft_exit_status(r);

	r = pass_round(loops);
	weft_loops_close(loops);
	return weft_exit_status(r);
}

/*
 * Output:
 *
 *	$ ./messages
 *	hop 0: loop 0 has received 1
 *	hop 1: loop 1 has received 1
 *	hop 2: loop 2 has received 1
 *	hop 3: loop 3 has received 1
 *	hop 4: loop 0 has received 2
 *	hop 5: loop 1 has received 2
 *	hop 6: loop 2 has received 2
 *	hop 7: loop 3 has received 2
 */
