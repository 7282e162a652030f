/*
 * Telling what nobody else was told; <weft/report.h> has the public half.
 */
#ifndef WEFT_BASE_REPORT_H
#define WEFT_BASE_REPORT_H

#include <weft/report.h>

#include "base/base.h"

/* weft_report_send() with a formatted message; `like` has the other fields and may be NULL. */
void weft__report(enum weft_severity severity, const struct weft_report *like,
		  const char *format, ...) WEFT_PRINTF(3, 4);

#endif
