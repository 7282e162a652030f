/*
 * Debug mode, the part of tasks: each stretch that a task runs is watched. Loop thread.
 *
 * A task of a loop in debug mode always goes back to the loop's own stack when it waits, since a
 * look is made to seem due; so what it did can be judged there, and tasks of other loops pay
 * nothing for it. Reported are:
 *
 *   - a stretch without a wait that took long,
 *   - a wait inside a C++ catch, or while an exception is on its way: the C++ runtime keeps
 *     exceptions by thread, so those of other tasks get into it,
 *   - a task that was told of its cancellation, did not hand it on and did not take it back.
 */
#ifndef WEFT_TASK_WATCH_H
#define WEFT_TASK_WATCH_H

#include "task/task.h"

/* Runs the task until it waits or ends; `resume` does that. */
void weft__watch_stretch(weft_task *task, void (*resume)(weft_task *task));

#endif
