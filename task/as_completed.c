/*
 * Futures in the order in which they settle. <weft/group.h> has the model. On the thread of the
 * task that began the scope.
 *
 * The scope keeps a observer; what is told to it lies there in order until it is handed out. The
 * watch is memory of its own: the scope has no room for a one each.
 */
#include "task/observe.h"

struct futures {
	struct observer observer;
	struct observed all[];
};

struct as_completed {
	struct scope scope;
	struct futures *futures;
};

static_assert(sizeof(struct as_completed) <= sizeof(struct weft_as_completed),
	      "the public size");

static struct as_completed *scope_of(struct weft_as_completed *shown)
{
	return (struct as_completed *)(void *)shown;
}

/*
 * Copies each future once, in the order of their first. `seen` is an open hash table of zeros,
 * with at least two places for each. Return: how many there are.
 */
static size_t copy_each_once(weft_future **to, weft_future *const *futures, size_t n,
			     weft_future **seen, size_t mask)
{
	size_t n_copied = 0;

	for (size_t i = 0; i < n; i++) {
		/* Fibonacci hashing: the low bits of addresses are alike. */
		size_t at = ((uintptr_t)futures[i] * 0x9e3779b97f4a7c15u >> 32) & mask;

		while (seen[at] && seen[at] != futures[i])
			at = (at + 1) & mask;
		if (seen[at])
			continue;
		seen[at] = futures[i];
		to[n_copied++] = futures[i];
	}
	return n_copied;
}

static int begin(struct futures **out, weft_future *const *futures, size_t n)
{
	size_t n_places = 2, bytes;
	weft_future **each;
	struct futures *made;

	while (n_places < 2 * n && n_places < SIZE_MAX / 4)
		n_places *= 2;
	if (__builtin_mul_overflow(n, sizeof(struct observed), &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(*made), &bytes))
		return -ENOMEM;
	each = weft__alloc_array(n + n_places, sizeof(weft_future *));
	made = weft__alloc(bytes);
	if (!each || !made) {
		free(each);
		free(made);
		return -ENOMEM;
	}
	n = copy_each_once(each, futures, n, each + n, n_places - 1);
	weft__observe_begin(&made->observer, made->all, each, n);
	free(each);
	*out = made;
	return 0;
}

int weft_as_completed_begin(struct weft_as_completed *shown, weft_future *const *futures,
			    size_t n_futures)
{
	struct as_completed *scope = scope_of(shown);
	int r = weft__observe_check(futures, n_futures, __func__);

	if (r < 0)
		return r;
	r = begin(&scope->futures, futures, n_futures);
	if (r < 0)
		return r;
	weft__scope_open(&scope->scope, SCOPE_AS_COMPLETED, task_current());
	return 0;
}

int weft_as_completed_next(struct weft_as_completed *shown, weft_future **future)
{
	struct as_completed *scope = scope_of(shown);
	struct observer *observer;
	weft_task *me = task_current();
	int r;

	if (!me)
		return weft__task_none(__func__);
	weft_assert(
		scope->scope.task == me,
		"weft_as_completed_next() was called by a task that did not begin the "
		"scope, or after its end");
	observer = &scope->futures->observer;
	if (list_is_empty(&observer->told)) {
		if (observer->n_untold == 0)
			return 0;
		r = weft__cancel_point(me);
		if (r == 0)
			r = weft__observe_wait(observer, WEFT_FIRST_COMPLETED,
					       "the next of several futures");
		if (r < 0)
			return r;
	}
	*future = list_entry(list_pop_front(&observer->told), struct observed, told_link)
			  ->future;
	return 1;
}

int weft_as_completed_end(struct weft_as_completed *shown, int result)
{
	struct as_completed *scope = scope_of(shown);

	weft__scope_close(&scope->scope, SCOPE_AS_COMPLETED, __func__);
	(void)weft__observe_end(&scope->futures->observer);
	free(scope->futures);
	return result;
}
