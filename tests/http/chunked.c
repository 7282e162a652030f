/*
 * Chunked bodies, in and out. What is refused stands in tests/http/requests.h.
 */
#include "http/chunked.h"

#include "tests/test.h"

static const struct http_head_limits limits = { 100, 200, 3 };

/* Decodes a body that arrives in segments of `step` bytes, handing out `max` at a time.
 */
static int decode(const char *body, size_t size, size_t step, size_t max, char *data,
		  size_t *n_data, size_t *n_taken)
{
	struct http_chunk_decoder decoder;
	struct http_chunk chunk;
	size_t at = 0;
	int r;

	weft__http_chunk_decoder_init(&decoder, &limits);
	*n_data = 0;
	for (size_t end = MIN(step, size);; end = MIN(end + step, size)) {
		do {
			r = weft__http_chunk_decode(&decoder, body + at, end - at, max,
						    &chunk);
			if (r < 0)
				return r;
			if (data && chunk.size)
				memcpy(data + *n_data, chunk.data, chunk.size);
			*n_data += chunk.size;
			at += chunk.taken;
			*n_taken = at;
		} while (r == HTTP_MORE && chunk.size);
		if (r == HTTP_DONE || end == size)
			return r;
	}
}

Test(chunked, gives_the_data_in_pieces_of_any_size)
{
	static const char body[] = "5;x=y\r\nhello\r\n1\r\n \r\n00a\r\n0123456789\r\n"
				   "0\r\nA: b\r\nC: d\r\n\r\nGET";
	static const char expected[] = "hello 0123456789";
	char data[64];
	size_t n;
	size_t taken;

	for (size_t step = 1; step <= sizeof(body); step++) {
		for (size_t max = 1; max <= 12; max++) {
			cr_assert_eq(decode(body, sizeof(body) - 1, step, max, data, &n,
					    &taken),
				     HTTP_DONE);
			cr_expect_eq(n, sizeof(expected) - 1, "%zu %zu", step, max);
			cr_expect_arr_eq(data, expected, n);
			cr_expect_eq(taken, sizeof(body) - 1 - strlen("GET"));
		}
	}
}

Test(chunked, is_not_complete_before_its_last_byte)
{
	static const char body[] = "5\r\nhello\r\n0\r\nA: b\r\n\r\n";
	char data[64];
	size_t n;
	size_t taken;

	for (size_t size = 0; size < sizeof(body) - 1; size++) {
		cr_expect_eq(decode(body, size, 1, 64, data, &n, &taken), HTTP_MORE,
			     "%zu", size);
		cr_expect_eq(decode(body, size, 64, 64, data, &n, &taken), HTTP_MORE,
			     "%zu", size);
	}
}

Test(chunked, lines_have_256_bytes_at_most)
{
	char body[400];
	size_t n;
	size_t taken;

	for (size_t line = 255; line <= 258; line++) {
		memset(body, 'a', sizeof(body));
		memcpy(body, "1;", 2);
		memcpy(body + line, "\r\nx\r\n0\r\n\r\n", 11);
		cr_expect_eq(decode(body, line + 10, SIZE_MAX / 2, 64, NULL, &n, &taken),
			     line <= 256 ? HTTP_DONE : -EBADMSG, "%zu", line);
		cr_expect_eq(decode(body, line + 10, 1, 64, NULL, &n, &taken),
			     line <= 256 ? HTTP_DONE : -EBADMSG, "%zu", line);
	}
}

/* So many chunks of one byte, each with an extension of so many bytes. */
static int decode_tiny(size_t n_chunks, size_t extension)
{
	size_t each = strlen("1;\r\nx\r\n") + extension;
	char *body = malloc(n_chunks * each);
	size_t n;
	size_t taken;
	int r;

	for (size_t i = 0; i < n_chunks; i++) {
		char *at = body + i * each;

		memcpy(at, "1;", 2);
		memset(at + 2, 'e', extension);
		memcpy(at + 2 + extension, "\r\nx\r\n", 5);
	}
	r = decode(body, n_chunks * each, SIZE_MAX / 2, 64, NULL, &n, &taken);
	free(body);
	return r;
}

Test(chunked, envelopes_may_not_outweigh_the_letters)
{
	cr_expect_eq(decode_tiny(100000, 5), HTTP_MORE, "11 bytes around each");
	cr_expect_eq(decode_tiny(600, 100), HTTP_MORE, "below 64 KiB in all");
	cr_expect_eq(decode_tiny(1000, 100), -EBADMSG, "106 bytes around each");
}

static void expect_trailers(const char *name, const char *body, size_t size, int result)
{
	size_t n;
	size_t taken;

	cr_expect_eq(decode(body, size, size, 9, NULL, &n, &taken), result, "%s", name);
	cr_expect_eq(decode(body, size, 1, 9, NULL, &n, &taken), result,
		     "%s, byte by byte", name);
}

Test(chunked, trailers_have_the_limits_of_headers)
{
	static const char three[] = "0\r\nA: b\r\nA: b\r\nA: b\r\n\r\n";
	static const char four[] = "0\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n\r\n";
	char body[300];

	expect_trailers("three", three, sizeof(three) - 1, HTTP_DONE);
	expect_trailers("four", four, sizeof(four) - 1, -EBADMSG);
	for (size_t line = 199; line <= 202; line++) {
		memset(body, 'b', sizeof(body));
		memcpy(body, "0\r\nA: ", 6);
		memcpy(body + 3 + line - 2, "\r\n\r\n", 4);
		expect_trailers(line <= 200 ? "200 bytes" : "201 bytes", body,
				3 + line + 2, line <= 200 ? HTTP_DONE : -EBADMSG);
	}
}

Test(chunked, heads_are_hexadecimal)
{
	static const struct {
		size_t size;
		const char *line;
	} cases[] = {
		{ 1, "1\r\n" },		{ 15, "f\r\n" },
		{ 16, "10\r\n" },	{ 0xabc, "abc\r\n" },
		{ 65536, "10000\r\n" }, { SIZE_MAX, "ffffffffffffffff\r\n" },
	};
	char line[HTTP_CHUNK_HEAD_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t n = weft__http_chunk_head(line, cases[i].size);

		cr_expect_eq(n, strlen(cases[i].line), "%zx", cases[i].size);
		cr_expect_arr_eq(line, cases[i].line, n, "%zx", cases[i].size);
	}
}
