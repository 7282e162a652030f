/*
 * Seeing what happens: the task dump, and who waits for whom. Reports are in report.h.
 *
 * With WEFT_DEBUG=1 in the environment costly checks are made as well; see weft_loop_options.
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
 *	"reader" 0x7f60c7e3fd40: waits: read, for 2.3 s; child of "app"; awaited by "app"; spawned
 *	at app (app.c:31)
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

/**
 * weft_dump_call_graph() - a task, who waits for it, who waits for those
 * @task: of any loop, and it may have ended meanwhile; NULL for the running one
 * @out:  receives text, as by weft_dump_tasks()
 *
 * Who waits for a task stands below it, two spaces further to the right, with whom that task
 * waits for in its line: by a join, the future of the task, a group, or a lock that it holds.
 *
 *	"reader" 0x7f60c7e3fd40, loop "loop-1": waits: read, for 2.3 s; awaited by "fetch"
 *	      get_line (app.c:12)
 *	  "fetch" 0x7f60c7e7fd40, loop "loop-0": waits: future ("reader"), for 2.3 s
 *	        fetch (app.c:31)
 *
 * Waits reach from loop to loop. Each task is shown once, so one that waits for itself by way of
 * others does no harm.
 *
 * Return: the number of tasks shown, 0 if @task has ended; -EPERM if @task is NULL and no task
 * runs; another negative errno.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API int weft_dump_call_graph(const weft_task *task, FILE *out);

WEFT_END_DECLS

#endif
