/*
 * Running a main task, inside the library. Layers above hang in what has to end with it.
 */
#ifndef WEFT_TASK_RUNNER_H
#define WEFT_TASK_RUNNER_H

#include <weft/task.h>

/*
 * What executor/ does when a runner ends: the shared pool is drained within grace_ns.
 * Called on the runner's thread after the main task, in a task of the loop.
 */
typedef void weft__drain_fn(weft_time grace_ns);
void weft__runner_set_drain(weft__drain_fn *drain);

#endif
