/*
 * The inbox of a loop: its messages, its sleep, its end. loop/inbox.h, for spin.
 *
 * The head is one word: empty, ASLEEP, CLOSED, or the messages pushed so far, of which only the set
 * matters here. Senders read it and then exchange it, if it is still what they read. The loop may
 * wake for reasons of its own at any time, and closes at any time. At the end each message that
 * was accepted has run exactly once, and no sender touches the wake-up descriptor once it is gone.
 * A loop that sleeps while a message waits shows as a state in which nothing can happen any more.
 *
 * With -DMISTAKE=n one step is wrong, and spin has to find out:
 *   1  the loop does not expect to find its own mark when it takes
 *   2  the loop stores the mark instead of exchanging it for an empty head
 *   3  a sender looks whether the loop is asleep before it pushes, and goes by that
 *   4  the loop does not wait for senders on their way into the wake-up before it ends
 */
#ifndef MISTAKE
#define MISTAKE 0
#endif

#define N_SENDERS 2
#define N_EACH	  2 /* messages of a sender */

/* Values of the head below MESSAGES; above, a bit for each message. */
#define EMPTY	 0
#define ASLEEP	 1
#define CLOSED	 2
#define MESSAGES 4

short head = EMPTY;
byte wakes = 0; /* the eventfd: counts, and is never read before the end */
bool gone = false; /* it is closed */
short accepted = 0; /* a bit for each message, as in the head */
short ran = 0;

inline push(which, old, result)
{
	result = 0;
	do
	:: old = head;
	   if
	   :: old == CLOSED -> break
	   :: else ->
		if
		:: atomic {
			head == old ->
			if
			:: old == ASLEEP || old == EMPTY -> head = which
			:: else -> head = old | which
			fi;
			accepted = accepted | which;
			result = 1
		   }
		   break
		:: atomic { head != old -> skip } /* again */
		fi
	   fi
	od
}

proctype sender(byte self)
{
	short old, seen;
	byte i = 0;
	bool result;

	do
	:: i < N_EACH ->
		seen = head; /* only for mistake 3 */
		push((MESSAGES << (self * N_EACH + i)), old, result);
		if
		:: result && (MISTAKE == 3 -> seen == ASLEEP : old == ASLEEP) ->
			assert(!gone);
			wakes++
		:: else
		fi;
		i++
	:: else -> break
	od
}

proctype loop()
{
	short stack;
	byte seen = 0; /* wake-ups that a wait has ended for */
	byte owed = 0;
	bool marked = false, closing = false;

	do
	:: /* Takes all there is; the last time it leaves the head closed. */
	   if
	   :: closing = true
	   :: skip
	   fi;
	   atomic { stack = head; head = (closing -> CLOSED : EMPTY) };
	   if
	   :: marked && stack != ASLEEP -> owed++
	   :: else
	   fi;
	   marked = false;
	   if
	   :: stack == ASLEEP -> assert(MISTAKE != 1)
	   :: else ->
		assert((ran & stack) == 0);
		ran = ran | stack
	   fi;
	   if
	   :: closing -> break
	   :: else
	   fi;
	   /* Sleeps, if nothing has come. */
	   if
	   :: MISTAKE == 2 -> head = ASLEEP; marked = true
	   :: MISTAKE != 2 ->
		if
		:: atomic { head == EMPTY -> head = ASLEEP }; marked = true
		:: atomic { head != EMPTY -> skip }
		fi
	   fi;
	   if
	   :: marked ->
		if
		:: wakes != seen -> seen = wakes
		:: skip /* a timer, a socket, a signal */
		fi
	   :: else
	   fi
	od;
	if
	:: MISTAKE == 4
	:: MISTAKE != 4 -> wakes == owed /* reads the eventfd until it has them all */
	fi;
	gone = true;
	assert(ran == accepted)
}

/* The same without wakes of its own, and closed only when all has run: does it sleep for ever? */
proctype patient_loop()
{
	short stack;
	byte seen = 0;
	bool marked;

	do
	:: atomic { stack = head; head = EMPTY };
	   if
	   :: stack >= MESSAGES -> ran = ran | stack
	   :: else
	   fi;
	   if
	   :: ran == (MESSAGES << (N_SENDERS * N_EACH)) - MESSAGES -> break
	   :: else
	   fi;
	   marked = false;
	   if
	   :: MISTAKE == 2 -> head = ASLEEP; marked = true
	   :: MISTAKE != 2 ->
		if
		:: atomic { head == EMPTY -> head = ASLEEP }; marked = true
		:: atomic { head != EMPTY -> skip }
		fi
	   fi;
	   if
	   :: marked -> wakes != seen; seen = wakes
	   :: else
	   fi
	od
}

init
{
	atomic {
		if
		:: run loop()
		:: run patient_loop()
		fi;
		run sender(0);
		run sender(1)
	}
}
