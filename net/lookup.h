/*
 * Where look-ups block: a few threads of their own, so that a dead name server delays nobody else.
 */
#ifndef WEFT_NET_LOOKUP_H
#define WEFT_NET_LOOKUP_H

#include <weft/task.h>

/*
 * Calls fn(job) on a thread that may block, and waits for it in the calling task. The job is the
 * callee's, whatever this returns: destroy(job) is called once, when fn has returned or will never
 * be called. So a task that is cancelled returns at once, and fn goes on with its own memory.
 * Return: what fn returned; -ECANCELED, -ENOMEM, -EAGAIN if no thread can be had.
 */
int weft__lookup_run(weft_fn *fn, void *job, weft_destroy *destroy);

#endif
