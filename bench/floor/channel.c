/*
 * Floor of the bench "channel": D. Vyukov's bounded ring for many threads (2010). Each place has a
 * number that says whose turn it is, so a put and a get cost one compare-exchange each, and there
 * is no lock. Where there is no place, or no item, it spins, and after a while yields the CPU.
 */
#include "bench/floor/floors.h"
#include "bench/measure.h"

#include <pthread.h>
#include <sched.h>

enum { ITEMS = 200 * 1000, SPINS = 1000 };

struct cell {
	_Atomic size_t turn; /* V1 */
	uint64_t value;
};

struct ring {
	alignas(CACHE_LINE) _Atomic size_t head;
	alignas(CACHE_LINE) _Atomic size_t tail;
	alignas(CACHE_LINE) struct cell *cells;
	size_t n; /* a power of two; at least 2, or turns would be ambiguous */
};

static struct ring there, back;

static int make_ring(struct ring *ring, long n)
{
	ring->n = (size_t)MAX(n, 2L);
	ring->cells = weft__alloc_array(ring->n, sizeof(*ring->cells));
	if (!ring->cells)
		return -ENOMEM;
	for (size_t i = 0; i < ring->n; i++)
		atomic_init(&ring->cells[i].turn, i);
	return 0;
}

/*
 * The place at *counter once its turn is `turn` beyond that, taken. V1: acquires what the other
 * side released. The counter itself carries nothing: relaxed.
 */
static struct cell *take_place(struct ring *ring, _Atomic size_t *counter, size_t beyond,
			       size_t *at)
{
	size_t now = atomic_load_explicit(counter, memory_order_relaxed);

	for (int n_spins = 0;;) {
		struct cell *cell = &ring->cells[now & (ring->n - 1)];

		if (atomic_load_explicit(&cell->turn, memory_order_acquire) ==
		    now + beyond) {
			if (atomic_compare_exchange_weak_explicit(counter, &now, now + 1,
								  memory_order_relaxed,
								  memory_order_relaxed)) {
				*at = now;
				return cell;
			}
			continue;
		}
		if (++n_spins % SPINS)
			weft__cpu_relax();
		else
			sched_yield();
		now = atomic_load_explicit(counter, memory_order_relaxed);
	}
}

static void put(struct ring *ring, uint64_t value)
{
	size_t at;
	struct cell *cell = take_place(ring, &ring->tail, 0, &at);

	cell->value = value;
	/* V1: the getter's turn. */
	atomic_store_explicit(&cell->turn, at + 1, memory_order_release);
}

static uint64_t get(struct ring *ring)
{
	size_t at;
	struct cell *cell = take_place(ring, &ring->head, 1, &at);
	uint64_t value = cell->value;

	/* V1: the turn of who puts in the next round. */
	atomic_store_explicit(&cell->turn, at + ring->n, memory_order_release);
	return value;
}

static void check(uint64_t value)
{
	static uint64_t n_gotten;

	if (value != n_gotten++)
		bench_die("the floor's ring lost an item");
}

/* ---- One thread ---- */

int floor_channel_alone(const struct bench_case *c, double *values)
{
	struct bench_rounds rounds = { .n = 0 };
	uint64_t value = 0;
	int r = make_ring(&there, c->n);

	bench_pin(1);
	while (r == 0 && bench_more(&rounds)) {
		weft_time start = bench_thread_cpu();

		for (int i = 0; i < ITEMS; i++) {
			put(&there, value++);
			check(get(&there));
		}
		bench_add(&rounds, (double)(bench_thread_cpu() - start) / ITEMS);
	}
	values[0] = bench_median(&rounds);
	return r;
}

/* ---- A stream ---- */

/* Until the process ends. */
static void *put_for_ever(void *place)
{
	bench_pin(*(int *)place);
	for (uint64_t i = 0;; i++)
		put(&there, i);
	return NULL;
}

int floor_channel_threads(const struct bench_case *c, double *values)
{
	static int place;
	struct bench_rounds rate = { .n = 0 }, cpu = { .n = 0 };
	pthread_t thread;
	int r = make_ring(&there, c->n);

	if (r < 0)
		return r;
	place = c->m == BENCH_ONE_CPU ? 1 : 0;
	pthread_create(&thread, NULL, put_for_ever, &place);
	bench_pin(1);
	while (bench_more(&rate)) {
		weft_time wall = weft__clock(), on_cpu = bench_process_cpu();

		for (int i = 0; i < ITEMS; i++)
			check(get(&there));
		bench_add(&rate, ITEMS * 1e3 / (double)(weft__clock() - wall));
		bench_add(&cpu, (double)(bench_process_cpu() - on_cpu) / ITEMS);
	}
	values[0] = bench_median(&rate);
	values[1] = bench_median(&cpu);
	return 0;
}

/* ---- To and fro ---- */

static void *answer(void *unused)
{
	bench_pin(0);
	for (;;)
		put(&back, get(&there));
	return unused;
}

int floor_channel_ping_pong(const struct bench_case *c, double *values)
{
	static struct bench_histogram latencies;
	uint64_t value = 0;
	pthread_t thread;
	weft_time end;
	int r = make_ring(&there, c->n);

	if (r == 0)
		r = make_ring(&back, c->n);
	if (r < 0 || bench_n_cpus() < 2)
		return r < 0 ? r : -ENOTSUP;
	pthread_create(&thread, NULL, answer, NULL);
	bench_pin(1);
	end = weft__clock() + bench_budget();
	while (weft__clock() < end) {
		weft_time start = weft__clock();

		put(&there, value++);
		check(get(&back));
		bench_record(&latencies, weft__clock() - start);
	}
	values[0] = bench_percentile(&latencies, 50) / 2 / WEFT_USEC;
	return 0;
}
