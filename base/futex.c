/*
 * Futexes; futex.h has the model.
 */
#include "base/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

void weft__futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
	/* Another value, a signal and a wake-up are the same to the caller, who looks again. */
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

void weft__futex_wake(_Atomic uint32_t *word)
{
	/*
	 * The word may be gone by now: then it wakes nobody, or somebody who finds at another
	 * word in the same place that nothing has changed.
	 */
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
