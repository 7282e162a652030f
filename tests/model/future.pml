/*
 * Settling a shared future, waiting for it, ceasing to wait: task/future.h, task/future.c and
 * task/future_wait.c, for spin.
 *
 * A task on a loop awaits it and may be cancelled; a plain thread waits for it with a time limit; an
 * owner only looks, without the lock. Each of these has a reference. Either one thread settles it,
 * which needs none, since the others hold on until then; or two threads, with a reference each, of
 * which one succeeds. Waiters lie on stacks: `alive` is false as soon as one has gone on.
 *
 * Nobody touches the future after it is freed, or a waiter that has gone on; who is told that it
 * has settled finds the outcome; all end, and the future is freed. Who waits for ever shows as a
 * state in which nothing can happen any more.
 *
 * With -DMISTAKE=n one step is wrong, and spin has to find out:
 *   1  a task that is cancelled leaves, though the settler has taken it off the list
 *   2  who begins to wait does not look under the lock whether it has settled
 *   3  the settler has no reference while it settles
 *   4  it has settled before its outcome is there
 *   5  a thread whose time is up leaves, though the settler has taken it off the list
 *   6  the settler marks whom it has taken off the list when it has released the lock
 *   7  who settles does not look whether somebody else has
 */
#ifndef MISTAKE
#define MISTAKE 0
#endif

#define TASK   0
#define THREAD 1

byte references = 3; /* owner, task, thread */
bool freed = false;
bool locked = false;
bool settled = false;
byte outcome = 0;
byte n_settled = 0;

typedef waiter {
	bool alive;
	bool in_list; /* under the lock */
	bool taken; /* the same */
	bool told; /* the message to the loop, or the flag of the thread, under a lock of its own */
}
waiter waiters[2];

inline take_lock()
{
	atomic { !locked; assert(!freed); locked = true }
}

inline release_lock()
{
	atomic { assert(!freed); locked = false }
}

inline unref()
{
	atomic {
		assert(!freed && references > 0);
		references--; /* F3 */
		if
		:: references == 0 -> /* F4 */
			assert(!waiters[TASK].in_list && !waiters[THREAD].in_list);
			freed = true
		:: else
		fi
	}
}

/* After this the waiter may be gone. */
inline notify(w)
{
	atomic { assert(waiters[w].alive && !waiters[w].told); waiters[w].told = true }
}

proctype settler(bool has_reference)
{
	bool task_told = false, thread_told = false;

#if MISTAKE != 3
	atomic { assert(!freed); references++ }
#endif
	take_lock();
	if
	:: settled && MISTAKE != 7 -> goto out
	:: else
	fi;
	n_settled++;
#if MISTAKE == 4
	settled = true;
	outcome = 1;
#else
	outcome = 1;
	settled = true; /* F1 */
#endif
	atomic {
		task_told = waiters[TASK].in_list;
		thread_told = waiters[THREAD].in_list;
		waiters[TASK].in_list = false;
		waiters[THREAD].in_list = false
	};
#if MISTAKE != 6
	atomic {
		if :: task_told -> waiters[TASK].taken = true :: else fi;
		if :: thread_told -> waiters[THREAD].taken = true :: else fi
	};
#endif
out:
	release_lock();
#if MISTAKE == 6
	atomic {
		if :: task_told -> waiters[TASK].taken = true :: else fi;
		if :: thread_told -> waiters[THREAD].taken = true :: else fi
	};
#endif
	if
	:: task_told -> notify(TASK)
	:: else
	fi;
	if
	:: thread_told -> notify(THREAD)
	:: else
	fi;
#if MISTAKE != 3
	unref();
#endif
	if
	:: has_reference -> unref()
	:: else
	fi
}

inline add_waiter(w, added)
{
	atomic { waiters[w].alive = true; waiters[w].taken = false; waiters[w].told = false };
	take_lock();
	if
	:: settled && MISTAKE != 2 -> added = false
	:: else -> waiters[w].in_list = true; added = true
	fi;
	release_lock()
}

inline remove_waiter(w, removed, look)
{
	take_lock();
	removed = !(look && waiters[w].taken);
	if
	:: removed -> waiters[w].in_list = false
	:: else
	fi;
	release_lock()
}

/* On the loop of the task, where the message comes to, too. */
proctype task()
{
	bool waits, gone = false, asked;

	if
	:: asked = true /* nobody is going to cancel it */
	:: asked = false
	fi;
	if
	:: settled -> goto knows /* F2 */
	:: else
	fi;
	add_waiter(TASK, waits);
	do
	:: !waits -> goto knows
	:: waits && waiters[TASK].told -> goto knows
	:: waits && !asked ->
		asked = true;
		remove_waiter(TASK, gone, MISTAKE != 1);
		if
		:: gone -> goto leaves
		:: else /* the outcome is on its way, and comes first */
		fi
	od;
knows:
	assert(!freed && settled && outcome == 1);
leaves:
	waiters[TASK].alive = false;
	unref()
}

proctype thread()
{
	bool waits, gone = false, has_limit;

	if
	:: has_limit = true
	:: has_limit = false
	fi;
	add_waiter(THREAD, waits);
	if
	:: !waits -> goto knows
	:: waits && waiters[THREAD].told -> goto knows
	:: waits && has_limit -> /* its time is up */
		remove_waiter(THREAD, gone, MISTAKE != 5);
		if
		:: gone -> goto leaves
		:: else -> waiters[THREAD].told /* it is being settled */
		fi
	fi;
knows:
	assert(!freed && settled && outcome == 1);
leaves:
	waiters[THREAD].alive = false;
	unref()
}

proctype owner()
{
	settled; /* F2 */
	assert(outcome == 1);
	unref()
}

init
{
	atomic {
		if
		:: run settler(false)
		:: references = references + 2; run settler(true); run settler(true)
		fi;
		run task();
		run thread();
		run owner()
	}
}

active proctype monitor()
{
end_wait:
	timeout;
	assert(freed && references == 0 && n_settled == 1);
	assert(!waiters[TASK].alive && !waiters[THREAD].alive)
}
