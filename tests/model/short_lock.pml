/*
 * The short lock: base/short_lock.h, for spin.
 *
 * Three threads take it twice each, and one of them at a time may hold it. Watching is left out,
 * but for the first try: each try that is made may as well be the last one. A thread that sleeps
 * for ever shows as a state in which nothing can happen any more.
 *
 * With -DMISTAKE=n one step is wrong, and spin has to find out:
 *   1  who has slept takes it as HELD, though others may sleep, too
 *   2  it is released without a look whether somebody wants it
 *   3  who wants it looks and then stores, instead of exchanging
 *   4  the kernel is not told which word was seen, and sleeps whatever it is
 */
#ifndef MISTAKE
#define MISTAKE 0
#endif

#define N_THREADS 3
#define N_TURNS	  2

#define FREE   0
#define HELD   1
#define WANTED 2

byte word = FREE;
byte n_asleep = 0; /* in the kernel */
byte wakes = 0; /* of those, who are on their way out */
byte n_holders = 0;

proctype thread()
{
	byte turn = 0, seen, as = WANTED;

	do
	:: turn < N_TURNS ->
		atomic { seen = word; if :: seen == FREE -> word = HELD :: else fi };
		if
		:: seen == FREE -> goto taken
		:: else
		fi;
		as = WANTED;
again:
#if MISTAKE == 3
		seen = word;
		word = as;
#else
		atomic { seen = word; word = as };
#endif
		if
		:: seen == FREE -> goto taken
		:: else
		fi;
		/* FUTEX_WAIT looks and sleeps in one step. */
		atomic {
			if
			:: word == WANTED || MISTAKE == 4 -> n_asleep++
			:: else -> goto again
			fi
		};
		atomic { wakes > 0 -> wakes--; n_asleep-- };
#if MISTAKE == 1
		as = HELD;
#endif
		goto again;
taken:
		n_holders++;
		assert(n_holders == 1);
		n_holders--;
		atomic { seen = word; word = FREE };
		if
		:: MISTAKE == 2
		:: MISTAKE != 2 && seen == WANTED ->
			/* FUTEX_WAKE: one of those who sleep and were not woken yet. */
			atomic {
				if
				:: n_asleep > wakes -> wakes++
				:: else
				fi
			}
		:: MISTAKE != 2 && seen != WANTED
		fi;
		turn++
	:: else -> break
	od
}

init
{
	atomic {
		byte i;

		for (i : 1 .. N_THREADS) {
			run thread()
		}
	}
}
