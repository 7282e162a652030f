/*
 * Numbers as people read them.
 */
#include "tools/number.h"

#include <math.h>
#include <stdio.h>

/* Three digits that matter; from a thousand on whole numbers with commas. */
struct number number_count(double value)
{
	struct number plain, number;
	size_t length, n = 0;

	if (value < 9.995)
		snprintf(number.text, sizeof(number.text), "%.2f", value);
	else if (value < 99.95)
		snprintf(number.text, sizeof(number.text), "%.1f", value);
	if (value < 99.95)
		return number;

	/* Up to 20 digits and 6 commas. Nothing here counts further. */
	snprintf(plain.text, sizeof(plain.text), "%.0f", fmin(value, 1e18));
	length = strlen(plain.text);
	for (size_t i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			number.text[n++] = ',';
		number.text[n++] = plain.text[i];
	}
	number.text[n] = '\0';
	return number;
}

struct number number_span(weft_time span)
{
	double ms = (double)span / (double)WEFT_MSEC;
	bool seconds = ms >= 999.5;
	struct number digits = number_count(seconds ? ms / 1000 : ms);
	struct number number;

	snprintf(number.text, sizeof(number.text), "%.26s %s", digits.text,
		 seconds ? "s" : "ms");
	return number;
}

struct number number_exact(weft_time span)
{
	struct number number;

	if (span < WEFT_SEC)
		snprintf(number.text, sizeof(number.text), "%g ms",
			 (double)span / (double)WEFT_MSEC);
	else
		snprintf(number.text, sizeof(number.text), "%g s",
			 (double)span / (double)WEFT_SEC);
	return number;
}

struct number number_ratio(double ratio)
{
	struct number number;

	if (ratio >= 999.5)
		return number_count(ratio);
	snprintf(number.text, sizeof(number.text), "%.*f",
		 ratio < 0.995	? 2
		 : ratio < 9.95 ? 1
				: 0,
		 ratio);
	return number;
}

struct number number_percent(double share)
{
	double percent = share * 100;
	struct number number;

	if (percent > 0 && percent < 1)
		snprintf(number.text, sizeof(number.text), "under 1 %%");
	else if (percent < 100 && percent > 99)
		snprintf(number.text, sizeof(number.text), "over 99 %%");
	else
		snprintf(number.text, sizeof(number.text), "%.0f %%", percent);
	return number;
}
