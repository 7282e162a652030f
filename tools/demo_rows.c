/*
 * When was each loop free and when was it held: drawn with characters, a row for each of them.
 *
 *	                  sleep                      hash              fsync
 *	                  blocking executor async    blocking executor blocking executor
 *	 process 0 loop 0 ████████ ──────── ──────── ████████ ──────── ████████ ────────
 *
 * Each character stands for the same stretch of time. Without colour the characters alone tell
 * free from held.
 */
#include "tools/demo_picture.h"

#include "tools/number.h"
#include "tools/tool.h"

enum {
	CELLS_MIN = 3, /* from 8 on the names of the modes fit above, so in 80 columns */
	CELLS_MAX = 24,
	LABEL_MAX = 48,
};

/* Beyond these shares of held time a character shows a loop as held in part, or as held. */
#define PARTLY 0.1
#define HELD   0.5

struct rows {
	const struct demo_run *run;
	const struct terminal *terminal;
	int label; /* columns of the names, with the space after them */
	int cells; /* characters for each phase */
};

static void row_name(const struct rows *rows, int row, char *text, size_t size)
{
	int loops = rows->run->setup.loops;

	snprintf(text, size, " process %d loop %d", row / loops, row % loops);
}

static void lay_out(struct rows *rows)
{
	char name[LABEL_MAX];
	int width;

	row_name(rows, demo_n_loops(rows->run) - 1, name, sizeof(name));
	rows->label = (int)strlen(name) + 1;
	width = (rows->terminal->width - rows->label + 1) / DEMO_N_PHASES - 1;
	rows->cells = MAX(CELLS_MIN, MIN(CELLS_MAX, width));
}

/* A text for each phase in its column, cut to it; nothing follows the last one. */
static void put_titles(const struct rows *rows, enum terminal_style style,
		       const char *(*title)(const struct demo_phase *phase))
{
	int at = 0;

	for (int i = 0; i < DEMO_N_PHASES; i++) {
		int column = rows->label + i * (rows->cells + 1);
		int length = MIN((int)strlen(title(&demo_phases[i])), rows->cells);

		if (!length)
			continue;
		fprintf(rows->terminal->out, "%*s", column - at, "");
		terminal_print(rows->terminal, style, "%.*s", length,
			       title(&demo_phases[i]));
		at = column + length;
	}
	fputc('\n', rows->terminal->out);
}

static const char *work_title(const struct demo_phase *phase)
{
	return phase->mode == DEMO_BLOCKING ? demo_work_name(phase->work) : "";
}

static const char *mode_title(const struct demo_phase *phase)
{
	return demo_mode_name(phase->mode);
}

enum look { LOOK_FREE, LOOK_PARTLY, LOOK_HELD };

static enum look look_at(const struct timeline *timeline, int cell, int n_cells)
{
	double held = timeline_held(timeline, (double)cell / n_cells,
				    (double)(cell + 1) / n_cells);

	if (held >= HELD)
		return LOOK_HELD;
	return held >= PARTLY ? LOOK_PARTLY : LOOK_FREE;
}

/* `n` characters of one look, in one change of colour. */
static void put_look(const struct terminal *terminal, enum look look, int n)
{
	static const struct {
		enum terminal_style style;
		const char *unicode;
		const char *ascii;
	} looks[] = {
		[LOOK_FREE] = { TERMINAL_GREEN, "\342\224\200", "-" },
		[LOOK_PARTLY] = { TERMINAL_YELLOW, "\342\226\223", "+" },
		[LOOK_HELD] = { TERMINAL_RED, "\342\226\210", "#" },
	};
	char text[CELLS_MAX * 3 + 1] = "";

	for (int i = 0; i < n; i++)
		strcat(text,
		       terminal_either(terminal, looks[look].unicode, looks[look].ascii));
	terminal_print(terminal, looks[look].style, "%s", text);
}

static void put_phase(const struct rows *rows, const struct timeline *timeline)
{
	int i = 0;

	while (i < rows->cells) {
		enum look look = look_at(timeline, i, rows->cells);
		int n = 1;

		while (i + n < rows->cells &&
		       look_at(timeline, i + n, rows->cells) == look)
			n++;
		put_look(rows->terminal, look, n);
		i += n;
	}
}

static void put_legend(const struct rows *rows)
{
	FILE *out = rows->terminal->out;

	fprintf(out,
		"\n Each row is one event loop; time runs from left to right, %s in each "
		"block.\n ",
		number_exact(rows->run->setup.phase_ns).text);
	put_look(rows->terminal, LOOK_HELD, 1);
	fputs(" held by a call: everybody waited   ", out);
	put_look(rows->terminal, LOOK_PARTLY, 1);
	fputs(" in part   ", out);
	put_look(rows->terminal, LOOK_FREE, 1);
	fputs(" free to answer\n\n", out);
}

void demo_write_rows(const struct demo_run *run, const struct terminal *terminal)
{
	struct rows rows = { .run = run, .terminal = terminal };

	lay_out(&rows);
	put_legend(&rows);
	put_titles(&rows, TERMINAL_BOLD, work_title);
	put_titles(&rows, TERMINAL_PLAIN, mode_title);
	for (int row = 0; row < demo_n_loops(run); row++) {
		char name[LABEL_MAX];

		row_name(&rows, row, name, sizeof(name));
		terminal_print_padded(terminal, TERMINAL_PLAIN, -rows.label, name);
		for (int i = 0; i < DEMO_N_PHASES; i++) {
			fputs(i ? " " : "", terminal->out);
			put_phase(&rows, &run->results[i].timelines[row]);
		}
		fputc('\n', terminal->out);
	}
}
