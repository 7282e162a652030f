/*
 * Telling what a supervisor does, in sentences. The supervisor's thread.
 */
#ifndef WEFT_IPC_NEWS_H
#define WEFT_IPC_NEWS_H

#include "ipc/supervisor.h"

struct weft__process;

/* About a worker that runs. The sentence gets its name as the subject. */
void weft__tell_of(struct weft__supervisor *supervisor, enum weft__news_kind kind,
		   const struct weft__process *process, weft_time delay,
		   const char *format, ...) WEFT_PRINTF(5, 6);

/* About anything else; `index` as in struct weft__news. */
void weft__tell(struct weft__supervisor *supervisor, enum weft__news_kind kind, int index,
		const char *format, ...) WEFT_PRINTF(4, 5);

/* What weft__supervisor_run() is to return. The first result counts. */
void weft__supervisor_fail(struct weft__supervisor *supervisor, int result,
			   const char *format, ...) WEFT_PRINTF(3, 4);

#endif
