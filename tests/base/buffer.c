/*
 * Owned bytes and borrowed views of bytes.
 */
#include "tests/test.h"

static int n_releases;

static void release(struct weft_buffer *buffer)
{
	n_releases++;
	cr_expect_eq(buffer->owner, &n_releases, "release sees the buffer as it was");
	free(buffer->data);
}

Test(buffer, is_released_once_and_empty_afterwards)
{
	struct weft_buffer buffer = {
		.data = malloc(16), .size = 16, .release = release, .owner = &n_releases
	};

	weft_buffer_fini(&buffer);
	weft_buffer_fini(&buffer);
	cr_expect_eq(n_releases, 1);
	cr_expect_null(buffer.data);
	cr_expect_eq(buffer.size, 0);
}

Test(buffer, that_is_empty_may_be_released)
{
	struct weft_buffer buffer = { 0 };

	weft_buffer_fini(&buffer);
	cr_expect_null(buffer.data);
}

Test(bytes, are_views_without_the_terminator)
{
	static const char text[] = "weft";
	uint32_t number = 7;

	cr_expect_eq(weft_bytes_text(text).data, text);
	cr_expect_eq(weft_bytes_text(text).size, 4);
	cr_expect_eq(weft_bytes_text("").size, 0);
	cr_expect_eq(WEFT_BYTES(number).data, &number);
	cr_expect_eq(WEFT_BYTES(number).size, sizeof(number));
}
