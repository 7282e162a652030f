/*
 * Tasks that wait in line; wait_list.h has the model.
 */
#include "task/wait_list.h"

static enum cancel_answer leave_line(struct park *park)
{
	list_unlink(&container_of(park, struct waiter, park)->link);
	return CANCEL_ENDS;
}

struct waiter *weft__wait_list_pop(struct wait_list *list)
{
	if (wait_list_is_empty(list))
		return NULL;
	return list_entry(list_pop_front(&list->waiters), struct waiter, link);
}

void weft__wait_list_push(struct wait_list *list, struct waiter *waiter)
{
	if (!list->waiters.next)
		list_init(&list->waiters);
	list_push_back(&list->waiters, &waiter->link);
}

int weft__wait_in_line(struct wait_list *list, struct waiter *waiter)
{
	int r = weft__cancel_point(task_current());

	if (r < 0)
		return r;
	waiter->park.cancel = leave_line;
	weft__wait_list_push(list, waiter);
	return weft__park(&waiter->park);
}

int weft__wait_in_line_for(struct wait_list *list, const char *what, void *item)
{
	struct waiter waiter = { .park.what = what, .item = item };

	return weft__wait_in_line(list, &waiter);
}

int weft__belongs_here(weft_loop **loop, const char *function)
{
	if (unlikely(!*loop)) {
		if (!weft__thread.loop)
			return weft__loop_none(function);
		*loop = weft__thread.loop;
	}
	return loop_check(*loop, function);
}
