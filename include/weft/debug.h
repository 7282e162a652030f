/*
 * Seeing what happens: the task dump. Reports are in report.h.
 */
#ifndef WEFT_DEBUG_H
#define WEFT_DEBUG_H

#include <stdio.h>

#include <weft/report.h>
#include <weft/task.h>

WEFT_BEGIN_DECLS

/**
 * weft_dump_tasks() - every task of every loop: name, state, what it waits for, stack
 * @out: receives text; a slow one blocks the caller
 *
 * For people. Each loop has a line that says what its thread does, then its tasks follow:
 *
 *	"reader" 0x7f60c7e3fd40: waits: read, for 2.3 s; child of "app"; spawned at app (app.c:31)
 *	      weft_stream_read+0x52
 *	      get_line (app.c:12)
 *	      reader (app.c:20)
 *
 * No loop is stopped or kept waiting, so a loop that is blocked for ever is shown like any other:
 * with the stack of what blocks it if its thread sleeps; of a thread on the CPU nothing can be
 * seen. What runs meanwhile may be shown as it was a moment ago, or be missed.
 *
 * Stacks reach through code that was compiled without frame pointers, too. File and line need
 * -g, names of static functions a program that is not stripped.
 *
 * Return: the number of tasks, or a negative errno.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API int weft_dump_tasks(FILE *out);

WEFT_END_DECLS

#endif
