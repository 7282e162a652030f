/*
 * Table and JSON of the cases that were run; see report.h.
 *
 * A row is judged by its ratio to the floor of the same run, which carries over from
 * machine to machine; where a target also names a figure, meeting that is enough. Main
 * thread.
 */
#include "bench/report.h"

#include <math.h>
#include <string.h>

/* A floor that is so much worse than on the reference machine is marked. */
static const double floor_tolerance = 1.15;

static struct {
	int n_met;
	int n_missed;
	int n_floors;
	int n_disturbed;
} marks;

static double ratio_of(const struct bench_outcome *outcome, size_t i)
{
	return outcome->medians[BENCH_WEFT][i] / outcome->medians[BENCH_FLOOR][i];
}

static bool reaches(const struct bench_figure *f, double value, double target)
{
	return f->more_is_better ? value >= target : value <= target;
}

enum verdict { NO_VERDICT, MET, MET_BY_FIGURE, MISSED };

static enum verdict judge(const struct bench_figure *f,
			  const struct bench_outcome *outcome, size_t i)
{
	double weft = outcome->medians[BENCH_WEFT][i], ratio = ratio_of(outcome, i);

	if (isnan(weft) || (f->target_ratio == 0 && f->target_figure == 0))
		return NO_VERDICT;
	if (f->target_ratio > 0 && !isnan(ratio) && reaches(f, ratio, f->target_ratio))
		return MET;
	if (f->target_figure > 0 && reaches(f, weft, f->target_figure))
		return f->target_ratio > 0 ? MET_BY_FIGURE : MET;
	return MISSED;
}

static bool floor_is_bad(const struct bench_figure *f, double floor)
{
	if (isnan(floor) || f->reference == 0)
		return false;
	if (f->more_is_better)
		return floor < f->reference / floor_tolerance;
	return floor > f->reference * floor_tolerance;
}

/* ---- The table ---- */

/* Three digits, or "-". */
static const char *number(char *text, size_t size, double value)
{
	int decimals = 0;

	if (isnan(value)) {
		snprintf(text, size, "-");
		return text;
	}
	for (double limit = 100; value < limit && decimals < 3; limit /= 10)
		decimals++;
	snprintf(text, size, "%.*f", decimals, value);
	return text;
}

static void print_target(FILE *out, const struct bench_figure *f)
{
	const char *sign = f->more_is_better ? ">=" : "<=";
	char text[64] = "";
	size_t n = 0;

	if (f->target_ratio > 0)
		n = (size_t)snprintf(text, sizeof(text), "%s %.2fx", sign,
				     f->target_ratio);
	if (f->target_figure > 0)
		snprintf(text + n, sizeof(text) - n, "%s%s %.4g", n ? " or " : "", sign,
			 f->target_figure);
	fprintf(out, " %-19s", text);
}

void bench_table_head(FILE *out, const struct bench_plan *plan)
{
	fprintf(out, "%-10s %-30s %-14s %8s %8s %6s %-19s %9s", "bench", "case", "unit",
		"weft", "floor", "ratio", " target", "reference");
	for (size_t i = 0; i < ARRAY_SIZE(plan->peers) && plan->peers[i]; i++)
		fprintf(out, " %9s", plan->peers[i]);
	fprintf(out, "\n");
}

static void print_marks(FILE *out, enum verdict verdict, bool bad_floor, bool disturbed)
{
	if (verdict == MISSED)
		fprintf(out, "  MISSED");
	if (verdict == MET_BY_FIGURE)
		fprintf(out, "  (met by figure)");
	if (bad_floor)
		fprintf(out, "  floor!");
	if (disturbed)
		fprintf(out, "  ~");
	marks.n_met += verdict == MET || verdict == MET_BY_FIGURE;
	marks.n_missed += verdict == MISSED;
	marks.n_floors += bad_floor;
	marks.n_disturbed += disturbed;
}

void bench_table_case(FILE *out, const struct bench *bench, const struct bench_case *c,
		      const struct bench_plan *plan, const struct bench_outcome *outcome)
{
	for (size_t i = 0; i < bench_n_figures(c); i++) {
		const struct bench_figure *f = &c->figures[i];
		double floor = outcome->medians[BENCH_FLOOR][i];
		char text[5][32];

		fprintf(out, "%-10s %-30s %-14s %8s %8s %6s", bench->name, c->name,
			f->unit,
			number(text[0], sizeof(text[0]), outcome->medians[BENCH_WEFT][i]),
			number(text[1], sizeof(text[1]), floor),
			number(text[2], sizeof(text[2]), ratio_of(outcome, i)));
		print_target(out, f);
		fprintf(out, " %9s",
			number(text[3], sizeof(text[3]),
			       f->reference > 0 ? f->reference : NAN));
		for (size_t k = 0; k < ARRAY_SIZE(plan->peers) && plan->peers[k]; k++)
			fprintf(out, " %9s",
				number(text[4], sizeof(text[4]),
				       outcome->medians[BENCH_FIRST_PEER + k][i]));
		print_marks(out, judge(f, outcome, i), floor_is_bad(f, floor),
			    outcome->is_disturbed);
		fprintf(out, "\n");
	}
	(void)fflush(out); /* so that a long run shows where it is */
}

void bench_table_foot(FILE *out)
{
	fprintf(out,
		"\n%d of %d targets met. ratio: weft / floor. reference: the floor on the "
		"reference machine.\n",
		marks.n_met, marks.n_met + marks.n_missed);
	if (marks.n_floors > 0)
		fprintf(out,
			"floor!: the floor is over 15 %% worse than there (%d rows), so figures "
			"cannot be compared, only ratios.\n",
			marks.n_floors);
	if (marks.n_disturbed > 0)
		fprintf(out, "~: other processes used the CPUs meanwhile (%d rows).\n",
			marks.n_disturbed);
}

/* ---- JSON ---- */

static void print_json_number(FILE *out, const char *key, double value)
{
	if (isfinite(value))
		fprintf(out, "\"%s\": %.6g", key, value);
	else
		fprintf(out, "\"%s\": null", key);
}

void bench_json_case(FILE *out, const struct bench *bench, const struct bench_case *c,
		     const struct bench_plan *plan, const struct bench_outcome *outcome)
{
	for (size_t i = 0; i < bench_n_figures(c); i++) {
		fprintf(out, "{\"bench\": \"%s\", \"case\": \"%s\", \"unit\": \"%s\", ",
			bench->name, c->name, c->figures[i].unit);
		print_json_number(out, "weft", outcome->medians[BENCH_WEFT][i]);
		fprintf(out, ", ");
		print_json_number(out, "floor", outcome->medians[BENCH_FLOOR][i]);
		fprintf(out, ", ");
		print_json_number(out, "ratio", ratio_of(outcome, i));
		fprintf(out, ", \"peers\": {");
		for (size_t k = 0; k < ARRAY_SIZE(plan->peers) && plan->peers[k]; k++) {
			fprintf(out, "%s", k > 0 ? ", " : "");
			print_json_number(out, plan->peers[k],
					  outcome->medians[BENCH_FIRST_PEER + k][i]);
		}
		fprintf(out, "}}\n");
	}
	(void)fflush(out); /* so that a reader sees each case as it ends */
}
