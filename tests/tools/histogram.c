/*
 * A histogram of spans: what it answers, against the sorted spans themselves.
 */
#include "tools/histogram.h"
#include "tests/test.h"

static struct histogram histogram;

static int compare(const void *a, const void *b)
{
	const weft_time *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Spans from 1 us to about 17 minutes, all orders of magnitude alike. */
static weft_time some_span(unsigned *seed)
{
	weft_time span = WEFT_USEC;

	*seed = *seed * 1103515245u + 12345u;
	span <<= (*seed >> 16) % 30;
	*seed = *seed * 1103515245u + 12345u;
	return span + span * (weft_time)(*seed >> 16) / 65536;
}

Test(histogram, is_within_one_percent_or_one_microsecond_of_the_sorted_spans)
{
	enum { N = 20000 };
	static const double shares[] = { 0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1 };
	static weft_time spans[N];
	unsigned seed = 1;

	for (int i = 0; i < N; i++) {
		spans[i] = some_span(&seed);
		histogram_add(&histogram, spans[i]);
	}
	qsort(spans, N, sizeof(spans[0]), compare);

	cr_expect_eq(histogram.n, N);
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		int at = MAX((int)(shares[i] * N), 1) - 1;
		double exact = (double)spans[at];
		double found = (double)histogram_percentile(&histogram, shares[i]);

		cr_expect_float_eq(found, exact, MAX(exact / 100, (double)WEFT_USEC),
				   "share %g: %g instead of %g", shares[i], found, exact);
	}
}

Test(histogram, never_answers_more_than_the_largest_span)
{
	histogram_add(&histogram, 1000 * WEFT_USEC + 1);
	cr_expect_eq(histogram_percentile(&histogram, 0.5), 1000 * WEFT_USEC + 1);
	cr_expect_eq(histogram_percentile(&histogram, 1), 1000 * WEFT_USEC + 1);
}

Test(histogram, that_is_empty_answers_zero)
{
	cr_expect_eq(histogram_percentile(&histogram, 0.5), 0);
	cr_expect_eq(histogram_percentile(&histogram, 0.99), 0);
}

Test(histogram, takes_spans_beyond_both_ends)
{
	histogram_add(&histogram, -5 * WEFT_SEC);
	histogram_add(&histogram, WEFT_FOREVER);
	cr_expect_eq(histogram.n, 2);
	cr_expect_lt(histogram_percentile(&histogram, 0.5), WEFT_USEC);
	cr_expect_gt(histogram_percentile(&histogram, 1), 19 * 60 * WEFT_MIN);
	cr_expect_eq(histogram.max, WEFT_FOREVER);
}

Test(histogram, counts_neighbours_on_both_sides_of_each_power_of_two)
{
	for (int bit = 0; bit < HISTOGRAM_VALUE_BITS; bit++) {
		for (int64_t off = -1; off <= 1; off++) {
			weft_time span = (((weft_time)1 << bit) + off) * WEFT_USEC;
			double found;

			memset(&histogram, 0, sizeof(histogram));
			histogram_add(&histogram, span);
			histogram.max =
				WEFT_FOREVER; /* so that the bucket itself answers */
			found = (double)histogram_percentile(&histogram, 0.5);
			cr_expect_float_eq(found, (double)span,
					   MAX((double)span / 100, (double)WEFT_USEC),
					   "bit %d, %+d", bit, (int)off);
		}
	}
}
