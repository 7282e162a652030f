/*
 * Who looks after a job that waits: executor/idle.c, D1 to D4, for spin.
 *
 * Jobs may block for ever, so each has to be begun without waiting for another. The monitor wakes
 * when nothing can happen any more: then no job may be waiting while a worker sleeps.
 *
 * With -DMISTAKE=n one step is where it must not be, and spin has to find out:
 *   1  a worker looks for jobs before it sets its bit, not after
 *   2  a worker that begins a job looks at what waits before it leaves n_ready
 *   3  a worker that begins a job does not care for the others
 *   4  the submitter looks for ready workers before it has handed the job over
 */
#ifndef MISTAKE
#define MISTAKE 0
#endif

#define N_WORKERS 2
#define N_JOBS	  3

byte waiting = 0; /* jobs that have a place and were not begun */
byte published = 0; /* those of them that can be claimed */
byte n_ready = 0;
bool bit_of[N_WORKERS]; /* sleeps, and may be woken */
bool awake[N_WORKERS]; /* its futex */
byte n_asleep = 0;
byte n_begun = 0;

inline wake_one()
{
	if
	:: atomic { bit_of[0] -> bit_of[0] = false }; n_ready++; awake[0] = true
	:: atomic { bit_of[1] -> bit_of[1] = false }; n_ready++; awake[1] = true
	:: atomic { !bit_of[0] && !bit_of[1] -> skip }
	fi
}

/* One is woken at most: it cares for the rest before it begins. */
inline spread(ready)
{
	ready = n_ready;
	if
	:: ready < waiting -> wake_one()
	:: else
	fi
}

active proctype submitter()
{
	byte n, ready;

	for (n : 1 .. N_JOBS) {
		waiting++;
#if MISTAKE == 4
		spread(ready);
		published++
#else
		published++;
		spread(ready)
#endif
	}
}

proctype worker(byte me)
{
	byte ready;
	bool got;

again:
	atomic { got = published > 0; if :: got -> published-- :: else fi };
	if
	:: got ->
		waiting--;
#if MISTAKE == 2
		spread(ready);
		n_ready--;
#elif MISTAKE == 3
		n_ready--;
#else
		n_ready--; /* D1 */
		spread(ready);
#endif
		n_begun++;
		if
		:: true -> n_ready++; goto again /* the job has ended */
		:: true -> goto end_blocked
		fi
	:: else
	fi;

#if MISTAKE == 1
	if :: published > 0 -> goto again :: else fi;
	bit_of[me] = true;
	n_ready--;
#else
	bit_of[me] = true; /* D3 */
	n_ready--; /* D1 */
	if
	:: published > 0 ->
		atomic { got = bit_of[me]; bit_of[me] = false };
		if
		:: got -> n_ready++; goto again
		:: else /* somebody is about to wake it */
		fi
	:: else
	fi;
#endif
	n_asleep++;
end_asleep:
	awake[me];
	awake[me] = false;
	n_asleep--;
	goto again;
end_blocked:
	false
}

init {
	byte i;

	atomic {
		n_ready = N_WORKERS;
		for (i : 0 .. N_WORKERS - 1) {
			run worker(i)
		}
	}
}

active proctype monitor()
{
	timeout;
	assert(published == 0 || n_asleep == 0);
	assert(n_begun <= N_JOBS)
}
