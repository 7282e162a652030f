/*
 * The clock: CLOCK_MONOTONIC, so that a step of the wall clock changes nothing. Any
 * thread.
 */
#include "base/base.h"

#include <time.h>

weft_time weft__clock(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (weft_time)now.tv_sec * WEFT_SEC + now.tv_nsec;
}
