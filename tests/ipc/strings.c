/*
 * Tests of ipc/strings.c.
 */
#include "ipc/strings.h"

#include "tests/test.h"

static char *const environment[] = {
	(char[]){ "PATH=/bin" }, (char[]){ "SECRET=42" }, (char[]){ "SECRETARY=x" },
	(char[]){ "NO_EQUALS" }, (char[]){ "EMPTY=" },	  NULL,
};

Test(strings, are_copied_in_their_order)
{
	size_t n = 0;
	char **copy = weft__strings_copy(environment, NULL, 0, &n);

	cr_assert_not_null(copy);
	cr_expect_eq(n, (size_t)5);
	for (size_t i = 0; i < 5; i++) {
		cr_expect_str_eq(copy[i], environment[i]);
		cr_expect_neq(copy[i], environment[i], "a copy has memory of its own");
	}
	cr_expect_null(copy[5]);
	free(copy);
}

Test(strings, variables_are_left_out_by_their_whole_name)
{
	static const char *const without[] = { "SECRET", "NO_EQUALS", "ABSENT", NULL };
	size_t n = 0;
	char **copy = weft__strings_copy(environment, without, 0, &n);

	cr_assert_not_null(copy);
	cr_assert_eq(n, (size_t)4);
	cr_expect_str_eq(copy[1], "SECRETARY=x");
	cr_expect_str_eq(copy[2], "NO_EQUALS", "is no variable");
	free(copy);
}

Test(strings, spare_places_are_null)
{
	char *const one[] = { (char[]){ "a" }, NULL };
	char **copy = weft__strings_copy(one, NULL, 2, NULL);

	cr_assert_not_null(copy);
	cr_expect_null(copy[1]);
	cr_expect_null(copy[2]);
	cr_expect_null(copy[3]);
	free(copy);
}

Test(strings, no_list_at_all_is_an_empty_one)
{
	size_t n = 1;
	char **copy = weft__strings_copy(NULL, NULL, 1, &n); /* environ after clearenv() */

	cr_assert_not_null(copy);
	cr_expect_eq(n, (size_t)0);
	cr_expect_null(copy[0]);
	cr_expect_null(copy[1]);
	free(copy);
}

Test(strings, no_memory_is_null)
{
	weft__fail_allocation(1);
	cr_expect_null(weft__strings_copy(environment, NULL, 0, NULL));
	weft__fail_allocation(0);
}
