/*
 * weft_init().
 */
#include "executor/init.h"

#include <weft/executor.h>

#include "tests/child.h"
#include "tests/test.h"

static char order[8];

static void first(int *argc, char ***argv)
{
	strcat(order, "1");
	cr_expect_eq(*argc, 2);
	cr_expect_str_eq((*argv)[1], "option");
	*argc = 1;
}

static void second(int *argc, char ***argv)
{
	(void)argv;
	strcat(order, "2");
	cr_expect_eq(*argc, 1);
}

Test(init, calls_those_who_take_part_once_and_in_order)
{
	static char program[] = "program", option[] = "option";
	char *arguments[] = { program, option, NULL };
	char **argv = arguments;
	int argc = 2;

	cr_expect(!weft__init_was_called());
	weft__init_add(first);
	weft__init_add(second);
	weft_init(&argc, &argv);
	cr_expect(weft__init_was_called());
	cr_expect_str_eq(order, "12");
	cr_expect_eq(argc, 1);
	weft_init(&argc, &argv);
	cr_expect_str_eq(order, "12");
}

static int init_with_nothing(void *arg)
{
	(void)arg;
	weft_init(NULL, NULL);
	return 0;
}

Test(init, needs_the_arguments_of_main)
{
	expect_assertion(init_with_nothing, NULL, "call weft_init(&argc, &argv)");
}
