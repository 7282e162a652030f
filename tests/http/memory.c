/*
 * Memory of one request.
 */
#include "http/memory.h"

#include "tests/test.h"

Test(http_memory, is_given_out_apart_and_aligned)
{
	struct http_memory memory = { 0 };
	char *pieces[64];

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		pieces[i] = weft__http_memory_alloc(&memory, i * 10 + 1);
		cr_assert_not_null(pieces[i]);
		cr_expect_eq((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		memset(pieces[i], (int)i, i * 10 + 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		for (size_t k = 0; k < i * 10 + 1; k++)
			cr_assert_eq(pieces[i][k], (char)i);
	weft__http_memory_fini(&memory);
}

Test(http_memory, of_small_requests_is_allocated_once)
{
	struct http_memory memory = { 0 };

	weft__fail_allocation(1000);
	for (int i = 0; i < 50; i++) {
		cr_assert_not_null(weft__http_memory_alloc(&memory, 700));
		cr_assert_not_null(weft__http_memory_copy(&memory, "text", 4));
		weft__http_memory_reset(&memory);
	}
	cr_expect_eq(weft__allocations(), 1);
	weft__fail_allocation(0);
	weft__http_memory_fini(&memory);
}

Test(http_memory, of_a_large_request_is_not_kept)
{
	struct http_memory memory = { 0 };

	cr_assert_not_null(weft__http_memory_alloc(&memory, 100000));
	cr_assert_not_null(weft__http_memory_alloc(&memory, 100));
	weft__http_memory_reset(&memory);
	cr_expect_null(memory.blocks);

	cr_assert_not_null(weft__http_memory_alloc(&memory, 100));
	cr_assert_not_null(weft__http_memory_alloc(&memory, 100000));
	weft__http_memory_reset(&memory);
	cr_expect_not_null(memory.blocks);
	weft__http_memory_fini(&memory);
}

Test(http_memory, that_is_not_there_is_null)
{
	struct http_memory memory = { 0 };

	weft__fail_allocation(1);
	cr_expect_null(weft__http_memory_copy(&memory, "text", 4));
	weft__fail_allocation(0);
	cr_expect_null(weft__http_memory_alloc(&memory, SIZE_MAX - 8));
	cr_expect_str_eq(weft__http_memory_copy(&memory, "text", 2), "te");
	weft__http_memory_fini(&memory);
}
