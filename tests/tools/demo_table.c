/*
 * The figures as a table and as JSON.
 */
#include "tests/tools/capture.h"
#include "tests/tools/sample.h"
#include "tools/demo_picture.h"

static struct demo_run run;
static struct capture capture;

static void setup(void)
{
	sample_run(&run, 2, 2);
	capture_begin(&capture);
}

static void teardown(void)
{
	free(capture.text);
	demo_run_fini(&run);
}

static const char *table(bool color, bool unicode)
{
	struct terminal terminal = capture_terminal(&capture, color, unicode, 80);

	demo_write_table(&run, &terminal);
	return capture_end(&capture);
}

Test(demo_table, lists_the_figures_and_marks_the_gains, .init = setup, .fini = teardown)
{
	static const char expected[] =
		" work   served by   requests/s     gain       p50       p99  worst lag     gain\n"
		" sleep  blocking           196             328 ms    341 ms     331 ms\n"
		"        executor         1,571   + x8.0   40.7 ms   42.0 ms    1.24 ms   + x267\n"
		"        async            3,128    + x16   20.4 ms   21.3 ms    0.86 ms   + x385\n"
		" hash   blocking           204             309 ms    402 ms     318 ms\n"
		"        executor           200    x0.98    314 ms    377 ms    6.40 ms    + x50\n"
		" fsync  blocking           226             140 ms    171 ms     143 ms\n"
		"        executor           590   + x2.6   54.0 ms   71.0 ms    3.10 ms    + x46\n"
		"\n"
		" sleep  20 ms\n"
		" hash   crypt, SHA-512, 50,000 rounds; its threads share 2 CPUs with the loops\n"
		" fsync  4 KiB and fsync, 87 times (0.12 ms each, in /var/tmp)\n"
		" by     blocking: on the loop; executor: on pool threads; async: by a timer\n"
		" gain   times better than the blocking call; + expected, and came\n"
		" lag    how long a loop kept everybody waiting\n";

	cr_expect_str_eq(table(false, false), expected);
}

Test(demo_table, says_when_an_expected_gain_did_not_come, .init = setup, .fini = teardown)
{
	const char *text;

	run.results[1].requests = 100;
	text = table(false, false);
	cr_expect_not_null(strstr(text, " ! x0.26 "), "%s", text);
	cr_expect_not_null(strstr(text, "; ! expected, and did not come"), "%s", text);
}

Test(demo_table, has_a_column_for_failures_if_there_are_any, .init = setup,
     .fini = teardown)
{
	const char *text;

	run.results[4].failed = 3;
	text = table(false, false);
	cr_expect_not_null(strstr(text, "   failed\n"), "%s", text);
	cr_expect_not_null(strstr(text, "    + x50        3\n"), "%s", text);
}

Test(demo_table, fits_80_columns_in_colour_and_utf8, .init = setup, .fini = teardown)
{
	const char *text = table(true, true);
	char plain[4096];
	size_t n = 0;

	cr_expect_not_null(strstr(text, "\033[32m\342\234\223 \303\2278.0\033[0m"), "%s",
			   text);
	cr_expect_not_null(strstr(text, "\033[31m331 ms\033[0m"), "%s", text);

	/* Without what changes colours. */
	for (; *text && n < sizeof(plain) - 1; text++) {
		if (*text == '\033')
			text += strcspn(text, "m");
		else
			plain[n++] = *text;
	}
	plain[n] = '\0';
	for (char *line = strtok(plain, "\n"); line; line = strtok(NULL, "\n"))
		cr_expect_le(terminal_columns(line), 80, "%s", line);
}

Test(demo_table, gives_machines_an_object_a_line, .init = setup, .fini = teardown)
{
	static const char *const lines[DEMO_N_PHASES] = {
		"{\"work\":\"sleep\",\"mode\":\"blocking\",\"requests_per_s\":196.0,"
		"\"p50_ms\":328.000,\"p99_ms\":341.000,\"max_loop_lag_ms\":331.000,"
		"\"requests\":392,\"failed\":0}",
		"{\"work\":\"sleep\",\"mode\":\"executor\",\"requests_per_s\":1571.0,"
		"\"p50_ms\":40.700,\"p99_ms\":42.000,\"max_loop_lag_ms\":1.240,"
		"\"requests\":3142,\"failed\":0}",
		"{\"work\":\"sleep\",\"mode\":\"async\",\"requests_per_s\":3127.0,"
		"\"p50_ms\":20.400,\"p99_ms\":21.300,\"max_loop_lag_ms\":0.860,"
		"\"requests\":6257,\"failed\":3}",
		"{\"work\":\"hash\",\"mode\":\"blocking\",\"requests_per_s\":204.0,"
		"\"p50_ms\":309.000,\"p99_ms\":402.000,\"max_loop_lag_ms\":318.000,"
		"\"requests\":408,\"failed\":0}",
		"{\"work\":\"hash\",\"mode\":\"executor\",\"requests_per_s\":200.5,"
		"\"p50_ms\":314.000,\"p99_ms\":377.000,\"max_loop_lag_ms\":6.400,"
		"\"requests\":401,\"failed\":0}",
		"{\"work\":\"fsync\",\"mode\":\"blocking\",\"requests_per_s\":226.0,"
		"\"p50_ms\":140.000,\"p99_ms\":171.000,\"max_loop_lag_ms\":143.000,"
		"\"requests\":452,\"failed\":0}",
		"{\"work\":\"fsync\",\"mode\":\"executor\",\"requests_per_s\":590.0,"
		"\"p50_ms\":54.000,\"p99_ms\":71.000,\"max_loop_lag_ms\":3.100,"
		"\"requests\":1180,\"failed\":0}",
	};
	char *line;
	int n = 0;

	run.results[2].failed = 3;
	demo_write_json(&run, capture.out);
	capture_end(&capture);
	for (line = strtok(capture.text, "\n"); line; line = strtok(NULL, "\n"), n++)
		cr_expect_str_eq(line, lines[n]);
	cr_expect_eq(n, DEMO_N_PHASES);
}
