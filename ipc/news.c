/*
 * Telling what a supervisor does; see the header.
 *
 * A sentence is made on the stack, so that telling needs no memory and cannot fail. Who
 * is told may call the supervisor, even stop it.
 */
#include "ipc/news.h"

#include <stdarg.h>
#include <stdio.h>

#include "ipc/slot.h"

#define TEXT_BYTES 512

static bool is_trouble(enum weft__news_kind kind)
{
	switch (kind) {
	case WEFT__NEWS_NOT_STARTED:
	case WEFT__NEWS_DIED:
	case WEFT__NEWS_CUT_OFF:
	case WEFT__NEWS_LATE:
	case WEFT__NEWS_HUNG:
	case WEFT__NEWS_BROKEN:
	case WEFT__NEWS_SPENT:
	case WEFT__NEWS_RELOAD_FAILED:
	case WEFT__NEWS_GAVE_UP:
		return true;
	default:
		return false;
	}
}

static void deliver(struct weft__supervisor *supervisor, const struct weft__news *news)
{
	if (supervisor->options.callbacks->on_news)
		supervisor->options.callbacks->on_news(supervisor->options.arg, news);
}

void weft__tell_of(struct weft__supervisor *supervisor, enum weft__news_kind kind,
		   const struct weft__process *process, weft_time delay,
		   const char *format, ...)
{
	char text[TEXT_BYTES];
	struct weft__news news = {
		.kind = kind,
		.is_trouble = is_trouble(kind),
		.index = process->index,
		.generation = process->generation,
		.pid = process->child.pid,
		.delay_ns = delay,
		.text = text,
	};
	va_list args;
	int n;

	n = snprintf(text, sizeof(text), "worker %d (pid %d) ", process->index,
		     (int)process->child.pid);
	va_start(args, format);
	vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
	va_end(args);
	deliver(supervisor, &news);
}

void weft__tell(struct weft__supervisor *supervisor, enum weft__news_kind kind, int index,
		const char *format, ...)
{
	char text[TEXT_BYTES];
	struct weft__news news = {
		.kind = kind,
		.is_trouble = is_trouble(kind),
		.index = index,
		.generation = supervisor->generation,
		.text = text,
	};
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	deliver(supervisor, &news);
}

void weft__supervisor_fail(struct weft__supervisor *supervisor, int result,
			   const char *format, ...)
{
	va_list args;

	if (supervisor->result < 0)
		return;
	supervisor->result = result;
	va_start(args, format);
	vsnprintf(supervisor->result_text, sizeof(supervisor->result_text), format, args);
	va_end(args);
}
