/*
 * A histogram of spans of time: bounded memory, percentiles within 1 %.
 *
 * Spans are counted in buckets that grow with the span: each power of two of microseconds
 * is cut into 64 equal parts, so a bucket is never wider than 1/64 of what it holds, and
 * its middle is off by less than 0.8 %. Below 64 us a bucket is one microsecond. Beyond
 * 19 hours all go into the last. Adding is a few instructions and never fails.
 *
 * Plain data; one thread at a time. All zero is empty.
 */
#ifndef WEFT_TOOLS_HISTOGRAM_H
#define WEFT_TOOLS_HISTOGRAM_H

#include <weft/base.h>

enum {
	HISTOGRAM_PART_BITS = 6,
	HISTOGRAM_VALUE_BITS = 36, /* of microseconds */
	HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_PART_BITS + 1)
			    << HISTOGRAM_PART_BITS,
};

struct histogram {
	uint64_t n;
	weft_time max; /* exact */
	uint64_t counts[HISTOGRAM_BUCKETS];
};

/* A negative span counts as zero. */
void histogram_add(struct histogram *histogram, weft_time span);

/*
 * The span that a share of all spans do not exceed (0.5 is the median), 0 of an empty
 * one. At least one span is always meant, so a share of 0 is the smallest.
 */
weft_time histogram_percentile(const struct histogram *histogram, double share);

#endif
