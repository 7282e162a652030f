/*
 * The words behind a status, and the lines that every reply has. Any thread.
 */
#ifndef WEFT_HTTP_STATUS_H
#define WEFT_HTTP_STATUS_H

#include <time.h>

#include "base/base.h"

/* "Not Found" for 404; never NULL: a status without a name is called as its class is. */
const char *weft__http_reason(int status);

/* "Sun, 06 Nov 1994 08:49:37 GMT", the 29 letters of RFC 9110 section 5.6.7, terminated.
 */
#define HTTP_DATE_SIZE 30
void weft__http_date_format(time_t when, char date[HTTP_DATE_SIZE]);

/*
 * The present date. Made once per second and thread, which is once per second and loop;
 * good until the thread calls this again.
 */
const char *weft__http_date(void);

#endif
