/*
 * Limits that are begun again and again, such as that of an idle connection.
 *
 * Its timer stays set when the scope ends, and when it is due finds out whether the limit that
 * counts by then has been reached; else it goes on. So beginning and ending one touches no other
 * timer, which would be a cache miss or two each time. The storage outlives the scopes.
 * Loop thread.
 */
#ifndef WEFT_TASK_TIMEOUT_H
#define WEFT_TASK_TIMEOUT_H

#include <weft/timeout.h>

/* By the task that will use it; nothing is limited yet. */
void weft__kept_timeout_init(struct weft_timeout *timeout);
/* In between: its timer goes. */
void weft__kept_timeout_fini(struct weft_timeout *timeout);
/* As weft_timeout_begin_at(); ended by weft__kept_timeout_end(), as by weft_timeout_end(). */
void weft__kept_timeout_begin_at(struct weft_timeout *timeout, weft_time deadline);
int weft__kept_timeout_end(struct weft_timeout *timeout, int result);

#endif
