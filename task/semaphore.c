/*
 * Semaphore: a number of permits. <weft/sync.h> has the model. Loop thread.
 *
 * A permit that is released while somebody waits goes to the first in line and never
 * through the counter, so nobody can take it in between.
 */
#include <weft/sync.h>

#include "task/wait_list.h"

struct semaphore {
	intptr_t n_permits;
	intptr_t limit; /* one more than there may be; 0: no limit */
	struct wait_list line;
	weft_loop *loop;
};

static_assert(sizeof(struct semaphore) <= sizeof(struct weft_semaphore),
	      "the public size");

static int check(struct semaphore *semaphore, const char *function)
{
	weft_assert(
		semaphore->n_permits >= 0,
		"%s(): the semaphore was initialised with a negative number of permits",
		function);
	return weft__belongs_here(&semaphore->loop, function);
}

int weft_semaphore_acquire(struct weft_semaphore *shown)
{
	struct semaphore *semaphore = (struct semaphore *)(void *)shown;
	int r;

	if (unlikely(!task_current()))
		return weft__task_none(__func__);
	r = check(semaphore, __func__);
	if (unlikely(r < 0))
		return r;
	if (likely(semaphore->n_permits > 0)) { /* then nobody waits */
		semaphore->n_permits--;
		return 0;
	}
	return weft__wait_in_line_for(&semaphore->line, "semaphore", NULL);
}

int weft_semaphore_release(struct weft_semaphore *shown)
{
	struct semaphore *semaphore = (struct semaphore *)(void *)shown;
	struct waiter *next;
	int r = check(semaphore, __func__);

	if (unlikely(r < 0))
		return r;
	next = weft__wait_list_pop(&semaphore->line);
	if (next) {
		weft__unpark(&next->park, 0);
		return 0;
	}
	if (semaphore->limit && semaphore->n_permits + 1 >= semaphore->limit)
		return weft_error_set(
			-EOVERFLOW,
			"weft_semaphore_release() more often than acquired: "
			"the limit is %jd permits",
			(intmax_t)semaphore->limit - 1);
	semaphore->n_permits++;
	return 0;
}

bool weft_semaphore_is_locked(const struct weft_semaphore *shown)
{
	const struct semaphore *semaphore = (const struct semaphore *)(const void *)shown;

	if (semaphore->loop && !loop_must_be_mine(semaphore->loop, __func__))
		return false;
	return semaphore->n_permits == 0;
}
