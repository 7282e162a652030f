/*
 * Finding wait cycles; cycle.h has the model. Loop thread.
 *
 * The search goes from the wait that is about to begin to the tasks that it needs, and on from
 * those that wait themselves, the nearest first. Each is marked, since not everybody is kept
 * from waiting in a ring: a time limit may have been taken back since. The marks and the queue
 * are fields of the tasks, so nothing is allocated and no stack grows.
 *
 * Most waits need no search. A chain of single tasks is followed without marks. Where it comes to
 * the many children of a group, it first looks from the other end: who waits for the caller?
 * Mostly that is nobody, or the tasks around it alone.
 */
#include "task/cycle.h"

#include <stdarg.h>
#include <stdio.h>

#include "task/future.h"
#include "task/group.h"
#include "task/lock.h"
#include "task/observe.h"

/* ---- Who needs whom ---- */

/* May its wait end by a time limit? The first shield holds back what lies outside of it. */
static bool may_give_up(const weft_task *task)
{
	if (task->park->outlasts_cancel)
		return false;
	for (const struct scope *scope = task->scopes; scope; scope = scope->outer) {
		if (weft__scope_may_expire(scope))
			return true;
		if (scope->kind == SCOPE_SHIELD)
			return false;
	}
	return false;
}

/* The wait of a task, if it cannot end before what it needs has; else NULL. */
static const struct park *firm_wait(const weft_task *task)
{
	if (task->state != TASK_WAITING || !task->park || may_give_up(task))
		return NULL;
	return task->park;
}

/* The one task that this wait needs; NULL: none, or a choice of several. */
static weft_task *only_need(const struct park *park)
{
	if (park->awaited_lock)
		return lock_holder(park->awaited_lock);
	return park->awaited;
}

static bool needs_many(const struct park *park)
{
	return park->awaited_group || park->awaited_all;
}

/* ---- The search ---- */

struct search {
	weft_task *me;
	unsigned number;
	weft_task *first, *last; /* the queue, by search_next */
};

static void begin_search(struct search *search, weft_task *me)
{
	struct tasks *tasks = tasks_of(me->loop);

	*search = (struct search){ .me = me, .number = ++tasks->n_searches };
}

/* `from` needs `task`. True if that closes the ring. */
static bool meet(struct search *search, weft_task *task, weft_task *from)
{
	if (!task)
		return false;
	if (task == search->me) {
		task->search_from = from;
		return true;
	}
	if (task->search_number == search->number || !firm_wait(task))
		return false;
	task->search_number = search->number;
	task->search_from = from;
	task->search_next = NULL;
	if (search->last)
		search->last->search_next = task;
	else
		search->first = task;
	search->last = task;
	return false;
}

/* All whom this wait needs. True if one of them closes the ring. */
static bool meet_all(struct search *search, const struct park *park, weft_task *from)
{
	const struct observer *observer = park->awaited_all;

	if (meet(search, only_need(park), from))
		return true;
	if (park->awaited_group) {
		list_for_each (link, weft__group_children(park->awaited_group))
			if (meet(search, list_entry(link, weft_task, sibling), from))
				return true;
	}
	if (!observer || !observer_needs_all(observer))
		return false;
	for (size_t i = 0; i < observer->n; i++)
		if (!observer->all[i].is_told &&
		    meet(search, weft__future_task_here(observer->all[i].future), from))
			return true;
	return false;
}

/* True if a ring was found: from search->me back along search_from. */
static bool search_all(struct search *search, const struct park *park)
{
	weft_task *task;

	if (meet_all(search, park, search->me))
		return true;
	while ((task = search->first) != NULL) {
		search->first = task->search_next;
		if (!search->first)
			search->last = NULL;
		if (meet_all(search, task->park, task))
			return true;
	}
	return false;
}

/* ---- From the other end ---- */

static bool has_waiters(weft_future *future)
{
	bool has;

	if (future->is_shared)
		pthread_mutex_lock(&future->lock);
	has = !list_is_empty(&future->waiters);
	if (future->is_shared)
		pthread_mutex_unlock(&future->lock);
	return has;
}

/*
 * The caller, or a task that is found to need it, begins to wait for the children of `group`, or
 * for several futures if that is NULL. Is it certain that none of these needs the caller? Only
 * the simple case is told: nobody does but a line of tasks that join one the other, or are the
 * owners of groups one inside the other; and no child of `group` is in that line.
 */
static bool is_needed_from_outside_only(const weft_task *me, const struct group *group)
{
	const weft_task *task = me;

	for (int depth = 0; depth < 100; depth++) {
		const weft_task *joiner = task->joiner ? task->joiner->task : NULL;
		const weft_task *owner = task->group && weft__group_is_ending(task->group)
						 ? weft__group_owner(task->group)
						 : NULL;

		if (task->n_locks || (task->future && has_waiters(task->future)) ||
		    (group && task->group == group) || (joiner && owner))
			return false;
		task = joiner ? joiner : owner;
		if (!task)
			return true;
		if (!group)
			return false;
	}
	return false;
}

/* A look that costs little: is it certain that there is no ring? */
static bool is_surely_none(const weft_task *me, const struct park *park)
{
	for (int length = 0; length < 100 && park; length++) {
		const weft_task *next = only_need(park);

		if (needs_many(park))
			return is_needed_from_outside_only(me, park->awaited_group);
		if (next == me)
			return false;
		park = next ? firm_wait(next) : NULL;
	}
	return !park;
}

/* ---- Explaining ---- */

enum { N_NAMED = 6 }; /* of a longer ring the first ones are named */

struct text {
	char bytes[480];
	size_t used;
};

static void add(struct text *text, const char *format, ...) WEFT_PRINTF(2, 3);
static void add(struct text *text, const char *format, ...)
{
	size_t room = sizeof(text->bytes) - text->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->bytes + text->used, room, format, args);
	va_end(args);
	if (n > 0)
		text->used += MIN((size_t)n, room - 1);
}

/* From search_from, which leads backwards, to search_next, which leads on. */
static void turn_around(weft_task *me)
{
	weft_task *next = me;

	for (weft_task *task = me->search_from; task != me; task = task->search_from) {
		task->search_next = next;
		next = task;
	}
	me->search_next = next;
}

static int explain(weft_task *me, const struct park *park)
{
	char name[TASK_NAME_BYTES * 2], other[TASK_NAME_BYTES * 2];
	struct text text = { .used = 0 };
	weft_task *task = me, *next;
	int n = 0;

	turn_around(me);
	do {
		next = task->search_next;
		if (n < N_NAMED)
			add(&text, "%s\"%s\" %sfor \"%s\" (%s)", n ? ", " : "",
			    weft__task_describe(task, name, sizeof(name)),
			    n ? "" : "would wait ",
			    weft__task_describe(next, other, sizeof(other)),
			    task == me ? park->what : task->park->what);
		else if (n == N_NAMED)
			add(&text, ", and so on");
		n++;
		task = next;
	} while (task != me);
	if (n == 1)
		return weft_error_set(-EDEADLK,
				      "this wait would never end: task \"%s\" would wait "
				      "for itself (%s)",
				      weft__task_describe(me, name, sizeof(name)),
				      park->what);
	return weft_error_set(-EDEADLK, "this wait would never end: task %s", text.bytes);
}

int weft__cycle_find(const struct park *park)
{
	weft_task *me = task_current();
	struct search search;

	if (likely(is_surely_none(me, park)))
		return 0;
	begin_search(&search, me);
	return search_all(&search, park) ? explain(me, park) : 0;
}
