/*
 * The making, the looking and the end of a world; see world.h. Checks nothing by macros, so that
 * a forked child can have one: what is wrong is said on stderr and returned.
 */
#include "tests/rules/world.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of what has to be right. */
#define must(condition)                                                         \
	do {                                                                    \
		if (!(condition)) {                                             \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, \
				__LINE__, #condition);                          \
			return -EINVAL;                                         \
		}                                                               \
	} while (0)

/* ---- HTTP ---- */

static int ask(weft_http_request *request, void *arg)
{
	struct world *world = arg;
	struct weft_bytes body;

	world->request = request;
	must(weft_event_wait(&world->finish) == 0);
	must(strcmp(weft_http_request_path(request), "/ask") == 0);
	must(weft_http_request_body(request, &body) == 0 && body.size == 5);
	return weft_http_reply_text(request, 200, "fine");
}

static int tell(weft_http_request *request, void *arg)
{
	(void)arg;
	return weft_http_reply_text(request, 200, "told");
}

static int fetch(struct world *world, const char *path, weft_http_response **response)
{
	struct weft_http_fetch_options options = { .body = weft_bytes_text("12345") };
	char url[128];

	snprintf(url, sizeof(url), "http://%s%s", weft_server_address(world->server),
		 path);
	return weft_http_fetch(world->client, "POST", url, &options, response);
}

static int run_asker(void *arg)
{
	struct world *world = arg;
	weft_http_response *response;
	struct weft_bytes body;

	must(fetch(world, "/ask", &response) == 0);
	must(weft_http_response_body(response, 100, &body) == 0);
	must(body.size == 4 && memcmp(body.data, "fine", 4) == 0);
	weft_http_response_free(response);
	return 0;
}

static int make_http(struct world *world)
{
	must(weft_http_app_new(NULL, &world->app) == 0);
	weft_http_app_route(world->app, "POST", "/ask", ask, world);
	weft_http_app_route(world->app, "POST", "/tell", tell, world);
	must(weft_listen("127.0.0.1:0", NULL, weft_http_serve_connection, world->app,
			 &world->server) == 0);
	must(weft_http_client_new(NULL, &world->client) == 0);
	must(fetch(world, "/tell", &world->response) == 0);
	must(weft_spawn(run_asker, world, &world->asker) == 0);
	while (!world->request)
		must(weft_yield() == 0);
	return 0;
}

static int end_http(struct world *world)
{
	struct weft_bytes body;

	must(weft_http_response_status(world->response) == 200);
	must(weft_http_response_body(world->response, 100, &body) == 0);
	must(body.size == 4 && memcmp(body.data, "told", 4) == 0);
	weft_http_response_free(world->response);
	must(weft_task_join(world->asker) == 0);
	weft_http_client_free(world->client);
	must(weft_server_close(world->server, WEFT_SEC) == 0);
	weft_http_app_free(world->app);
	return 0;
}

/* ---- Loop ---- */

static void never(void *arg)
{
	(void)arg;
	fprintf(stderr, "a callback ran that should not\n");
	abort();
}

static void no_fd(int fd, void *arg)
{
	(void)fd;
	(void)arg;
}

static void no_signal(int signo, void *arg)
{
	(void)signo;
	(void)arg;
}

static int make_callbacks(struct world *world)
{
	int ends[2], sides[2];

	must(weft_loop_call_later(world->own, 60 * WEFT_MIN, never, world,
				  &world->timer) == 0);
	must(pipe2(ends, O_CLOEXEC) == 0);
	world->reader = ends[0];
	world->writer = ends[1];
	must(weft_loop_add_reader(world->own, world->reader, no_fd, NULL) == 0);
	world->signo = SIGUSR2;
	must(weft_loop_add_signal_handler(world->own, world->signo, no_signal, NULL) ==
	     0);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sides) == 0);
	world->peer = sides[1];
	return weft_stream_adopt(sides[0], &world->stream);
}

static int end_callbacks(struct world *world)
{
	must(weft_handle_is_pending(&world->timer) && weft_handle_cancel(&world->timer));
	must(weft_loop_remove_reader(world->own, world->reader));
	must(!weft_loop_remove_writer(world->own, world->writer));
	must(weft_loop_remove_signal_handler(world->own, world->signo));
	must(!weft_loop_remove_signal_handler(world->own, SIGUSR1));
	must(weft_stream_close(world->stream) == 0);
	close(world->reader);
	close(world->writer);
	close(world->peer);
	return 0;
}

/* ---- Task ---- */

static int sleep_long(void *arg)
{
	(void)arg;
	return weft_sleep(WEFT_FOREVER);
}

static int wait_for_condition(void *arg)
{
	struct world *world = arg;

	must(weft_lock_acquire(&world->door) == 0);
	must(weft_condition_wait(&world->condition, &world->door) == 0);
	weft_lock_release(&world->door);
	return 0;
}

static int make_sync(struct world *world)
{
	int item = 7;

	must(weft_lock_acquire(&world->lock) == 0);
	weft_event_clear(&world->event);
	weft_event_clear(&world->finish);
	must(weft_spawn(wait_for_condition, world, &world->waiter) == 0);
	must(weft_yield() == 0);
	world->semaphore = (struct weft_semaphore)WEFT_BOUNDED_SEMAPHORE_INIT(2);
	must(weft_semaphore_acquire(&world->semaphore) == 0);
	world->barrier = (struct weft_barrier)WEFT_BARRIER_INIT(2);
	weft_barrier_reset(&world->barrier);
	must(weft_queue_new(sizeof(item), 2, NULL, &world->queue) == 0);
	must(weft_queue_put(world->queue, &item) == 0);
	must(weft_channel_new(sizeof(item), 1, NULL, &world->channel) == 0);
	must(weft_thread_pool_new(NULL, &world->pool) == 0);
	must(weft_future_new(&world->future) == 0);
	must(weft_future_new(&world->settled) == 0);
	must(weft_future_set_result(world->settled, &world->lock, NULL) == 0);
	return weft_spawn(sleep_long, NULL, &world->task);
}

static int end_sync(struct world *world)
{
	int item;

	weft_lock_release(&world->lock);
	must(weft_lock_acquire(&world->door) == 0);
	weft_condition_notify(&world->condition, 1);
	weft_lock_release(&world->door);
	must(weft_task_join(world->waiter) == 0);
	must(weft_semaphore_release(&world->semaphore) == 0);
	must(weft_semaphore_release(&world->semaphore) == -EOVERFLOW);
	must(weft_queue_get(world->queue, &item) == 0 && item == 7);
	must(weft_queue_task_done(world->queue) == 0);
	must(weft_queue_task_done(world->queue) == -EINVAL);
	weft_queue_free(world->queue);
	must(weft_channel_get_nowait(world->channel, &item) == -EAGAIN);
	weft_channel_unref(world->channel);
	must(weft_executor_close(world->pool, WEFT_SEC) == 0);
	must(weft_future_set_result(world->future, NULL, NULL) == 0);
	weft_future_unref(world->future);
	must(weft_future_take_value(world->settled) == &world->lock);
	weft_future_unref(world->settled);
	must(weft_task_cancel(world->task, NULL));
	must(weft_task_join(world->task) == -ECANCELED);
	return 0;
}

/* ---- The keeper ---- */

static int in_scopes(struct world *world)
{
	int r;

	must(make_sync(world) == 0);
	must(weft_as_completed_begin(&world->scope, &world->future, 1) == 0);
	r = make_callbacks(world);
	r = r < 0 ? r : make_http(world);
	must(weft_group_spawn(&world->group, sleep_long, NULL));
	if (r < 0)
		return r;
	must(weft_future_set_result(world->ready, NULL, NULL) == 0);
	must(weft_event_wait(&world->finish) == 0);
	r = weft_as_completed_end(&world->scope, 0);
	r = r < 0 ? r : end_http(world);
	r = r < 0 ? r : end_callbacks(world);
	r = r < 0 ? r : end_sync(world);
	weft_group_cancel(&world->group);
	return r;
}

static int keep(void *arg)
{
	struct world *world = arg;
	int r;

	weft_shield_begin(&world->shield, WEFT_FOREVER);
	weft_timeout_begin(&world->timeout, WEFT_FOREVER);
	weft_group_begin(&world->group);
	r = in_scopes(world);
	if (r < 0 && !weft_future_is_done(world->ready))
		(void)weft_future_set_error(world->ready, r);
	r = weft_group_end(&world->group, r);
	r = weft_timeout_end(&world->timeout, r);
	return weft_shield_end(&world->shield, r);
}

int world_begin(struct world *world)
{
	*world = (struct world){ 0 };
	must(weft_loops_new(1, NULL, &world->own_loops) == 0);
	must(weft_loops_new(1, NULL, &world->other_loops) == 0);
	world->own = weft_loops_get(world->own_loops, 0);
	world->other = weft_loops_get(world->other_loops, 0);
	must(weft_future_new_shared(&world->ready) == 0);
	must(weft_spawn_on(world->own, keep, world, &world->kept) == 0);
	must(weft_future_wait(world->ready, WEFT_FOREVER) == 0);
	return weft_future_result(world->ready);
}

/* ---- Looking ---- */

struct look {
	struct world *world;
	struct world_state *state;
};

static int look(void *arg)
{
	const struct look *look = arg;
	struct world *world = look->world;
	struct world_state *state = look->state;
	int64_t *n = state->numbers;
	weft_task *none;
	char byte;

	memset(state, 0, sizeof(*state));
	*n++ = weft_lock_is_locked(&world->lock);
	*n++ = weft_event_is_set(&world->event);
	*n++ = (int64_t)weft_barrier_waiting(&world->barrier);
	*n++ = weft_barrier_is_broken(&world->barrier);
	*n++ = (int64_t)weft_queue_size(world->queue);
	*n++ = weft_future_is_done(world->future);
	*n++ = weft_future_result(world->settled);
	*n++ = weft_task_cancelling(world->task);
	*n++ = weft_loop_tasks(world->own, &none, 1);
	*n++ = weft_timeout_expired(&world->timeout);
	*n++ = weft_handle_is_pending(&world->timer);
	*n++ = weft_stream_fd(world->stream);
	*n++ = recv(world->peer, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	*n++ = weft_http_response_status(world->response);
	*n++ = *weft_http_request_method(world->request);
	memcpy(state->semaphore, &world->semaphore, sizeof(state->semaphore));
	snprintf(state->name, sizeof(state->name), "%s", weft_task_name(world->task));
	return 0;
}

static int finish(void *arg)
{
	struct world *world = arg;

	weft_event_set(&world->finish);
	return 0;
}

static int call_on(weft_loop *loop, weft_fn *fn, void *arg)
{
	weft_future *future;
	int r = weft_spawn_on(loop, fn, arg, &future);

	if (r < 0)
		return r;
	must(weft_future_wait(future, WEFT_FOREVER) == 0);
	r = weft_future_result(future);
	weft_future_unref(future);
	return r;
}

int world_look(struct world *world, struct world_state *state)
{
	struct look args = { world, state };

	return call_on(world->own, look, &args);
}

int world_end(struct world *world)
{
	int r;

	must(call_on(world->own, finish, world) == 0);
	must(weft_future_wait(world->kept, WEFT_FOREVER) == 0);
	r = weft_future_result(world->kept);
	weft_future_unref(world->kept);
	weft_future_unref(world->ready);
	must(weft_loops_close(world->own_loops) == 0);
	must(weft_loops_close(world->other_loops) == 0);
	return r;
}
