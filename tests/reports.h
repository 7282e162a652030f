/*
 * What the library reports while a test runs.
 *
 * From reports_begin() on nothing goes to stderr. Any thread of the library may report; the
 * test looks from its own.
 */
#ifndef WEFT_TESTS_REPORTS_H
#define WEFT_TESTS_REPORTS_H

#include <weft/report.h>

/* Begins with none. */
void reports_begin(void);

/* How many there are. */
int reports_count(void);

/* How many contain this: in the message, in the text of the error, or as the task's name. */
int reports_with(const char *part);

/* The severity of the first report that contains this; -1 if none does. */
int reports_severity(const char *part);

/* The place of the first report that contains this, described; "" if none does. */
const char *reports_place(const char *part);

/* Fails the test for each report there is; for the end of a test that expects none. */
void expect_no_reports(void);

#endif
