/*
 * What `weft demo` says while it runs.
 */
#include "tools/demo_progress.h"

#include "tools/number.h"
#include "tools/tool.h"

#define REDRAW_NS (100 * WEFT_MSEC)

enum {
	BAR_MIN = 6,
	BAR_MAX = 30,
	AROUND_BAR = 51, /* columns of all that stands beside it */
	TEXT_MAX = 32,
};

void demo_progress_init(struct demo_progress *progress, FILE *out)
{
	memset(progress, 0, sizeof(*progress));
	terminal_init(&progress->terminal, out);
}

void demo_progress_clear(struct demo_progress *progress)
{
	if (!progress->drawn)
		return;
	fputs("\r\033[K", progress->terminal.out);
	fflush(progress->terminal.out);
	progress->drawn = false;
}

void demo_progress_say(struct demo_progress *progress, const char *text)
{
	if (!progress->terminal.is_terminal)
		return;
	demo_progress_clear(progress);
	terminal_print(&progress->terminal, TERMINAL_DIM, " %s", text);
	fflush(progress->terminal.out);
	progress->drawn = true;
}

static void put_bar(const struct terminal *terminal, double done)
{
	int width = MAX(BAR_MIN, MIN(BAR_MAX, terminal->width - AROUND_BAR));
	int full = (int)(done * width + 0.5);

	for (int i = 0; i < width; i++)
		terminal_print(terminal, i < full ? TERMINAL_GREEN : TERMINAL_DIM, "%s",
			       i < full ? terminal_either(terminal, "\342\224\201", "=")
					: terminal_either(terminal, "\342\224\200", "-"));
}

void demo_progress_show(struct demo_progress *progress, int phase, double part,
			double rate, weft_time now)
{
	const struct terminal *terminal = &progress->terminal;
	char name[TEXT_MAX];

	if (!terminal->is_terminal)
		return;
	if (progress->drawn && now - progress->drawn_at < REDRAW_NS)
		return;

	demo_progress_clear(progress);
	snprintf(name, sizeof(name), "%s, %s", demo_work_name(demo_phases[phase].work),
		 demo_mode_name(demo_phases[phase].mode));
	fprintf(terminal->out, " %d/%d  ", phase + 1, DEMO_N_PHASES);
	terminal_print_padded(terminal, TERMINAL_BOLD, -15, name);
	fputs("  ", terminal->out);
	put_bar(terminal, (phase + MIN(part, 1)) / DEMO_N_PHASES);
	fprintf(terminal->out, "  %s requests/s", number_count(rate).text);
	fflush(terminal->out);
	progress->drawn = true;
	progress->drawn_at = now;
}

void demo_progress_phase(struct demo_progress *progress, const struct demo_run *run,
			 int phase)
{
	const struct demo_result *result = &run->results[phase];

	if (progress->terminal.is_terminal)
		return;
	fprintf(progress->terminal.out,
		"weft demo: %d/%d %s, %s: %s requests/s, worst lag %s", phase + 1,
		DEMO_N_PHASES, demo_work_name(demo_phases[phase].work),
		demo_mode_name(demo_phases[phase].mode),
		number_count(demo_rate(run, phase)).text,
		number_span(demo_worst_lag(run, phase)).text);
	if (result->failed)
		fprintf(progress->terminal.out, ", %ld not answered", result->failed);
	fputc('\n', progress->terminal.out);
	fflush(progress->terminal.out);
}
