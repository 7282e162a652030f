/*
 * Command lines from tables.
 */
#include "tools/options.h"
#include "tests/tools/capture.h"

struct values {
	bool json;
	int loops;
	weft_time seconds;
	const char *file;
};

static const struct option_row rows[] = {
	{ "json", NULL, OPTION_FLAG, offsetof(struct values, json), 0, 0,
	  "for machines" },
	{ "loops", "N", OPTION_NUMBER, offsetof(struct values, loops), 1, 64,
	  "how many loops" },
	{ "seconds", "S", OPTION_SECONDS, offsetof(struct values, seconds), 100, 60000,
	  "how long" },
	{ "svg", "FILE", OPTION_TEXT, offsetof(struct values, file), 0, 0, "where to" },
	{ "secret", "N", OPTION_NUMBER, offsetof(struct values, loops), 1, 9, NULL },
};

static const struct command try_command = {
	.name = "try",
	.about = "What try is for.",
	.options = rows,
	.n_options = ARRAY_SIZE(rows),
};

static struct values values;
static char said[2048];

/* Parses one line of words; what went to stderr and stdout is in `said`. */
static enum options_outcome parse(const char *line)
{
	static char words[256];
	char *argv[16] = { (char[]){ "try" } };
	struct capture out, err;
	enum options_outcome outcome;
	int argc = 1;

	snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	values = (struct values){ false, 2, WEFT_SEC, "default" };

	capture_begin_stream(&out, &stdout);
	capture_begin_stream(&err, &stderr);
	outcome = options_parse(&try_command, argc, argv, &values);
	snprintf(said, sizeof(said), "%s", capture_end(&err));
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s",
		 capture_end(&out));
	free(err.text);
	free(out.text);
	return outcome;
}

Test(options, not_given_keep_their_defaults)
{
	cr_expect_eq(parse(""), OPTIONS_GO);
	cr_expect_not(values.json);
	cr_expect_eq(values.loops, 2);
	cr_expect_eq(values.seconds, WEFT_SEC);
	cr_expect_str_eq(values.file, "default");
}

Test(options, land_in_their_fields)
{
	cr_expect_eq(parse("--loops 4 --seconds=0.25 --json --svg a.svg"), OPTIONS_GO);
	cr_expect(values.json);
	cr_expect_eq(values.loops, 4);
	cr_expect_eq(values.seconds, 250 * WEFT_MSEC);
	cr_expect_str_eq(values.file, "a.svg");
	cr_expect_str_eq(said, "");
}

Test(options, may_be_cut_short_while_they_are_clear)
{
	cr_expect_eq(parse("--lo 4"), OPTIONS_GO);
	cr_expect_eq(values.loops, 4);
	cr_expect_eq(parse("--se 4"), OPTIONS_WRONG);
}

Test(options, that_are_wrong_get_a_sentence)
{
	static const struct {
		const char *line;
		const char *said;
	} cases[] = {
		{ "--loops 0",
		  "weft try: --loops takes a whole number from 1 to 64, not \"0\"\n" },
		{ "--loops 65",
		  "weft try: --loops takes a whole number from 1 to 64, not \"65\"\n" },
		{ "--loops -1",
		  "weft try: --loops takes a whole number from 1 to 64, not \"-1\"\n" },
		{ "--loops 2x",
		  "weft try: --loops takes a whole number from 1 to 64, not \"2x\"\n" },
		{ "--loops 2.5",
		  "weft try: --loops takes a whole number from 1 to 64, not \"2.5\"\n" },
		{ "--loops 1e1",
		  "weft try: --loops takes a whole number from 1 to 64, not \"1e1\"\n" },
		{ "--seconds 0.05",
		  "weft try: --seconds takes seconds from 0.1 to 60, not \"0.05\"\n" },
		{ "--seconds nan",
		  "weft try: --seconds takes seconds from 0.1 to 60, not \"nan\"\n" },
		{ "--seconds .",
		  "weft try: --seconds takes seconds from 0.1 to 60, not \".\"\n" },
		{ "--svg=", "weft try: --svg needs a value\n" },
		{ "--loops", "weft try: --loops needs a value; see weft try --help\n" },
		{ "--json=1", "weft try: --json takes no value\n" },
		{ "--nothing",
		  "weft try: there is no option --nothing; see weft try --help\n" },
		{ "--s=1",
		  "weft try: --s=1 could be several options; see weft try --help\n" },
		{ "--help=1", "weft try: --help takes no value\n" },
		{ "-x", "weft try: there is no option -x; see weft try --help\n" },
		{ "-xy", "weft try: there is no option -x; see weft try --help\n" },
		{ "word", "weft try: \"word\" is not an option; see weft try --help\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_eq(parse(cases[i].line), OPTIONS_WRONG, "%s", cases[i].line);
		cr_expect_str_eq(said, cases[i].said, "%s", cases[i].line);
	}
}

Test(options, help_lists_all_that_are_told)
{
	cr_expect_eq(parse("--loops 3 --help"), OPTIONS_HELP);
	cr_expect_str_eq(said, "Usage: weft try [OPTION]...\n"
			       "\n"
			       "What try is for.\n"
			       "\n"
			       "  --json                for machines\n"
			       "  --loops N             how many loops\n"
			       "  --seconds S           how long\n"
			       "  --svg FILE            where to\n"
			       "  --help                show this and end\n");
	cr_expect_eq(parse("-h"), OPTIONS_HELP);
}
