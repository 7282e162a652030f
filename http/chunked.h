/*
 * Chunked bodies (RFC 9112 section 7.1): finding the data in one, and writing one.
 *
 * The decoder is given whatever bytes are there and says how many it is done with and
 * what part of them is data. Chunk lines are taken byte by byte; trailers wait until all
 * of them are there, are held to the rules of header fields, and are dropped.
 *
 * Limits: a chunk line has 256 bytes at most, and after 64 KiB everything but the data is
 * at most 16 bytes for each byte of it, so that nobody keeps us busy with empty
 * envelopes.
 *
 * Owned by the body's reader. Cannot fail for want of memory.
 */
#ifndef WEFT_HTTP_CHUNKED_H
#define WEFT_HTTP_CHUNKED_H

#include "http/fields.h"

#define HTTP_CHUNK_LINE_MAX	     256
#define HTTP_CHUNK_OVERHEAD_FREE     65536
#define HTTP_CHUNK_OVERHEAD_PER_BYTE 16

enum http_chunk_step {
	HTTP_CHUNK_SIZE,
	HTTP_CHUNK_EXTENSION, /* behind the ';' */
	HTTP_CHUNK_EXTENSION_NAME,
	HTTP_CHUNK_EXTENSION_VALUE, /* behind the '=' */
	HTTP_CHUNK_EXTENSION_TOKEN,
	HTTP_CHUNK_EXTENSION_QUOTED,
	HTTP_CHUNK_EXTENSION_ESCAPE,
	HTTP_CHUNK_EXTENSION_END, /* behind the closing quote */
	HTTP_CHUNK_LINE_LF,
	HTTP_CHUNK_DATA,
	HTTP_CHUNK_DATA_CR,
	HTTP_CHUNK_DATA_LF,
	HTTP_CHUNK_TRAILERS,
	HTTP_CHUNK_ENDED,
};

struct http_chunk_decoder {
	enum http_chunk_step step;
	unsigned int n_digits; /* of the size in the line in progress */
	unsigned int line_size; /* of that line so far */
	uint64_t left; /* of the chunk; while in its line, its size so far */
	uint64_t n_data;
	uint64_t n_overhead;
	struct http_field_reader trailers;
	struct http_head_limits limits;
	struct http_refusal refusal; /* known once it has returned -EBADMSG */
};

/* What one step of the decoder found. */
struct http_chunk {
	size_t taken; /* bytes it is done with; `data` lies in them, at their end */
	const char *data;
	size_t size; /* of the data; 0 if there was none */
};

/* `limits` are those of the trailers. */
void weft__http_chunk_decoder_init(struct http_chunk_decoder *decoder,
				   const struct http_head_limits *limits);
/*
 * Looks at text[0 ... size), up to the end of the first piece of data, which is at most
 * `max` bytes. HTTP_MORE: go on behind what was taken (if that is less than `size` and
 * there was no data, only with more bytes than these). HTTP_DONE: the body has ended
 * there. -EBADMSG.
 */
int weft__http_chunk_decode(struct http_chunk_decoder *decoder, const char *text,
			    size_t size, size_t max, struct http_chunk *chunk);

/* ---- Writing ---- */

/* Writes what stands before a chunk of `size` bytes, not zero. Returns how much. */
#define HTTP_CHUNK_HEAD_MAX 18
size_t weft__http_chunk_head(char line[HTTP_CHUNK_HEAD_MAX], size_t size);

/* What stands behind a chunk, and behind the last one. */
#define HTTP_CHUNK_TAIL "\r\n"
#define HTTP_CHUNK_LAST "0\r\n\r\n"

#endif
