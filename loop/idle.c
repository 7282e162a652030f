/*
 * What a loop does when it has nothing to do. Loop thread.
 *
 * It sleeps in the kernel until the next deadline. Waking a thread on an idle CPU costs some
 * 35 us, so before that it may watch its inbox for up to 20 us, where that has a chance to pay:
 * only while it did so lately (each miss doubles how many sleeps go by without trying, a hit
 * ends that), and only where each running loop can have a CPU of its own and no quota makes the
 * process pay for it later.
 */
#include "loop/control.h"
#include "loop/turn.h"

#define SPIN_NS (20 * WEFT_USEC)

enum {
	LOOKS_PER_CLOCK = 16, /* a look at the inbox is cheap, one at the clock less so */
	SKIP_MAX = 1023, /* a loop that is never posted to tries once in so many sleeps */
	SKIP_POSTED = 127, /* one that was woken by a post tries somewhat sooner */
};

/* Return: true if something came. */
static bool watch_inbox(weft_loop *loop, weft_time deadline)
{
	weft_time end = MIN(weft__clock() + SPIN_NS, deadline);

	do {
		for (int i = 0; i < LOOKS_PER_CLOCK; i++) {
			if (inbox_has_news(&loop->inbox))
				return true;
			weft__cpu_relax();
		}
	} while (weft__clock() < end);
	return false;
}

static bool spin(weft_loop *loop, weft_time deadline)
{
	if (deadline <= 0 || !weft__loops_have_cpus())
		return false;
	if (loop->spins_skipped < loop->spin_skip) {
		loop->spins_skipped++;
		return false;
	}
	loop->spins_skipped = 0;
	if (watch_inbox(loop, deadline)) {
		loop->spin_skip = 0;
		return true;
	}
	loop->spin_skip = MIN(loop->spin_skip * 2 + 1, SKIP_MAX);
	return false;
}

/* Waits in the kernel. A message that comes first keeps the loop awake, or wakes it. */
static void sleep_until(weft_loop *loop, weft_time deadline)
{
	uint64_t posted = loop->inbox.wakes_owed;

	if (spin(loop, deadline) || !weft__inbox_mark_asleep(&loop->inbox))
		return;
	atomic_store_explicit(&loop->asleep, true, memory_order_relaxed);
	weft__loop_look(loop, deadline);
	atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
	weft__control_notice();
	weft__inbox_take(&loop->inbox); /* takes the mark back, whatever woke us */
	if (loop->inbox.wakes_owed != posted)
		loop->spin_skip = MIN(loop->spin_skip, SKIP_POSTED);
}

/*
 * On a test clock: what is under way in the kernel goes first, work outside is waited
 * for, and then time jumps to the first deadline. `deadline` is on CLOCK_MONOTONIC here, too.
 */
static void virtual_sleep(weft_loop *loop, weft_time deadline)
{
	weft_time next;

	weft__loop_look(loop, 0);
	weft__inbox_take(&loop->inbox);
	if (weft__loop_has_work(loop))
		return;
	next = weft__timers_first(&loop->timers);
	if (loop->n_outside) {
		sleep_until(loop, deadline);
	} else if (next != WEFT_FOREVER) {
		loop->virtual_now = MAX(loop->virtual_now, next);
		weft__loop_expire_timers(loop);
	} else if (loop->n_foreign) {
		sleep_until(loop, deadline);
	} else {
		loop->deadlocked = true;
		loop->stop = true;
	}
}

void weft__loop_idle(weft_loop *loop, weft_time deadline)
{
	if (unlikely(loop->is_virtual))
		virtual_sleep(loop, deadline);
	else
		sleep_until(loop, MIN(deadline, weft__timers_next(&loop->timers)));
}
