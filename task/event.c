/*
 * Event: a flag to wait for. <weft/sync.h> has the model. Loop thread.
 */
#include <weft/sync.h>

#include "task/wait_list.h"

struct event {
	struct wait_list line;
	weft_loop *loop;
	bool is_set;
};

static_assert(sizeof(struct event) <= sizeof(struct weft_event), "the public size");

static struct event *event_of(struct weft_event *shown)
{
	return (struct event *)(void *)shown;
}

/* Where there is no code to return, a wrong thread is an assertion. */
static void must_belong_here(struct event *event, const char *function)
{
	weft_assert(weft__belongs_here(&event->loop, function) == 0,
		    "%s() was called on a thread that is not that of the event's loop",
		    function);
}

void weft_event_set(struct weft_event *shown)
{
	struct event *event = event_of(shown);

	must_belong_here(event, __func__);
	event->is_set = true;
	for (struct waiter *waiter = weft__wait_list_pop(&event->line); waiter;
	     waiter = weft__wait_list_pop(&event->line))
		weft__unpark(&waiter->park, 0);
}

void weft_event_clear(struct weft_event *shown)
{
	struct event *event = event_of(shown);

	must_belong_here(event, __func__);
	event->is_set = false;
}

bool weft_event_is_set(const struct weft_event *shown)
{
	const struct event *event = (const struct event *)(const void *)shown;

	return event->loop && loop_must_be_mine(event->loop, __func__) && event->is_set;
}

int weft_event_wait(struct weft_event *shown)
{
	struct event *event = event_of(shown);
	int r;

	if (unlikely(!task_current()))
		return weft__task_none(__func__);
	r = weft__belongs_here(&event->loop, __func__);
	if (unlikely(r < 0))
		return r;
	return event->is_set ? 0 : weft__wait_in_line_for(&event->line, "event", NULL);
}
