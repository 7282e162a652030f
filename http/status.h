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
 * How a reply begins: "HTTP/1.1 200 OK", then "Date: " and the present date if `dated`, each with
 * its end of line. Made once per second and thread while the status stays the same; good until the
 * thread calls this again.
 */
struct weft_bytes weft__http_reply_start(int status, bool dated);

#endif
