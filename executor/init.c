/*
 * The first call of main(): gives each layer that starts processes of this program its
 * chance to find out whether this is one of them. While there is one thread.
 */
#include "executor/init.h"

#include <weft/executor.h>

#include "base/base.h"

enum { MAX_FUNCTIONS = 8 };

static weft__init_fn *functions[MAX_FUNCTIONS];
static int n_functions;
static bool was_called;

void weft__init_add(weft__init_fn *fn)
{
	weft_assert(
		n_functions < MAX_FUNCTIONS,
		"weft__init_add() was called more than %d times: make its table larger",
		MAX_FUNCTIONS);
	functions[n_functions++] = fn;
}

bool weft__init_was_called(void)
{
	return was_called;
}

void weft_init(int *argc, char ***argv)
{
	weft_assert(
		argc && argv && *argv,
		"weft_init() needs what main() was given: call weft_init(&argc, &argv)");
	if (was_called)
		return;
	was_called = true;
	for (int i = 0; i < n_functions; i++)
		functions[i](argc, argv);
}
