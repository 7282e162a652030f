/*
 * The first call of main(), inside the library. Who has something to do there adds itself
 * in a constructor.
 */
#ifndef WEFT_EXECUTOR_INIT_H
#define WEFT_EXECUTOR_INIT_H

#include <stdbool.h>

typedef void weft__init_fn(int *argc, char ***argv);

/* Before main(): fn is called by weft_init(), in the order of adding. At most 8. */
void weft__init_add(weft__init_fn *fn);
/* Thread: any, after main() began. Did main() call weft_init()? */
bool weft__init_was_called(void);

#endif
