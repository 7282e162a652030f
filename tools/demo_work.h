/*
 * The work that the demo's server does for a request: three calls that block.
 *
 * Each is a plain function that knows nothing of loops, as a library that you use would
 * not. The server calls it where it is, or hands it to the executor: it is the same call.
 */
#ifndef WEFT_TOOLS_DEMO_WORK_H
#define WEFT_TOOLS_DEMO_WORK_H

#include "tools/demo.h"

struct demo_work_options {
	const char *directory; /* in which fsync writes */
	int fsyncs; /* for one request */
};

/*
 * Does one piece of work and blocks its thread meanwhile. Any thread, and a task's stack
 * will do. The signature is that of a job.
 *
 * Return: 0 or a negative errno.
 */
int demo_work_sleep(void *options);
int demo_work_hash(void *options);
int demo_work_fsync(void *options);

/* The function that does it. */
int (*demo_work_function(enum demo_work work))(void *options);

/*
 * Finds a folder on a file system where an fsync costs something, and out how often a
 * request has to write and fsync there to take about DEMO_FSYNC_TARGET_NS. Where all is
 * memory, says so. Blocks for a fraction of a second.
 *
 * Return: 0, or a negative errno if nowhere a file could be written.
 */
#define DEMO_FSYNC_TARGET_NS (10 * WEFT_MSEC)
int demo_work_measure_fsync(struct demo_setup *setup);

#endif
