/*
 * Chunked bodies. See http/chunked.h.
 */
#include "http/chunked.h"

void weft__http_chunk_decoder_init(struct http_chunk_decoder *decoder,
				   const struct http_head_limits *limits)
{
	*decoder = (struct http_chunk_decoder){ .limits = *limits };
}

static int refuse(struct http_chunk_decoder *decoder, const char *problem)
{
	return http_refuse(&decoder->refusal, 400, problem);
}

/* ---- Chunk lines ---- */

/* "1a", then CR or ';'. Sixty bits are more than anybody sends. */
static int take_size(struct http_chunk_decoder *decoder, char byte)
{
	int digit = weft__http_hex_digit(byte);

	if (digit >= 0) {
		if (decoder->left >> 56)
			return refuse(decoder, "a chunk is too large");
		decoder->left = decoder->left << 4 | (uint64_t)digit;
		decoder->n_digits++;
		return 0;
	}
	if (!decoder->n_digits)
		return refuse(decoder, "a chunk without a size");
	if (byte == '\r')
		decoder->step = HTTP_CHUNK_LINE_LF;
	else if (byte == ';')
		decoder->step = HTTP_CHUNK_EXTENSION;
	else
		return refuse(decoder, "a bad chunk size");
	return 0;
}

/* Behind a name, a value or a closing quote. `may_have_value` is for the first. */
static int end_extension(struct http_chunk_decoder *decoder, char byte,
			 bool may_have_value)
{
	if (byte == '\r')
		decoder->step = HTTP_CHUNK_LINE_LF;
	else if (byte == ';')
		decoder->step = HTTP_CHUNK_EXTENSION;
	else if (byte == '=' && may_have_value)
		decoder->step = HTTP_CHUNK_EXTENSION_VALUE;
	else
		return refuse(decoder, "a bad chunk extension");
	return 0;
}

/* ";name", ";name=token" or ";name=\"text\"", without blanks. */
static int take_extension(struct http_chunk_decoder *decoder, char byte)
{
	bool is_token = http_is(byte, HTTP_TOKEN);

	switch (decoder->step) {
	case HTTP_CHUNK_EXTENSION:
		if (!is_token)
			return refuse(decoder, "a bad chunk extension");
		decoder->step = HTTP_CHUNK_EXTENSION_NAME;
		return 0;
	case HTTP_CHUNK_EXTENSION_NAME:
		return is_token ? 0 : end_extension(decoder, byte, true);
	case HTTP_CHUNK_EXTENSION_VALUE:
		if (!is_token && byte != '"')
			return refuse(decoder, "a bad chunk extension");
		decoder->step = is_token ? HTTP_CHUNK_EXTENSION_TOKEN
					 : HTTP_CHUNK_EXTENSION_QUOTED;
		return 0;
	case HTTP_CHUNK_EXTENSION_TOKEN:
		return is_token ? 0 : end_extension(decoder, byte, false);
	case HTTP_CHUNK_EXTENSION_QUOTED:
		if (!http_is(byte, HTTP_VALUE))
			return refuse(decoder, "a bad chunk extension");
		if (byte == '"')
			decoder->step = HTTP_CHUNK_EXTENSION_END;
		else if (byte == '\\')
			decoder->step = HTTP_CHUNK_EXTENSION_ESCAPE;
		return 0;
	case HTTP_CHUNK_EXTENSION_ESCAPE:
		if (!http_is(byte, HTTP_VALUE))
			return refuse(decoder, "a bad chunk extension");
		decoder->step = HTTP_CHUNK_EXTENSION_QUOTED;
		return 0;
	default:
		return end_extension(decoder, byte, false);
	}
}

/* The line is complete: data follows, or behind the chunk of no bytes, the trailers. */
static void begin_chunk(struct http_chunk_decoder *decoder)
{
	decoder->n_digits = 0;
	decoder->line_size = 0;
	if (decoder->left) {
		decoder->step = HTTP_CHUNK_DATA;
		return;
	}
	decoder->step = HTTP_CHUNK_TRAILERS;
	weft__http_field_reader_init(&decoder->trailers, 0, decoder->limits.fields,
				     decoder->limits.n_fields);
}

/* A byte that is neither data nor of a trailer. */
static int take_byte(struct http_chunk_decoder *decoder, char byte)
{
	decoder->n_overhead++;
	if (decoder->n_overhead > HTTP_CHUNK_OVERHEAD_FREE &&
	    decoder->n_overhead / HTTP_CHUNK_OVERHEAD_PER_BYTE > decoder->n_data)
		return refuse(decoder, "chunks with hardly any data");

	switch (decoder->step) {
	case HTTP_CHUNK_DATA_CR:
		if (byte != '\r')
			return refuse(decoder, "a chunk that is longer than its size");
		decoder->step = HTTP_CHUNK_DATA_LF;
		return 0;
	case HTTP_CHUNK_DATA_LF:
		if (byte != '\n')
			return refuse(decoder, "a carriage return without a line feed");
		decoder->step = HTTP_CHUNK_SIZE;
		return 0;
	case HTTP_CHUNK_LINE_LF:
		if (byte != '\n')
			return refuse(decoder, "a carriage return without a line feed");
		begin_chunk(decoder);
		return 0;
	default:
		break;
	}
	/* One more than the limit is the CR. */
	if (++decoder->line_size > HTTP_CHUNK_LINE_MAX + (byte == '\r'))
		return refuse(decoder, "a chunk line is too long");
	if (decoder->step == HTTP_CHUNK_SIZE)
		return take_size(decoder, byte);
	return take_extension(decoder, byte);
}

/* ---- Data and trailers ---- */

static void take_data(struct http_chunk_decoder *decoder, const char *text, size_t size,
		      struct http_chunk *chunk)
{
	chunk->data = text;
	chunk->size = MIN(size, decoder->left);
	decoder->left -= chunk->size;
	decoder->n_data += chunk->size;
	if (!decoder->left)
		decoder->step = HTTP_CHUNK_DATA_CR;
}

/* The trailers stay untaken until the empty line behind them is there. */
static int take_trailers(struct http_chunk_decoder *decoder, const char *text,
			 size_t size, struct http_chunk *chunk)
{
	int r;

	do {
		r = weft__http_field_read(&decoder->trailers, text, size,
					  &decoder->refusal);
	} while (r == HTTP_FIELD);
	if (r == HTTP_DONE) {
		decoder->step = HTTP_CHUNK_ENDED;
		chunk->taken += decoder->trailers.at;
	}
	return r;
}

int weft__http_chunk_decode(struct http_chunk_decoder *decoder, const char *text,
			    size_t size, size_t max, struct http_chunk *chunk)
{
	int r;

	*chunk = (struct http_chunk){ 0 };
	while (chunk->taken < size) {
		switch (decoder->step) {
		case HTTP_CHUNK_DATA:
			take_data(decoder, text + chunk->taken,
				  MIN(size - chunk->taken, max), chunk);
			chunk->taken += chunk->size;
			return HTTP_MORE;
		case HTTP_CHUNK_TRAILERS:
			return take_trailers(decoder, text + chunk->taken,
					     size - chunk->taken, chunk);
		case HTTP_CHUNK_ENDED:
			return HTTP_DONE;
		default:
			r = take_byte(decoder, text[chunk->taken]);
			if (r < 0)
				return r;
			chunk->taken++;
		}
	}
	return decoder->step == HTTP_CHUNK_ENDED ? HTTP_DONE : HTTP_MORE;
}

/* ---- Writing ---- */

size_t weft__http_chunk_head(char line[HTTP_CHUNK_HEAD_MAX], size_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 1;

	while (n < 2 * sizeof(size) && size >> (4 * n))
		n++;
	for (size_t i = 0; i < n; i++)
		line[i] = digits[size >> (4 * (n - 1 - i)) & 15];
	line[n] = '\r';
	line[n + 1] = '\n';
	return n + 2;
}
