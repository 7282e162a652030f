/*
 * `weft-demo.svg`: the run as a picture for people who have never heard of event loops.
 *
 * Time runs from left to right through the phases, one row for each loop. A row is green
 * where its loop was free to answer; each red brick is one stretch in which a call held
 * it and nobody was answered. Above each phase stands how the work was served, below it
 * what came of that.
 *
 * The picture brings its own background, so that it reads the same on a light and on a
 * dark page, and says with lightness what it says with colour. It has no script and
 * refers to nothing outside. Lengths are in pixels of the drawing, which scales as a
 * whole.
 */
#include "tools/demo_picture.h"

#include "tools/number.h"
#include "tools/tool.h"

#define INK  "#1c2430"
#define SOFT "#5b6675"
#define LINE "#d5dbe3"
#define HELD "#d3302f"
#define FREE "#bfe8cf"
#define GOOD "#14713d"

enum {
	WIDTH = 1000,
	MARGIN = 28,
	LABELS = 116, /* names of the rows */
	PHASE_GAP = 12, /* between two phases of one work */
	WORK_GAP = 20, /* between two works */
	ROWS_TOP = 234,
	ROWS_HEIGHT = 440, /* not to be exceeded, however many loops */
	ROW_MAX = 26,
	ROW_MIN = 3,
	CAPTIONS = 122,
	FOOTER = 64,
};

struct drawing {
	const struct demo_run *run;
	FILE *out;
	int n_rows;
	double row; /* height of a row */
	double row_gap; /* below it */
	double rows_bottom;
	double height;
	double phase_width;
	double phase_x[DEMO_N_PHASES];
};

static void lay_out(struct drawing *drawing)
{
	double pitch, x = MARGIN + LABELS;
	int n_gaps = DEMO_N_PHASES - DEMO_N_WORKS;

	pitch = MIN((double)ROWS_HEIGHT / drawing->n_rows, ROW_MAX);
	drawing->row_gap = pitch > 12 ? 4 : pitch > 6 ? 2 : 1;
	drawing->row = MAX(pitch - drawing->row_gap, ROW_MIN);
	drawing->rows_bottom =
		ROWS_TOP + drawing->n_rows * (drawing->row + drawing->row_gap);
	drawing->height = drawing->rows_bottom + CAPTIONS + FOOTER;

	drawing->phase_width = (double)(WIDTH - 2 * MARGIN - LABELS - n_gaps * PHASE_GAP -
					(DEMO_N_WORKS - 1) * WORK_GAP) /
			       DEMO_N_PHASES;
	for (int i = 0; i < DEMO_N_PHASES; i++) {
		if (i > 0)
			x += drawing->phase_width + (demo_phases[i].mode == DEMO_BLOCKING
							     ? WORK_GAP
							     : PHASE_GAP);
		drawing->phase_x[i] = x;
	}
}

/* Text from outside (a directory) may hold what means something in XML. */
static void put_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		default:
			/* XML has no place for control characters, not even escaped. */
			fputc((unsigned char)*text < ' ' ? '?' : *text, out);
		}
	}
}

/* One line of text, of a class of the style sheet. */
static void put_text(const struct drawing *drawing, double x, double y, const char *class,
		     const char *text)
{
	fprintf(drawing->out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
	put_escaped(drawing->out, text);
	fputs("</text>\n", drawing->out);
}

static void put_rectangle(const struct drawing *drawing, double x, double y, double width,
			  double height, const char *class)
{
	fprintf(drawing->out,
		"<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
		class, x, y, width, height);
}

static void put_head(const struct drawing *drawing)
{
	fprintf(drawing->out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" "
		"width=\"%d\" height=\"%.0f\" role=\"img\" aria-labelledby=\"title desc\">\n",
		WIDTH, drawing->height, WIDTH, drawing->height);
	fputs("<title id=\"title\">Blocking calls on event loops, and off them</title>\n"
	      "<desc id=\"desc\">One row per event loop. Red where a blocking call held the loop "
	      "and everybody waited, green where the loop was free to answer.</desc>\n",
	      drawing->out);
	fputs("<style>\n"
	      "text{font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,\"Liberation "
	      "Sans\",\"DejaVu Sans\",sans-serif;fill:" INK ";font-size:13px}\n"
	      ".title{font-size:22px;font-weight:700}\n"
	      ".legend{font-size:14.5px}\n"
	      ".modes{fill:" SOFT "}\n"
	      ".work{font-size:16px;font-weight:700}\n"
	      ".soft{fill:" SOFT ";font-size:12px}\n"
	      ".label{fill:" SOFT ";font-size:12px;text-anchor:end}\n"
	      ".mode{font-size:12.5px;font-weight:600}\n"
	      ".rate{font-size:22px;font-weight:700}\n"
	      ".gain{font-size:13px;font-weight:700;fill:" GOOD ";text-anchor:end}\n"
	      ".bad{font-size:16px;font-weight:700;fill:" HELD "}\n"
	      ".failed{font-size:12px;fill:" HELD "}\n"
	      ".good{font-size:16px;font-weight:700;fill:" GOOD "}\n"
	      ".page{fill:#fff;stroke:" LINE "}\n"
	      ".free{fill:" FREE "}\n"
	      ".held{fill:" HELD "}\n"
	      ".line{fill:" LINE "}\n"
	      "</style>\n",
	      drawing->out);
	fprintf(drawing->out,
		"<rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"%d\" height=\"%.1f\" "
		"rx=\"12\"/>\n",
		WIDTH - 1, drawing->height - 1);
}

static void put_legend(const struct drawing *drawing)
{
	char text[160];

	put_text(
		drawing, MARGIN, 52, "title",
		"A blocking call makes everybody wait. Off the loop, it makes nobody wait.");
	snprintf(
		text, sizeof(text),
		"Each row is one event loop: a thread that answers many clients. Time runs from "
		"left to right, %s in each block.",
		number_exact(drawing->run->setup.phase_ns).text);
	put_text(drawing, MARGIN, 84, "legend", text);
	put_rectangle(drawing, MARGIN, 99, 14, 14, "held");
	put_text(drawing, MARGIN + 22, 111, "legend",
		 "a call held the loop: everybody waited");
	put_rectangle(drawing, MARGIN + 322, 99, 14, 14, "free");
	put_text(drawing, MARGIN + 344, 111, "legend", "the loop was free to answer");
	put_text(drawing, MARGIN, 136, "modes",
		 "on the loop: where clients are answered");
	put_text(drawing, MARGIN + 322, 136, "modes",
		 "in the executor: the same call, on other threads");
	put_text(drawing, MARGIN + 660, 136, "modes",
		 "asynchronous: a timer, no thread waits");
}

/* What the phases below have in common. */
static void put_work(const struct drawing *drawing, int first, int last)
{
	static const char *const works[DEMO_N_WORKS] = {
		[DEMO_SLEEP] = "Sleep",
		[DEMO_HASH] = "Password hash",
		[DEMO_FSYNC] = "Write to disk",
	};
	enum demo_work work = demo_phases[first].work;
	double x = drawing->phase_x[first];
	double end = drawing->phase_x[last] + drawing->phase_width;
	char text[128];

	demo_describe_work(drawing->run, work, text, sizeof(text));
	put_text(drawing, x, 178, "work", works[work]);
	put_text(drawing, x, 195, "soft", text);
	put_rectangle(drawing, x, 203, end - x, 1, "line");
}

static void put_mode(const struct drawing *drawing, int phase)
{
	static const char *const modes[DEMO_N_MODES] = {
		[DEMO_BLOCKING] = "on the loop",
		[DEMO_EXECUTOR] = "in the executor",
		[DEMO_ASYNC] = "asynchronous",
	};

	put_text(drawing, drawing->phase_x[phase], ROWS_TOP - 10, "mode",
		 modes[demo_phases[phase].mode]);
}

/* The names of the rows; of rows too low for that, only of the first of each process. */
static void put_labels(const struct drawing *drawing)
{
	int loops = drawing->run->setup.loops;
	bool all = drawing->row >= 12;

	for (int i = 0; i < drawing->n_rows; i++) {
		char text[64];
		double y = ROWS_TOP + i * (drawing->row + drawing->row_gap);

		snprintf(text, sizeof(text), all ? "process %d, loop %d" : "process %d",
			 i / loops, i % loops);
		if (all || i % loops == 0)
			put_text(drawing, MARGIN + LABELS - 12,
				 y + MAX(drawing->row / 2, 5) + 4, "label", text);
	}
}

/* The holds of a row as one path of rectangles. */
static void put_holds(const struct drawing *drawing, const struct timeline *timeline,
		      double x, double y)
{
	struct timeline_hold hold;
	size_t cell = 0;

	fputs("<path class=\"held\" d=\"", drawing->out);
	while (timeline_next_hold(timeline, &cell, &hold)) {
		double from = x + hold.from * drawing->phase_width;
		double width = (hold.to - hold.from) * drawing->phase_width;

		/* A hair of free time between two bricks, so that they can be counted. */
		if (hold.ended && width > 3)
			width -= 0.8;
		fprintf(drawing->out, "M%.2f %.1fh%.2fv%.1fh%.2fz", from, y, width,
			drawing->row, -width);
	}
	fputs("\"/>\n", drawing->out);
}

static void put_phase(const struct drawing *drawing, int phase)
{
	double x = drawing->phase_x[phase];

	put_mode(drawing, phase);
	for (int i = 0; i < drawing->n_rows; i++) {
		const struct timeline *timeline =
			&drawing->run->results[phase].timelines[i];
		double y = ROWS_TOP + i * (drawing->row + drawing->row_gap);

		fprintf(drawing->out,
			"<g><title>process %d, loop %d: held %s of the time, at most %s at a "
			"stretch</title>\n",
			i / drawing->run->setup.loops, i % drawing->run->setup.loops,
			number_percent(timeline_held(timeline, 0, 1)).text,
			number_span(timeline->worst_lag).text);
		put_rectangle(drawing, x, y, drawing->phase_width, drawing->row, "free");
		put_holds(drawing, timeline, x, y);
		fputs("</g>\n", drawing->out);
	}
}

/* What came of a phase. */
static void put_caption(const struct drawing *drawing, int phase)
{
	const struct demo_run *run = drawing->run;
	double x = drawing->phase_x[phase];
	double y = drawing->rows_bottom;
	weft_time lag = demo_worst_lag(run, phase);
	char text[64];

	put_text(drawing, x, y + 30, "rate", number_count(demo_rate(run, phase)).text);
	put_text(drawing, x, y + 48, "soft", "requests/s");
	if (demo_rate_verdict(run, phase) == DEMO_BETTER) {
		snprintf(text, sizeof(text), "\303\227 %s",
			 number_ratio(demo_rate_gain(run, phase)).text);
		put_text(drawing, x + drawing->phase_width, y + 48, "gain", text);
	}

	put_text(drawing, x, y + 76, "soft", "worst wait");
	put_text(drawing, x, y + 96, lag >= TIMELINE_HOLD_NS ? "bad" : "good",
		 number_span(lag).text);
	if (run->results[phase].failed) {
		snprintf(text, sizeof(text), "%ld not answered",
			 run->results[phase].failed);
		put_text(drawing, x, y + 112, "failed", text);
	}
}

static void put_footer(const struct drawing *drawing)
{
	const struct demo_setup *setup = &drawing->run->setup;
	char text[256];

	snprintf(
		text, sizeof(text),
		"weft %s, weft demo: %d processes \303\227 %d loops \303\227 %d pool threads on %d "
		"CPUs. %d clients, each asks again as soon as it was answered.",
		weft_version(), setup->processes, setup->loops, setup->threads,
		setup->cpus, setup->connections);
	put_rectangle(drawing, MARGIN, drawing->height - FOOTER, WIDTH - 2 * MARGIN, 1,
		      "line");
	put_text(drawing, MARGIN, drawing->height - FOOTER + 24, "soft", text);
	put_text(
		drawing, MARGIN, drawing->height - FOOTER + 43, "soft",
		"A hash needs a CPU all the time. On other threads it lets the loop go, but "
		"a loop may have to wait for one of the CPUs that they keep busy.");
}

void demo_write_svg(const struct demo_run *run, FILE *out)
{
	struct drawing drawing = { .run = run, .out = out, .n_rows = demo_n_loops(run) };
	int first = 0;

	lay_out(&drawing);
	put_head(&drawing);
	put_legend(&drawing);
	put_labels(&drawing);
	for (int i = 0; i < DEMO_N_PHASES; i++) {
		if (i + 1 == DEMO_N_PHASES || demo_phases[i + 1].mode == DEMO_BLOCKING) {
			put_work(&drawing, first, i);
			first = i + 1;
		}
		put_phase(&drawing, i);
		put_caption(&drawing, i);
	}
	put_footer(&drawing);
	fputs("</svg>\n", out);
}
