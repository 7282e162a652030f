/*
 * The ways in which a finished run of `weft demo` is shown. All of them read recorded
 * data and write text; whether the writing failed is asked of the stream at the end, by
 * ferror().
 */
#ifndef WEFT_TOOLS_DEMO_PICTURE_H
#define WEFT_TOOLS_DEMO_PICTURE_H

#include "tools/demo.h"
#include "tools/terminal.h"

/* The figures, with a mark at each that was expected to get better. */
void demo_write_table(const struct demo_run *run, const struct terminal *terminal);

/* When each loop was free and when held: a row for each, as wide as the terminal. */
void demo_write_rows(const struct demo_run *run, const struct terminal *terminal);

/* One JSON object a line for each phase. */
void demo_write_json(const struct demo_run *run, FILE *out);

/* The rows and the main figures as a picture that needs nothing beside it. */
void demo_write_svg(const struct demo_run *run, FILE *out);

#endif
