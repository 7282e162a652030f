/*
 * Telling the tools about our stacks: AddressSanitizer, ThreadSanitizer and valgrind.
 *
 * Each has its own picture of "the" stack of a thread and must hear of each switch, or of
 * each stack. In a plain build all of this is nothing.
 */
#ifndef WEFT_TASK_FIBRE_H
#define WEFT_TASK_FIBRE_H

#include "base/base.h"
#include "base/sanitizer.h"

#ifdef BUILT_WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef BUILT_WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#endif

/* What the tools know of one stack. For a thread's own stack low and size come from ASan.
 */
struct fibre {
#ifdef BUILT_WITH_ASAN
	void *fake_stack;
#endif
#ifdef BUILT_WITH_TSAN
	void *tsan;
#endif
	const void *low;
	size_t size;
};

/* Does valgrind run the program? */
static inline bool fibre_in_valgrind(void)
{
#ifdef HAVE_VALGRIND_VALGRIND_H
	return RUNNING_ON_VALGRIND;
#else
	return false;
#endif
}

/* A stack that can be switched to begins to exist, and ends. */
static inline void fibre_init(struct fibre *fibre, const void *low, size_t size)
{
	fibre->low = low;
	fibre->size = size;
#ifdef BUILT_WITH_ASAN
	fibre->fake_stack = NULL;
#endif
#ifdef BUILT_WITH_TSAN
	fibre->tsan = __tsan_create_fiber(0);
#endif
#ifdef HAVE_VALGRIND_VALGRIND_H
	(void)VALGRIND_STACK_REGISTER(low, (const char *)low + size);
#endif
}

static inline void fibre_fini(struct fibre *fibre)
{
#ifdef BUILT_WITH_TSAN
	__tsan_destroy_fiber(fibre->tsan);
#endif
	(void)fibre;
}

/* The thread's own stack, before the first switch away from it. */
static inline void fibre_init_thread(struct fibre *fibre)
{
#ifdef BUILT_WITH_TSAN
	fibre->tsan = __tsan_get_current_fiber();
#endif
	(void)fibre;
}

/* Right before the switch. */
static inline void fibre_leave(struct fibre *from, struct fibre *to)
{
#ifdef BUILT_WITH_ASAN
	__sanitizer_start_switch_fiber(&from->fake_stack, to->low, to->size);
#endif
#ifdef BUILT_WITH_TSAN
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
	(void)from;
	(void)to;
}

/* First thing on the other side; `from` is NULL if that stack is not to be told its
 * bounds. */
static inline void fibre_arrive(struct fibre *self, struct fibre *from)
{
#ifdef BUILT_WITH_ASAN
	const void *low;
	size_t size;

	__sanitizer_finish_switch_fiber(self->fake_stack, &low, &size);
	if (from) {
		from->low = low;
		from->size = size;
	}
#endif
	(void)self;
	(void)from;
}

/* A stack is used anew: what its former frames left poisoned is plain memory again. */
static inline void fibre_clean(const void *low, size_t size)
{
#ifdef BUILT_WITH_ASAN
	__asan_unpoison_memory_region(low, size);
#endif
	(void)low;
	(void)size;
}

#endif
