/*
 * Telling a stack overflow from any other crash.
 */
#ifndef WEFT_TASK_OVERFLOW_H
#define WEFT_TASK_OVERFLOW_H

/*
 * Installs the handler for the process, once, and gives the calling thread an alternate
 * stack if it has none: each thread that runs a loop. WEFT_NO_SEGV=1 prevents both. Any
 * thread.
 */
void weft__overflow_watch(void);

/*
 * A system call met a guard and returned EFAULT instead of a signal: if `address` lies in
 * the guard of the running task, says so and ends the process as the signal would; else
 * returns.
 */
void weft__overflow_tell(const void *address);

#endif
