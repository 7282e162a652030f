/*
 * A request while it is being answered, inside the library.
 *
 * Its head is copied out of the stream's buffer once it is complete, so that its texts
 * stay where they are while the body is read. What it allocates comes from a memory that
 * starts anew with each request: one that is small allocates nothing.
 *
 * Owned by the task that serves the connection.
 */
#ifndef WEFT_HTTP_REQUEST_H
#define WEFT_HTTP_REQUEST_H

#include "http/app.h"
#include "http/body.h"
#include "http/headers.h"
#include "http/request_head.h"

enum http_reply_state {
	HTTP_REPLY_NONE,
	HTTP_REPLY_BEGUN, /* the head is sent, the body is not complete */
	HTTP_REPLY_DONE,
};

/* A header that the handler wants: "name: value\r\n". */
struct http_reply_line {
	struct http_reply_line *next;
	size_t size;
	char text[];
};

/* A reply of a few lines and a short body fits. */
#define HTTP_SCRATCH 1024

struct http_watch;

struct http_reply {
	enum http_reply_state state;
	struct http_reply_line *lines; /* in the order in which they came */
	struct http_reply_line **lines_end;
	int error; /* of the first bad header: the reply becomes 500 */
	bool has_date; /* among the lines */
	bool has_type;
	bool must_close; /* the handler said "Connection: close" */
	bool is_chunked; /* while BEGUN */
	bool has_length;
	bool sends_body; /* not after HEAD, nor with 204 and 304 */
	uint64_t left; /* with has_length: bytes that must still come */
};

/* What a request uses that is const to the function which was called. */
struct http_request_extra {
	struct http_memory memory;
	const char *params[HTTP_ROUTE_PARAMS_MAX]; /* made when first asked for */
	bool has_headers; /* head.fields was turned into struct weft_http_header */
};

/* A body that is read whole, so far. */
struct http_whole_body {
	char *data;
	size_t size;
	size_t capacity;
	void *owned; /* data that is to be freed: that of a chunked one */
};

struct weft_http_request {
	struct http_request_extra *extra;
	/* Whose request it is. */
	const struct weft_http_app *app;
	weft_stream *stream;
	/* The request. */
	struct http_request_head head;
	char *text; /* what the head's slices refer to: a copy of ours */
	const char *method;
	const char *path; /* decoded */
	const char *query; /* as it came */
	bool is_head; /* its method is HEAD */
	struct http_route_match match;
	/* Its body. */
	struct http_body body;
	struct http_whole_body whole;
	bool has_continued; /* 100 Continue is sent, or not waited for */
	weft_time patience_ns; /* how long the client may still be slow */
	int body_failure; /* what reading it gave that is the fault of the client */
	/* Its reply. */
	struct http_reply reply;
	bool must_close; /* the connection ends with it */
	bool has_lost_writes; /* nothing more can be sent */
	bool has_left; /* the client, as ->watch saw it */
	struct http_watch *watch; /* while its handler runs, with cancel_on_disconnect */
	char scratch[HTTP_SCRATCH]; /* where a reply is written */
	char text_scratch[HTTP_SCRATCH / 2]; /* where its text is printed */
};

/* ---- The request ---- */

/*
 * Takes the complete head out of the stream's buffer, where it is at `data`, and makes
 * everything ready for its handler. 0 or -ENOMEM.
 */
int weft__http_request_begin(struct weft_http_request *request, const char *data);
/* The head was refused, and nothing in it is known for sure: the last reply can be made. */
void weft__http_request_distrust(struct weft_http_request *request);
/* The path as it came. */
struct weft_bytes weft__http_request_raw_path(const struct weft_http_request *request);
/* Finds who answers it: false for nobody, with what is known in ->match. */
bool weft__http_request_route(struct weft_http_request *request);
/* Gives back what the request had. */
void weft__http_request_end(struct weft_http_request *request);

/* ---- Its body ---- */

void weft__http_request_begin_body(struct weft_http_request *request);
void weft__http_request_end_body(struct weft_http_request *request);
/*
 * Is what is left of the body so much, or so uncertain to come, that the connection is
 * better closed than the body read and thrown away?
 */
bool weft__http_request_has_large_rest(const struct weft_http_request *request);
/* Reads and throws away what is left. 0; negative if the connection cannot be kept. */
int weft__http_request_drain(struct weft_http_request *request);

/* ---- Its reply ---- */

/* Forgets what was said of a reply that was not sent. */
void weft__http_reply_reset(struct weft_http_request *request);
/* Hands bytes to the stream, and remembers if it did not take them. */
int weft__http_reply_send(struct weft_http_request *request, const struct iovec *parts,
			  size_t n_parts);
/* Replies by an error page: "404 Not Found" and the problem, which may be NULL. */
int weft__http_reply_error(struct weft_http_request *request, int status,
			   const char *problem);
/* The handler is done. 0; -EPROTO if the reply is not as long as it said. */
int weft__http_reply_end(struct weft_http_request *request);

#endif
