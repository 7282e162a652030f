/*
 * What a thread of this process does right now, without disturbing it.
 *
 * The kernel tells where a thread sleeps (/proc/self/task/TID/syscall): its pc and stack
 * pointer. Of one that runs it tells nothing, and a signal would cut its blocking calls
 * short. Under an emulator it speaks of the emulator, which is found by the pc.
 */
#ifndef WEFT_DEBUG_THREAD_LOOK_H
#define WEFT_DEBUG_THREAD_LOOK_H

#include <sys/types.h>

#include "base/base.h"

enum thread_is {
	THREAD_HIDDEN, /* it has ended, or the kernel does not tell */
	THREAD_RUNNING, /* on a CPU, or waiting for one */
	THREAD_ASLEEP,
};

struct thread_look {
	enum thread_is is;
	uint64_t pc, sp; /* THREAD_ASLEEP */
};

/* Allocates nothing; needs a descriptor. */
struct thread_look weft__thread_look(pid_t tid);

#endif
