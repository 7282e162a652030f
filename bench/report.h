/*
 * What is printed of a case that was run: rows of a table, or JSON.
 */
#ifndef WEFT_BENCH_REPORT_H
#define WEFT_BENCH_REPORT_H

#include "bench/run.h"

#include <stdio.h>

void bench_table_head(FILE *out, const struct bench_plan *plan);
void bench_table_case(FILE *out, const struct bench *bench, const struct bench_case *c,
		      const struct bench_plan *plan, const struct bench_outcome *outcome);
/* What the marks mean, and how many targets were met. */
void bench_table_foot(FILE *out);

/* An object a line: bench, case, unit, weft, floor, ratio, peers; null where there is
 * none. */
void bench_json_case(FILE *out, const struct bench *bench, const struct bench_case *c,
		     const struct bench_plan *plan, const struct bench_outcome *outcome);

#endif
