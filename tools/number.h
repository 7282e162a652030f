/*
 * Numbers as people read them: three digits that matter, a unit, thousands apart.
 */
#ifndef WEFT_TOOLS_NUMBER_H
#define WEFT_TOOLS_NUMBER_H

#include <weft/base.h>

/* A number as text, by value, so that several fit into one printf(). */
struct number {
	char text[32];
};

/* 3128.7 is "3,129", 12.34 is "12.3", 0.5 is "0.50". */
struct number number_count(double value);

/* What was measured: 331200000 ns is "331 ms", 1240000 "1.24 ms", 12.3e9 "12.3 s". */
struct number number_span(weft_time span);

/* What was chosen: "20 ms", "2 s", "1.5 s". */
struct number number_exact(weft_time span);

/* How many times better: "8.0", "276", "0.94". */
struct number number_ratio(double ratio);

/* A share of 1 in whole percent, where only nothing is "0 %" and only all of it "100 %".
 */
struct number number_percent(double share);

#endif
