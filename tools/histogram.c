/*
 * A histogram of spans of time.
 *
 * A value of v microseconds with its highest bit at position e >= PART_BITS lies in part
 * (v >> (e - PART_BITS)) of its power of two, which is from PARTS up to 2 * PARTS - 1.
 * Values below PARTS are their own bucket, so the first power that is cut begins where
 * they end and the index of a bucket is one formula.
 */
#include "tools/histogram.h"

#include "tools/tool.h"

#include <math.h>

#define PARTS ((uint64_t)1 << HISTOGRAM_PART_BITS)

static size_t bucket_of(uint64_t us)
{
	int shift;

	us = MIN(us, ((uint64_t)1 << HISTOGRAM_VALUE_BITS) - 1);
	if (us < PARTS)
		return (size_t)us;

	shift = 63 - __builtin_clzll(us) - HISTOGRAM_PART_BITS;
	return ((size_t)shift << HISTOGRAM_PART_BITS) + (size_t)(us >> shift);
}

/* The middle of a bucket. */
static weft_time bucket_span(size_t bucket)
{
	size_t shift = bucket < PARTS ? 0 : (bucket >> HISTOGRAM_PART_BITS) - 1;
	uint64_t low = ((uint64_t)bucket - (shift << HISTOGRAM_PART_BITS)) << shift;

	return (weft_time)low * WEFT_USEC + ((weft_time)WEFT_USEC << shift) / 2;
}

void histogram_add(struct histogram *histogram, weft_time span)
{
	span = MAX(span, 0);
	histogram->counts[bucket_of((uint64_t)(span / WEFT_USEC))]++;
	histogram->n++;
	histogram->max = MAX(histogram->max, span);
}

weft_time histogram_percentile(const struct histogram *histogram, double share)
{
	uint64_t wanted = (uint64_t)ceil(share * (double)histogram->n);
	uint64_t seen = 0;

	wanted = MAX(wanted, 1);
	for (size_t i = 0; i < HISTOGRAM_BUCKETS && histogram->n; i++) {
		seen += histogram->counts[i];
		if (seen >=
		    wanted) /* no span exceeds the largest one, nor does its bucket */
			return MIN(bucket_span(i), histogram->max);
	}
	return histogram->max;
}
