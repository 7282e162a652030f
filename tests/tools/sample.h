/*
 * A recorded run for the tests of the pictures: what two processes with two loops each
 * would show, made from a formula, so that it is the same everywhere.
 */
#ifndef WEFT_TESTS_TOOLS_SAMPLE_H
#define WEFT_TESTS_TOOLS_SAMPLE_H

#include "tools/demo.h"

/* End with demo_run_fini(). Never fails: out of memory ends the program. */
void sample_run(struct demo_run *run, int processes, int loops);

#endif
