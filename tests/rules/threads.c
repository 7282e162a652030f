/*
 * A loop belongs to its thread: each function that says so refuses to be called elsewhere, with a
 * sentence, and changes nothing.
 *
 * The functions are in thread_rows.def, and what they are called on is a world (world.h), so a row is
 * a line. Each is called on a plain thread, in a task of another loop and, if it needs a task, in a
 * callback of the right loop. After each call that returned, the world is as it was before; after
 * all of them it still works. What ends the program does so in a child process.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tests/child.h"
#include "tests/rules/world.h"

/* ---- The rows ---- */

static void never(void *arg)
{
	(void)arg;
}

static void nothing(void *value)
{
	(void)value;
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

static int sleep_long(void *arg)
{
	(void)arg;
	return weft_sleep(WEFT_FOREVER);
}

static const struct iovec part = { .iov_base = (void *)(uintptr_t) "x", .iov_len = 1 };

enum refusal { REFUSED, HANGS, VALUE, DIES };
/* What the call is expected to be. */
static const int expected[] = { [REFUSED] = -EPERM, [HANGS] = -EDEADLK, [VALUE] = true };

enum thread { LOOP, TASK, THREAD };
enum what { THING, NOTHING };

#define CALL_REFUSED(call) return (call)
#define CALL_HANGS(call)   return (call)
#define CALL_VALUE(call)   return (call)
#define CALL_DIES(call) \
	(void)(call);   \
	return 0

#define ROW(refusal, thread, what, name, call)       \
	static intmax_t call_##name(struct world *w) \
	{                                            \
		(void)w;                             \
		CALL_##refusal(call);                \
	}
#include "tests/rules/thread_rows.def"
#undef ROW

struct row {
	enum refusal refusal;
	enum thread thread;
	enum what what;
	const char *name;
	intmax_t (*call)(struct world *w);
};

static const struct row rows[] = {
#define ROW(refusal, thread, what, name, call) \
	{ refusal, thread, what, #name, call_##name },
#include "tests/rules/thread_rows.def"
#undef ROW
};

/* ---- Where from ---- */

enum place { ON_A_PLAIN_THREAD, ON_ANOTHER_LOOP, IN_A_CALLBACK };

static const char *const places[] = { "on a plain thread", "on another loop",
				      "in a callback" };

static bool is_wrong(const struct row *row, enum place place)
{
	switch (place) {
	case ON_A_PLAIN_THREAD:
		return row->thread != THREAD;
	case ON_ANOTHER_LOOP:
		return row->thread != THREAD && row->what == THING;
	case IN_A_CALLBACK:
		return row->thread != LOOP;
	}
	return false;
}

/* A call, and what came of it. */
struct visit {
	const struct row *row;
	struct world *world;
	weft_future *done;
	intmax_t result;
	char text[256];
};

/* Of the refusal; what is of another kind has -EPERM for its sentence. */
static int code_of(const struct row *row)
{
	return row->refusal == HANGS ? -EDEADLK : -EPERM;
}

static void call_here(struct visit *visit)
{
	(void)weft_error_set(code_of(visit->row), "nothing was said");
	visit->result = visit->row->call(visit->world);
	snprintf(visit->text, sizeof(visit->text), "%s",
		 weft_error_text(code_of(visit->row)));
}

static int call_in_a_task(void *arg)
{
	call_here(arg);
	return 0;
}

static void call_in_a_callback(void *arg)
{
	struct visit *visit = arg;

	call_here(visit);
	(void)weft_future_set_result(visit->done, NULL, NULL);
}

static int await(weft_future *future)
{
	int r = weft_future_wait(future, WEFT_FOREVER);

	weft_future_unref(future);
	return r;
}

static int call_from(enum place place, struct visit *visit)
{
	int r;

	switch (place) {
	case ON_A_PLAIN_THREAD:
		call_here(visit);
		return 0;
	case ON_ANOTHER_LOOP:
		r = weft_spawn_on(visit->world->other, call_in_a_task, visit,
				  &visit->done);
		return r < 0 ? r : await(visit->done);
	case IN_A_CALLBACK:
		r = weft_future_new_shared(&visit->done);
		if (r == 0)
			r = weft_loop_call_soon_threadsafe(
				visit->world->own, call_in_a_callback, visit, NULL);
		return r < 0 ? r : await(visit->done);
	}
	return -EINVAL;
}

/* ---- Those that return ---- */

/* The macros that people write are named, not what they stand for. */
static bool is_named(const char *name, const char *text)
{
	char shown[64];
	size_t size = strlen(name);

	if (size > 6 && !strcmp(name + size - 6, "_sized"))
		size -= 6;
	snprintf(shown, sizeof(shown), "%.*s()", (int)size, name);
	return strstr(text, shown) != NULL;
}

static void try_row(struct world *world, const struct row *row, enum place place)
{
	struct visit visit = { .row = row, .world = world };
	struct world_state before, after;

	cr_assert_eq(world_look(world, &before), 0);
	cr_assert_eq(call_from(place, &visit), 0);
	cr_assert_eq(world_look(world, &after), 0);
	cr_expect_eq(visit.result, expected[row->refusal], "%s() %s: %jd: %s", row->name,
		     places[place], visit.result, visit.text);
	cr_expect(is_named(row->name, visit.text), "%s() %s: \"%s\"", row->name,
		  places[place], visit.text);
	cr_expect_arr_eq(&before, &after, sizeof(before), "%s() %s changed something",
			 row->name, places[place]);
}

Test(threads, other_than_the_loops_are_refused_and_change_nothing)
{
	struct world world;

	cr_assert_eq(world_begin(&world), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (enum place place = 0; place < ARRAY_SIZE(places); place++) {
			if (rows[i].refusal != DIES && is_wrong(&rows[i], place))
				try_row(&world, &rows[i], place);
		}
	}
	cr_expect_eq(world_end(&world), 0);
}

/* ---- Those that do not ---- */

struct death {
	const struct row *row;
	enum place place;
};

static int die(void *arg)
{
	const struct death *death = arg;
	struct visit visit = { .row = death->row };
	struct world world;

	visit.world = &world;
	if (world_begin(&world) < 0)
		return 2;
	return call_from(death->place, &visit) < 0 ? 3 : 4;
}

Test(threads, other_than_the_loops_are_an_assertion_where_nothing_can_be_returned)
{
	struct child child;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (enum place place = 0; place < ARRAY_SIZE(places); place++) {
			struct death death = { &rows[i], place };

			if (rows[i].refusal != DIES || !is_wrong(&rows[i], place))
				continue;
			child_run(&child, die, &death);
			cr_expect(WIFSIGNALED(child.status) &&
					  WTERMSIG(child.status) == SIGABRT,
				  "%s() %s ends with status %x: %s", rows[i].name,
				  places[place], child.status, child.text);
			cr_expect(is_named(rows[i].name, child.text), "%s() %s: \"%s\"",
				  rows[i].name, places[place], child.text);
		}
	}
}
