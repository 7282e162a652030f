/*
 * Interrupting the blocking call of a job: by a signal whose handler does nothing, so that the
 * call returns EINTR.
 *
 * The signal is the last real-time signal of which the program has made no use. Threads of a pool
 * have it blocked, but while an interruptible job runs; so it never hits the next job.
 */
#ifndef WEFT_EXECUTOR_INTERRUPT_H
#define WEFT_EXECUTOR_INTERRUPT_H

#include <stdbool.h>
#include <sys/types.h>

/* Thread: any. Finds the signal, once. Return: 0; -ENOTSUP if all are in use. */
int weft__interrupt_prepare(void);
/* Thread: the job's. */
void weft__interrupt_allow(void);
/* Thread: the job's. `was_sent`: one may have come that met nobody. */
void weft__interrupt_forbid(bool was_sent);
/* Thread: any, while the job is sure to run on `tid`. */
void weft__interrupt_send(pid_t tid);

#endif
