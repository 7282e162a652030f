/*
 * The figures of a run, as a table on the terminal and as JSON for machines.
 *
 * A gain says how many times better a phase is than the blocking call for the same work.
 * Where one is expected it carries a mark: it came, or it did not. The hash gains no
 * throughput however it is called, and its missing mark says so.
 */
#include "tools/demo_picture.h"

#include "tools/number.h"
#include "tools/tool.h"

enum {
	COLUMN_WORK,
	COLUMN_MODE,
	COLUMN_RATE,
	COLUMN_RATE_GAIN,
	COLUMN_P50,
	COLUMN_P99,
	COLUMN_LAG,
	COLUMN_LAG_GAIN,
	COLUMN_FAILED, /* only when there is something to tell */
	N_COLUMNS,
};

/* Widths as for terminal_print_padded(); 78 columns without the last. */
static const struct {
	const char *title;
	int width;
} columns[N_COLUMNS] = {
	[COLUMN_WORK] = { "work", -5 },	      [COLUMN_MODE] = { "served by", -10 },
	[COLUMN_RATE] = { "requests/s", 10 }, [COLUMN_RATE_GAIN] = { "gain", 7 },
	[COLUMN_P50] = { "p50", 8 },	      [COLUMN_P99] = { "p99", 8 },
	[COLUMN_LAG] = { "worst lag", 9 },    [COLUMN_LAG_GAIN] = { "gain", 7 },
	[COLUMN_FAILED] = { "failed", 7 },
};

static void put_cell(const struct terminal *terminal, enum terminal_style style,
		     int column, const char *text)
{
	fputs(column == COLUMN_WORK ? " " : "  ", terminal->out);
	terminal_print_padded(terminal, style, columns[column].width, text);
}

static const char *mark_of(const struct terminal *terminal, enum demo_verdict verdict)
{
	switch (verdict) {
	case DEMO_BETTER:
		return terminal_either(terminal, "\342\234\223 ", "+ ");
	case DEMO_NOT_BETTER:
		return terminal_either(terminal, "\342\234\227 ", "! ");
	case DEMO_NOT_EXPECTED:
		break;
	}
	return "";
}

/* The blocking call is what the others are compared with, so it has no gain. */
static void put_gain(const struct terminal *terminal, int column, int phase, double gain,
		     enum demo_verdict verdict)
{
	static const enum terminal_style styles[] = {
		[DEMO_NOT_EXPECTED] = TERMINAL_DIM,
		[DEMO_BETTER] = TERMINAL_GREEN,
		[DEMO_NOT_BETTER] = TERMINAL_RED,
	};
	const char *times = terminal_either(terminal, "\303\227", "x");
	char text[48] = "";

	if (demo_phases[phase].mode != DEMO_BLOCKING)
		snprintf(text, sizeof(text), "%s%s%s", mark_of(terminal, verdict), times,
			 number_ratio(gain).text);
	put_cell(terminal, styles[verdict], column, text);
}

static void put_phase(const struct demo_run *run, const struct terminal *terminal,
		      int phase, bool with_failed)
{
	const struct demo_result *result = &run->results[phase];
	const struct demo_phase *what = &demo_phases[phase];
	weft_time lag = demo_worst_lag(run, phase);
	bool first = what->mode == DEMO_BLOCKING;
	char failed[32];

	put_cell(terminal, TERMINAL_BOLD, COLUMN_WORK,
		 first ? demo_work_name(what->work) : "");
	put_cell(terminal, TERMINAL_PLAIN, COLUMN_MODE, demo_mode_name(what->mode));
	put_cell(terminal, TERMINAL_PLAIN, COLUMN_RATE,
		 number_count(demo_rate(run, phase)).text);
	put_gain(terminal, COLUMN_RATE_GAIN, phase, demo_rate_gain(run, phase),
		 demo_rate_verdict(run, phase));
	put_cell(terminal, TERMINAL_PLAIN, COLUMN_P50, number_span(result->p50).text);
	put_cell(terminal, TERMINAL_PLAIN, COLUMN_P99, number_span(result->p99).text);
	put_cell(terminal, lag >= TIMELINE_HOLD_NS ? TERMINAL_RED : TERMINAL_GREEN,
		 COLUMN_LAG, number_span(lag).text);
	if (!first || with_failed) /* no spaces at the end of a line */
		put_gain(terminal, COLUMN_LAG_GAIN, phase, demo_lag_gain(run, phase),
			 demo_lag_verdict(run, phase));
	if (with_failed) {
		snprintf(failed, sizeof(failed), "%ld", result->failed);
		put_cell(terminal, result->failed ? TERMINAL_RED : TERMINAL_PLAIN,
			 COLUMN_FAILED, failed);
	}
	fputc('\n', terminal->out);
}

static bool has_verdict(const struct demo_run *run, enum demo_verdict verdict)
{
	for (int i = 0; i < DEMO_N_PHASES; i++)
		if (demo_rate_verdict(run, i) == verdict ||
		    demo_lag_verdict(run, i) == verdict)
			return true;
	return false;
}

/* What one request of each work does, and what the marks mean. */
static void put_notes(const struct demo_run *run, const struct terminal *terminal)
{
	char text[128];

	fputc('\n', terminal->out);
	for (int work = 0; work < DEMO_N_WORKS; work++) {
		demo_describe_work(run, (enum demo_work)work, text, sizeof(text));
		terminal_print(terminal, TERMINAL_DIM, " %-5s  %s",
			       demo_work_name((enum demo_work)work), text);
		if (work == DEMO_FSYNC)
			terminal_print(terminal, TERMINAL_DIM, " (%s each, in %s)",
				       number_span(run->setup.fsync_ns).text,
				       run->setup.directory);
		if (work == DEMO_HASH)
			terminal_print(terminal, TERMINAL_DIM,
				       "; its threads share %d CPU%s with the loops",
				       run->setup.cpus, run->setup.cpus == 1 ? "" : "s");
		fputc('\n', terminal->out);
	}

	terminal_print(terminal, TERMINAL_DIM,
		       " by     blocking: on the loop; executor: on pool threads; "
		       "async: by a timer\n");
	terminal_print(terminal, TERMINAL_DIM,
		       " gain   times better than the blocking call");
	if (has_verdict(run, DEMO_BETTER))
		terminal_print(terminal, TERMINAL_DIM, "; %sexpected, and came",
			       mark_of(terminal, DEMO_BETTER));
	if (has_verdict(run, DEMO_NOT_BETTER))
		terminal_print(terminal, TERMINAL_DIM, "; %sexpected, and did not come",
			       mark_of(terminal, DEMO_NOT_BETTER));
	terminal_print(terminal, TERMINAL_DIM,
		       "\n lag    how long a loop kept everybody waiting\n");
}

void demo_write_table(const struct demo_run *run, const struct terminal *terminal)
{
	bool with_failed = !demo_all_answered(run);

	for (int i = 0; i < N_COLUMNS - !with_failed; i++)
		put_cell(terminal, TERMINAL_BOLD, i, columns[i].title);
	fputc('\n', terminal->out);
	for (int i = 0; i < DEMO_N_PHASES; i++)
		put_phase(run, terminal, i, with_failed);
	put_notes(run, terminal);
}

/* Milliseconds; JSON takes a point, whatever the locale says. */
static double ms(weft_time span)
{
	return (double)span / (double)WEFT_MSEC;
}

void demo_write_json(const struct demo_run *run, FILE *out)
{
	for (int i = 0; i < DEMO_N_PHASES; i++) {
		const struct demo_result *result = &run->results[i];

		fprintf(out,
			"{\"work\":\"%s\",\"mode\":\"%s\",\"requests_per_s\":%.1f,"
			"\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_loop_lag_ms\":%.3f,"
			"\"requests\":%ld,\"failed\":%ld}\n",
			demo_work_name(demo_phases[i].work),
			demo_mode_name(demo_phases[i].mode), demo_rate(run, i),
			ms(result->p50), ms(result->p99), ms(demo_worst_lag(run, i)),
			result->requests, result->failed);
	}
}
