/*
 * Errors: a code, a sentence, what led to it.
 *
 * An error is one allocation: the public struct, the children and the sentence behind it.
 * It never changes after it was made, so readers need no lock. For codes that nobody
 * explained there is a table of ready-made errors with the text of strerror(), which are
 * never freed. Any thread.
 */
#include "base/error.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct error {
	struct weft_error shown; /* first: the public pointer is this one's */
	atomic_int references;
	const struct weft_error *children[];
};

enum { KNOWN_CODES = 135 };

static struct weft_error plain_errors[KNOWN_CODES];
static pthread_once_t plain_errors_once = PTHREAD_ONCE_INIT;

static weft__error_slot_fn *find_task_slot;
static _Thread_local const struct weft_error *thread_slot;
static pthread_key_t thread_slot_key;
static pthread_once_t thread_slot_once = PTHREAD_ONCE_INIT;

/* ---- Errors without an explanation ---- */

static const char *plain_text(int number)
{
	switch (number) {
	case ECANCELED:
		return "cancelled";
	case ETIMEDOUT:
		return "a time limit passed";
	case ESHUTDOWN:
		return "it is closed and takes nothing any more";
	case EOWNERDEAD:
		return "the worker that had the job died";
	case ENODATA:
		return "the stream ended in the middle of what was asked for";
	case ESTALE:
		return "the process was forked: nothing of weft works in the child of a fork()";
	default:
		return strerrordesc_np(number);
	}
}

static void make_plain_errors(void)
{
	for (int i = 0; i < KNOWN_CODES; i++) {
		const char *text = plain_text(i);

		plain_errors[i].code = -i;
		plain_errors[i].message = text ? text : "unknown error";
	}
}

static const struct weft_error *plain_error(int code)
{
	static const struct weft_error unknown = { .code = -EINVAL,
						   .message = "unknown error" };

	pthread_once(&plain_errors_once, make_plain_errors);
	return code <= 0 && code > -KNOWN_CODES ? &plain_errors[-code] : &unknown;
}

static bool is_plain(const struct weft_error *error)
{
	return error >= plain_errors && error < plain_errors + KNOWN_CODES;
}

/* ---- Making ---- */

WEFT_PRINTF(4, 0)
static struct error *new_error(int code, const void *place, size_t n_children,
			       const char *format, va_list args)
{
	struct error *error;
	va_list again;
	size_t head;
	char *text;
	int length;

	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		return NULL;
	head = sizeof(*error) + n_children * sizeof(error->children[0]);
	error = weft__alloc(head + (size_t)length + 1);
	if (!error)
		return NULL;

	text = (char *)error + head;
	vsnprintf(text, (size_t)length + 1, format, args);
	error->shown = (struct weft_error){
		.code = code,
		.message = text,
		.place = place,
		.n_children = n_children,
		.children = n_children ? error->children : NULL,
	};
	atomic_init(&error->references, 1);
	return error;
}

const struct weft_error *weft_error_ref(const struct weft_error *error)
{
	/* Relaxed: whoever refs already holds a reference, so nothing can be freed
	 * meanwhile. */
	if (error && !is_plain(error))
		atomic_fetch_add_explicit(&((struct error *)(uintptr_t)error)->references,
					  1, memory_order_relaxed);
	return error;
}

/* Frees a chain of causes without recursion; children recurse, and are few levels deep.
 */
void weft_error_unref(const struct weft_error *shown)
{
	while (shown && !is_plain(shown)) {
		struct error *error = (struct error *)(uintptr_t)shown;
		const struct weft_error *cause = shown->cause;

		/* E1: releases our reads of the error to whoever frees it; pairs with E2.
		 */
		if (atomic_fetch_sub_explicit(&error->references, 1,
					      memory_order_release) > 1)
			return;
		/* E2: acquires all reads released by E1. Not a fence: ThreadSanitizer
		 * does not know those. */
		(void)atomic_load_explicit(&error->references, memory_order_acquire);
		for (size_t i = 0; i < shown->n_children; i++)
			weft_error_unref(error->children[i]);
		free(error);
		shown = cause;
	}
}

const struct weft_error *weft__error_new(int code, const char *format, ...)
{
	struct error *error;
	va_list args;

	va_start(args, format);
	error = new_error(code, __builtin_return_address(0), 0, format, args);
	va_end(args);
	return error ? &error->shown : NULL;
}

/* ---- The slot ---- */

void weft__error_set_task_slot(weft__error_slot_fn *find_slot)
{
	find_task_slot = find_slot;
}

static void free_thread_slot(void *unused)
{
	(void)unused;
	weft_error_unref(thread_slot);
	thread_slot = NULL;
}

static void make_thread_slot_key(void)
{
	(void)pthread_key_create(&thread_slot_key,
				 free_thread_slot); /* else the last one leaks */
}

static const struct weft_error **caller_slot(void)
{
	const struct weft_error **slot = find_task_slot ? find_task_slot() : NULL;

	return slot ? slot : &thread_slot;
}

static void put(const struct weft_error **slot, const struct weft_error *error)
{
	const struct weft_error *old = *slot;

	if (slot == &thread_slot && error) {
		/* Any value but NULL makes the destructor run at the thread's end. */
		pthread_once(&thread_slot_once, make_thread_slot_key);
		(void)pthread_setspecific(thread_slot_key, &thread_slot);
	}
	*slot = error;
	weft_error_unref(old);
}

void weft__error_give(const struct weft_error *error)
{
	if (error)
		put(caller_slot(), error);
}

void weft__error_forget(void)
{
	const struct weft_error **slot = caller_slot();

	if (*slot)
		put(slot, NULL);
}

const struct weft_error *weft__error_take(int code)
{
	const struct weft_error **slot = caller_slot(), *error = *slot;

	if (!error || error->code != code)
		return NULL;
	*slot = NULL;
	return error;
}

const struct weft_error *weft__error_copy(int code)
{
	const struct weft_error *error = *caller_slot();

	return error && error->code == code ? weft_error_ref(error) : NULL;
}

const struct weft_error *weft_error_of(int code)
{
	const struct weft_error *error = *caller_slot();

	return error && error->code == code ? error : plain_error(code);
}

const char *weft_error_text(int code)
{
	return weft_error_of(code)->message;
}

int weft_error_set(int code, const char *format, ...)
{
	struct error *error;
	va_list args;

	va_start(args, format);
	error = new_error(code, __builtin_return_address(0), 0, format, args);
	va_end(args);
	put(caller_slot(), error ? &error->shown : NULL);
	return code;
}

int weft_error_wrap(int code, const char *format, ...)
{
	const struct weft_error *cause = weft__error_take(code);
	struct error *error;
	va_list args;

	va_start(args, format);
	error = new_error(code, __builtin_return_address(0), 0, format, args);
	va_end(args);
	if (!error) {
		weft__error_give(cause); /* better the cause alone than nothing */
		return code;
	}
	error->shown.cause = cause ? cause : plain_error(code);
	put(caller_slot(), &error->shown);
	return code;
}

int weft__error_set_children(int code, const struct weft_error **children,
			     size_t n_children, const char *format, ...)
{
	struct error *error;
	va_list args;

	va_start(args, format);
	error = new_error(code, __builtin_return_address(0), n_children, format, args);
	va_end(args);
	for (size_t i = 0; i < n_children; i++) {
		if (error)
			error->children[i] = children[i];
		else
			weft_error_unref(children[i]);
	}
	put(caller_slot(), error ? &error->shown : NULL);
	return code;
}

/* ---- Showing ---- */

struct text {
	char *at;
	size_t room;
	size_t length; /* bytes the whole needs */
};

static void add(struct text *text, const char *format, ...) WEFT_PRINTF(2, 3);

static void add(struct text *text, const char *format, ...)
{
	size_t used = MIN(text->length, text->room);
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->at ? text->at + used : NULL, text->room - used, format, args);
	va_end(args);
	if (n > 0)
		text->length += (size_t)n;
}

/* Bounded, so that a long chain of causes cannot overflow a small stack. */
enum { MAX_DEPTH = 16 };

static void add_error(struct text *text, const struct weft_error *error, int depth,
		      const char *lead)
{
	for (; error && depth < MAX_DEPTH;
	     error = error->cause, lead = "because: ", depth++) {
		if (text->length)
			add(text, "\n");
		add(text, "%*s%s%s", depth * 2, "", lead, error->message);
		for (size_t i = 0; i < error->n_children; i++)
			add_error(text, error->children[i], depth + 1, "- ");
	}
}

size_t weft_error_format(const struct weft_error *error, char *buffer, size_t size)
{
	struct text text = { .at = size ? buffer : NULL, .room = size };

	if (size)
		buffer[0] = '\0';
	add_error(&text, error, 0, "");
	return text.length;
}

int weft_exit_status(int result)
{
	const struct weft_error *error;
	char *text;
	size_t length;

	if (result >= 0)
		return EXIT_SUCCESS;

	error = weft_error_of(result);
	length = weft_error_format(error, NULL, 0);
	text = malloc(length + 1);
	if (text) {
		weft_error_format(error, text, length + 1);
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
		free(text);
	} else {
		fprintf(stderr, "%s: %s\n", program_invocation_short_name,
			error->message);
	}
	return EXIT_FAILURE;
}
