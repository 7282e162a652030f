/*
 * Hand-over on channels: task/channel.h and task/channel_wait.c, for spin.
 *
 * Two channels of one place. A task waits to get from both, in a select, and may be cancelled while
 * it waits; a plain thread waits to get from the first. Two senders put items, which never wait
 * here (a line of putters is the same line once more). Which of several waiters in a line is first
 * does not matter for what is checked, so it is any. What one thread does under a lock is one step
 * only where nobody else can look in between: claims and cancels come in the middle.
 *
 * A wait lives on its owner's stack: whoever touches it after its owner went on finds `alive`
 * false. When nothing can happen any more, each item that was put has been gotten once or lies in a
 * ring, nobody waits at a ring that has one, and nobody was given one without being woken.
 *
 * With -DMISTAKE=n one step is wrong, and spin has to find out:
 *   1  the canceller does not claim the wait before it ends it
 *   2  a giver does not claim the wait that it serves
 *   3  who was served does not leave the other line
 *   4  a thread says that it sleeps by a store, whatever it was told meanwhile
 *   5  who gets in line does not look at the ring again
 *   6  a select that finds its wait claimed goes on at once, instead of awaiting the giver
 *   7  a giver tells a thread that it has something, and does not wake it
 */
#ifndef MISTAKE
#define MISTAKE 0
#endif

#define N_SENDERS 2
#define N_EACH	  2 /* items of a sender */
#define N_CANCELS 1
#define N_GETS	  2 /* of the task; the thread gets one */

#define TASK   0
#define THREAD 1
#define NOBODY 2

#define NONE 0 /* no item: items are numbered from 1 */

bool locked[2];
byte ring[2] = NONE;

typedef wait {
	bool alive;
	bool open; /* not claimed */
	bool in_line[2];
	byte item; /* what it was given */
	byte chosen;
}
wait waits[2];

bool message; /* to the task's loop */
/* The thread's futex. */
#define NOT_TOLD 0
#define ASLEEP	 1
#define TOLD	 2
byte told = NOT_TOLD;
bool sleeps; /* in the kernel */

byte put = 0, gotten = 0; /* a bit for each item */

#define BIT_OF(which) (1 << (which - 1))

inline take_lock(c)
{
	atomic { !locked[c]; locked[c] = true }
}

inline release_lock(c)
{
	locked[c] = false
}

/* One step, as the compare-exchange: success if it was open. */
inline claim(w, success)
{
	atomic { assert(waits[w].alive); success = waits[w].open; waits[w].open = false }
}

inline count(which)
{
	assert(which != NONE && (gotten & BIT_OF(which)) == 0);
	gotten = gotten | BIT_OF(which)
}

/* put_now(), with the lock; woken: whom to wake without it. */
inline put_now(c, it, woken, success)
{
	do
	:: atomic {
		waits[TASK].in_line[c] || waits[THREAD].in_line[c] ->
		if
		:: waits[TASK].in_line[c] -> woken = TASK
		:: waits[THREAD].in_line[c] -> woken = THREAD
		fi;
		waits[woken].in_line[c] = false
	   }
		if
		:: MISTAKE == 2 -> success = true; waits[woken].open = false
		:: MISTAKE != 2 -> claim(woken, success)
		fi;
		if
		:: atomic {
			success ->
			assert(waits[woken].alive && ring[c] == NONE);
			waits[woken].item = it;
			waits[woken].chosen = c
		   }
			break
		:: else -> woken = NOBODY /* passed over */
		fi
	:: atomic {
		!waits[TASK].in_line[c] && !waits[THREAD].in_line[c] ->
		ring[c] = it
	   }
		break
	od
}

inline wake(w)
{
	assert(waits[w].alive);
	if
	:: w == TASK -> message = true
	:: w == THREAD ->
#if MISTAKE == 7
		told = TOLD
#else
		/* C3, an exchange. */
		atomic { before = told; told = TOLD };
		/* From here on the wait may be gone; a futex is woken by its address. */
		if
		:: before == ASLEEP -> sleeps = false
		:: else
		fi
#endif
	fi
}

proctype sender(byte self)
{
	byte i = 0, c, it, woken = NOBODY, before;
	bool success;

	do
	:: i < N_EACH ->
		atomic {
			it = self * N_EACH + i + 1;
			i++;
			if
			:: c = 0
			:: c = 1
			fi
		};
		take_lock(c);
		if
		:: atomic { ring[c] == NONE -> put = put | BIT_OF(it) }
			put_now(c, it, woken, success);
			release_lock(c);
			if
			:: woken != NOBODY -> wake(woken)
			:: else
			fi
		:: else -> release_lock(c) /* -EAGAIN */
		fi;
		d_step { c = 0; it = 0; woken = NOBODY; success = false; before = 0 }
	:: else -> break
	od
}

#define IN_LINE 0
#define DONE	1
#define GIVEN	2

/* join_line() */
inline join(w, c, joined)
{
	take_lock(c);
	if
	:: ring[c] != NONE && MISTAKE != 5 ->
		claim(w, success);
		if
		:: atomic {
			success ->
			got = ring[c];
			ring[c] = NONE;
			count(got);
			joined = DONE
		   }
		:: else -> joined = GIVEN
		fi
	:: else -> waits[w].in_line[c] = true
	fi;
	release_lock(c)
}

inline leave_line(w, c)
{
	take_lock(c);
	waits[w].in_line[c] = false;
	release_lock(c)
}

inline begin_wait(w)
{
	waits[w].alive = true;
	waits[w].open = true;
	waits[w].item = NONE;
	waits[w].chosen = 0
}

/* On the loop of the task; the inbox keeps a message until it is run. */
proctype task()
{
	byte n = 0, cancels = 0, n_joined, joined, done, got;
	bool success;

	do
	:: n < N_GETS ->
		atomic {
			n++;
			message = false;
			begin_wait(TASK);
			joined = IN_LINE;
			n_joined = 1;
			done = 2
		};
		join(TASK, 0, joined);
		if
		:: joined == IN_LINE -> join(TASK, 1, joined); n_joined = 2
		:: else
		fi;
		if
		:: joined == DONE -> done = n_joined - 1; goto leave_lines
		:: joined == GIVEN && MISTAKE == 6 -> goto leave_lines
		:: else
		fi;
end_parked:	do
		:: atomic {
			message ->
			done = waits[TASK].chosen;
			got = waits[TASK].item;
			count(got)
		   }
			break
		:: cancels < N_CANCELS ->
			cancels++;
			if
			:: MISTAKE == 1 -> waits[TASK].open = false; success = true
			:: MISTAKE != 1 -> claim(TASK, success)
			fi;
			if
			:: success -> break
			:: else /* what it was given comes first */
			fi
		od;
leave_lines:	if
		:: done != 0 && MISTAKE != 3 -> leave_line(TASK, 0)
		:: else
		fi;
		if
		:: done != 1 && n_joined == 2 && MISTAKE != 3 -> leave_line(TASK, 1)
		:: else
		fi;
		d_step {
			waits[TASK].alive = false;
			joined = 0; n_joined = 0; done = 0; got = 0; success = false
		}
	:: else -> break
	od
}

proctype thread()
{
	byte joined = IN_LINE, got;
	bool success;

	begin_wait(THREAD);
	join(THREAD, 0, joined);
	if
	:: joined == DONE -> goto gone
	:: else -> assert(joined == IN_LINE)
	fi;
#if MISTAKE == 4
	told = ASLEEP;
#else
	atomic {
		if
		:: told == NOT_TOLD -> told = ASLEEP
		:: else
		fi
	};
#endif
	do
	:: told == TOLD -> break
	:: else ->
		/* FUTEX_WAIT looks and sleeps in one step. */
		atomic {
			if
			:: told == ASLEEP -> sleeps = true
			:: else
			fi
		};
end_asleep:	!sleeps
	od;
	got = waits[THREAD].item;
	count(got);
gone:
	waits[THREAD].alive = false
}

init
{
	atomic {
		byte i;

		run task();
		run thread();
		for (i : 0 .. N_SENDERS - 1) {
			run sender(i)
		}
	}
}

#define WAITS(w) (waits[w].alive && waits[w].open)

active proctype monitor()
{
	byte left = 0;

end_wait:
	timeout;
	assert(!locked[0] && !locked[1]);
	if
	:: ring[0] != NONE -> left = left | BIT_OF(ring[0])
	:: else
	fi;
	if
	:: ring[1] != NONE -> left = left | BIT_OF(ring[1])
	:: else
	fi;
	assert((gotten & left) == 0 && (gotten | left) == put);
	assert(!(ring[0] != NONE && (WAITS(TASK) || WAITS(THREAD))));
	assert(!(ring[1] != NONE && WAITS(TASK)));
	assert(!(waits[TASK].alive && !waits[TASK].open));
	assert(!(waits[THREAD].alive && !waits[THREAD].open))
}
