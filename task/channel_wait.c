/*
 * Waiting on channels: getting in line, being woken, being cancelled; channel.h has the model.
 *
 * On the thread of the task that waits, or the plain thread; only the wake-up is the giver's.
 */
#include "base/futex.h"
#include "task/channel.h"

enum {
	FEW = 4, /* so many places are on the stack */
	LOOKS_PER_CLOCK = 16,
};

/* What a plain thread watches before it sleeps, as a loop does: see loop/idle.c. */
#define SPIN_NS (20 * WEFT_USEC)

/* ---- Waking, by the giver ---- */

/* On the thread of the task's loop. */
static void wake_here(void *arg)
{
	struct channel_wait *wait = arg;

	wait->loop->n_foreign--;
	weft__unpark(&wait->park, wait->result);
}

static void wake_one(struct channel_wait *wait)
{
	if (!wait->loop) {
		/* C3. The thread may be gone with its stack from here on. */
		if (atomic_exchange_explicit(&wait->told, TOLD, memory_order_release) ==
		    NOT_TOLD_ASLEEP)
			weft__futex_wake(&wait->told);
	} else if (loop_is_mine(wait->loop)) {
		wake_here(wait);
	} else {
		/* C2. Open: a task waits there; or closed, and its tasks were abandoned. */
		(void)weft__loop_post(wait->loop, &wait->message);
	}
}

void weft__channel_wake(struct channel_wait *woken)
{
	while (woken) {
		struct channel_wait *next = woken->next_woken;

		wake_one(woken); /* may be gone by now */
		woken = next;
	}
}

/* ---- Sleeping ---- */

static enum cancel_answer leave(struct park *park)
{
	struct channel_wait *wait = container_of(park, struct channel_wait, park);

	if (!channel_claim(wait))
		return CANCEL_LATER; /* what it was given is on its way, and comes first */
	wait->loop->n_foreign--;
	return CANCEL_ENDS;
}

static bool is_told(struct channel_wait *wait)
{
	/* C3. */
	return atomic_load_explicit(&wait->told, memory_order_acquire) == TOLD;
}

/* Return: true if the wake-up came meanwhile. */
static bool watch(struct channel_wait *wait)
{
	weft_time end = weft__clock() + SPIN_NS;

	do {
		for (int i = 0; i < LOOKS_PER_CLOCK; i++) {
			if (is_told(wait))
				return true;
			weft__cpu_relax();
		}
	} while (weft__clock() < end);
	return false;
}

static int block(struct channel_wait *wait)
{
	uint32_t not_told = NOT_TOLD;

	if (weft__loops_spare_cpus() > 0 && watch(wait))
		return wait->result;
	/* Relaxed: it tells the giver that we sleep, nothing else. Then C3. */
	(void)atomic_compare_exchange_strong_explicit(&wait->told, &not_told,
						      NOT_TOLD_ASLEEP,
						      memory_order_relaxed,
						      memory_order_relaxed);
	while (!is_told(wait))
		weft__futex_wait(&wait->told, NOT_TOLD_ASLEEP);
	return wait->result;
}

/* Until somebody claims the wait and wakes us; in a task, or until it is cancelled. */
static int sleep_until_told(struct channel_wait *wait)
{
	if (!wait->loop)
		return block(wait);
	wait->loop->n_foreign++;
	return weft__park(&wait->park);
}

/* ---- In line ---- */

enum joined {
	IN_LINE,
	DONE, /* by ourselves, since it could be done */
	GIVEN, /* it could be done, but another case was before it was seen */
};

static enum joined join_line(const struct weft_channel_case *c,
			     struct channel_place *place, int *result)
{
	weft_channel *channel = c->channel;
	struct channel_wait *woken = NULL;
	enum joined joined = IN_LINE;

	list_init(&place->link);
	place->item = c->item;
	short_lock_take(&channel->lock);
	if (!channel_is_ready(channel, c->put)) {
		list_push_back(c->put ? &channel->putters : &channel->getters,
			       &place->link);
	} else if (channel_claim(place->wait)) {
		*result = weft__channel_do(channel, c->put, c->item, &woken);
		joined = DONE;
	} else {
		joined = GIVEN;
	}
	short_lock_release(&channel->lock);
	weft__channel_wake(woken);
	return joined;
}

/* Takes the first n places, but for that of the case that was done, out of their lines. */
static void leave_lines(const struct weft_channel_case *cases, size_t n,
			struct channel_place *places, size_t done)
{
	for (size_t i = 0; i < n; i++) {
		if (i == done)
			continue;
		short_lock_take(&cases[i].channel->lock);
		list_unlink(&places[i].link);
		short_lock_release(&cases[i].channel->lock);
	}
}

/* Gets in line for one case after the other, and waits unless one could be done by then. */
static int wait_in_lines(struct channel_wait *wait, const struct weft_channel_case *cases,
			 size_t n_cases, size_t *chosen)
{
	enum joined joined = IN_LINE;
	size_t n = 0, done = n_cases; /* none */
	int r = 0;

	while (n < n_cases && joined == IN_LINE) {
		wait->places[n].wait = wait;
		joined = join_line(&cases[n], &wait->places[n], &r);
		n++;
	}
	if (joined == DONE) {
		done = n - 1;
	} else {
		r = sleep_until_told(wait);
		if (r != -ECANCELED)
			done = wait->chosen;
	}
	if (done < n_cases)
		*chosen = done;
	leave_lines(cases, n, wait->places, done);
	return r;
}

int weft__channel_wait(struct weft_channel_case *cases, size_t n_cases, const char *what,
		       size_t *chosen)
{
	weft_task *me = task_current();
	struct channel_place few[FEW];
	struct channel_wait wait = {
		.loop = me ? me->loop : NULL,
		.park = { .what = what, .cancel = leave },
		.places = few,
	};
	int r = me ? weft__cancel_point(me) : 0;

	if (r < 0)
		return r;
	handle_init(&wait.message, HANDLE_DIRECT, wake_here, &wait);
	if (n_cases > FEW) {
		wait.places = weft__alloc_array(n_cases, sizeof(*wait.places));
		if (!wait.places)
			return -ENOMEM;
	}
	r = wait_in_lines(&wait, cases, n_cases, chosen);
	if (wait.places != few)
		free(wait.places);
	return r;
}
