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
 * Return: the number of tasks, or a negative errno.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API int weft_dump_tasks(FILE *out);

WEFT_END_DECLS

#endif
