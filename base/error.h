/*
 * The details behind a negative errno, inside the library; <weft/base.h> has the model.
 *
 * Each task and each plain thread has one slot that holds the last failure it received.
 * The slots of tasks lie in the tasks, which this layer does not know: task/ lends a
 * function that finds the running task's slot. An error is immutable and counted; its
 * count is atomic, since errors travel between threads with the code that they explain.
 */
#ifndef WEFT_BASE_ERROR_H
#define WEFT_BASE_ERROR_H

#include "base/base.h"

/* Where the running task keeps its error; NULL in a callback or on a plain thread. */
typedef const struct weft_error **weft__error_slot_fn(void);
void weft__error_set_task_slot(weft__error_slot_fn *find_slot);

/* Moves the details of `code` out of the caller's slot: NULL if it has none for that
 * code. */
const struct weft_error *weft__error_take(int code);

/* Puts an error into the caller's slot; the reference becomes the slot's. NULL is
 * ignored. */
void weft__error_give(const struct weft_error *error);

/* What the caller last received is forgotten: what runs here next is somebody else's work. */
void weft__error_forget(void);

/* The details of `code` in the caller's slot, with a reference of the caller's; or NULL.
 */
const struct weft_error *weft__error_copy(int code);

/*
 * As weft_error_set(), with the errors of several pieces of work as children. The
 * references in `children` become the new error's, also when this fails for want of
 * memory.
 */
int weft__error_set_children(int code, const struct weft_error **children,
			     size_t n_children, const char *format, ...)
	WEFT_PRINTF(4, 5);

/* An error made but not put into a slot, for a future's; NULL without memory. */
const struct weft_error *weft__error_new(int code, const char *format, ...)
	WEFT_PRINTF(2, 3);

#endif
