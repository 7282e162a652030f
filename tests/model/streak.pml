/*
 * Several short jobs at once, and the keeper that rescues them: executor/streak.c, R1 to R4, for
 * spin.
 *
 * A worker runs streaks of jobs out of slots. The keeper may find a streak stuck at any time, with
 * what it has read a while ago; a thief may empty slots of one that is. Each job is begun once and
 * delivered once, each place is given back once, and n_ready and n_stuck come out right.
 *
 * With -DMISTAKE=n one step is wrong, and spin has to find out:
 *   1  the keeper takes what it has read without comparing the number of the streak
 *   2  the worker ends a streak by a look and a store instead of one exchange
 *   3  the keeper reads which jobs are finished after it has marked the streak
 *   4  the worker does not learn what the keeper has taken
 */
#ifndef MISTAKE
#define MISTAKE 0
#endif

#define N_STREAKS 2
#define N_EACH	  2 /* jobs of a streak */
#define N_JOBS	  4

#define IDLE	0
#define RUNNING 1
#define STUCK	2

/* The word `run`, whose parts change together. */
byte number = 0, state = IDLE, taken = 0, given = 0;
/* The word `progress`. */
byte p_number = 0, p_finished = 0, p_owed = 0;
byte finished[N_EACH]; /* of the streak that runs: jobs, from 1 */
byte first = 0; /* the streak's first job */
bool slot[N_JOBS]; /* full */

byte n_begun[N_JOBS], n_delivered[N_JOBS];
short places = N_JOBS; /* taken */
short n_ready = 1, n_stuck = 0;
bool has_jobs = false, done = false;

inline begin_job(job)
{
	n_begun[job]++;
	assert(n_begun[job] == 1)
}

inline deliver(job)
{
	n_delivered[job]++;
	assert(n_delivered[job] == 1);
	assert(n_begun[job] == 1)
}

/* Also gives back what is owed. */
inline deliver_rest(from, to, owed)
{
	places = places - owed;
	owed = 0;
	do
	:: from < to -> deliver(finished[from] - 1); from++
	:: else -> break
	od
}

inline learn(owed, delivered)
{
#if MISTAKE != 4
	owed = owed - seen_given;
	delivered = seen_taken;
#endif
	skip
}

active proctype worker()
{
	byte s, i, n_finished, delivered, seen_state, seen_taken, seen_given;
	short n_owed;
	bool got, knows;

	has_jobs;
	for (s : 0 .. N_STREAKS - 1) {
		n_finished = 0;
		n_owed = 0;
		delivered = 0;
		knows = false;
		first = s * N_EACH;
		atomic { p_number = s + 1; p_finished = 0; p_owed = 0 };
		atomic { number = s + 1; state = RUNNING; taken = 0; given = 0 }; /* R1 */
		for (i : 0 .. N_EACH - 1) {
			atomic {
				got = slot[s * N_EACH + i];
				slot[s * N_EACH + i] = false
			};
			if
			:: got ->
				n_owed++;
				atomic { /* R3 */
					p_number = s + 1;
					p_finished = n_finished;
					p_owed = n_owed
				};
				begin_job(s * N_EACH + i);
				finished[n_finished] = s * N_EACH + i + 1;
				n_finished++;
				atomic { /* R4 */
					seen_state = state;
					seen_taken = taken;
					seen_given = given
				};
				if
				:: seen_state == STUCK ->
					if
					:: !knows -> knows = true; learn(n_owed, delivered)
					:: else
					fi;
					deliver_rest(delivered, n_finished, n_owed)
				:: else
				fi
			:: else
			fi
		}
#if MISTAKE == 2
		atomic { seen_state = state; seen_taken = taken; seen_given = given };
		state = IDLE;
#else
		atomic { /* R4 */
			seen_state = state;
			seen_taken = taken;
			seen_given = given;
			state = IDLE
		};
#endif
		if
		:: seen_state == STUCK ->
			if
			:: !knows -> learn(n_owed, delivered)
			:: else
			fi;
			n_stuck--;
			n_ready++
		:: else
		fi;
		deliver_rest(delivered, n_finished, n_owed)
	};
	done = true
}

active proctype keeper()
{
	byte k_number, k_finished, k_owed, i;
	byte copy[N_EACH];
	bool marked;

	do
	:: done -> break
	:: state == RUNNING ->
		/* R2; that the streak stands still is not asked: it may seem to at any time. */
		k_number = number;
		atomic {
			k_finished = p_finished;
			k_owed = p_owed;
			marked = p_number == k_number
		};
		if
		:: marked ->
#if MISTAKE != 3
			for (i : 0 .. N_EACH - 1) {
				copy[i] = finished[i]
			}
#endif
			atomic { /* R4 */
#if MISTAKE == 1
				marked = state == RUNNING;
#else
				marked = state == RUNNING && number == k_number;
#endif
				if
				:: marked ->
					state = STUCK;
					taken = k_finished;
					given = k_owed
				:: else
				fi
			};
			if
			:: marked ->
#if MISTAKE == 3
				for (i : 0 .. N_EACH - 1) {
					copy[i] = finished[i]
				}
#endif
				n_stuck++;
				n_ready--;
				places = places - k_owed;
				i = 0;
				do
				:: i < k_finished -> deliver(copy[i] - 1); i++
				:: else -> break
				od
			:: else
			fi
		:: else
		fi
	od
}

/* Takes jobs out of a streak that is stuck, by what may be old. */
active proctype thief()
{
	byte from, i;
	bool got;

	do
	:: done -> break
	:: state == STUCK ->
		from = first;
		for (i : 0 .. N_EACH - 1) {
			atomic { got = slot[from + i]; slot[from + i] = false };
			if
			:: got ->
				places--;
				begin_job(from + i);
				deliver(from + i)
			:: else
			fi
		}
	od
}

init {
	byte i;

	atomic {
		for (i : 0 .. N_JOBS - 1) {
			slot[i] = true
		};
		has_jobs = true
	}
}

active proctype monitor()
{
	byte i;

	timeout;
	for (i : 0 .. N_JOBS - 1) {
		assert(n_delivered[i] == 1)
	}
	assert(places == 0);
	assert(n_ready == 1);
	assert(n_stuck == 0)
}
