/*
 * The picture: well-formed, whole, and in proportion.
 */
#include "tests/tools/capture.h"
#include "tests/tools/sample.h"
#include "tools/demo_picture.h"

#include <ctype.h>

static struct demo_run run;
static struct capture capture;

static const char *svg(int processes, int loops)
{
	sample_run(&run, processes, loops);
	capture_begin(&capture);
	demo_write_svg(&run, capture.out);
	return capture_end(&capture);
}

static void teardown(void)
{
	free(capture.text);
	demo_run_fini(&run);
}

/* ---- A checker for the XML that we write: no comments, no processing instructions ----
 */

static void check_entity(const char *at)
{
	static const char *const known[] = { "&lt;", "&amp;", "&gt;", "&quot;" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strncmp(at, known[i], strlen(known[i])) == 0)
			return;
	cr_assert_fail("no entity: %.20s", at);
}

/* The attributes of a tag, from behind its name. Return: the end of the tag. */
static const char *check_attributes(const char *at)
{
	while (*at == ' ') {
		size_t name = strspn(
			++at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-:");

		cr_assert(name > 0 && at[name] == '=' && at[name + 1] == '"',
			  "attribute: %.30s", at);
		at += name + 2;
		for (; *at != '"'; at++) {
			cr_assert(*at && *at != '<', "value without end");
			if (*at == '&')
				check_entity(at);
		}
		at++;
	}
	return at;
}

/* Every tag is closed in order, and text holds nothing that it must not. */
static void check_xml(const char *text)
{
	char open[32][16];
	int depth = 0;

	for (const char *at = text; *at;) {
		size_t name;

		if (*at != '<') {
			cr_assert(depth > 0 || isspace((unsigned char)*at),
				  "text outside");
			cr_assert((unsigned char)*at >= ' ' || *at == '\n',
				  "control character");
			if (*at == '&')
				check_entity(at);
			at++;
			continue;
		}
		at++;
		name = strspn(at + (*at == '/'), "abcdefghijklmnopqrstuvwxyz");
		cr_assert(name > 0 && name < 16 && depth < 32, "tag: %.30s", at);
		if (*at == '/') {
			cr_assert(depth > 0 && strlen(open[depth - 1]) == name &&
					  strncmp(at + 1, open[depth - 1], name) == 0,
				  "closed out of order: %.30s", at);
			depth--;
			at += 1 + name;
		} else {
			snprintf(open[depth++], 16, "%.*s", (int)name, at);
			at = check_attributes(at + name);
			if (*at == '/') {
				depth--;
				at++;
			}
		}
		cr_assert_eq(*at, '>', "tag without end: %.30s", at);
		at++;
	}
	cr_assert_eq(depth, 0, "not closed: %s", depth ? open[depth - 1] : "");
}

Test(demo_svg, is_well_formed_and_needs_nothing_else, .fini = teardown)
{
	const char *text = svg(2, 2);

	check_xml(text);
	cr_expect_eq(count_of(text, "http"), 1, "but for the name space");
	cr_expect_eq(count_of(text, "href"), 0);
	cr_expect_eq(count_of(text, "<script"), 0);
	cr_expect_eq(count_of(text, "nan"), 0);
	cr_expect_eq(count_of(text, "inf"), 0);
	cr_expect_not_null(strstr(text, "class=\"page\""), "a background of its own");
}

Test(demo_svg, has_a_row_for_each_loop_in_each_phase)
{
	static const struct {
		int processes, loops;
	} cases[] = { { 1, 1 }, { 2, 2 }, { 8, 8 }, { 64, 16 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int n = cases[i].processes * cases[i].loops;
		const char *text = svg(cases[i].processes, cases[i].loops);

		check_xml(text);
		cr_expect_eq(count_of(text, "<g><title>"), n * DEMO_N_PHASES, "%d loops",
			     n);
		cr_expect_eq(count_of(text, "class=\"free\""), n * DEMO_N_PHASES + 1,
			     "%d loops", n);
		teardown();
	}
}

Test(demo_svg, says_what_was_measured, .fini = teardown)
{
	static const char *const texts[] = {
		">A blocking call makes everybody wait. Off the loop, it makes nobody wait.<",
		">Sleep<",
		">Password hash<",
		">Write to disk<",
		">4 KiB and fsync, 87 times<",
		">process 1, loop 1<",
		">196<",
		">1,571<",
		">3,128<",
		">590<",
		">\303\227 8.0<",
		">\303\227 2.6<",
		"class=\"bad\" x=\"144.0\" ",
		">331 ms<",
		">1.24 ms<",
		"<title>process 0, loop 0: held over 99 % of the time, at most 331 ms at a stretch<",
	};
	const char *text = svg(2, 2);

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_expect_not_null(strstr(text, texts[i]), "%s", texts[i]);
	cr_expect_null(strstr(text, "not answered"));
}

Test(demo_svg, says_what_was_not_answered, .fini = teardown)
{
	sample_run(&run, 1, 1);
	run.results[3].failed = 12;
	capture_begin(&capture);
	demo_write_svg(&run, capture.out);
	cr_expect_not_null(strstr(capture_end(&capture), ">12 not answered<"));
}

/* The width of all rectangles of a path, in pixels. */
static double path_width(const char *path)
{
	double sum = 0, x, y, width, height;

	for (; sscanf(path, "M%lf %lfh%lfv%lf", &x, &y, &width, &height) == 4;
	     path = strchr(path, 'z') + 1)
		sum += width;
	cr_expect_eq(*path, '"', "ends as a path does: %.20s", path);
	return sum;
}

Test(demo_svg, draws_holds_in_proportion, .fini = teardown)
{
	const char *row;
	double width;

	sample_run(&run, 1, 1);
	timeline_begin(&run.results[0].timelines[0], 0, 2 * WEFT_SEC);
	timeline_beat(&run.results[0].timelines[0], 0, 500 * WEFT_MSEC);
	timeline_beat(&run.results[0].timelines[0], WEFT_SEC, 1500 * WEFT_MSEC);
	capture_begin(&capture);
	demo_write_svg(&run, capture.out);

	row = strstr(capture_end(&capture), "<g><title>");
	cr_assert_not_null(row);
	cr_assert_eq(sscanf(strstr(row, "width="), "width=\"%lf\"", &width), 1);
	cr_expect_float_eq(path_width(strstr(row, "d=\"M") + 3), width / 2, 2,
			   "half of %g, but for the hairs between the bricks", width);
}
